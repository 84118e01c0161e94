package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"guideway/control/config"
	"guideway/control/console"
	"guideway/control/machine"
)

// nodeAnswers is what a node says by its console: of each answer what is judged
// here, by the console's names.
type nodeAnswers struct {
	version console.Version
	config  struct {
		Path      string
		LastError string `json:"last_error"`
		Warnings  []string
		Draining  bool
	}
	cores struct {
		Generation uint64
		Cores      []coreAnswer
	}
	ports    struct{ Ports []portAnswer }
	vips     struct{ VIPs []vipAnswer }
	checks   struct{ Checks []console.Check }
	bgp      console.BGP
	trouble  struct{ Unhealthy string } // beside bgp
	nodes    struct{ Nodes []console.FleetNode }
	kernel   console.Kernel
	counters [2]struct{ Outcomes []outcome } // a while apart
}

type coreAnswer struct {
	CPU        int
	Answers    bool
	Generation uint64
	Busy       float64
	Misspread  uint64
}

type portAnswer struct {
	Name     string
	MTU      int
	Up       bool
	Missed   uint64 `json:"rx_missed"`
	NoFrame  uint64 `json:"rx_no_frame"`
	RxErrors uint64 `json:"rx_errors"`
	TxErrors uint64 `json:"tx_errors"`
	Error    string
}

type vipAnswer struct {
	Name, State, Route string
	Healthy, Wanted    int
}

// An outcome is how many frames ended so, since the start.
type outcome struct {
	Name string
	Sum  uint64
}

// between is how long counters are watched for growth.
const between = 2 * time.Second

// examineNode asks a node, and looks at the machine if it runs on this one.
func examineNode(f doctorFlags) ([]machine.Finding, error) {
	path := f.file
	if path == "" {
		path = usualConfig
	}
	cfg, _, cfgErr := config.Load(path)
	if f.file != "" && cfgErr != nil {
		return nil, cfgErr
	}
	at := f.console
	if at == "" {
		at = usualAddress(usualSocket)
		if cfg != nil && cfg.Console.Listen != (config.Listen{}) {
			at = cfg.Console.Listen.String()
		}
	}
	a, err := askNode(at, f.secret)
	if err != nil {
		return nil, fmt.Errorf("%s: %w (is guidewayd running, and [console].listen there?)", at, err)
	}
	findings := judgeNode(a)
	source := machine.Here()
	p, local := machine.LookProcess(source, a.version.PID)
	if !local {
		return append(findings, machine.Finding{Topic: "machine", Severity: machine.Note, Text: "guidewayd does not run on this one, which is therefore not judged"}), nil
	}
	if running, _, err := config.Load(a.config.Path); err == nil {
		cfg, cfgErr = running, nil
	}
	if cfg == nil {
		return append(findings, machine.Finding{Topic: "machine", Severity: machine.Note, Text: fmt.Sprintf("not judged without a configuration: %v", cfgErr)}), nil
	}
	want := wantOf(cfg)
	facts := machine.Look(source)
	findings = append(findings, machine.JudgeProcess(p, want)...)
	for _, found := range machine.Judge(facts, want) {
		found.Steps = nil // it runs: guideway setup is for before
		findings = append(findings, found)
	}
	return findings, nil
}

// askNode asks all that is judged.
func askNode(at, secret string) (a nodeAnswers, err error) {
	d, err := dial(at)
	if err != nil {
		return a, err
	}
	defer d.conn.Close()
	var password func(string) (string, error)
	if secret != "" {
		tried := false
		password = func(string) (string, error) {
			if tried {
				return "", errors.New("the password is another")
			}
			tried = true
			return readSecret(secret)
		}
	}
	if _, err := login(d, password, io.Discard); err != nil {
		return a, err
	}
	for _, q := range []struct {
		command string
		into    []any
	}{
		{"show counters", []any{&a.counters[0]}},
		{"show version", []any{&a.version}},
		{"show config", []any{&a.config}},
		{"show cores", []any{&a.cores}},
		{"show ports", []any{&a.ports}},
		{"show vips", []any{&a.vips}},
		{"show checks", []any{&a.checks}},
		{"show bgp", []any{&a.bgp, &a.trouble}},
		{"show nodes", []any{&a.nodes}},
		{"show kernel", []any{&a.kernel}},
		{"", nil},
		{"show counters", []any{&a.counters[1]}},
	} {
		if q.command == "" {
			time.Sleep(between)
			continue
		}
		if err := d.say(q.command + " --json"); err != nil {
			return a, err
		}
		f, err := d.answer()
		if err == nil && f.status == "error" {
			err = errors.New(f.text)
		}
		for _, into := range q.into {
			if err == nil {
				err = json.Unmarshal([]byte(f.text), into)
			}
		}
		if err != nil {
			return a, fmt.Errorf("%s: %w", q.command, err)
		}
	}
	return a, nil
}

package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"strings"

	"guideway/control/config"
	"guideway/control/machine"
)

const usualConfig = "/etc/guideway/guideway.toml"

func setupVerb() verb {
	return verb{
		name:  "setup",
		args:  "[--config FILE] [--nic PCI]... [--hugepages SIZE] [--apply] [--force] [--undo] [--json]",
		short: "say what this machine lacks for guidewayd, and mend it",
		long: `Looks at CPUs, hugepages, IOMMU, network cards and their drivers, now and at the
next boot, and says what is missing for the lcores, the memory and the ports of
the configuration. Without --apply nothing is changed; what would be done is said.

  --config FILE     by default ` + usualConfig + `
  --nic PCI         these cards, and not those of the configuration; once for each
  --hugepages SIZE  pages of 2M or 1G, and not the machine's usual
  --apply           do it, step by step. Repeat it as often as you like
  --force           take a card even if it carries a default route or an SSH session
  --undo            what takes away all that --apply has made; with --apply, do that
  --json            facts, findings and steps, for programs

The kernel's command line is never edited: what belongs there is said.

Exit status: 0 nothing is missing, 1 something is or a step failed, 2 usage.
`,
		run: runSetup,
	}
}

// setupFlags is what was asked.
type setupFlags struct {
	config             string
	nics               []string
	page               uint64
	apply, force, undo bool
	json               bool
}

func runSetup(e env, args []string) int {
	var f setupFlags
	flags := flag.NewFlagSet("setup", flag.ContinueOnError)
	flags.SetOutput(e.err)
	flags.Usage = func() { usage(e.err, setupVerb()) }
	flags.StringVar(&f.config, "config", "", "")
	flags.Func("nic", "", func(s string) error {
		f.nics = append(f.nics, s)
		return nil
	})
	flags.Func("hugepages", "", func(s string) (err error) {
		f.page, err = machine.ParsePage(s)
		return err
	})
	flags.BoolVar(&f.apply, "apply", false, "")
	flags.BoolVar(&f.force, "force", false, "")
	flags.BoolVar(&f.undo, "undo", false, "")
	flags.BoolVar(&f.json, "json", false, "")
	switch err := flags.Parse(args); {
	case err == flag.ErrHelp:
		return exitOK
	case err != nil:
		return exitUsage
	case flags.NArg() > 0:
		fmt.Fprintf(e.err, "guideway setup: %q is too much\n", flags.Arg(0))
		return exitUsage
	}
	want, from, err := wanted(f)
	if err != nil {
		fmt.Fprintln(e.err, err)
		return exitFault
	}
	s := setup{e, f, want, from, machine.Here(), machine.Doer{Root: "/", Run: func(argv ...string) ([]byte, error) {
		return exec.Command(argv[0], argv[1:]...).CombinedOutput()
	}}}
	return s.run()
}

// wanted is what the configuration and the flags ask for, and where that is
// from. The usual file need not be there.
func wanted(f setupFlags) (w machine.Want, from string, err error) {
	w = machine.Want{PageSize: f.page, Force: f.force}
	path := f.config
	if path == "" {
		path = usualConfig
	}
	cfg, _, err := config.Load(path)
	if _, statErr := os.Stat(path); f.config == "" && errors.Is(statErr, fs.ErrNotExist) {
		from, err = "no "+usualConfig+" yet: memory as by default", nil
		w.Memory = config.DefaultMemory
	} else if err != nil {
		return w, "", fmt.Errorf("%w\n(guideway check %s)", err, path)
	} else {
		from = path
		w = wantOf(cfg)
		w.PageSize, w.Force = f.page, f.force
	}
	if len(f.nics) > 0 {
		w.Ports = nil
	}
	for _, nic := range f.nics {
		address, ok := config.PCIAddress(nic)
		if !ok {
			return w, "", fmt.Errorf("guideway setup: --nic: %q is no PCI address, as in 0000:3b:00.0", nic)
		}
		w.Ports = append(w.Ports, machine.Port{Name: address, Device: address, PCI: true})
	}
	return w, from, nil
}

// wantOf is what a configuration asks of the machine.
func wantOf(cfg *config.Config) machine.Want {
	w := machine.Want{Lcores: cfg.DPDK.Lcores, Memory: cfg.HugeMemory()}
	for _, p := range cfg.Ports {
		name, pci := p.PCI()
		w.Ports = append(w.Ports, machine.Port{Name: p.Name, Device: name, PCI: pci})
	}
	return w
}

// A setup is one run.
type setup struct {
	env
	setupFlags
	want   machine.Want
	from   string
	source machine.Source
	doer   machine.Doer
}

func (s *setup) run() int {
	facts := machine.Look(s.source)
	findings := machine.Judge(facts, s.want)
	steps := machine.Steps(findings)
	if s.undo {
		steps = machine.Undo(facts)
	}
	out := s.out
	if s.json {
		out = io.Discard // its one value is written at the end
	} else if !s.undo {
		s.report(facts, findings)
	}
	failed := false
	if len(steps) > 0 {
		failed = s.take(out, steps)
	}
	if s.apply && len(steps) > 0 {
		facts = machine.Look(s.source)
		findings = machine.Judge(facts, s.want)
		steps = machine.Steps(findings)
		if !s.undo && !s.json {
			fmt.Fprint(s.out, "\nNow\n")
			machine.Write(s.out, findings)
		}
	}
	if s.json {
		enc := json.NewEncoder(s.out)
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		if err := enc.Encode(map[string]any{"facts": facts, "findings": findings, "steps": steps}); err != nil {
			return exitFault
		}
	}
	switch {
	case failed, !s.undo && machine.Worst(findings) == machine.Missing:
		return exitFault
	case s.undo && len(steps) == 0 && !s.json && !s.apply:
		fmt.Fprintln(s.out, "There is nothing of guideway setup to undo.")
	}
	return exitOK
}

func (s *setup) report(facts *machine.Facts, findings []machine.Finding) {
	fmt.Fprintln(s.out, "This machine")
	machine.WriteFacts(s.out, facts)
	fmt.Fprintf(s.out, "\nFor guidewayd (%s)\n", s.from)
	if len(s.want.Ports) == 0 {
		fmt.Fprintln(s.out, "  note     ports: none asked for; --nic judges a card of the list above")
	}
	machine.Write(s.out, findings)
}

// take says each step before it is done, or all of what would be done.
func (s *setup) take(out io.Writer, steps []machine.Step) (failed bool) {
	if !s.apply {
		fmt.Fprintln(out, "\nWith --apply, this would be done")
	} else {
		fmt.Fprintln(out, "\nDoing")
	}
	for _, step := range steps {
		fmt.Fprintf(out, "  %s\n", strings.ReplaceAll(step.String(), "\n", "\n  "))
		if !s.apply {
			continue
		}
		if err := s.doer.Do(step); err != nil {
			fmt.Fprintf(s.err, "guideway setup: %v\n", err)
			if errors.Is(err, fs.ErrPermission) {
				fmt.Fprintln(s.err, "guideway setup: it takes root")
			}
			failed = true
		}
	}
	return failed
}

package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os/signal"
	"syscall"
	"time"

	"guideway/control/machine"
)

func doctorVerb() verb {
	return verb{
		name:  "doctor",
		args:  "[-p FILE] [--config FILE] [--json] [CONSOLE] | --backend --vip ADDR... [--from ADDR]... [--probe SECONDS] [--json]",
		short: "say what is wrong, or fine, with a running node, or with a backend",
		long: `On a load balancer: asks the running guidewayd by its console, at ` + usualConsole + ` or where
the configuration says, or at CONSOLE (address:port, or unix:/PATH), and looks at
the machine.

  -p FILE        the file with the console's password, where one is asked for
  --config FILE  by default ` + usualConfig + `

On a backend, where no guidewayd runs:

  --backend          look whether packets out of tunnels get to the service
  --vip ADDR         an address that is served; once for each
  --from ADDR        a load balancer's [node].source; once for each
  --probe SECONDS    also listen for that long for what arrives as protocol 47: from
                     which load balancer, for which VIP. Takes root

  --json  findings, for programs

Exit status: 0 nothing is missing, 1 something is, 2 usage.
`,
		run: runDoctor,
	}
}

// doctorFlags is what was asked.
type doctorFlags struct {
	backend      bool
	vips, from   []netip.Addr
	probe        int
	secret, file string
	json         bool
	console      string
}

func runDoctor(e env, args []string) int {
	var f doctorFlags
	flags := flag.NewFlagSet("doctor", flag.ContinueOnError)
	flags.SetOutput(e.err)
	flags.Usage = func() { usage(e.err, doctorVerb()) }
	address := func(list *[]netip.Addr) func(string) error {
		return func(s string) error {
			a, err := netip.ParseAddr(s)
			*list = append(*list, a)
			return err
		}
	}
	flags.BoolVar(&f.backend, "backend", false, "")
	flags.Func("vip", "", address(&f.vips))
	flags.Func("from", "", address(&f.from))
	flags.IntVar(&f.probe, "probe", 0, "")
	flags.StringVar(&f.secret, "p", "", "")
	flags.StringVar(&f.file, "config", "", "")
	flags.BoolVar(&f.json, "json", false, "")
	fault := ""
	switch err := flags.Parse(args); {
	case err == flag.ErrHelp:
		return exitOK
	case err != nil:
		return exitUsage
	case f.backend && len(f.vips) == 0:
		fault = "which --vip?"
	case f.backend && (flags.NArg() > 0 || f.secret != "" || f.file != ""):
		fault = "a backend has no console and no configuration"
	case !f.backend && (len(f.vips) > 0 || len(f.from) > 0 || f.probe != 0):
		fault = "--vip, --from and --probe are for --backend"
	case f.probe < 0 || f.probe > 3600:
		fault = "--probe takes 1 to 3600 seconds"
	case flags.NArg() > 1:
		fault = fmt.Sprintf("%q is too much", flags.Arg(1))
	}
	if fault != "" {
		fmt.Fprintf(e.err, "guideway doctor: %s\n", fault)
		return exitUsage
	}
	f.console = flags.Arg(0)
	var findings []machine.Finding
	var err error
	if f.backend {
		findings, err = examineBackend(e, f)
	} else {
		findings, err = examineNode(f)
	}
	if err != nil {
		fmt.Fprintf(e.err, "guideway doctor: %v\n", err)
		return exitFault
	}
	if f.json {
		enc := json.NewEncoder(e.out)
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		err = enc.Encode(map[string]any{"findings": findings})
	} else {
		machine.Write(e.out, findings)
	}
	if err != nil || machine.Worst(findings) == machine.Missing {
		return exitFault
	}
	return exitOK
}

func examineBackend(e env, f doctorFlags) ([]machine.Finding, error) {
	findings := machine.JudgeBackend(machine.LookBackend(machine.Here(), f.from), f.vips, f.from)
	if f.probe == 0 {
		return findings, nil
	}
	fmt.Fprintf(e.err, "listening for protocol 47, for %d s ...\n", f.probe)
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(f.probe)*time.Second)
	defer cancel()
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT)
	defer stop()
	list, dropped, err := machine.Probe(ctx)
	if errors.Is(err, syscall.EPERM) {
		err = fmt.Errorf("--probe takes root: %w", err)
	}
	findings = append(findings, machine.JudgeArrivals(list, f.vips, f.from)...)
	if dropped > 0 {
		findings = append(findings, machine.Finding{Topic: "probe", Severity: machine.Note, Text: fmt.Sprintf("%d packets more, from too many senders to list", dropped)})
	}
	return findings, err
}

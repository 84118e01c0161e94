package main

import (
	"flag"
	"fmt"
	"net/netip"

	"guideway/control/config"
)

func checkVerb() verb {
	return verb{
		name:  "check",
		args:  "[-q] FILE...",
		short: "judge configuration files, without DPDK and without touching anything",
		long: `Every fault is written to standard error as FILE:LINE:COLUMN: TEXT, all of them
in one go, and so are warnings, which do not count as faults. A file that is in
order is summed up on standard output.

  -q  faults only: no warnings, no summary

Exit status: 0 all files are in order, 1 one is not, 2 usage.
`,
		run: runCheck,
	}
}

func runCheck(e env, args []string) int {
	flags := flag.NewFlagSet("check", flag.ContinueOnError)
	flags.SetOutput(e.err)
	flags.Usage = func() { usage(e.err, checkVerb()) }
	quiet := flags.Bool("q", false, "")
	switch err := flags.Parse(args); {
	case err == flag.ErrHelp:
		return exitOK
	case err != nil:
		return exitUsage
	case flags.NArg() == 0:
		fmt.Fprintln(e.err, "guideway check: which file?")
		usage(e.err, checkVerb())
		return exitUsage
	}
	code := exitOK
	for _, path := range flags.Args() {
		if !checkFile(e, path, *quiet) {
			code = exitFault
		}
	}
	return code
}

func checkFile(e env, path string, quiet bool) bool {
	cfg, warnings, err := config.Load(path)
	if err != nil {
		fmt.Fprintln(e.err, err)
		return false
	}
	if quiet {
		return true
	}
	for _, w := range warnings {
		fmt.Fprintln(e.err, w)
	}
	fmt.Fprintf(e.out, "%s: ok: %s\n", path, summary(cfg, len(warnings)))
	return true
}

// summary counts what a person would count to see that the right file was
// judged. Backends are machines: one that serves two VIPs counts once.
func summary(cfg *config.Config, warnings int) string {
	machines := map[netip.Addr]bool{}
	for _, v := range cfg.VIPs {
		for _, b := range cfg.Backends(v) {
			machines[b.Address] = true
		}
	}
	s := fmt.Sprintf("%s, %s, %s, %s", count(len(cfg.VIPs), "VIP"), count(len(machines), "backend"),
		count(len(cfg.Ports), "port"), count(len(cfg.DPDK.Lcores), "lcore"))
	if cfg.VIPsElsewhere > 0 {
		s += fmt.Sprintf(", %s of other shards", count(cfg.VIPsElsewhere, "VIP"))
	}
	if warnings > 0 {
		s += ", " + count(warnings, "warning")
	}
	return s
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// Guideway-lab builds a network on one machine around a real guidewayd and
// sends real HTTP through it: a client, a router, a load balancer on a DPDK
// port and a rack of nginx backends, each in a network namespace of its own.
//
//	guideway-lab                    build, prove, stay up until Ctrl-C
//	guideway-lab --once             build, prove, take down; exit 0 only if all was well
//	guideway-lab clean              remove what a killed run has left behind
//
// The files follow the run: topology.go says what there is, netns.go and
// process.go make it, backend.go and guidewayd.go start the programs, traffic.go
// and reload.go send requests (fetch.go is the client, inside its namespace),
// judge.go and report.go say what came of it, cleanup.go takes all of it away.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
)

// options are what a person can choose.
type options struct {
	name      string // instance: prefix of every namespace and of the host's interface
	backends  int    // in the pools from the start; one spare more is built
	requests  int    // over all VIPs
	driver    driver // of the load balancer's port
	guidewayd string // path of the binary
	report    string // file for the JSON report
	once      bool
	reload    bool // the reload demonstration
	huge      bool // hugepages, where there are enough
	verbose   bool // print every command
}

const usage = `guideway-lab builds a network on this machine around a real guidewayd and sends HTTP through it.

usage: guideway-lab [flags]        build, prove, stay up until Ctrl-C
       guideway-lab clean [flags]  remove what a killed run has left behind

flags:
`

func main() {
	// A child started with Pdeathsig dies with the *thread* that forked it. The
	// main goroutine forks them all and never leaves the main thread, so that
	// they die with this process and not before.
	runtime.LockOSThread()

	err := dispatch(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		os.Exit(2)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "guideway-lab:", err)
		os.Exit(1)
	}
}

// dispatch picks the verb. decap and fetch are for the lab itself, which starts
// them inside a backend's and the client's namespace.
func dispatch(args []string) error {
	verb := "run"
	if len(args) > 0 && args[0] != "" && args[0][0] != '-' {
		verb, args = args[0], args[1:]
	}
	switch verb {
	case "decap":
		return decapMain(args, os.Stdin, os.Stdout)
	case "fetch":
		return fetchMain(os.Stdin, os.Stdout)
	case "run", "clean":
	default:
		return fmt.Errorf("unknown verb %q; try --help", verb)
	}

	o, err := parseOptions(args, os.Stderr)
	if err != nil {
		return err
	}
	// The administrator's tools are not in everyone's PATH.
	os.Setenv("PATH", os.Getenv("PATH")+":/usr/sbin:/sbin")

	// SIGPIPE too: when nobody reads on, the network must still come down.
	ctx, stop := signal.NotifyContext(context.Background(),
		os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE)
	defer stop()
	say := newNarrator(os.Stdout, o.verbose)
	if verb == "clean" {
		return cleanMain(o, say)
	}
	return run(ctx, o, say)
}

func parseOptions(args []string, out io.Writer) (options, error) {
	var o options
	fs := flag.NewFlagSet("guideway-lab", flag.ContinueOnError)
	fs.SetOutput(out)
	fs.Usage = func() {
		fmt.Fprint(out, usage)
		fs.PrintDefaults()
	}
	fs.StringVar(&o.name, "name", "gwlab", "instance name, the prefix of its namespaces; labs of different names run side by side")
	fs.IntVar(&o.backends, "backends", 3, "backends at the start; one more is built, for the reload")
	fs.IntVar(&o.requests, "requests", 1000, "requests to send, over all VIPs")
	o.driver = drivers[0]
	fs.Func("driver", "DPDK driver of the load balancer's port: af_xdp (the default) or af_packet", o.setDriver)
	fs.StringVar(&o.guidewayd, "guidewayd", "", "the guidewayd to run (default: the one beside this command, else in PATH)")
	fs.StringVar(&o.report, "report", "", "also write the report as JSON to this file")
	fs.BoolVar(&o.once, "once", false, "take the lab down after the report; exit 1 if anything in it is wrong")
	fs.BoolVar(&o.reload, "reload-demo", true, "add a backend while transfers run, and show that none breaks")
	fs.BoolVar(&o.huge, "huge", true, "give guidewayd hugepages where enough are free; false: ordinary pages")
	fs.BoolVar(&o.verbose, "v", false, "print every command that builds the network")
	if err := fs.Parse(args); err != nil {
		return o, err
	}
	return o, o.check(fs.Args())
}

func (o *options) check(rest []string) error {
	var faults []error
	fault := func(format string, a ...any) { faults = append(faults, fmt.Errorf(format, a...)) }
	if len(rest) > 0 {
		fault("unexpected argument %q", rest[0])
	}
	if !nameRE.MatchString(o.name) {
		fault("--name %q: want one to eight of a-z and 0-9, a letter first (it becomes part of interface names)", o.name)
	}
	if o.backends < 1 || o.backends > maxBackends {
		fault("--backends %d: want 1 to %d", o.backends, maxBackends)
	}
	if o.requests < 0 {
		fault("--requests %d: want a number of requests", o.requests)
	}
	return errors.Join(faults...)
}

func (o *options) setDriver(name string) error {
	i := slices.IndexFunc(drivers, func(d driver) bool { return d.name == name })
	if i < 0 {
		return errors.New("want af_xdp or af_packet")
	}
	o.driver = drivers[i]
	return nil
}

// findGuidewayd names the daemon to run: the one asked for, the one beside this
// command, or the one in PATH.
func findGuidewayd(asked string) (string, error) {
	if asked != "" {
		if _, err := os.Stat(asked); err != nil {
			return "", fmt.Errorf("--guidewayd: %w", err)
		}
		return filepath.Abs(asked)
	}
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	beside := filepath.Join(filepath.Dir(self), "guidewayd")
	if _, err := os.Stat(beside); err == nil {
		return beside, nil
	}
	if path, ok := lookTool("guidewayd"); ok {
		return path, nil
	}
	return "", fmt.Errorf("no guidewayd at %s and none in PATH; \"make build\" makes it, --guidewayd names another", beside)
}

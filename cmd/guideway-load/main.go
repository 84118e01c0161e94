// Command guideway-load sends the packets of many flows through a DPDK port and
// judges what comes back. docs/load.md tells how to use it.
//
// Flags come to a plan in package options, packets are made and read in package
// traffic, and package engine sends, receives and counts. What is here opens
// ports and gives the engine's loops their threads.
//
// SIGINT and SIGTERM end a test in order: what is on its way is waited for, and
// the report is printed. It exits with 0 after a test that ended so, 1 if it could
// not run, lost frames of its own, or found what -fail names, 2 on wrong use.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"guideway/cmd/guideway-load/engine"
	"guideway/cmd/guideway-load/options"
	"guideway/pmd/dpdk"
)

// version is set by the linker.
var version = "unversioned"

func main() {
	o, err := options.Parse(os.Args[1:], os.Stdout)
	switch {
	case errors.Is(err, options.ErrHelp):
		return
	case err != nil:
		for line := range strings.Lines(err.Error()) {
			fmt.Fprintf(os.Stderr, "guideway-load: %s\n", strings.TrimSpace(line))
		}
		fmt.Fprintln(os.Stderr, "guideway-load -h lists the flags")
		os.Exit(2)
	case o.Version:
		fmt.Println("guideway-load", version, "with", dpdk.Version())
		return
	}
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, "guideway-load:", err)
		os.Exit(1)
	}
}

// run is the life of the test.
func run(o *options.Options) (err error) {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	r, err := open(o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	if err := r.waitLinks(signals); err != nil {
		return err
	}
	report, err := r.test(signals)
	if err != nil {
		return err
	}
	if err := print(report, o.JSON); err != nil {
		return err
	}
	if o.Hold {
		<-signals
	}
	return judge(report, o.Fail)
}

func print(r *engine.Report, asJSON bool) error {
	if !asJSON {
		return r.Text(os.Stdout)
	}
	e := json.NewEncoder(os.Stdout)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// judge makes an error of findings.
func judge(r *engine.Report, fail []string) error {
	found := map[string]int64{
		"late": int64(r.Received.Late), "repeated": int64(r.Received.Repeated), "moved": int64(r.Received.Moved),
		"foreign": int64(r.Received.Foreign), "lost": r.Received.Missing,
	}
	if r.Lost != nil {
		found["lost"] = *r.Lost
	}
	var errs []error
	for _, name := range slices.Compact(slices.Sorted(slices.Values(fail))) {
		if found[name] != 0 {
			errs = append(errs, fmt.Errorf("%s: %d", name, found[name]))
		}
	}
	return errors.Join(errs...)
}

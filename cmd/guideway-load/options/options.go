// Package options reads the command line of guideway-load: flags come to a plan of
// traffic and to how it is sent, or to all their faults at once.
package options

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"time"

	"guideway/cmd/guideway-load/traffic"
)

// Check is how closely what comes back is looked at.
type Check uint8

// From nothing to everything; each does what the one before does.
const (
	CheckNone    Check = iota // frames are counted unread
	CheckPackets              // they are read: latency, backends, what is foreign
	CheckFlows                // each flow has an account: lost, late, repeated, moved
)

// Options is a command line that is in order.
type Options struct {
	// Ports.
	Devices     []string // the first sends, all receive
	MTU         int
	Send        int // CPU of the poll loop that sends, and receives unless Receive has one of its own
	Receive     int // -1: none of its own
	ControlCPUs []int
	Memory      uint64
	Huge        bool
	EALArgs     []string

	// Traffic. SrcMAC is the port's, and not known here.
	Spec      traffic.Spec
	Flood     *traffic.FloodSpec // nil: none
	Rate      float64            // packets a second; 0: as many as go
	FloodRate float64

	// The test.
	ReceiveOnly bool
	Check       Check
	Packets     uint64        // 0: no limit
	Time        time.Duration // 0: no limit
	Warmup      time.Duration
	Quiet       time.Duration
	Link        time.Duration
	Interval    time.Duration // 0: nothing is said on the way
	JSON        bool
	Hold        bool     // the ports stay open after the report, until a signal comes
	Fail        []string // what makes the exit code 1
	Version     bool

	flood traffic.FloodSpec
}

// Findings are what -fail may name.
var Findings = []string{"lost", "late", "repeated", "moved", "foreign"}

// ErrHelp is returned where help was asked for, and given.
var ErrHelp = flag.ErrHelp

// A parser collects faults.
type parser struct {
	o      Options
	errs   []error
	values map[string]string // of flags that were given
}

func (p *parser) fault(format string, args ...any) {
	p.errs = append(p.errs, fmt.Errorf(format, args...))
}

// Parse reads a command line, without the program's name. Help goes to out. An
// error names every fault of the line, one in a row.
func Parse(args []string, out io.Writer) (*Options, error) {
	p := &parser{o: Options{Huge: true, Receive: -1}, values: map[string]string{}}
	set := flag.NewFlagSet("guideway-load", flag.ContinueOnError)
	set.SetOutput(io.Discard) // its own words come back as the error
	for _, group := range groups {
		for _, f := range group.flags {
			if f.arg == "" {
				set.BoolFunc(f.name, f.text, func(value string) error { return p.take(f, value) })
			} else {
				set.Func(f.name, f.text, func(value string) error { return p.take(f, value) })
			}
		}
	}
	switch err := set.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		usage(out)
		return nil, ErrHelp
	case err != nil:
		return nil, err
	}
	for _, arg := range set.Args() {
		p.fault("unexpected argument %q", arg)
	}
	if p.o.Version = p.values["version"] != ""; p.o.Version {
		return &p.o, nil
	}
	for _, group := range groups {
		for _, f := range group.flags {
			if f.value != "" && p.values[f.name] == "" {
				p.read(f, f.value)
			}
		}
	}
	p.combine()
	if len(p.errs) > 0 {
		return nil, errors.Join(p.errs...)
	}
	return &p.o, nil
}

// take notes a flag that was given.
func (p *parser) take(f option, value string) error {
	if value == "" {
		p.fault("-%s: no value", f.name)
		return nil
	}
	if f.arg == "" && value != "true" {
		p.fault("-%s takes no value", f.name)
		return nil
	}
	if p.values[f.name] != "" && !f.many {
		p.fault("-%s is there twice", f.name)
		return nil
	}
	p.values[f.name] = value
	p.read(f, value)
	return nil
}

func (p *parser) read(f option, value string) {
	if err := f.read(&p.o, value); err != nil {
		p.fault("-%s %s: %w", f.name, value, err)
	}
}

func (p *parser) given(name string) bool { return p.values[name] != "" }

// combine judges what flags are together.
func (p *parser) combine() {
	o, s := &p.o, &p.o.Spec
	for _, name := range []string{"port", "vip"} {
		if !p.given(name) {
			p.fault("-%s is missing", name)
		}
	}
	o.ReceiveOnly = p.given("receive-only")
	if o.ReceiveOnly {
		for _, name := range []string{"mac", "rate", "packets", "flood", "flood-rate", "warmup"} {
			if p.given(name) {
				p.fault("-%s with -receive-only: nothing is sent", name)
			}
		}
		o.Warmup = 0
	} else if !p.given("mac") {
		p.fault("-mac is missing: the station that frames are for")
	}
	if o.ReceiveOnly && o.Receive >= 0 {
		p.fault("-lcores: two of them with -receive-only: one receives")
	}
	if !o.ReceiveOnly && o.Check == CheckNone && len(o.Fail) > 0 {
		p.fault("-fail with -check none: nothing is found")
	}
	for _, cpu := range o.ControlCPUs {
		if cpu == o.Send || cpu == o.Receive {
			p.fault("-control-cpus: CPU %d polls", cpu)
		}
	}
	if o.Send == o.Receive {
		p.fault("-lcores: CPU %d is there twice", o.Send)
	}
	if p.given("flood") != p.given("flood-rate") {
		p.fault("-flood and -flood-rate go together")
	}
	for _, name := range []string{"flood-size", "flood-clients", "flood-clients6"} {
		if p.given(name) && !p.given("flood") {
			p.fault("-%s without -flood", name)
		}
	}
	if len(p.errs) > 0 {
		return // the plan is made of what was read so far
	}
	plan, err := traffic.New(*s)
	if err != nil {
		p.errs = append(p.errs, err)
		return
	}
	if o.Flood != nil {
		o.Flood.Seed = uint64(s.Flows)
		o.Flood.LowPort, o.Flood.TopPort = s.LowPort, s.TopPort
		if _, err := plan.Flood(*o.Flood); err != nil {
			p.errs = append(p.errs, err)
		}
	}
	const ethernet = 18 // with a tag
	if longest := plan.Longest(); longest > o.MTU+ethernet && !o.ReceiveOnly {
		p.fault("-size: frames of %d bytes, and -mtu %d: raise it, or cut them by -cut", longest, o.MTU)
	}
}

func usage(out io.Writer) {
	fmt.Fprint(out, `guideway-load sends the packets of many flows through a DPDK port as fast as it is
told to, and judges what comes back: how long it took, what is lost, late or twice,
and whether each flow kept its backend.

  guideway-load -port DEVICE -mac MAC -vip ADDRESS:PORT/PROTOCOL [FLAGS]

`)
	for _, g := range groups {
		fmt.Fprintf(out, "%s\n", g.title)
		for _, f := range g.flags {
			head := "-" + f.name
			if f.arg != "" {
				head += " " + f.arg
			}
			text := f.text
			if f.value != "" {
				text += " (" + f.value + ")"
			}
			fmt.Fprintf(out, "  %-24s %s\n", head, strings.ReplaceAll(text, "\n", "\n"+strings.Repeat(" ", 27)))
		}
		fmt.Fprintln(out)
	}
	fmt.Fprint(out, `Numbers take k, M and G behind them. The exit code is 0 after a test that ended in
order, 1 if it could not run or found what -fail names, 2 on wrong use.
docs/load.md explains all this by examples.
`)
}

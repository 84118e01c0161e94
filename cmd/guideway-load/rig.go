package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"time"

	"guideway/cmd/guideway-load/engine"
	"guideway/cmd/guideway-load/options"
	"guideway/cmd/guideway-load/traffic"
	"guideway/pmd"
	"guideway/pmd/dpdk"
	"guideway/pmd/timeslice"
)

// A rig is open ports, and loops over them.
type rig struct {
	o       *options.Options
	log     dpdkLog
	eal     *dpdk.EAL
	ports   []*dpdk.Port
	streams []*engine.Paced
	sink    *engine.Sink
	loops   []*engine.Loop // the one that sends, if any, is the first
	cpus    []int          // of the loops
	threads []*dpdk.Thread
}

// open starts EAL, opens the ports and makes the loops. On error everything is
// closed again.
func open(o *options.Options) (*rig, error) {
	r := &rig{o: o}
	if err := r.confine(); err != nil {
		return nil, err
	}
	var err error
	r.eal, err = dpdk.Start(dpdk.Config{
		ControlCPUs: o.ControlCPUs, Memory: o.Memory, Huge: o.Huge, Devices: o.Devices, ExtraArgs: o.EALArgs, Log: r.log.line,
	})
	if err != nil {
		r.log.tell()
		return nil, err
	}
	for _, device := range o.Devices {
		p, err := r.eal.Open(dpdk.PortConfig{
			Name: device, Device: device, Lcores: 1, MTU: o.MTU, Promiscuous: true,
			Extra: len(o.Devices) * 2 * pmd.MaxBurst,
		})
		if err != nil {
			r.log.tell()
			return nil, errors.Join(err, r.close())
		}
		r.ports = append(r.ports, p)
	}
	if err := r.makeLoops(); err != nil {
		return nil, errors.Join(err, r.close())
	}
	return r, nil
}

// confine keeps all threads but the loops' off their CPUs.
func (r *rig) confine() error {
	lcores := 1
	if r.o.Receive >= 0 {
		lcores = 2
	}
	cpus := r.o.ControlCPUs
	if len(cpus) == 0 {
		var err error
		if cpus, err = dpdk.Besides(r.o.Send, r.o.Receive); err != nil {
			return err
		}
		r.o.ControlCPUs = cpus
	}
	// One P for each loop, and two for the rest: the collector then finds one
	// that is idle.
	runtime.GOMAXPROCS(lcores + 2)
	if len(cpus) == 0 {
		return nil // every CPU polls: the rest runs where it can
	}
	return dpdk.Confine(cpus...)
}

func (r *rig) makeLoops() error {
	o := r.o
	o.Spec.SrcMAC = r.ports[0].Info().MAC
	plan, err := traffic.New(o.Spec)
	if err != nil {
		return err
	}
	if !o.ReceiveOnly {
		r.streams = append(r.streams, &engine.Paced{Stream: plan.Stream(), Pace: engine.NewPace(o.Rate)})
	}
	if o.Flood != nil {
		flood, err := plan.Flood(*o.Flood)
		if err != nil {
			return err
		}
		r.streams = append(r.streams, &engine.Paced{Stream: flood, Flood: true, Pace: engine.NewPace(o.FloodRate)})
	}
	if o.Check != options.CheckNone {
		r.sink = engine.NewSink(plan, o.Check == options.CheckFlows)
	}
	start := new(engine.Start)
	send := engine.Config{Start: start, Lead: true, Streams: r.streams, Packets: o.Packets, Warmup: int64(o.Warmup), Quiet: int64(o.Quiet), Stay: timeslice.Renew}
	receive := engine.Config{Start: start, Sink: r.sink, Quiet: int64(o.Quiet), Stay: timeslice.Renew}
	for _, p := range r.ports {
		receive.Rx = append(receive.Rx, p.Queue(0))
	}
	if !o.ReceiveOnly {
		send.Tx = r.ports[0].Queue(0)
	}
	if o.Receive < 0 {
		send.Rx, send.Sink = receive.Rx, receive.Sink
		r.loops, r.cpus = []*engine.Loop{engine.New(send)}, []int{o.Send}
		return nil
	}
	// Both loops have the one queue of the port: DPDK's two directions of a queue
	// share nothing, and neither do ours. What the contract forbids is that both
	// do the same.
	send.Clock = dpdk.Now
	r.loops, r.cpus = []*engine.Loop{engine.New(send), engine.New(receive)}, []int{o.Send, o.Receive}
	return nil
}

// waitLinks waits until all ports have a link.
func (r *rig) waitLinks(signals <-chan os.Signal) error {
	late := time.After(r.o.Link)
	for {
		down := slices.IndexFunc(r.ports, func(p *dpdk.Port) bool { return !p.Link().Up })
		if down < 0 {
			return nil
		}
		select {
		case s := <-signals:
			return fmt.Errorf("%v while there was no link", s)
		case <-late:
			r.log.tell()
			return fmt.Errorf("port %s has no link after %v", r.ports[down].Info().Device, r.o.Link)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// test runs the loops to their end and reports.
func (r *rig) test(signals <-chan os.Signal) (*engine.Report, error) {
	for i, l := range r.loops {
		t, err := r.eal.Poll(r.cpus[i], l.Run)
		if err != nil {
			r.stop()
			return nil, err
		}
		r.threads = append(r.threads, t)
	}
	total := engine.NewTally()
	r.watch(signals, total)
	for _, l := range r.loops {
		for _, t := range l.Rest() {
			total.Add(t)
		}
	}
	return engine.NewReport(total, r.streams, r.sink), nil
}

// stop ends all loops at once.
func (r *rig) stop() {
	for _, l := range r.loops {
		l.Stop()
	}
	for _, t := range r.threads {
		t.Wait()
	}
}

// close closes the ports and counts their frames.
func (r *rig) close() error {
	var errs []error
	for _, p := range r.ports {
		errs = append(errs, p.Close())
	}
	leaked, err := r.eal.Close()
	if errs = append(errs, err); leaked != 0 {
		errs = append(errs, fmt.Errorf("%d frames have not come back to their pools", leaked))
	}
	return errors.Join(errs...)
}

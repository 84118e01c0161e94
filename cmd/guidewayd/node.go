package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"golang.org/x/sys/unix"

	"guideway/control/bgp"
	"guideway/control/capture"
	"guideway/control/config"
	"guideway/control/health"
	"guideway/control/keep"
	"guideway/control/kernel"
	"guideway/fragments"
	"guideway/lcore"
	"guideway/pmd"
	"guideway/pmd/dpdk"
	"guideway/pmd/timeslice"
)

// A node is the data plane: EAL, the ports, and a worker for each lcore.
type node struct {
	cfg     *config.Config
	log     *slog.Logger
	eal     *dpdk.EAL
	ports   []pmd.Port      // in the order of cfg.Ports
	kernels []pmd.Port      // their kernel interfaces; nil: none
	kernel  *kernel.Kernel  // follows those; nil: there are none
	health  *health.Monitor // probes backends and other nodes
	routers *bgp.Speaker    // whom VIPs are announced to
	kept    *keep.Store     // holds the connection tables; nil: they are in DPDK's memory, and unkept says why
	unkept  string
	workers []*lcore.Worker
	group   *lcore.Group
	threads []*dpdk.Thread
	control []int // CPUs of all other threads; empty: the lcores are all there are
}

// openNode starts EAL, opens the ports and makes the workers. Nothing polls
// yet. On error everything is closed again.
func openNode(cfg *config.Config, log *slog.Logger) (*node, error) {
	n := &node{cfg: cfg, log: log, routers: bgp.New(bgp.Config{Log: log}), health: health.New(health.Config{Log: log})}
	if err := n.confine(); err != nil {
		return nil, err
	}
	var devices []string
	for _, p := range cfg.Ports {
		devices = append(devices, p.Device)
	}
	var err error
	n.eal, err = dpdk.Start(dpdk.Config{
		ControlCPUs: n.control, Memory: cfg.DPDK.Memory, Huge: cfg.DPDK.Huge,
		Devices: devices, ExtraArgs: cfg.DPDK.EALArgs, Log: n.dpdkLog,
	})
	if err != nil {
		return nil, err
	}
	for _, open := range []func() error{n.openPorts, n.openKernels, n.followKernel, n.makeWorkers} {
		if err := open(); err != nil {
			return nil, errors.Join(err, n.close())
		}
	}
	return n, nil
}

// gcPercent is how much the heap may grow before Go's collector runs: its work is done on
// the control CPUs, but twice in each cycle it stops the poll loops too, and who would
// let them go on may have to wait for a CPU. The more seldom the better; the heap is
// small beside what DPDK takes.
const gcPercent = 400

// confine keeps the Go runtime and the control plane off the lcores. Each lcore
// needs a P of the Go scheduler for itself, which its loop shares with nobody
// (lcore.Config.Stay); one more than there are control CPUs lets the runtime find an
// idle one instead of interrupting a poll loop.
func (n *node) confine() error {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	n.control = n.cfg.DPDK.ControlCPUs
	if len(n.control) == 0 {
		var err error
		if n.control, err = dpdk.Besides(n.cfg.DPDK.Lcores...); err != nil {
			return err
		}
	}
	runtime.GOMAXPROCS(len(n.cfg.DPDK.Lcores) + n.planners() + 1)
	if len(n.control) == 0 {
		n.log.Warn("no CPU is left for the control plane: it takes its time from the poll loops", "lcores", n.cfg.DPDK.Lcores)
		return nil
	}
	return dpdk.Confine(n.control...)
}

// planners is how many goroutines of the control plane can be at work at a time.
func (n *node) planners() int { return max(1, len(n.control)) }

// makeWorkers makes a worker for each lcore, with its connection table.
func (n *node) makeWorkers() error {
	tables, seed, err := n.makeTables()
	if err != nil {
		return err
	}
	for i, cpu := range n.cfg.DPDK.Lcores {
		pieces, err := fragments.New(fragments.Config{
			Datagrams: n.cfg.Fragments.Datagrams, Held: n.cfg.Fragments.Held, Bytes: n.cfg.Fragments.Bytes, Timeout: n.cfg.Fragments.Timeout,
			Seed: seed,
		})
		if err != nil {
			return err
		}
		w := lcore.Config{CPU: cpu, Conntrack: tables[i], Fragments: pieces}
		for j, p := range n.ports {
			q := lcore.PortQueue{Queue: p.Queue(i), VLAN: n.cfg.Ports[j].VLAN}
			if n.kernels[j] != nil {
				q.KernelRate = n.cfg.Ports[j].KernelRate
				if i == 0 {
					q.Kernel = n.kernels[j].Queue(0)
				}
			}
			q.RSS, q.Steer = n.spread(j)
			w.Ports = append(w.Ports, q)
		}
		if w.Stay = timeslice.Renew; n.cfg.DPDK.Idle == config.IdleSleep {
			w.Idle, w.Stay = rest, nil
		}
		n.workers = append(n.workers, lcore.New(w))
	}
	n.group = lcore.NewGroup(n.workers...)
	return nil
}

// rest puts the calling thread to sleep. Go's own timers would wake another
// thread first.
func rest(d time.Duration) {
	ts := unix.NsecToTimespec(int64(d))
	unix.Nanosleep(&ts, nil) // a signal ends it early, which is harmless
}

// capturer copies packets for an operator.
func (n *node) capturer() *capture.Capturer {
	o := capture.Options{
		Group: n.group, Clock: dpdk.Now, Compile: dpdk.CompileFilter,
		Program: "guidewayd " + version, Node: n.cfg.Node.Name, Log: n.log,
	}
	for _, p := range n.ports {
		o.Ports = append(o.Ports, p.Info())
	}
	return capture.New(o)
}

// poll starts the poll loops.
func (n *node) poll() error {
	for i, w := range n.workers {
		t, err := n.eal.Poll(n.cfg.DPDK.Lcores[i], w.Run)
		if err != nil {
			return fmt.Errorf("lcore %d: %w", n.cfg.DPDK.Lcores[i], err)
		}
		n.threads = append(n.threads, t)
	}
	return nil
}

// close stops in order: the loops forward what they have received, the ports
// give back what they hold, and the pools are counted.
func (n *node) close() error {
	errs := []error{n.silence()}
	if len(n.threads) > 0 {
		n.group.Stop()
		late := time.After(stopLimit)
		for i, t := range n.threads {
			select {
			case <-t.Done():
			case <-late: // nothing below a loop that runs may be taken away
				return fmt.Errorf("lcore %d does not stop", n.cfg.DPDK.Lcores[i])
			}
		}
		if !n.group.Drain() {
			n.log.Warn("frames go round between lcores")
		}
		n.logTotals()
	}
	errs = append(errs, n.kept.Close())
	n.health.Close()
	if n.kernel != nil {
		n.kernel.Close()
	}
	for _, p := range n.allPorts() {
		errs = append(errs, p.Close())
	}
	leaked, err := n.eal.Close()
	errs = append(errs, err)
	if leaked != 0 {
		errs = append(errs, fmt.Errorf("%d frames have not come back to their pools", leaked))
	} else if err == nil && len(n.threads) > 0 {
		n.log.Info("stopped: every frame is back in its pool")
	}
	return errors.Join(errs...)
}

// logTotals says how every frame ended.
func (n *node) logTotals() {
	var received uint64
	var verdicts [lcore.Verdicts]uint64
	for _, r := range n.group.Final() {
		received += r.Received
		for v := range verdicts {
			verdicts[v] += r.Verdicts[v]
		}
	}
	totals := []any{"received", received}
	for v, count := range verdicts {
		if count != 0 {
			totals = append(totals, lcore.Verdict(v).String(), count)
		}
	}
	n.log.Info("poll loops stopped", totals...)
}

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// A lab is one run: the network and what runs in it.
type lab struct {
	opts options
	topology
	resources resources
	say       *narrator
	servers   []*server
	lb        *balancer
	report    report
}

// run builds, proves, stays up or not, and takes down again, whatever happens.
func run(ctx context.Context, o options, say *narrator) (err error) {
	if err := require(); err != nil {
		return err
	}
	path, err := findGuidewayd(o.guidewayd)
	if err != nil {
		return err
	}
	l := &lab{opts: o, topology: newTopology(o.name, o.driver, o.backends), say: say}
	lock, err := lockLab(l.topology)
	if err != nil {
		return err
	}
	defer lock.Close()

	removed, err := clean(l.topology, say)
	if err != nil {
		return fmt.Errorf("what an earlier run has left behind: %w", err)
	}
	if len(removed) > 0 {
		say.step("removed what a killed run has left behind: %s", strings.Join(removed, ", "))
	}
	// The logs of the last run go only now, when there is a next one.
	if err := errors.Join(os.RemoveAll(l.dir()), os.MkdirAll(l.dir("log"), 0o755)); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.takeDown()) }()

	err = l.bringUp(ctx, path)
	if err == nil {
		err = l.prove(ctx)
	}
	if err == nil && !o.once {
		return l.stayUp(ctx)
	}
	if err != nil && ctx.Err() != nil {
		// What broke, broke because everything was being stopped.
		err = errors.New("interrupted")
	}
	return err
}

// bringUp builds the network and starts everything in it.
func (l *lab) bringUp(ctx context.Context, path string) error {
	if err := build(l.topology, l.say); err != nil {
		return err
	}
	l.say.step("network: client, router, load balancer, %d backends and 1 spare, each a namespace %s-*",
		len(l.backends), l.name)

	for _, b := range l.built() {
		s, err := startServer(ctx, l.topology, b)
		l.servers = append(l.servers, s)
		if err != nil {
			return err
		}
	}
	l.say.step("backends: nginx on the VIPs, GRE taken off in user space")

	// Surveyed once: a reload must not change what only a start can.
	var err error
	if l.resources, err = survey(l.opts.huge); err != nil {
		return err
	}
	l.say.step("guidewayd gets %s", l.resources)
	config, err := configText(l.topology, l.resources, l.backends)
	if err != nil {
		return err
	}
	l.lb, err = startBalancer(ctx, l.topology, path, config)
	if err != nil {
		return err
	}
	l.say.step("guidewayd: process %d forwards on DPDK's net_%s", l.lb.cmd.Process.Pid, l.driver.name)
	return nil
}

// prove sends the traffic and shows what came of it.
func (l *lab) prove(ctx context.Context) error {
	if err := l.showCurl(); err != nil {
		return err
	}
	if err := l.showTraffic(ctx); err != nil {
		return err
	}
	if l.opts.reload {
		if err := l.showReload(ctx); err != nil {
			return err
		}
	}
	return l.showCounters(ctx)
}

// showCurl sends one request by hand, as the reader of the screen would.
func (l *lab) showCurl() error {
	for _, v := range []vip{vips[0], vips[1]} {
		argv := append(inNamespace(l.ns("client")), "curl", "-sS", "-g", "--max-time", "5", "--noproxy", "*", v.url("/"))
		out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput()
		if err != nil {
			return fmt.Errorf("curl %s: %w: %s\nguidewayd's last words:\n%s", v.url("/"), err, out, l.lb.log.tail(20))
		}
		l.say.step("curl %s: %s", v.url("/"), strings.TrimSpace(string(out)))
	}
	return nil
}

func (l *lab) showTraffic(ctx context.Context) error {
	plan := mainPlan(l.opts.requests)
	l.say.step("sending %d requests on %d connections to %d VIPs, %d at a time",
		l.opts.requests, len(plan.Jobs), len(vips), plan.Parallel)
	began := time.Now()
	m, err := fetch(ctx, l.topology, plan)
	if err != nil {
		return err
	}
	l.report.Main = m
	if l.opts.requests > 0 {
		m.families()
	}
	m.spread(l.backends)
	l.say.step("%d of %d requests complete, on %d connections, %d of them strayed, in %.1f s; the client sent %d TCP segments twice",
		m.Requests, l.opts.requests, m.Connections, m.Strayed, time.Since(began).Seconds(), m.Resent)
	l.say.text("\n" + answeredTable(m, l.backends) + "\n" + latencyTable(m) + "\n")
	return nil
}

func (l *lab) showReload(ctx context.Context) error {
	l.say.step("reload: adding %s while %d transfers run", l.spare.name, transfersPerVIP*len(vips))
	config, err := configText(l.topology, l.resources, l.built())
	if err != nil {
		return err
	}
	r, err := demonstrateReload(ctx, l.topology, l.lb, config)
	if err != nil {
		return err
	}
	l.report.Reload = r
	l.say.step("reloaded in %s; %d transfers ran across it, %d requests complete, %d failed, %d connections strayed",
		ms(r.Took), r.Across, r.Transfers.Requests, r.Transfers.Failed, r.Transfers.Strayed)
	l.say.step("new connections after it:")
	l.say.text("\n" + answeredTable(r.Fresh, l.built()) + "\n")
	return nil
}

// showCounters shows the other two witnesses: guidewayd's own counters, and what
// the backends' tunnel ends took and refused.
func (l *lab) showCounters(ctx context.Context) error {
	samples, err := scrape(ctx, l.metricsURL())
	if err != nil {
		return fmt.Errorf("guidewayd's metrics: %w", err)
	}
	l.report.Verdict = sum(samples, "guideway_packets_total", "verdict")
	l.report.Tunnel.Refused = map[string]uint64{}
	for _, s := range l.servers {
		c, err := s.counts()
		if err != nil {
			return err
		}
		l.report.Tunnel.Packets += c.Packets
		for reason, n := range c.Refused {
			l.report.Tunnel.Refused[reason] += n
		}
	}
	l.say.step("guidewayd's verdicts (the backends took %d packets out of GRE):", l.report.Tunnel.Packets)
	l.say.text("\n" + verdictTable(l.report.Verdict) + "\n")
	return nil
}

// stayUp leaves the lab to the person in front of it until Ctrl-C.
func (l *lab) stayUp(ctx context.Context) error {
	for _, f := range l.report.faults() {
		l.say.step("FAULT: %s", f)
	}
	l.say.step("the lab is up; Ctrl-C takes it down")
	l.say.text(l.hints())
	select {
	case <-ctx.Done():
		return nil
	case <-l.lb.done:
		return fmt.Errorf("guidewayd ended (%v); its last words:\n%s", l.lb.err, l.lb.log.tail(20))
	}
}

func (l *lab) hints() string {
	client := strings.Join(inNamespace(l.ns("client")), " ")
	return fmt.Sprintf(`
  metrics        curl -s %s | grep ^guideway_
  one request    %s curl -si %s
                 %s curl -gsi '%s'
  the spread     for i in $(seq 40); do %s curl -s %s; done | sort | uniq -c
  the tunnel     %s tshark -ni lb ip proto 47 or ip6 proto 47
  a reload       edit %s, then: kill -HUP %d
  the log        tail -f %s

`, l.metricsURL(), client, vips[0].url("/"), client, vips[1].url("/"), client, vips[0].url("/"),
		strings.Join(inNamespace(l.ns("router")), " "), l.lb.config, l.lb.cmd.Process.Pid, l.logFile("guidewayd"))
}

// takeDown stops the load balancer first and in order, then everything else, and
// says what was wrong in this run.
func (l *lab) takeDown() error {
	if l.lb != nil && l.lb.process != nil {
		if err := l.lb.stop(10 * time.Second); err != nil {
			l.report.Stop = err.Error()
			l.say.step("guidewayd did not end well: %v", err)
		}
	}
	for _, s := range l.servers {
		s.stop()
	}
	_, err := clean(l.topology, l.say)
	l.say.step("taken down; the logs stay in %s", l.dir("log"))
	return errors.Join(err, l.verdict())
}

// verdict writes the report and sums up a run that came far enough to have one.
func (l *lab) verdict() error {
	if l.report.Main == nil {
		return nil
	}
	var err error
	if l.opts.report != "" {
		err = l.report.write(l.opts.report)
	}
	if faults := l.report.faults(); l.opts.once && len(faults) > 0 {
		return errors.Join(err, fmt.Errorf("%d things went wrong:\n  %s", len(faults), strings.Join(faults, "\n  ")))
	}
	return err
}

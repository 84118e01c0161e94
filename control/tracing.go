package control

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"guideway/control/config"
	"guideway/control/plan"
	"guideway/control/trace"
	"guideway/lcore"
)

// How often cores are asked for marked packets that have come: often where a
// report is to come soon, else just so as to notice that tracing was turned on.
const (
	tracePeriod = 5 * time.Millisecond
	tracePause  = 250 * time.Millisecond
)

// tracing is what the manager counts of marked packets. The cores count those
// that were too many.
// writer: AnswerTraces; readers: metrics
type tracing struct {
	answered, forged, stale, unsent atomic.Uint64
}

// traceKey reads the key that a configuration names; nil: none.
func traceKey(c *config.Config) (*trace.Key, error) {
	if c.Trace.KeyFile == "" {
		return nil, nil
	}
	return trace.ReadKey(c.Trace.KeyFile)
}

// tracing is what cores have to know of it.
func (s *Status) tracing() (t lcore.Tracing) {
	if s.TraceKey != nil {
		t = lcore.Tracing{Knock: s.TraceKey.Knock(), Rate: s.Config.Trace.Rate}
	}
	return t
}

// AnswerTraces reports to who traces what became of marked packets here, until
// ctx ends.
func (m *Manager) AnswerTraces(ctx context.Context) {
	wait := time.NewTimer(0)
	defer wait.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-wait.C:
		}
		s := m.Status()
		m.o.Group.Traces(func(t *lcore.Trace) { m.answerTrace(s, t, time.Now()) })
		if s.TraceKey != nil {
			wait.Reset(tracePeriod)
		} else {
			wait.Reset(tracePause)
		}
	}
}

// answerTrace judges a packet's mark and reports, from the address that the
// kernel has towards the receiver.
func (m *Manager) answerTrace(s *Status, t *lcore.Trace, now time.Time) {
	if s.TraceKey == nil {
		return // turned off meanwhile
	}
	mark, err := s.TraceKey.ReadMark(t.Came(), now)
	switch {
	case errors.Is(err, trace.ErrStale):
		m.tracing.stale.Add(1)
		return
	case err != nil:
		m.tracing.forged.Add(1)
		return
	}
	report := s.TraceKey.Report(mark, hopOf(s.Config, s.Plan, t))
	c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(mark.Receiver))
	if err == nil {
		_, err = c.Write(report)
		c.Close()
	}
	if err != nil {
		m.tracing.unsent.Add(1)
		return
	}
	m.tracing.answered.Add(1)
}

// traces counts marked packets by what came of them, but for the limited.
func (m *Manager) traces() map[string]uint64 {
	return map[string]uint64{
		"answered": m.tracing.answered.Load(), "forged": m.tracing.forged.Load(),
		"stale": m.tracing.stale.Load(), "unsent": m.tracing.unsent.Load(),
	}
}

// hopOf puts what a core did with a packet into words.
func hopOf(c *config.Config, p *plan.Plan, t *lcore.Trace) trace.Hop {
	h := trace.Hop{Node: c.Node.Name, Core: t.CPU, Outcome: t.Verdict.String()}
	if t.Held {
		h.Outcome = trace.Held
	}
	seen, err := trace.Read(t.Came())
	if err != nil {
		h.Why = err.Error()
		return h
	}
	q := plan.Question{Key: seen.Key, Size: seen.Size, Fragment: seen.Piece != trace.Whole, ID: seen.ID, Offset: seen.Offset, Entry: t.Was}
	e := p.Explain(c, q)
	h.VIP = e.VIP
	if i := slices.IndexFunc(p.VIPs, func(v plan.VIP) bool { return int(v.Service) == t.Service }); i >= 0 {
		h.VIP = p.VIPs[i].Name
	}
	_, sentTo := trace.TunnelEnds(t.Sent())
	switch {
	case t.Held:
		h.Why = fmt.Sprintf("waits for the first fragment, up to %v", c.Fragments.Timeout)
	case t.Verdict == lcore.Redirected:
		h.Next = nodeAt(c, sentTo)
		h.Why = fmt.Sprintf("to %s, which owns the datagram", h.Next)
	case t.Verdict == lcore.Forwarded:
		h.Backend = sentTo
		h.Why = whyBackend(q, e, t)
		if e.Backend.IsValid() && e.Backend != sentTo && t.Generation == p.Snapshot.Generation && t.Service >= 0 && !t.Steered {
			h.Why += fmt.Sprintf("; by the plan it would have been %v", e.Backend)
		}
	case e.Outcome == h.Outcome && len(e.Steps) > 0:
		last := e.Steps[len(e.Steps)-1]
		h.Why = last.Found + ": " + last.Why
	default:
		h.Why = "by the plan: " + e.Outcome
	}
	switch {
	case seen.From.IsValid():
		h.Why = fmt.Sprintf("from %s; %s", nodeAt(c, seen.From), h.Why)
	case t.Redirected:
		h.Why = "from another node; " + h.Why
	}
	return h
}

// whyBackend says why a packet went to its backend.
func whyBackend(q plan.Question, e *plan.Explanation, t *lcore.Trace) string {
	switch {
	case q.Fragment && q.Offset > 0:
		return "as the first fragment"
	case q.Fragment && t.Service < 0, q.Fragment && t.Steered:
		return "as the core of its flow decided"
	case e.Slot < 0 && t.Was != 0:
		return "the connection table has the flow"
	}
	why := fmt.Sprintf("slot %d of %d", e.Slot, e.Slots)
	if t.Was != 0 {
		for _, s := range e.Steps {
			if s.Stage == "entry" {
				why += "; entry " + s.Found + ": " + s.Why
			}
		}
	}
	return why
}

// nodeAt names the node that has an address.
func nodeAt(c *config.Config, a netip.Addr) string {
	for _, n := range c.Fragments.Nodes {
		if n.Address == a {
			return n.Name
		}
	}
	return a.String()
}

// Trace sends marked packets from here, and collects what nodes report.
func (m *Manager) Trace(ctx context.Context, r trace.Request) (*trace.Result, error) {
	key := m.Status().TraceKey
	if key == nil {
		return nil, errors.New("this node has no key for tracing: set [trace].key_file, to the same key on every node (docs/trace.md)")
	}
	return trace.Run(ctx, key, r)
}

package health

import (
	"container/heap"
	"net/netip"
	"time"
)

// Watch replaces the set of targets. One that was in the set before keeps all
// that is known of it. So does one that asks the same question as one before,
// only at another pace or from another address: its open probe is given up.
// Watch returns at once; after Close it does nothing.
func (m *Monitor) Watch(targets []Target) {
	now := time.Now()
	var ended []probe
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return
	}
	m.checker.renew()
	wanted := make(map[Target]*entry, len(targets))
	m.first = make(map[netip.Addr]*entry, len(targets))
	var fresh []*entry
	for _, t := range targets {
		t = t.normal()
		id := t.identity()
		if wanted[id] != nil {
			continue
		}
		e := m.entries[id]
		switch {
		case e == nil:
			e = &entry{target: t}
			fresh = append(fresh, e)
		case e.target != t: // another source
			ended = append(ended, e.probe)
			m.open(e, t, now)
			heap.Fix(&m.queue, e.index)
		}
		wanted[id] = e
		if m.first[t.Addr] == nil {
			m.first[t.Addr] = e
		}
	}
	// What is known of a question outlives the target that asked it.
	var before map[Target]*entry
	var gone []*entry
	if len(fresh) > 0 {
		before = make(map[Target]*entry, len(m.entries))
	}
	for id, e := range m.entries {
		if len(fresh) > 0 && (before[id.question()] == nil || wanted[id] == nil) {
			before[id.question()] = e
		}
		if wanted[id] == nil {
			delete(m.entries, id)
			heap.Remove(&m.queue, e.index)
			ended = append(ended, e.probe)
			e.gone = true
			gone = append(gone, e)
		}
	}
	for _, e := range fresh {
		t := e.target
		e.since = now
		if old := before[t.question()]; old != nil {
			e.inherit(old)
		}
		m.measure(e, t.Check)
		m.entries[t.identity()] = e
		m.open(e, t, now)
		heap.Push(&m.queue, e)
	}
	for _, e := range gone {
		m.unmeasure(e)
	}
	m.mu.Unlock()
	for _, p := range ended {
		p.close()
	}
	poke(m.wake)
	poke(m.ageing)
}

// open makes the probe of an entry and sets when it begins. The lock is held.
func (m *Monitor) open(e *entry, t Target, now time.Time) {
	e.generation++
	g := e.generation
	e.probe = m.checker.open(t, func(r result) { m.take(e, g, r) })
	e.waits = e.probe.waits()
	e.aim(t, now)
}

// measure counts an entry's answers with those of its check. The lock is held.
func (m *Monitor) measure(e *entry, c Check) {
	s := m.measures[c]
	if s == nil {
		s = &measure{}
		m.measures[c] = s
	}
	s.uses++
	e.measure = s
}

func (m *Monitor) unmeasure(e *entry) {
	if e.measure.uses--; e.measure.uses == 0 {
		delete(m.measures, e.target.Check)
	}
}

package kernel

import (
	"errors"
	"maps"
	"time"

	"golang.org/x/sys/unix"
)

// A loop is the one goroutine that owns mirror and resolver.
type loop struct {
	*Kernel
	mirror   *mirror
	resolver *resolver
	sub      *subscription // nil while there is none

	due     time.Time // of the next View; zero: nothing has changed
	free    time.Time // not before: the pause after a View
	recheck time.Time // of routes, after a link or an address changed; zero: none
	audit   time.Time
	ask     time.Time // of the resolver; zero: nothing to come
	dial    time.Time // of the next attempt to subscribe
}

func (l *loop) run() {
	defer close(l.done)
	defer l.mirror.handle.Close()
	defer func() {
		if l.sub != nil {
			l.sub.close()
		}
	}()
	l.audit = time.Now().Add(audit)
	for {
		timer := time.NewTimer(l.wait(time.Now()))
		var deliveries chan delivery
		if l.sub != nil {
			deliveries = l.sub.deliveries
		}
		select {
		case <-l.stop:
			timer.Stop()
			return
		case d := <-deliveries:
			l.take(d, time.Now())
		case <-l.wanted:
			l.aim()
			l.ask = time.Now()
		case <-timer.C:
		}
		timer.Stop()
		l.turn(time.Now())
	}
}

// wait is until something is due.
func (l *loop) wait(now time.Time) time.Duration {
	next := l.audit
	for _, at := range []time.Time{l.recheck, l.ask} {
		if !at.IsZero() && at.Before(next) {
			next = at
		}
	}
	if !l.due.IsZero() {
		if at := later(l.due, l.free); at.Before(next) {
			next = at
		}
	}
	if l.sub == nil && l.dial.Before(next) {
		next = l.dial
	}
	return max(0, next.Sub(now))
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// take applies a delivery, or makes up for one that did not come.
func (l *loop) take(d delivery, now time.Time) {
	switch {
	case errors.Is(d.err, unix.ENOBUFS):
		l.stats.overruns.Add(1)
		l.mirror.stale = everything
		l.soon(now, settle)
	case errors.Is(d.err, unix.EINTR):
	case d.err != nil || d.messages == nil:
		l.log.Warn("netlink subscription lost", "error", d.err)
		l.sub.close()
		l.sub, l.dial = nil, now.Add(reconnect)
	default:
		l.stats.notifications.Add(uint64(len(d.messages)))
		for _, msg := range d.messages {
			before := l.mirror.stale
			if l.mirror.apply(msg, l.resolver.targets) {
				l.soon(now, settle)
			} else if l.mirror.changed != 0 {
				l.soon(now, linger)
			}
			if l.mirror.stale&^before&links != 0 {
				l.recheck = now.Add(afterthought)
			}
		}
	}
}

func (l *loop) soon(now time.Time, in time.Duration) {
	if at := now.Add(in); l.due.IsZero() || at.Before(l.due) {
		l.due = at
	}
}

// turn does what is due.
func (l *loop) turn(now time.Time) {
	if l.sub == nil && !now.Before(l.dial) {
		l.resubscribe(now)
	}
	if !l.recheck.IsZero() && !now.Before(l.recheck) {
		l.recheck = time.Time{}
		l.mirror.stale |= routes
		l.soon(now, 0)
	}
	if !now.Before(l.audit) {
		l.audit = now.Add(audit)
		l.mirror.stale = everything
		l.soon(now, 0)
	}
	if !l.due.IsZero() && !now.Before(l.due) && !now.Before(l.free) {
		l.refresh(now)
	}
	if !l.ask.IsZero() && !now.Before(l.ask) {
		var ask []target
		ask, l.ask = l.resolver.due(now, l.mirror.neighbours)
		l.request(ask)
	}
}

// refresh brings the mirror up to date and publishes it if it changed.
func (l *loop) refresh(began time.Time) {
	l.due = time.Time{}
	if err := l.mirror.refresh(); err != nil {
		l.stats.errors.Add(1)
		l.log.Debug("netlink read failed", "error", err)
		l.soon(began, settle)
	}
	if l.mirror.changed != 0 {
		l.publish()
		l.ask = began
	}
	// A table of any size takes a bounded share of the control CPU.
	now := time.Now()
	l.free = now.Add(rest * now.Sub(began))
}

// publish makes a View of the mirror, and speaks of it if it matters.
func (l *loop) publish() {
	old, changed := l.view.Load(), l.mirror.changed
	l.mirror.changed = 0
	v := &View{links: l.mirror.links, table: l.mirror.table, Generation: 1}
	if old != nil {
		v.Generation = old.Generation + 1
	}
	if old != nil && changed&neighbours == 0 {
		v.neighbours = old.neighbours
	} else {
		v.neighbours = maps.Clone(l.mirror.neighbours)
	}
	l.view.Store(v)
	l.stats.views.Add(1)
	if changed&(links|routes) != 0 {
		l.aim()
	}
	if old == nil || changed&(links|routes) != 0 || l.moved(old, v) {
		poke(l.changes)
	}
}

// moved says whether a target's link address differs between the views.
func (l *loop) moved(a, b *View) bool {
	for t := range l.resolver.targets {
		if b.neighbours[t].material(a.neighbours[t]) {
			return true
		}
	}
	return false
}

// aim tells the resolver the next hops of all wanted destinations.
func (l *loop) aim() {
	l.wantMu.Lock()
	want := l.want
	l.wantMu.Unlock()
	v, targets := l.view.Load(), map[target]bool{}
	for _, dst := range want {
		for _, h := range v.NextHops(dst) {
			targets[target{h.Index, h.Addr}] = true
		}
	}
	l.resolver.aim(targets)
}

func (l *loop) resubscribe(now time.Time) {
	sub, err := subscribe(l.ns, l.c.receiveBuffer)
	if err != nil {
		l.log.Error("netlink subscription failed", "error", err)
		l.dial = now.Add(reconnect)
		return
	}
	l.sub = sub
	l.stats.reconnects.Add(1)
	l.mirror.stale = everything
	l.soon(now, 0)
}

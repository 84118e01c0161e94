package health

import (
	"net"
	"net/netip"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// TestWaiting: a round that waits for its turn is late, and no failure, for as
// long as it waits; its time counts from its turn.
func TestWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var wait atomic.Int64
		f := &fake{queued: true}
		f.ask = func(p *fakeProbe, round uint64) {
			go func() {
				time.Sleep(time.Duration(wait.Load()))
				p.report(result{round: round, kind: begun})
				time.Sleep(latency)
				p.report(result{round: round, latency: latency})
			}()
		}
		m := watch(t, Config{checker: f}, usual)
		time.Sleep(10 * time.Second)
		if s := of(t, m, one); s.State != Up || s.Late > breath {
			t.Fatalf("%+v", s)
		}
		wait.Store(int64(3 * time.Second)) // three times the interval, and less than what it takes a verdict to expire
		before := of(t, m, one)
		for range 30 {
			time.Sleep(time.Second)
			if s := of(t, m, one); s.State != Up || s.Failed > 0 {
				t.Fatalf("%+v", s)
			}
		}
		s := of(t, m, one)
		if s.Late < 2900*time.Millisecond || s.Late > 4500*time.Millisecond || m.Load().Late != s.Late {
			t.Errorf("late by %v, load %+v", s.Late, m.Load())
		}
		if n := s.Answered - before.Answered; n < 5 || n > 10 {
			t.Errorf("%d rounds in 30 s", n)
		}
		wait.Store(0)
		time.Sleep(10 * time.Second)
		if s := of(t, m, one); s.State != Up || s.Late > breath {
			t.Errorf("%+v", s)
		}
	})
}

// TestStuckWorker: a round that never ends makes the verdict expire.
func TestStuckWorker(t *testing.T) {
	for _, where := range []string{"before its turn", "in its turn"} {
		synctest.Test(t, func(t *testing.T) {
			var stuck atomic.Bool
			f := &fake{queued: true}
			f.ask = func(p *fakeProbe, round uint64) {
				if stuck.Load() && where == "before its turn" {
					return
				}
				p.report(result{round: round, kind: begun})
				if !stuck.Load() {
					p.report(result{round: round, latency: latency})
				}
			}
			m := watch(t, Config{checker: f}, usual)
			<-m.Changes()
			stuck.Store(true)
			<-m.Changes()
			if s := of(t, m, one); s.State != Unknown || s.Reason != Expired || s.Failed > 0 {
				t.Errorf("%s: %+v", where, s)
			}
			n := len(f.begun())
			time.Sleep(time.Minute)
			if len(f.begun()) > n {
				t.Error("a second round beside one that is open")
			}
		})
	}
}

// TestTooFewWorkers: with two workers for targets that hang and others that do
// not, all are late; those that are well stay up, and the others are found down.
func TestTooFewWorkers(t *testing.T) {
	t.Parallel()
	const well, silent = 40, 16
	good, bad := serve(t, says(0, "+PONG")), serve(t, hang)
	var all []Target
	add := func(i int, port uint16) {
		all = append(all, Target{
			Addr: netip.AddrFrom4([4]byte{127, 0, 3, byte(i)}), Check: Check{Type: TCP, Port: port, Expect: "+PONG"},
			Interval: 200 * time.Millisecond, Timeout: 150 * time.Millisecond, Fall: 2,
		})
	}
	for i := range well {
		add(i, good.Port())
	}
	for i := range silent {
		add(i, bad.Port())
	}
	m := watch(t, Config{Workers: 2}, all...)
	count := func(port uint16, s State) (n int) {
		for _, st := range m.Status() {
			if st.Target.Check.Port == port && st.State == s {
				n++
			}
		}
		return n
	}
	eventually(t, 15*time.Second, "all have a verdict", func() bool {
		return count(good.Port(), Up) == well && count(bad.Port(), Down) == silent
	})
	if l := m.Load(); l.Limit != 2 || l.Busy != 2 || l.Waiting < well/2 || l.Late < 400*time.Millisecond || l.Targets != well+silent {
		t.Errorf("%+v", l)
	}
	for _, s := range m.Status() {
		if s.Target.Check.Port == good.Port() && s.Failed > 0 {
			t.Errorf("%+v", s)
		}
	}
}

// TestWorkersBySize: as many workers as targets can need, and no more.
func TestWorkersBySize(t *testing.T) {
	d := newDials(100, func(f func() error) error { return f() }, nil)
	defer d.close()
	var probes []probe
	for i := range 1000 {
		target := Target{Addr: netip.AddrFrom4([4]byte{127, 0, byte(i >> 8), byte(i)}), Interval: 10 * time.Second, Timeout: time.Second, Check: Check{Type: TCP, Port: 1}}
		if i == 400 {
			if limit, _, _ := d.load(); limit < 40 || limit > 48 {
				t.Errorf("%d workers for 400 targets with a tenth of the time each", limit)
			}
		}
		probes = append(probes, d.open(target.normal(), func(result) {}))
	}
	if limit, _, _ := d.load(); limit != 100 {
		t.Errorf("%d workers, at most 100", limit)
	}
	for _, p := range probes {
		p.close()
		p.close()
	}
	if limit, busy, waiting := d.load(); limit != fewest || busy+waiting != 0 || len(d.kits) > 0 {
		t.Errorf("%d workers, %d, %d, %d kits", limit, busy, waiting, len(d.kits))
	}
}

// TestLateTimeout: a timeout that is noticed too late is no failure.
func TestLateTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		target := Target{Addr: one, Timeout: time.Second}
		q := &inquiry{dial: &dial{target: target, ctx: t.Context()}}
		for took, want := range map[time.Duration]string{
			time.Second:         "no answer within 1s",
			time.Second + grace: "no answer within 1s",
			3 * time.Second:     "? ended 2s after its time: this machine is too busy to tell",
		} {
			kind, err := q.judge(netTimeout{}, took)
			got := err.Error()
			if kind == untried {
				got = "? " + got
			}
			if got != want {
				t.Errorf("after %v: %q, want %q", took, got, want)
			}
		}
	})
}

type netTimeout struct{}

func (netTimeout) Error() string   { return "i/o timeout" }
func (netTimeout) Timeout() bool   { return true }
func (netTimeout) Temporary() bool { return true }

// TestDedupe: what is the same question at the same pace is one probe, and what
// is asked at another pace keeps what is known.
func TestDedupe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var weight atomic.Int32
		weight.Store(50)
		f := &fake{queued: true, ask: func(p *fakeProbe, round uint64) {
			p.report(result{round: round, kind: begun})
			p.report(result{round: round, latency: latency, weight: Weight{Said: true, Percent: uint8(weight.Load())}})
		}}
		web := Target{Addr: one, Check: Check{Type: HTTP, Port: 80}}
		same := Target{Addr: one, Check: Check{Type: HTTP, Port: 80, Method: "GET", Path: "/", Statuses: StatusesOf(200), Query: "not looked at"}, Interval: time.Second}
		other := Target{Addr: one, Check: Check{Type: HTTP, Port: 81}}
		through := Target{Addr: one, VIP: ip("203.0.113.10"), Inside: ip("192.0.2.11"), Check: web.Check}
		m := watch(t, Config{checker: f}, web, same, other, through)
		if n := len(m.Status()); n != 3 {
			t.Fatalf("%d targets", n)
		}
		time.Sleep(5 * time.Second)
		before := m.Of(same)
		if before.State != Up || m.Of(web) != before || before.Weight.Share() != 50 || m.Of(through).State != Up {
			t.Fatalf("%+v", before)
		}
		for told(m) {
		}
		weight.Store(60)
		time.Sleep(2 * time.Second)
		if !told(m) || m.Of(web).Weight.Share() != 60 {
			t.Errorf("another weight: %+v", m.Of(web))
		}

		faster := web
		faster.Interval, faster.Rise = 100*time.Millisecond, 7
		m.Watch([]Target{other, faster})
		if s := m.Of(faster); s.State != Up || !s.Since.Equal(before.Since) || s.Answered < before.Answered {
			t.Errorf("another pace: %+v, was %+v", s, before)
		}
		m.Watch([]Target{other, faster, web})
		if s := m.Of(web); s.State != Up || s.Probes > 0 {
			t.Errorf("the same question at a second pace: %+v", s)
		}
		if m.Of(through).State != Unknown || m.Of(through).Target != (Target{}) {
			t.Errorf("%+v", m.Of(through))
		}
		h, watched := m.Answers(web.Check)
		if !watched || h.Counts[4] == 0 || h.Count() != h.Counts[4] || h.Sum != time.Duration(h.Count())*latency {
			t.Errorf("%+v", h)
		}
		other.Check.Path = "/other"
		m.Watch([]Target{other})
		if s := m.Of(other); s.State != Unknown {
			t.Errorf("another question: %+v", s)
		}
		if h, watched := m.Answers(web.Check); watched || h.Count() != 0 {
			t.Errorf("answers to what nobody asks any more: %+v", h)
		}
		if h, watched := m.Answers(other.Check); !watched || h.Count() != 0 {
			t.Errorf("answers to what was not asked before: %+v", h)
		}
	})
}

func TestStatuses(t *testing.T) {
	s := StatusesOf(99, 100, 200, 201, 599, 600)
	for code, want := range map[int]bool{99: false, 100: true, 200: true, 202: false, 599: true, 600: false, -1: false} {
		if s.has(code) != want {
			t.Errorf("%d: %v", code, !want)
		}
	}
	if got := s.String(); got != "100, 200, 201 or 599" {
		t.Error(got)
	}
	if !strings.HasPrefix(StatusesOf(200, 201, 202).String(), "200 to 202") {
		t.Error(StatusesOf(200, 201, 202))
	}
}

// TestStarved: without a processor no worker is added; what is to begin waits,
// and is made up for when there is one.
func TestStarved(t *testing.T) {
	t.Parallel()
	const n = 100
	silent := serve(t, hang)
	d := newDials(0, func(f func() error) error { return f() }, nil)
	defer d.close()
	var answers atomic.Int32
	var probes []probe
	for range n {
		probes = append(probes, d.open(Target{Addr: ip("127.0.0.1"), Interval: time.Second, Timeout: patienceOfTests,
			Check: Check{Type: TCP, Port: silent.Port(), Expect: "x"}}.normal(), func(r result) {
			if r.kind == refused {
				answers.Add(1)
			}
		}))
	}
	waiting := uint64(crowd + 1)
	d.runnable = func() uint64 { return waiting }
	d.settle()
	for _, p := range probes[:n/2] {
		p.start(1)
	}
	eventually(t, soon, "the fewest, and the others wait", func() bool {
		_, busy, waiting := d.load()
		return busy == fewest && waiting == n/2-fewest
	})
	for _, p := range probes[n/2:] {
		p.start(1)
	}
	waiting = crowd
	d.settle()
	if _, busy, _ := d.load(); busy != fewest+burst {
		t.Errorf("%d busy", busy)
	}
	eventually(t, soon, "all have asked", func() bool { return answers.Load() == n })
}

// TestMeanings: what the system says when it has nothing left is no word about
// the target.
func TestMeanings(t *testing.T) {
	for no, want := range map[syscall.Errno]resultKind{
		syscall.ECONNREFUSED: refused, syscall.ECONNRESET: refused, syscall.EHOSTUNREACH: refused, syscall.ENETUNREACH: refused,
		syscall.ETIMEDOUT: refused, syscall.EPIPE: refused,
		syscall.EADDRNOTAVAIL: untried, syscall.EADDRINUSE: untried, syscall.EMFILE: untried, syscall.ENFILE: untried,
		syscall.ENOBUFS: untried, syscall.ENOMEM: untried, syscall.EPERM: untried, syscall.EACCES: untried,
	} {
		q := &inquiry{dial: &dial{target: usual.normal(), ctx: t.Context()}}
		kind, err := q.judge(&net.OpError{Op: "dial", Err: os.NewSyscallError("connect", no)}, time.Millisecond)
		if kind != want || err.Error() != no.Error() {
			t.Errorf("%v: %v, %v", no, kind, err)
		}
	}
}

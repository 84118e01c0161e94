package health

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

var (
	one   = ip("192.0.2.1")
	usual = Target{Addr: one, Interval: time.Second}
)

const (
	longestGap = time.Second + time.Second/16 + breath
	latency    = 3 * time.Millisecond
)

// TestRiseAndFall: by when a target is Up, and by when it is Down.
func TestRiseAndFall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var silent atomic.Bool
		var log bytes.Buffer
		m := watch(t, Config{
			Log: slog.New(slog.NewTextHandler(&log, nil)),
			checker: &fake{ask: func(p *fakeProbe, round uint64) {
				if !silent.Load() {
					p.answer(round, latency)
				}
			}},
		}, usual)
		if s := of(t, m, one); s.State != Unknown || s.Reason != Unchanged || !s.Since.Equal(time.Now()) || s.Error != "" {
			t.Errorf("at first %+v", s)
		}
		<-m.Changes()
		s := of(t, m, one)
		if s.State != Up || s.Reason != Passed || s.Answered != 2 || s.Latency != latency || !s.Since.Equal(time.Now()) {
			t.Errorf("first change: %+v", s)
		}

		silent.Store(true)
		lost := time.Now()
		<-m.Changes()
		if s := of(t, m, one); s.State != Down || s.Reason != Failed || s.Failed != 3 || s.Error != "no answer within 1s" || !s.ErrorAt.Equal(time.Now()) {
			t.Errorf("second change: %+v", s)
		}
		if took := time.Since(lost); took < 3*time.Second || took > 3*longestGap+time.Second {
			t.Errorf("down after %v", took)
		}

		time.Sleep(10 * time.Second)
		synctest.Wait()
		if m.State(one) != Down || told(m) {
			t.Error("what stays down is told again, or does not stay")
		}
		silent.Store(false)
		<-m.Changes()
		if s := of(t, m, one); s.State != Up || s.Error == "" {
			t.Errorf("third change: %+v", s)
		}
		synctest.Wait()
		for _, want := range []string{
			`level=INFO msg="health changed" address=192.0.2.1 state=up was=unknown reason=answers`,
			`level=WARN msg="health changed" address=192.0.2.1 state=down was=up reason="does not answer" error="no answer within 1s"`,
			`state=up was=down`,
		} {
			if !strings.Contains(log.String(), want) {
				t.Errorf("the log lacks %s:\n%s", want, &log)
			}
		}
	})
}

// TestOneFailureIsNone, and one answer neither.
func TestOneFailureIsNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pattern := "aa..a..a" + strings.Repeat("..a", 20) + "..." + strings.Repeat(".a", 20)
		m := watch(t, Config{checker: &fake{ask: func(p *fakeProbe, round uint64) {
			if round <= uint64(len(pattern)) && pattern[round-1] == 'a' {
				p.answer(round, latency)
			}
		}}}, usual)
		<-m.Changes()
		<-m.Changes()
		if s := of(t, m, one); s.State != Down || s.Probes < 70 {
			t.Errorf("%+v", s)
		}
		time.Sleep(45 * time.Second)
		if told(m) {
			t.Errorf("%+v", of(t, m, one))
		}
	})
}

// TestUntriedExpires: if we cannot ask, the target is not down but unknown.
func TestUntriedExpires(t *testing.T) {
	for _, was := range []State{Up, Down} {
		synctest.Test(t, func(t *testing.T) {
			var broken atomic.Bool
			m := watch(t, Config{checker: &fake{ask: func(p *fakeProbe, round uint64) {
				switch {
				case broken.Load():
					p.report(result{round: round, kind: untried, err: errors.New("not sent: no socket")})
				case was == Up:
					p.answer(round, latency)
				default:
					p.report(result{round: round, kind: refused, err: errors.New("not sent: no way")})
				}
			}}}, usual)
			<-m.Changes()
			if m.State(one) != was {
				t.Fatalf("%+v", of(t, m, one))
			}
			synctest.Wait()
			broken.Store(true)
			began, heard := time.Now(), of(t, m, one)
			<-m.Changes()
			s := of(t, m, one)
			if s.State != Unknown || s.Reason != Expired || s.Error != "not sent: no socket" || s.Failed != heard.Failed || s.Untried < 3 {
				t.Errorf("%+v", s)
			}
			if took, want := time.Since(began), usual.normal().patience(); took < want || took > want+scan {
				t.Errorf("expired after %v, want %v", took, want)
			}
			broken.Store(false)
			<-m.Changes()
			if m.State(one) != was {
				t.Errorf("%+v", of(t, m, one))
			}
		})
	}
}

// TestStuck: a checker, or a log, that never returns makes verdicts expire, and
// that is told.
func TestStuck(t *testing.T) {
	for _, where := range []string{"start", "settle", "log"} {
		synctest.Test(t, func(t *testing.T) {
			release, stuck := make(chan struct{}), atomic.Bool{}
			block := func(here string) {
				if here == where && stuck.Load() {
					<-release
				}
			}
			f := &fake{}
			f.ask = func(p *fakeProbe, round uint64) {
				block("start")
				if where == "log" && stuck.Load() {
					return // down, which is told to the log
				}
				f.mu.Lock()
				f.wait = append(f.wait, func() { block("settle") })
				f.mu.Unlock()
				p.answer(round, latency)
			}
			m := watch(t, Config{checker: f, Log: slog.New(slog.NewTextHandler(writer(func() { block("log") }), nil))}, usual)
			<-m.Changes()
			synctest.Wait()
			stuck.Store(true)
			<-m.Changes()
			if where == "log" {
				if m.State(one) != Down {
					t.Errorf("%+v", of(t, m, one))
				}
				<-m.Changes()
			}
			if s := of(t, m, one); s.State != Unknown || s.Reason != Expired {
				t.Errorf("stuck in %s: %+v", where, s)
			}
			close(release)
			stuck.Store(false)
			<-m.Changes()
			if m.State(one) != Up {
				t.Errorf("%+v", of(t, m, one))
			}
		})
	}
}

type writer func()

func (w writer) Write(b []byte) (int, error) {
	w()
	return len(b), nil
}

// TestAnswersBeforeTimeouts: an answer that lies in a socket when the timeout
// is over counts, as after a pause of the process.
func TestAnswersBeforeTimeouts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		f.ask = func(p *fakeProbe, round uint64) {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.wait = append(f.wait, func() { p.report(result{round: round, latency: time.Second}) })
		}
		m := watch(t, Config{checker: f}, usual)
		time.Sleep(10 * time.Second)
		if s := of(t, m, one); s.State != Up || s.Failed > 0 || s.Answered < 8 {
			t.Errorf("%+v", s)
		}
	})
}

// TestLateAnswers to rounds that are over count neither for them nor for the next.
func TestLateAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		target := usual
		target.Timeout = 100 * time.Millisecond
		m := watch(t, Config{checker: &fake{ask: func(p *fakeProbe, round uint64) {
			p.answer(round, 200*time.Millisecond)
			p.answer(round, time.Second+time.Second/16+20*time.Millisecond)
		}}}, target)
		<-m.Changes()
		time.Sleep(20 * time.Second)
		if s := of(t, m, one); s.State != Down || s.Answered > 0 || s.Failed < 15 || s.Error != "no answer within 100ms" {
			t.Errorf("%+v", s)
		}
	})
}

// TestRumours decide nothing, but say why nothing was heard.
func TestRumours(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var silent, quiet atomic.Bool
		m := watch(t, Config{checker: &fake{ask: func(p *fakeProbe, round uint64) {
			if !quiet.Load() && silent.Load() != (round%4 > 0) { // seldom, while it is silent
				p.report(result{kind: rumoured, err: errors.New("host unreachable, says 192.0.2.254")})
			}
			if !silent.Load() {
				p.answer(round, latency)
			}
		}}}, usual)
		time.Sleep(10 * time.Second)
		if s := of(t, m, one); s.State != Up || s.Failed > 0 || s.Error != "" {
			t.Errorf("%+v", s)
		}
		silent.Store(true)
		time.Sleep(10 * time.Second)
		if s := of(t, m, one); s.State != Down || s.Error != "no answer within 1s: host unreachable, says 192.0.2.254" {
			t.Errorf("%+v", s)
		}
		quiet.Store(true)
		time.Sleep(10 * time.Second)
		if s := of(t, m, one); s.State != Down || s.Error != "no answer within 1s" {
			t.Errorf("%+v", s)
		}
	})
}

// TestWatch: what stays keeps its verdict, what goes is closed, what comes is
// unknown.
func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{ask: func(p *fakeProbe, round uint64) { p.answer(round, latency) }}
		gone, comes := Target{Addr: ip("192.0.2.2")}, Target{Addr: ip("192.0.2.3")}
		m := watch(t, Config{checker: f}, usual, gone, Target{Addr: ip("::ffff:192.0.2.1"), Interval: time.Second, Source: ip("192.0.2.9")})
		if s := m.Status(); len(s) != 2 || s[0].Target.Interval != time.Second || s[1].Target != (Target{
			Addr: gone.Addr, Interval: DefaultInterval, Timeout: DefaultInterval, Rise: DefaultRise, Fall: DefaultFall}) {
			t.Errorf("%+v", s)
		}
		if m.State(gone.Addr) != Unknown || m.State(ip("203.0.113.1")) != Unknown {
			t.Error("unknown ones are not")
		}
		time.Sleep(5 * time.Second)
		before := of(t, m, one)
		if !told(m) || before.State != Up || m.State(ip("::ffff:192.0.2.2")) != Up {
			t.Fatalf("%+v", before)
		}

		// The same again: nothing happens.
		m.Watch([]Target{gone, usual})
		if got := of(t, m, one); got != before {
			t.Errorf("%+v, was %+v", got, before)
		}
		if opened, ended := f.sessions(); len(opened) != 2 || len(ended) != 0 {
			t.Errorf("opened %v, ended %v", opened, ended)
		}

		// Another pace, later another source: the verdict stays, and so do counts.
		faster := usual
		faster.Interval, faster.Fall = 100*time.Millisecond, 5
		m.Watch([]Target{faster, comes})
		if got := of(t, m, one); got.State != Up || !got.Since.Equal(before.Since) || got.Probes != before.Probes {
			t.Errorf("%+v, was %+v", got, before)
		}
		if opened, ended := f.sessions(); len(opened) != 4 || len(ended) != 2 || ended[0].Addr == ended[1].Addr {
			t.Errorf("opened %v, ended %v", opened, ended)
		}
		if len(m.Status()) != 2 || m.State(comes.Addr) != Unknown || told(m) {
			t.Errorf("%+v", m.Status())
		}
		time.Sleep(time.Second)
		if got := of(t, m, one); got.Probes < before.Probes+8 {
			t.Errorf("the new interval is not in effect: %+v", got)
		}
		faster.Source = ip("192.0.2.99")
		m.Watch([]Target{faster})
		if got := of(t, m, one); got.State != Up || !got.Since.Equal(before.Since) {
			t.Errorf("%+v, was %+v", got, before)
		}
		if opened, ended := f.sessions(); len(opened) != 5 || len(ended) != 4 {
			t.Errorf("opened %v, ended %v", opened, ended)
		}
		m.Watch(nil)
		synctest.Wait()
		if opened, ended := f.sessions(); len(m.Status()) > 0 || len(ended) != len(opened) {
			t.Errorf("opened %v, ended %v", opened, ended)
		}
		n := len(f.begun())
		time.Sleep(10 * time.Second)
		if len(f.begun()) != n {
			t.Error("targets that are gone are asked")
		}
	})
}

// TestGivenUp: a probe that is open when settings change is neither answered
// nor failed.
func TestGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := watch(t, Config{checker: &fake{ask: func(p *fakeProbe, round uint64) { p.answer(round, 900*time.Millisecond) }}}, usual)
		for of(t, m, one).Probes == 0 {
			time.Sleep(time.Millisecond)
		}
		changed := usual
		changed.Fall = 1
		m.Watch([]Target{changed})
		if s := of(t, m, one); s.Counts != (Counts{Probes: 1, Untried: 1}) {
			t.Errorf("%+v", s)
		}
		time.Sleep(5 * time.Second)
		if s := of(t, m, one); s.State != Up || s.Failed != 0 || s.Untried != 1 {
			t.Errorf("%+v", s)
		}
	})
}

// TestGone: what is heard of a target that is not watched any more is nothing.
func TestGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		target := usual
		target.Rise = 1
		m := watch(t, Config{Log: slog.New(slog.NewTextHandler(&log, nil)),
			checker: &fake{ask: func(p *fakeProbe, round uint64) { p.answer(round, 500*time.Millisecond) }}}, target)
		for of(t, m, one).Probes == 0 {
			time.Sleep(time.Millisecond)
		}
		m.Watch(nil)
		time.Sleep(time.Second)
		synctest.Wait()
		if told(m) || log.Len() > 0 {
			t.Errorf("it was told: %s", &log)
		}
	})
}

// TestSooner: a new interval counts from when it is set, among any others.
func TestSooner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var all []Target
		for i := range 100 {
			all = append(all, Target{Addr: netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}), Interval: 1000 * time.Hour})
		}
		m := watch(t, Config{checker: &fake{ask: func(p *fakeProbe, round uint64) { p.answer(round, latency) }}}, all...)
		time.Sleep(time.Second)
		for i := range all {
			all[i].Interval = time.Second
			m.Watch(all)
			time.Sleep(3 * time.Second)
			if got := m.State(all[i].Addr); got != Up {
				t.Errorf("%s is %v", all[i].Addr, got)
			}
		}
	})
}

// TestEvenly: probes of many targets are spread over the interval, keep their
// distance, and no two targets march in step.
func TestEvenly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n, interval, rounds, parts = 1000, time.Second, 20, 10
		f := &fake{ask: func(p *fakeProbe, round uint64) { p.answer(round, latency) }}
		var all []Target
		for i := range n {
			all = append(all, Target{Addr: netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), Interval: interval})
		}
		began := time.Now()
		watch(t, Config{checker: f}, all...)
		time.Sleep(rounds * interval)
		starts := f.begun()
		last, gaps := map[netip.Addr]time.Time{}, map[time.Duration]bool{}
		parted := make([]int, rounds*parts+1)
		for _, s := range starts {
			parted[s.at.Sub(began)/(interval/parts)]++
			if at, ok := last[s.addr]; ok {
				gap := s.at.Sub(at)
				gaps[gap.Round(time.Millisecond)] = true
				if gap < interval || gap > interval+interval/16+breath {
					t.Fatalf("%s: probes are %v apart", s.addr, gap)
				}
			}
			last[s.addr] = s.at
		}
		if len(last) != n || len(starts) < n*rounds*15/16 {
			t.Errorf("%d targets, %d probes", len(last), len(starts))
		}
		for i, got := range parted[:rounds*parts] {
			if got < n/parts/2 || got > n/parts*2 {
				t.Errorf("%d probes in the %d. tenth of an interval", got, i)
			}
		}
		if len(gaps) < 50 {
			t.Errorf("%d different gaps", len(gaps))
		}
	})
}

// TestNoBurst: after a pause probes do not all go out at once.
func TestNoBurst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 1000
		pause := true
		f := &fake{}
		f.ask = func(p *fakeProbe, round uint64) {
			if pause && round == 3 {
				pause = false
				time.Sleep(time.Minute)
				f.mu.Lock()
				f.starts = nil
				f.mu.Unlock()
			}
			p.answer(round, latency)
		}
		var all []Target
		for i := range n {
			all = append(all, Target{Addr: netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})})
		}
		m := watch(t, Config{checker: f}, all...)
		time.Sleep(70 * time.Second)
		per := map[time.Time]int{}
		for _, s := range f.begun() {
			per[s.at.Truncate(10*time.Millisecond)]++
		}
		for at, got := range per {
			if got > n/20 {
				t.Errorf("%d probes at once at %v", got, at)
			}
		}
		if len(per) < 100 || m.State(one) != Unknown || m.State(ip("10.0.0.1")) != Up {
			t.Errorf("%d ticks; %+v", len(per), of(t, m, ip("10.0.0.1")))
		}
	})
}

// TestPaceIsTheTargets: the same target has the same pace in every process.
func TestPaceIsTheTargets(t *testing.T) {
	p := newPace(Target{Addr: one, Source: ip("192.0.2.11")})
	got := fmt.Sprint(p.phase(time.Second), p.gap(1, time.Second), p.gap(2, time.Second))
	if want := "446.716226ms 1.054919377s 1.008267478s"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if p == newPace(Target{Addr: one, Source: ip("192.0.2.12")}) || p == newPace(Target{Addr: ip("192.0.2.2"), Source: ip("192.0.2.11")}) {
		t.Error("two targets, or two nodes, have the same pace")
	}
}

// TestClosed: after Close nothing happens any more, and states can be read.
func TestClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{ask: func(p *fakeProbe, round uint64) { p.answer(round, latency) }}
		m := watch(t, Config{checker: f}, usual)
		<-m.Changes()
		m.Close()
		m.Close()
		n := len(f.begun())
		m.Watch([]Target{{Addr: ip("192.0.2.2")}})
		time.Sleep(time.Minute)
		if m.State(one) != Up || len(m.Status()) != 1 || len(f.begun()) != n || told(m) {
			t.Errorf("%+v, %d probes of %d", m.Status(), len(f.begun()), n)
		}
	})
}

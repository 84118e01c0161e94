package control

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"os"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"guideway/control/config"
	"guideway/lcore"
	"guideway/pmd"
	"guideway/pmd/memport"
)

var oneVIP = head + vipText("www", 1, backend(1), backend(2))

func TestReload(t *testing.T) {
	r := newRig(t, oneVIP)
	first := r.manager.Status()
	kept := *first
	if first.Plan.Snapshot.Generation != 1 || !first.LastSuccessful || first.Reloads != (Results{}) || first.Since.IsZero() || first.Planned <= 0 {
		t.Errorf("at the start: %+v", *first)
	}

	lines := r.reload(oneVIP + vipText("two", 2, backend(3)))
	st := r.manager.Status()
	if st.Plan.Snapshot.Generation != 2 || len(st.Plan.VIPs) != 2 || len(st.Config.VIPs) != 2 {
		t.Errorf("after a reload: generation %d, VIPs %v", st.Plan.Snapshot.Generation, st.Plan.VIPs)
	}
	if st.Reloads != (Results{Success: 1}) || !st.LastSuccessful || st.LastError != nil || st.Since.Before(kept.Since) || st.Since.Equal(kept.Since) {
		t.Errorf("after a reload: %+v", *st)
	}
	if got := r.generations(); !slices.Equal(got, []uint64{2, 2}) {
		t.Errorf("the cores work by snapshots %v", got)
	}
	if len(lines) != 1 || !strings.HasPrefix(lines[0], "level=INFO msg=reloaded generation=2 vips=2 took=") {
		t.Errorf("logged %q", lines)
	}
	if !reflect.DeepEqual(*first, kept) {
		t.Error("a status that was handed out has changed")
	}
}

// The same content again is a reload like any other: whoever asks for it gets
// an answer, and connections notice nothing.
func TestReloadOfTheSame(t *testing.T) {
	r := newRig(t, oneVIP)
	r.inject(100)
	before := r.collect(100)
	r.reload(oneVIP)
	st := r.manager.Status()
	if st.Plan.Snapshot.Generation != 2 || st.Reloads.Success != 1 {
		t.Errorf("%+v", *st)
	}
	r.inject(100)
	home := homes(before)
	for _, s := range r.collect(100) {
		if home[s.client] != s.backend {
			t.Errorf("client %d went from %v to %v", s.client, home[s.client], s.backend)
		}
	}
}

func homes(all []sent) map[client]netip.Addr {
	m := map[client]netip.Addr{}
	for _, s := range all {
		m[s.client] = s.backend
	}
	return m
}

// A file that cannot be taken changes nothing. Every fault is a line of its
// own that an editor can jump to.
func TestRejectedReloads(t *testing.T) {
	for name, c := range map[string]struct {
		running, text string
		want          []string // what the line of each fault begins with, behind the path
	}{
		"faults": {
			oneVIP, strings.Replace(oneVIP, "4099", "4098\ncolour = 7", 1) + "[[vip]]\nname = \"none\"\n",
			[]string{":27:14: vip.table_size: 4098", ":28:1: unknown key", ":29:3: [[vip]] is missing", ":29:3: [[vip]] is missing", ":29:3: [[vip]] is missing"},
		},
		"syntax": {oneVIP, oneVIP + "[[vip\n", []string{":28:6: TOML syntax"}},
		"restart": {
			oneVIP, strings.NewReplacer("mtu = 1600", "mtu = 1500", "[1, 2]", "[1, 3]").Replace(oneVIP),
			[]string{":7:1: dpdk.lcores is now [1 3], it was [1 2]: this needs a restart", ":16:1: port[0].mtu is now 1500"},
		},
		"missing": {oneVIP, "", []string{": no such file or directory"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, c.running)
			r.reload(c.running) // so that there is something to keep
			before := *r.manager.Status()
			r.write(c.text)
			if c.text == "" {
				os.Remove(r.path)
			}
			r.manager.serve(t.Context(), false)

			lines := r.log.take()
			want := len(c.want) + 1
			if len(lines) != want {
				t.Fatalf("%d lines, want %d:\n%s", len(lines), want, strings.Join(lines, "\n"))
			}
			for i, w := range c.want {
				if w = `level=ERROR msg="` + r.path + w; !strings.HasPrefix(lines[i], w) {
					t.Errorf("line %d:\n%s\nwant\n%s ...", i, lines[i], w)
				}
			}
			if last := lines[want-1]; last != fmt.Sprintf(`level=ERROR msg="reload rejected: nothing has changed" faults=%d`, len(c.want)) {
				t.Errorf("last line: %s", last)
			}

			st := *r.manager.Status()
			var faults config.Faults
			if !errors.As(st.LastError, &faults) || len(faults) != len(c.want) || st.LastSuccessful || st.Reloads != (Results{Success: 1, Rejected: 1}) {
				t.Errorf("status %+v", st)
			}
			st.LastSuccessful, st.LastError, st.Reloads = before.LastSuccessful, before.LastError, before.Reloads
			if !reflect.DeepEqual(st, before) {
				t.Error("more has changed than how the last reload ended")
			}
			if got := r.generations(); !slices.Equal(got, []uint64{2, 2}) {
				t.Errorf("the cores work by snapshots %v", got)
			}

			r.reload(c.running)
			if st := r.manager.Status(); !st.LastSuccessful || st.LastError != nil || st.Reloads != (Results{Success: 2, Rejected: 1}) {
				t.Errorf("after the file was mended: %+v", *st)
			}
		})
	}
}

// Two backends, and a port through which no tunnel fits.
func TestNewNamesEveryFault(t *testing.T) {
	c, _, err := config.Parse("x.toml", []byte(oneVIP))
	if err != nil {
		t.Fatal(err)
	}
	port := memport.New(memport.Config{MTU: 24})
	_, err = New(Options{Path: "x.toml", Config: c, Group: lcore.NewGroup(), Ports: []pmd.Port{port}, Log: slog.New(slog.DiscardHandler)})
	var faults config.Faults
	if !errors.As(err, &faults) || len(faults) != 2 || faults[1].Error() != "x.toml: tunnel 1: to 10.0.0.2: an MTU of 24, want 25 to 65535" {
		t.Errorf("error %v", err)
	}
}

// Backends without a next hop are served as soon as they have one; until then
// they are named, once.
func TestNoNextHopIsToldOf(t *testing.T) {
	r := newRig(t, strings.Replace(oneVIP, "next_hop_mac", "# next_hop_mac", 1))
	r.log.take()
	r.manager.look(t.Context())
	r.manager.look(t.Context())
	want := `level=WARN msg="no next hop is known to backends or nodes: what is for them is dropped" error="[10.0.0.1 10.0.0.2]"`
	if lines := r.log.take(); !slices.Equal(lines, []string{want}) {
		t.Errorf("told of by %q, want %q", lines, want)
	}
	next := *r.manager.Status()
	c, _, err := config.Parse(r.path, []byte(oneVIP)) // a reload would ask for a restart
	if err != nil {
		t.Fatal(err)
	}
	next.Config = c
	if err := r.manager.plan(&next, 2, next.Plan); err != nil {
		t.Fatal(err)
	}
	r.manager.publish(&next)
	r.manager.look(t.Context())
	if lines := r.log.take(); len(lines) != 1 || !strings.Contains(lines[0], "over: no next hop is known") {
		t.Errorf("told by %q that it is over", lines)
	}
}

// A core that does not take a snapshot over in time is named, and the reload
// counts as late. The next one mends it when the core is back.
func TestStalledCore(t *testing.T) {
	r := newRig(t, oneVIP)
	r.manager.o.AwaitLimit = 100 * time.Millisecond
	resume := r.stall(1)
	lines := r.reload(oneVIP + vipText("two", 2, backend(3)))
	resume()

	if len(lines) != 1 || !strings.Contains(lines[0], `level=ERROR msg="reloaded, but not on every core or router"`) || !strings.Contains(lines[0], "cores [2] have not taken over snapshot 2") {
		t.Errorf("logged %q", lines)
	}
	st := r.manager.Status()
	if st.Reloads != (Results{Late: 1}) || st.LastSuccessful || !errors.Is(st.LastError, context.DeadlineExceeded) {
		t.Errorf("status %+v", *st)
	}
	if st.Plan.Snapshot.Generation != 2 || len(st.Config.VIPs) != 2 {
		t.Error("what was published is not what the status shows")
	}

	r.manager.o.AwaitLimit = 20 * time.Second
	r.reload(oneVIP)
	if st := r.manager.Status(); st.Reloads != (Results{Late: 1, Success: 1}) || !st.LastSuccessful || st.LastError != nil {
		t.Errorf("after the core came back: %+v", *st)
	}
	if got := r.generations(); !slices.Equal(got, []uint64{3, 3}) {
		t.Errorf("the cores work by snapshots %v", got)
	}
}

// Requests while one waits are one; a request while a reload runs is another.
func TestRequestsAreJoined(t *testing.T) {
	r := newRig(t, oneVIP)
	for range 10 {
		r.manager.Reload()
	}
	r.run()
	r.until(func(s *Status) bool { return s.Reloads.Success == 1 })

	resume := r.stall(0)
	r.manager.Reload()
	r.until(func(s *Status) bool { return s.Plan.Snapshot.Generation == 3 }) // it is published and awaited
	for range 10 {
		r.manager.Reload()
	}
	resume()
	r.until(func(s *Status) bool { return s.Reloads.Success == 3 })
	time.Sleep(20 * time.Millisecond)
	if st := r.manager.Status(); st.Reloads != (Results{Success: 3}) || st.Plan.Snapshot.Generation != 4 {
		t.Errorf("after 21 requests in three lots: %+v, generation %d", st.Reloads, st.Plan.Snapshot.Generation)
	}
}

// A reload that the process's end interrupts is no fault of any core.
func TestStopWhileAwaiting(t *testing.T) {
	r := newRig(t, oneVIP)
	resume := r.stall(0)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	r.manager.serve(ctx, false)
	resume()
	if lines := r.log.take(); len(lines) != 0 {
		t.Errorf("logged %q", lines)
	}
	if st := r.manager.Status(); st.Reloads != (Results{}) || !st.LastSuccessful {
		t.Errorf("status %+v", *st)
	}
}

// Warnings are logged when there are others than before, not with each reload.
func TestWarningsOncePerChange(t *testing.T) {
	unused := oneVIP + "[[pool]]\nname = \"spare\"\nbackends = [{ address = \"10.0.0.9\" }]\n"
	r := newRig(t, oneVIP)
	for i, step := range []struct {
		text string
		want []string // of the warnings
	}{
		{oneVIP, nil},
		{unused, []string{`pool \"spare\" is used by no VIP`}},
		{unused, nil},
		{unused + "# no place moves\n", nil},
		{"# a line more\n" + unused, []string{`pool \"spare\" is used by no VIP`}}, // at another place now
		{oneVIP, nil},
		{unused + "[bad", nil},
		{unused, []string{`pool \"spare\" is used by no VIP`}},
	} {
		var warned []string
		for _, l := range r.reload(step.text) {
			if strings.HasPrefix(l, "level=WARN") {
				warned = append(warned, l)
			}
		}
		if len(warned) != len(step.want) {
			t.Errorf("step %d: %q, want %q", i, warned, step.want)
			continue
		}
		for j, w := range step.want {
			if !strings.Contains(warned[j], w) || !strings.Contains(warned[j], r.path+":") {
				t.Errorf("step %d: %s, want %s with its place", i, warned[j], w)
			}
		}
	}
}

func TestNoGoroutineStays(t *testing.T) {
	r := newRig(t, oneVIP)
	before := runtime.NumGoroutine()
	for range 20 {
		r.reload(oneVIP)
		r.reload(oneVIP + vipText("two", 2, backend(3)))
		r.reload("nonsense")
	}
	for deadline := time.Now().Add(time.Second); runtime.NumGoroutine() > before; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines, %d before 60 reloads", runtime.NumGoroutine(), before)
		}
	}
}

func TestMetricsShowTheStatus(t *testing.T) {
	r := newRig(t, oneVIP)
	r.reload(oneVIP)
	r.reload("nonsense")
	st, m := r.manager.Status(), r.manager.Metrics()
	if m.Plan != st.Plan || m.Planned != st.Planned || m.Since != st.Since || m.LastSuccessful || !slices.Equal(m.Lcores, []int{1, 2}) {
		t.Errorf("%+v", m)
	}
	if want := map[string]uint64{"success": 1, "rejected": 1, "late": 0}; !maps.Equal(m.Reloads, want) {
		t.Errorf("reloads %v, want %v", m.Reloads, want)
	}
}

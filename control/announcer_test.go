package control

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"guideway/control/config"
	"guideway/control/plan"
)

// A notebook is a speaker that writes down what it is told, and what the cores
// work by at that moment.
type notebook struct {
	mu    sync.Mutex
	rig   *rig
	lines []string
}

func (n *notebook) note(what string, prefixes []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	cores := "none"
	if n.rig != nil {
		cores = n.rig.works()
	}
	n.lines = append(n.lines, fmt.Sprintf("%s %v, cores at %s", what, prefixes, cores))
}

func (n *notebook) Announce(_ context.Context, want []plan.Route) error {
	var prefixes []string
	for _, r := range want {
		prefixes = append(prefixes, r.Prefix.Addr().String())
	}
	n.note("announce", prefixes)
	return nil
}

func (n *notebook) Withdraw(_ context.Context, gone []netip.Prefix) error {
	var prefixes []string
	for _, p := range gone {
		prefixes = append(prefixes, p.Addr().String())
	}
	n.note("withdraw", prefixes)
	return nil
}

func (n *notebook) Configure(context.Context, *config.Config) error { return nil }

func (n *notebook) take() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	lines := n.lines
	n.lines = nil
	return lines
}

// works tells the generation that the cores work by, if it is one.
func (r *rig) works() string {
	ctx, cancel := context.WithTimeout(r.t.Context(), 10*time.Second)
	defer cancel()
	reports, err := r.group.Reports(ctx)
	if err != nil {
		return err.Error()
	}
	var all []uint64
	for _, report := range reports {
		all = append(all, report.Generation)
	}
	slices.Sort(all)
	return fmt.Sprint(slices.Compact(all))
}

// speak gives a rig's manager a speaker that writes down.
func (r *rig) speak() *notebook {
	n := &notebook{rig: r}
	r.manager.announcer.speaker = n
	r.manager.announcer.enter(r.t.Context(), r.manager.Status().Plan.Routes())
	return n
}

func expect(t *testing.T, n *notebook, want ...string) {
	t.Helper()
	if got := n.take(); !slices.Equal(got, want) {
		t.Errorf("told:\n  %s\nwant:\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

// What goes is withdrawn before the cores forget it, and what comes is announced
// when every core knows it.
func TestOrderOfAChange(t *testing.T) {
	r := newRig(t, oneVIP+vipText("two", 2, backend(1)))
	n := r.speak()
	expect(t, n, "announce [203.0.113.1 203.0.113.2], cores at [1]")
	r.reload(oneVIP + vipText("three", 3, backend(1)))
	expect(t, n, "withdraw [203.0.113.2], cores at [1]", "announce [203.0.113.1 203.0.113.3], cores at [2]")
}

// A stalled core has everything withdrawn, and brought back when it is well.
func TestWatchdog(t *testing.T) {
	r := newRig(t, oneVIP)
	n := r.speak()
	n.take()
	n.rig = nil // the cores are not asked while one is stalled
	resume := r.stall(0)
	r.manager.watch(t.Context())
	r.manager.watch(t.Context())
	expect(t, n, "announce [], cores at none")
	if _, held := r.manager.announcer.announced(); held != "the poll loops on CPUs [1] give no sign of life" {
		t.Errorf("held because %q", held)
	}
	// What is wanted meanwhile waits.
	r.manager.announcer.leave(t.Context(), nil)
	r.manager.announcer.enter(t.Context(), r.manager.Status().Plan.Routes())
	expect(t, n, "announce [], cores at none")
	resume()
	r.manager.watch(t.Context())
	expect(t, n, "announce [203.0.113.1], cores at none")
}

// A drained node announces nothing until it is not, whatever reloads.
func TestDrainNode(t *testing.T) {
	r := newRig(t, oneVIP)
	n := r.speak()
	n.take()
	r.manager.DrainNode(t.Context())
	r.reload(oneVIP)
	r.manager.UndrainNode(t.Context())
	expect(t, n, "announce [], cores at [1]", "announce [], cores at [2]", "announce [203.0.113.1], cores at [2]")
}

// Operators' words hold over reloads, and end when they take them back.
func TestOverrides(t *testing.T) {
	r := newRig(t, oneVIP)
	r.run()
	ctx := t.Context()
	states := func() string {
		var s []string
		for _, b := range r.manager.Status().Plan.VIPs[0].Backends {
			s = append(s, b.Address.String()+" "+b.Override.String())
		}
		return strings.Join(s, ", ")
	}
	first := netip.MustParseAddr("10.0.0.1")
	if err := r.manager.Override(ctx, "", first, plan.Drained, false); err != nil {
		t.Fatal(err)
	}
	if got := states(); got != "10.0.0.1 drained, 10.0.0.2 " {
		t.Error(got)
	}
	if err := r.manager.ReloadNow(ctx, false); err != nil {
		t.Fatal(err)
	}
	if err := r.manager.Override(ctx, "www", first, plan.Killed, false); err != nil {
		t.Fatal(err)
	}
	if got := states(); got != "10.0.0.1 killed, 10.0.0.2 " {
		t.Error(got)
	}
	for _, vip := range []string{"www", ""} {
		if err := r.manager.Override(ctx, vip, first, plan.NoOverride, false); err != nil {
			t.Fatal(err)
		}
	}
	if got := states(); got != "10.0.0.1 , 10.0.0.2 " {
		t.Error(got)
	}
	if err := r.manager.Override(ctx, "ftp", first, plan.Killed, false); err == nil || err.Error() != `VIP "ftp" has no backend 10.0.0.1` {
		t.Errorf("error %v", err)
	}
	if err := r.manager.Override(ctx, "", netip.MustParseAddr("10.9.9.9"), plan.Killed, false); err == nil || err.Error() != "no VIP has a backend 10.9.9.9" {
		t.Errorf("error %v", err)
	}
}

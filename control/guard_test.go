package control

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"guideway/control/plan"
)

// A reload that takes most of a VIP's backends away needs to be meant.
func TestReloadThatRemovesMuch(t *testing.T) {
	guarded := strings.Replace(head, "100%", "50%", 1)
	four := guarded + vipText("www", 1, backend(1), backend(2), backend(3), backend(4))
	r := newRig(t, four)
	r.run()
	ctx := t.Context()
	for _, c := range []struct {
		backends []string
		rejected bool
	}{
		{[]string{backend(1), backend(2)}, false},
		{[]string{backend(7)}, true},
		{[]string{backend(1, `state = "off"`), backend(2, `state = "off"`), backend(3)}, true},
		{[]string{backend(1, `state = "drain"`), backend(2, `state = "drain"`), backend(3)}, false},
	} {
		r.write(guarded + vipText("www", 1, c.backends...))
		err := r.manager.ReloadNow(ctx, false)
		if c.rejected != (err != nil) {
			t.Errorf("%v: error %v", c.backends, err)
		}
		if c.rejected && !strings.Contains(err.Error(), `VIP "www" would lose 2 of its 2 backends at once, more than [reload].max_removed (50%)`) {
			t.Errorf("%v: error %v", c.backends, err)
		}
	}
	r.write(guarded + vipText("www", 1, backend(9)))
	if err := r.manager.ReloadNow(ctx, true); err != nil {
		t.Errorf("although it is meant: %v", err)
	}
}

// So does what an operator kills, and only that: a drained backend keeps its
// flows.
func TestKillingMuch(t *testing.T) {
	r := newRig(t, strings.Replace(head, "100%", "50%", 1)+vipText("www", 1, backend(1), backend(2), backend(3)))
	r.run()
	for _, c := range []struct {
		backend string
		to      plan.Override
		force   bool
		want    string
	}{
		{"10.0.0.1", plan.Killed, false, ""},
		{"10.0.0.2", plan.Killed, false, ""},
		{"10.0.0.3", plan.Drained, false, ""},
		{"10.0.0.3", plan.NoOverride, false, ""},
		{"10.0.0.3", plan.Killed, false, `VIP "www" would lose 1 of its 1 backends at once, more than [reload].max_removed (50%): if that is meant, "kill --force" at the console`},
		{"10.0.0.3", plan.Killed, true, ""},
	} {
		err := r.manager.Override(t.Context(), "www", netip.MustParseAddr(c.backend), c.to, c.force)
		if c.want == "" && err != nil || c.want != "" && (!errors.Is(err, errTooMuch) || err.Error() != c.want) {
			t.Errorf("%s %v: %v, want %q", c.backend, c.to, err, c.want)
		}
	}
}

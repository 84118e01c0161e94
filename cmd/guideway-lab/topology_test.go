package main

import (
	"io"
	"testing"
)

func TestOwns(t *testing.T) {
	lab := newTopology("gwlab", drivers[0], 3)
	for ns, want := range map[string]bool{
		"gwlab-client": true, "gwlab-router": true, "gwlab-lb": true, "gwlab-b1": true, "gwlab-b12": true,
		"gwlab": false, "gwlab-": false, "gwlab-other": false, "gwlab-bx": false, "gwlab-b1x": false,
		"gwlab2-b1": false, "mygwlab-b1": false, "client": false,
	} {
		if got := lab.owns(ns); got != want {
			t.Errorf("owns(%q) = %v", ns, got)
		}
	}
}

func TestTopology(t *testing.T) {
	lab := newTopology("gwlab", drivers[0], maxBackends)
	seen := map[string]bool{}
	for _, b := range lab.built() {
		for _, a := range []string{b.name, b.v4.String(), b.v6.String()} {
			if seen[a] {
				t.Errorf("%s comes twice", a)
			}
			seen[a] = true
		}
		if b.v4.Masked() != toRack4.Masked() || b.v6.Masked() != toRack6.Masked() || b.v4 == toRack4 || b.v6 == toRack6 {
			t.Errorf("%s has %s and %s: not in the rack, or the router's", b.name, b.v4, b.v6)
		}
	}
	if len(lab.built()) != len(lab.backends)+1 || lab.built()[maxBackends].name != lab.spare.name {
		t.Error("built is not the backends and the spare")
	}
	if h, lb := lab.mgmt(); h.String() != "198.18.0.1/30" || lb.String() != "198.18.0.2/30" {
		t.Errorf("management link %s, %s", h, lb)
	}
	if h, _ := newTopology("other", drivers[0], 1).mgmt(); h.String() == "198.18.0.1/30" {
		t.Error("two instances share a management link")
	}
}

func TestOptions(t *testing.T) {
	for _, c := range []struct {
		args []string
		ok   bool
	}{
		{nil, true},
		{[]string{"--once", "--backends", "5", "--name", "lab2", "--driver", "af_packet"}, true},
		{[]string{"--backends", "0"}, false},
		{[]string{"--backends", "101"}, false},
		{[]string{"--name", "waytoolong"}, false},
		{[]string{"--name", "a/b"}, false},
		{[]string{"--driver", "ixgbe"}, false},
		{[]string{"--requests", "-1"}, false},
		{[]string{"extra"}, false},
		{[]string{"--nonsense"}, false},
	} {
		if _, err := parseOptions(c.args, io.Discard); (err == nil) != c.ok {
			t.Errorf("%q: %v", c.args, err)
		}
	}
}

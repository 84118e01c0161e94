package main

import (
	"context"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"guideway/control/config"
)

func TestHugeFreeMiB(t *testing.T) {
	for _, c := range []struct {
		meminfo string
		want    int
	}{
		{"MemTotal: 1 kB\nHugePages_Total:     512\nHugePages_Free:      130\nHugepagesize:       2048 kB\n", 260},
		{"HugePages_Free:        1\nHugepagesize:    1048576 kB\n", 1024},
		{"HugePages_Free:        0\nHugepagesize:       2048 kB\n", 0},
		{"MemTotal: 1 kB\n", 0},
		{"HugePages_Free:", 0},
	} {
		if got := hugeFreeMiB(c.meminfo); got != c.want {
			t.Errorf("%q: %d MiB, want %d", c.meminfo, got, c.want)
		}
	}
}

// running is a process that has not ended.
func running() *process { return &process{name: "daemon", done: make(chan struct{})} }

func TestLogWatch(t *testing.T) {
	w := newLogWatch(io.Discard)
	io.WriteString(w, "level=INFO msg=forwarding\nlevel=INFO msg=relo")
	line, err := w.await(t.Context(), running(), 0, time.Second, "msg=forwarding")
	if err != nil || line != "level=INFO msg=forwarding" {
		t.Fatalf("%q, %v", line, err)
	}
	mark := w.mark()
	go io.WriteString(w, "aded\n")
	if line, err = w.await(t.Context(), running(), mark, 5*time.Second, "msg=reloaded", "level=ERROR"); err != nil || line != "level=INFO msg=reloaded" {
		t.Fatalf("a line in two pieces: %q, %v", line, err)
	}
	if line, err := w.await(t.Context(), running(), w.mark(), 10*time.Millisecond, "msg=reloaded"); err == nil {
		t.Errorf("found %q again after the mark", line)
	} else if !strings.Contains(err.Error(), "msg=forwarding") {
		t.Errorf("the last words are not told: %v", err)
	}
}

func TestLogWatchGivesUp(t *testing.T) {
	w := newLogWatch(io.Discard)
	ended := running()
	ended.err = &exec.Error{Name: "daemon", Err: exec.ErrNotFound}
	close(ended.done)
	if _, err := w.await(t.Context(), ended, 0, time.Minute, "x"); err == nil || !strings.Contains(err.Error(), "ended") {
		t.Errorf("a dead process: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.await(ctx, running(), 0, time.Minute, "x"); err == nil {
		t.Error("waited on after the end of its context")
	}
}

// What the lab writes must be a good configuration, whatever machine it is for.
func TestConfigText(t *testing.T) {
	lab := newTopology("gwlab", drivers[1], 3)
	for _, r := range []resources{{Lcore: 1, Control: 0, Huge: true}, {Lcore: 0, Control: -1}} {
		text, err := configText(lab, r, lab.built())
		if err != nil {
			t.Fatal(err)
		}
		c, _, err := config.Parse("guideway.toml", []byte(text))
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if c.DPDK.Huge != r.Huge || !slices.Equal(c.DPDK.Lcores, []int{r.Lcore}) || len(c.DPDK.ControlCPUs) != r.Control+1 {
			t.Errorf("%+v from %+v", c.DPDK, r)
		}
		if len(c.VIPs) != len(vips) || c.Ports[0].Device != "net_af_packet0,iface=wan" || c.Ports[0].MTU != 1500 {
			t.Errorf("%d VIPs, port %+v", len(c.VIPs), c.Ports[0])
		}
		for _, v := range c.VIPs {
			if len(c.Backends(v)) != len(lab.built()) {
				t.Errorf("%s has %d backends", v.Name, len(c.Backends(v)))
			}
		}
	}
}

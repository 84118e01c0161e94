package main

import (
	"context"
	"io"
	"os/exec"
	"strings"
	"testing"
	"time"
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

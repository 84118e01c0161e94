package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The console is found at its socket if one is there, and nothing else is taken
// for one.
func TestUsualAddress(t *testing.T) {
	path := filepath.Join(t.TempDir(), "console.sock")
	if got := usualAddress(path); got != usualConsole {
		t.Errorf("without a socket: %s", got)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := usualAddress(path); got != usualConsole {
		t.Errorf("with a file: %s", got)
	}
	os.Remove(path)
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if got := usualAddress(path); got != "unix:"+path {
		t.Errorf("with a socket: %s", got)
	}
}

// TestShow: show wants to know what.
func TestShow(t *testing.T) {
	for line, want := range map[string]int{"show": exitUsage, "show -h": exitOK} {
		var out, complaints strings.Builder
		if got := run(env{out: &out, err: &complaints}, strings.Fields(line)); got != want || !strings.Contains(complaints.String(), "guideway show WHAT") {
			t.Errorf("%s: %d\n%s", line, got, &complaints)
		}
	}
}

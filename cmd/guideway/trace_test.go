package main

import (
	"strings"
	"testing"
)

func TestTrace(t *testing.T) {
	good := write(t, "trace.key", "0123456789abcdef0123456789abcdef\n")
	short := write(t, "short.key", "secret\n")
	for _, c := range []struct {
		args string
		code int
		errs string
	}{
		{"trace", exitUsage, "a packet has a protocol"},
		{"trace udp 198.51.100.7:1 203.0.113.1:53", exitUsage, "which key?"},
		{"trace -k " + good + " icmp 198.51.100.7 203.0.113.1", exitUsage, "only tcp, udp and sctp"},
		{"trace -k " + good + " udp 198.51.100.7:1 > 203.0.113.1:53 count 1000", exitUsage, "from 1 to 100"},
		{"trace -x", exitUsage, "FLOW is PROTOCOL"},
		{"trace -k " + good + "-not udp 198.51.100.7:1 203.0.113.1:53", exitFault, "no such file"},
		{"trace -k " + short + " udp 198.51.100.7:1 203.0.113.1:53", exitFault, "6 characters can be guessed"},
		{"trace -k " + good + " --json udp 198.51.100.7:1 > 127.0.0.1:53", exitFault, "127.0.0.1 is an address of this machine"},
	} {
		code, out, errs := do(strings.Fields(c.args)...)
		if code != c.code || out != "" || !strings.Contains(errs, c.errs) {
			t.Errorf("%s: %d, %q, %q, want %d, %q", c.args, code, out, errs, c.code, c.errs)
		}
	}
}

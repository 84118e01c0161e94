package console

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestExamples: every command has what help shows, and its example works.
func TestExamples(t *testing.T) {
	f := newFake(t)
	for _, c := range spoken() {
		if c.short == "" || c.example == "" || strings.HasSuffix(c.long, "\n") || c.run == nil {
			t.Errorf("%s: %q, %q", c.name, c.short, c.example)
		}
		if found, _, err := find(strings.Fields(c.name)); err != nil || found.name != c.name {
			t.Errorf("%s is not found by its name: %v", c.name, err)
		}
		if _, err := ask(f, c.example); err != nil && err != errQuit {
			t.Errorf("%s: the example %q: %v", c.name, c.example, err)
		}
		if c.changes && c.watched {
			t.Errorf("%s changes something, again and again", c.name)
		}
	}
}

// TestDocs: docs/console.md has every command, and what it says to type works.
func TestDocs(t *testing.T) {
	text, err := os.ReadFile("../../docs/console.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range spoken() {
		if !strings.Contains(string(text), "`"+c.name) && c.name != "quit" {
			t.Errorf("docs/console.md does not have %s", c.name)
		}
	}
	f, tried := newFake(t), 0
	firsts := names(spoken(), (*command).first)
	for _, m := range regexp.MustCompile("`([^`\n]+)`").FindAllStringSubmatch(string(text), -1) {
		line := m[1]
		first, _, more := strings.Cut(line, " ")
		if !more || !slices.Contains(firsts, first) || strings.ContainsAny(line, "[A") && strings.Contains(line, "[") || strings.Contains(line, "TUPLE") {
			continue // a word, or a form to fill in
		}
		tried++
		if _, err := ask(f, line); err != nil {
			t.Errorf("%s: %v", line, err)
		}
	}
	if tried < 12 {
		t.Errorf("only %d commands of docs/console.md were tried", tried)
	}
}

// TestCompletion: what may come next, by what is typed.
func TestCompletion(t *testing.T) {
	f := newFake(t)
	for _, c := range []struct{ done, want string }{
		{"", "show explain drain undrain kill reload plan capture trace watch help quit"},
		{"show", "vips pools backends checks conntrack fragments ports cores counters bgp nodes kernel config version"},
		{"sh", "vips pools backends checks conntrack fragments ports cores counters bgp nodes kernel config version"},
		{"show vips", "dns rest www"},
		{"sh vi", "dns rest www"},
		{"show vips www", ""},
		{"show ports", "wan lan"},
		{"show pools", "names spare web"},
		{"show backends", "10.0.0.1 10.0.0.2 10.0.0.3 10.0.0.4 10.0.0.9 10.0.1.1 vip"},
		{"show backends vip", "dns rest www"},
		{"show counters", "all"},
		{"show config", "node dpdk port[wan] port[lan] conntrack fragments"},
		{"drain", "10.0.0.1 10.0.0.2 10.0.0.3 10.0.0.4 10.0.0.9 10.0.1.1 node"},
		{"drain 10.0.0.1", "vip --force"},
		{"drain 10.0.0.1 vip", "dns rest www"},
		{"drain node", ""},
		{"watch", "show explain plan"},
		{"watch show vips", "dns rest www"},
		{"help", "show explain drain undrain kill reload plan capture trace watch help quit"},
		{"explain", "tcp udp sctp icmp icmpv6"},
		{"explain tcp 192.0.2.1:1", ">"},
		{"nonsense", ""},
		{"nonsense more", ""},
		{"reload", ""},
	} {
		got := strings.Join(candidates(f, strings.Fields(c.done), false), " ")
		if got != c.want && !(c.done == "show config" && strings.HasPrefix(got, c.want)) {
			t.Errorf("after %q: %s\nwant %s", c.done, got, c.want)
		}
	}
}

func TestUnits(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{count(0), "0"}, {count(999), "999"}, {count(1000), "1,000"}, {count(uint64(1<<64 - 1)), "18,446,744,073,709,551,615"},
		{size(0), "0 B"}, {size(1023), "1023 B"}, {size(1536), "1.50 KiB"}, {size(uint64(1<<64 - 1)), "16 EiB"},
		{percent(0), "0 %"}, {percent(1), "100.00 %"}, {percent(0.00001), "< 0.01 %"}, {percent(0.33333), "33.33 %"},
		{Seconds(0).String(), ""}, {Seconds(500).String(), "500ns"}, {Seconds(1500).String(), "1.50 us"}, {Seconds(12_345_678).String(), "12.3 ms"},
		{Seconds(2e9).String(), "2 s"}, {Seconds(90e9).String(), "1m30s"}, {span(25 * 3600e9), "1d01h"}, {span(-1), "0s"}, {speed(0), "unknown"}, {speed(2500), "2500 Mbit/s"},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
}

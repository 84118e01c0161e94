package console

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"
	"time"

	"guideway/control/trace"
)

func TestParseTrace(t *testing.T) {
	for line, want := range map[string]struct {
		count     int
		fragments bool
		fault     string
	}{
		"tcp 198.51.100.7:4711 > 203.0.113.10:80":                         {count: 3},
		"udp 198.51.100.7:4711 203.0.113.10:80 count 100":                 {count: 100},
		"sctp [2001:db8::1]:1 > [2001:db8::2]:2 fragments":                {count: 3, fragments: true},
		"udp 198.51.100.7:4711 > 203.0.113.10:80 fragments count 1":       {count: 1, fragments: true},
		"udp 198.51.100.7:4711 > 203.0.113.10:80 count 0":                 {fault: "not a number from 1 to 100"},
		"udp 198.51.100.7:4711 > 203.0.113.10:80 count 101":               {fault: "not a number from 1 to 100"},
		"udp 198.51.100.7:4711 > 203.0.113.10:80 count":                   {fault: `"count" is not understood`},
		"udp 198.51.100.7:4711 > 203.0.113.10:80 fragment":                {fault: `"fragment" is not understood`},
		"icmp 198.51.100.7 > 203.0.113.10":                                {fault: "only tcp, udp and sctp"},
		"udp 198.51.100.7:4711 > 224.0.0.1:80":                            {fault: "no address of a host"},
		"udp 198.51.100.7:4711":                                           {fault: "a destination"},
		"udp 198.51.100.7:4711 > 203.0.113.10:80 count 3 count 4 count 5": {count: 5},
	} {
		r, err := ParseTrace(strings.Fields(line))
		switch {
		case want.fault != "" && (err == nil || !strings.Contains(err.Error(), want.fault)):
			t.Errorf("%s: %v, want %q", line, err, want.fault)
		case want.fault == "" && (err != nil || r.Count != want.count || r.Fragments != want.fragments):
			t.Errorf("%s: %+v, %v", line, r, err)
		}
	}
}

func TestTraceJSON(t *testing.T) {
	last := trace.Hop{Packet: 2, Piece: trace.Last, Node: "lb1", Core: 2, Outcome: "redirected", Next: "lb2"}
	text, err := TraceText(&trace.Result{
		Sent: 4,
		Hops: []trace.Hop{{Packet: 1, Piece: trace.First, Node: "lb2", Core: 3, Outcome: "forwarded", VIP: "www", Backend: netip.MustParseAddr("10.0.0.1"), Why: "slot 1 of 2", After: time.Millisecond}, last},
		Open: []trace.Open{{Packet: 1, Piece: trace.Last}, {Packet: 2, Piece: trace.Last, Last: &last}},
	}, true)
	if err != nil {
		t.Fatal(err)
	}
	var got any
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatal(err)
	}
	flat, _ := json.Marshal(got)
	want := `{"hops":[` +
		`{"after_seconds":0.001,"backend":"10.0.0.1","core":3,"next":"","node":"lb2","outcome":"forwarded","packet":1,"piece":"first","vip":"www","why":"slot 1 of 2"},` +
		`{"after_seconds":0,"core":2,"next":"lb2","node":"lb1","outcome":"redirected","packet":2,"piece":"last","vip":"","why":""}],` +
		`"sent":4,"unanswered":[{"next":"","node":"","outcome":"","packet":1,"piece":"last"},{"next":"lb2","node":"lb1","outcome":"redirected","packet":2,"piece":"last"}]}`
	if string(flat) != want {
		t.Errorf("%s\nwant %s", flat, want)
	}
}

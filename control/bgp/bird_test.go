package bgp

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const birdNode = `
protocol bgp n1 from node { neighbor 10.0.1.11 as 64512; %s }
`

// TestAttributes sends routes of both families over one session by IPv4, and
// over one by IPv6, with all that a route and a peer may add.
func TestAttributes(t *testing.T) {
	if !isolated(t) {
		return
	}
	router := newNS(t)
	router.join(1)
	b := newBird(router, `
protocol static { ipv4; route 0.0.0.0/0 unreachable; route 198.51.100.0/24 unreachable; }
protocol bgp n1 from node { neighbor 10.0.1.11 as 64512; ipv4 { export where source = RTS_STATIC; }; }
`)
	s := newSpeaker(t)
	p := peerOn(1)
	p.MED, p.Prepend = ptr(0), 2
	p.Communities = []Community{{Parts: [3]uint32{64512, 1}}, {Large: true, Parts: [3]uint32{4200000000, 1, 2}}}
	configure(t, s, settings(p))
	announce(t, s,
		Route{Prefix: prefix(vip4), MED: ptr(77), Communities: []Community{{Parts: [3]uint32{65535, 65281}}, {Parts: [3]uint32{64512, 100}}}},
		Route{Prefix: prefix(vip6)})
	t.Logf("up in %v", waitUp(t, s))
	eventually(t, 3*time.Second, "routes in BIRD", func() bool { return b.count() == 2 })
	want := map[string]string{
		"origin": "IGP", "as_path": "64512 64512 64512", "next_hop": "10.0.1.11", "med": "0", "local_pref": "100",
		"community": "(64512,1) (64512,100) (65535,65281)", "large_community": "(4200000000, 1, 2)",
	}
	got := b.route(vip4)
	got["community"] = sorted(got["community"])
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("IPv4 (-want +got)\n%s", diff)
	}
	want["next_hop"], want["community"] = "2001:db8:1::11", "(64512,1)"
	got = b.route(vip6)
	got["next_hop"] = strings.Fields(got["next_hop"])[0]
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("IPv6 (-want +got)\n%s", diff)
	}
	for prefix, way := range map[string]string{vip4: "10.0.1.11", vip6: "2001:db8:1::11"} {
		eventually(t, 3*time.Second, prefix+" in the router's kernel", func() bool {
			ways := router.kernel(prefix)
			return len(ways) == 1 && ways[0] == way
		})
	}

	// What the router sends goes nowhere.
	eventually(t, 3*time.Second, "the router's routes refused", func() bool { return peerStatus(t, s, p.Address).Refused == 2 })
	if out := ownIP(t)("route show default") + ownIP(t)("route show 198.51.100.0/24"); out != "" {
		t.Errorf("learnt into the kernel: %s", out)
	}
	st := s.Status()
	if len(st.Announced) != 2 || st.Peers[0].Sent != 2 || len(st.Listening) != 0 || !st.Peers[0].IPv4 || !st.Peers[0].IPv6 {
		t.Errorf("status: %+v", st)
	}
	if open := sockets(t); len(open) > 0 {
		t.Errorf("sockets that listen: %v", open)
	}
}

// sorted puts the words of a line in order.
func sorted(line string) string {
	words := strings.Fields(line)
	for i := range words {
		for j := i; j > 0 && words[j] < words[j-1]; j-- {
			words[j], words[j-1] = words[j-1], words[j]
		}
	}
	return strings.Join(words, " ")
}

// sockets gives those that anybody could send to, in the process's namespace.
func sockets(t testing.TB) (open []string) {
	for line := range strings.Lines(run(t, "ss", "-Hlnptu")) {
		f := strings.Fields(line)
		open = append(open, f[0]+" "+f[4])
	}
	return open
}

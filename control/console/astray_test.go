package console

import "testing"

// explain tells of a packet that would be forwarded when no router sends it.
func TestAstray(t *testing.T) {
	f := newFake(t)
	const line = "explain tcp 198.51.100.7:4711 > 203.0.113.10:80"
	but := func(n Node) string {
		t.Helper()
		a, err := ask(n, line)
		if err != nil {
			t.Fatal(err)
		}
		return a.(*explained).But
	}
	if got := but(f); got != "" {
		t.Errorf("though a router has the route: %q", got)
	}
	if got := but(&routed{fake: f, change: func(b *BGP) { b.Peers = b.Peers[1:] }}); got != "there is no session with one that takes the route (show bgp)" {
		t.Errorf("without a session: %q", got)
	}
	if got := but(&routed{fake: f, change: func(b *BGP) { b.Peers[0].Families = []string{"ipv6"} }}); got != "there is no session with one that takes the route (show bgp)" {
		t.Errorf("with a session for IPv6 alone: %q", got)
	}
	if got := but(&routed{fake: f, change: func(b *BGP) { b.Routes = nil }}); got != "the VIP is serving, and its route not announced (show vips www)" {
		t.Errorf("without a route: %q", got)
	}
	if got := but(&routed{fake: f, change: func(b *BGP) { *b = BGP{} }}); got != "" {
		t.Errorf("without BGP: %q", got)
	}
	a, err := ask(&routed{fake: f, change: func(b *BGP) { b.Peers = nil }}, "show vips")
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range a.(*vipList).VIPs {
		if v.Route != "told nobody" || v.Routers != 0 {
			t.Errorf("without a session %s is %q", v.Name, v.Route)
		}
	}
}

// A routed is a fake with other routers.
type routed struct {
	*fake
	change func(*BGP)
}

func (r *routed) BGP() BGP {
	b := r.fake.BGP()
	r.change(&b)
	return b
}

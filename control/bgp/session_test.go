package bgp

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestPassword: with another password on the other side nothing answers; a
// changed file is read on Configure.
func TestPassword(t *testing.T) {
	if !isolated(t) {
		return
	}
	router := newNS(t)
	router.join(1)
	newBird(router, birdNodeWith("correct horse"))
	secret := filepath.Join(t.TempDir(), "secret")
	write := func(text string) {
		if err := os.WriteFile(secret, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("battery staple\n")
	s := newSpeaker(t)
	p := peerOn(1)
	p.PasswordFile = secret
	configure(t, s, settings(p))
	waitError(t, s, p.Address, "or the passwords differ")
	if err := peerStatus(t, s, p.Address).Error; !strings.HasPrefix(err, "no answer to TCP SYN to port 179: the router is down") {
		t.Errorf("error %q", err)
	}
	write("correct horse\n")
	configure(t, s, settings(p))
	waitUp(t, s)
	if st := peerStatus(t, s, p.Address); st.Error != "" || st.Losses != 0 {
		t.Errorf("up, but %+v", st)
	}
}

// TestPassive lets the router open the session: by IPv4 with a password and
// GTSM, and by IPv6. The passwords of passive peers come and go.
func TestPassive(t *testing.T) {
	if !isolated(t) {
		return
	}
	router := newNS(t)
	router.join(1)
	const conf = `
protocol bgp n1 from node { neighbor 10.0.1.11 port 1790 as 64512; ttl security on; %s }
protocol bgp n2 from node { neighbor 2001:db8:1::11 port 1790 as 64512; }
`
	b := newBird(router, fmt.Sprintf(conf, `password "x";`))
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := newSpeaker(t)
	four, six := peerOn(1), peerOn(1)
	four.LocalAddress, four.Passive, four.Port, four.TTLSecurity, four.PasswordFile = addr("10.0.1.11"), true, 1790, 1, secret
	six.Address, six.LocalAddress, six.Passive, six.Port = addr("2001:db8:1::1"), addr("2001:db8:1::11"), true, 1790
	nobody := four // keeps the socket of four's address in use
	nobody.Address, nobody.PasswordFile = addr("10.0.1.2"), ""
	configure(t, s, settings(four, six, nobody))
	announce(t, s, routes(vip4)...)
	want := "tcp 10.0.1.11:1790,tcp [2001:db8:1::11]:1790"
	if got := strings.Join(sockets(t), ","); got != want {
		t.Errorf("listens on %s, want %s", got, want)
	}
	if got := fmt.Sprint(s.Status().Listening); got != "[10.0.1.11:1790 [2001:db8:1::11]:1790]" {
		t.Errorf("status has %s", got)
	}
	both := func() bool {
		return peerStatus(t, s, four.Address).State == Established && peerStatus(t, s, six.Address).State == Established
	}
	eventually(t, 10*time.Second, "both sessions", both)
	eventually(t, 3*time.Second, "routes by both", func() bool { return strings.Count(b.ask("show", "route", vip4), "[n") == 2 })

	// Out, and back without the password.
	configure(t, s, settings(six, nobody))
	four.PasswordFile = ""
	b.reconfigure(fmt.Sprintf(conf, ""))
	configure(t, s, settings(six, nobody, four))
	eventually(t, 10*time.Second, "both sessions again", both)
	if losses := peerStatus(t, s, six.Address).Losses; losses != 0 {
		t.Errorf("the other session was lost %d times", losses)
	}
}

// TestMultihop has a router behind another one.
func TestMultihop(t *testing.T) {
	if !isolated(t) {
		return
	}
	middle, far := newNS(t), newNS(t)
	middle.join(1)
	middle.exec("sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward")
	run(t, "ip", "link", "add", "far", "netns", far.name, "type", "veth", "peer", "name", "far", "netns", middle.name)
	middle.ip("addr add 10.9.0.1/24 dev far")
	middle.ip("link set far up")
	far.ip("addr add 10.9.0.2/24 dev far")
	far.ip("link set far up")
	far.ip("route add 10.0.1.0/24 via 10.9.0.1")
	ownIP(t)("route add 10.9.0.0/24 via 10.0.1.1")
	b := newBird(far, `protocol bgp n1 from node { neighbor 10.0.1.11 as 64512; multihop 2; ipv4 { gateway recursive; }; }
		protocol static { ipv4; route 10.0.1.0/24 via 10.9.0.1; }`)
	s := newSpeaker(t)
	p := peerOn(1)
	p.Address = addr("10.9.0.2")
	configure(t, s, settings(p))
	announce(t, s, routes(vip4)...)
	waitError(t, s, p.Address, "it is more than one hop away")
	p.Multihop = 2
	configure(t, s, settings(p))
	waitUp(t, s)
	eventually(t, 3*time.Second, "the route", func() bool { return b.route(vip4)["next_hop"] == "10.0.1.11" })

	// GTSM by the number of hops: one is too few.
	p.Multihop, p.TTLSecurity = 0, 1
	b.reconfigure(`protocol bgp n1 from node { neighbor 10.0.1.11 as 64512; multihop 2; ttl security on; ipv4 { gateway recursive; }; }
		protocol static { ipv4; route 10.0.1.0/24 via 10.9.0.1; }`)
	configure(t, s, settings(p))
	waitError(t, s, p.Address, "the answer made more than ttl_security = 1 hops")
	p.TTLSecurity = 2
	configure(t, s, settings(p))
	waitUp(t, s)
}

// TestConfigure changes peers one by one; the sessions with the others live on.
func TestConfigure(t *testing.T) {
	if !isolated(t) {
		return
	}
	var birds []*bird
	for link := 1; link <= 3; link++ {
		router := newNS(t)
		router.join(link)
		birds = append(birds, newBird(router, fmt.Sprintf("router id 10.0.0.%d; protocol bgp n1 from node { neighbor 10.0.%d.11 as 64512; }", link, link)))
	}
	s := newSpeaker(t)
	one, two, three := peerOn(1), peerOn(2), peerOn(3)
	announce(t, s, routes(vip4)...)
	configure(t, s, settings(one, two))
	waitUp(t, s)
	since := map[string]time.Time{}
	for _, p := range s.Status().Peers {
		since[p.Address.String()] = p.Since
	}
	// check waits for the sessions of the first two that are to be reset, and
	// sees to it that no other was.
	check := func(what string, want ...int) {
		t.Helper()
		another := func(p Peer) bool {
			st := peerStatus(t, s, p.Address)
			return st.State == Established && !st.Since.Equal(since[p.Address.String()])
		}
		time.Sleep(100 * time.Millisecond)
		waitUp(t, s)
		for i, p := range []Peer{one, two} {
			if slices.Contains(want, i+1) {
				eventually(t, 10*time.Second, what+": a new session", func() bool { return another(p) })
			} else if another(p) {
				t.Errorf("%s: session %d was reset", what, i+1)
			}
			since[p.Address.String()] = peerStatus(t, s, p.Address).Since
		}
	}
	configure(t, s, settings(one, two))
	check("the same settings")
	two.MED, two.Communities, two.Prepend = ptr(9), []Community{{Parts: [3]uint32{1, 2}}}, 1
	configure(t, s, settings(one, two))
	eventually(t, 3*time.Second, "attributes at the one peer", func() bool {
		r := birds[1].route(vip4)
		return r["med"] == "9" && r["community"] == "(1,2)" && r["as_path"] == "64512 64512"
	})
	if r := birds[0].route(vip4); r["med"] != "" || r["community"] != "" {
		t.Errorf("attributes at the other: %v", r)
	}
	check("attributes")
	two.NextHop4 = addr("10.0.2.12")
	configure(t, s, settings(one, two))
	eventually(t, 3*time.Second, "next hop", func() bool { return birds[1].route(vip4)["next_hop"] == "10.0.2.12" })
	check("next hop")
	two.ConnectRetry, two.HoldTime, two.BFD.Enabled = 3*time.Second, 30*time.Second, true
	configure(t, s, settings(one, two))
	check("timers and BFD")
	configure(t, s, settings(one, two, three))
	check("a peer more")
	eventually(t, 3*time.Second, "the route at it", func() bool { return birds[2].route(vip4) != nil })
	configure(t, s, settings(two, one))
	check("a peer less, another order")
	eventually(t, 3*time.Second, "no session there", func() bool {
		return strings.Contains(birds[2].ask("show", "protocols", "all", "n1"), "Peer de-configured")
	})
	two.IPv6 = false
	configure(t, s, settings(one, two))
	check("families", 2)
	set := settings(one, two)
	set.RouterID = addr("10.0.0.12")
	configure(t, s, set)
	check("router ID", 1, 2)
	configure(t, s, Settings{})
	eventually(t, 3*time.Second, "no route anywhere", func() bool { return birds[0].route(vip4) == nil && birds[1].route(vip4) == nil })
	if st := s.Status(); len(st.Peers) != 0 || st.ASN != 0 {
		t.Errorf("without BGP: %+v", st)
	}
}

// TestSilence: a router that is cut off is lost when the hold timer runs out,
// and back when it can be heard again.
func TestSilence(t *testing.T) {
	if !isolated(t) {
		return
	}
	router := newNS(t)
	router.join(1)
	b := newBird(router, birdNode)
	s := newSpeaker(t)
	p := peerOn(1)
	p.HoldTime = 3 * time.Second
	configure(t, s, settings(p))
	announce(t, s, routes(vip4)...)
	waitUp(t, s)
	router.ip("link set n1 down")
	took := eventually(t, 5*time.Second, "lost", func() bool { return peerStatus(t, s, p.Address).State != Established })
	waitError(t, s, p.Address, "hold timer: nothing was heard for 3s")
	t.Logf("a hold time of 3 s: lost after %v", took)
	eventually(t, 15*time.Second, "a failed attempt", func() bool {
		err := peerStatus(t, s, p.Address).Error // as ARP has given up or not
		return strings.HasPrefix(err, "no route to host") || strings.HasPrefix(err, "no answer to TCP SYN")
	})
	router.ip("link set n1 up")
	waitUp(t, s)
	eventually(t, 3*time.Second, "the route is back", func() bool { return b.route(vip4) != nil })

	// A reset by the router's operator.
	b.ask("restart", "n1")
	waitError(t, s, p.Address, "the router closed the session: cease, administrative reset")
	eventually(t, 3*time.Second, "the second loss", func() bool { return peerStatus(t, s, p.Address).Losses == 2 })
	waitUp(t, s)
	b.ask("disable", "n1", `"maintenance"`)
	waitError(t, s, p.Address, `("maintenance")`)
}

// TestReasons: what keeps a session from coming up is told in words.
func TestReasons(t *testing.T) {
	if !isolated(t) {
		return
	}
	router := newNS(t)
	router.join(1)
	b := newBird(router, `protocol bgp n1 from node { neighbor 10.0.1.11 as 64513; }`)
	s := newSpeaker(t)
	p := peerOn(1)
	configure(t, s, settings(p))
	waitError(t, s, p.Address, "the router refused our OPEN")
	b.reconfigure(birdNode)
	p.ASN = 64501
	configure(t, s, settings(p))
	waitError(t, s, p.Address, "the router is of another AS than bgp.peer.asn says")
	b.reconfigure(`protocol bgp n1 from node { neighbor 10.0.1.12 as 64512; }`)
	waitError(t, s, p.Address, "does not take this node as a neighbour")
	b.reconfigure("")
	waitError(t, s, p.Address, "TCP to port 179 was refused")
	p.LocalAddress = addr("10.0.1.13")
	configure(t, s, settings(p))
	waitError(t, s, p.Address, "local_address 10.0.1.13 is on no interface")
	p.LocalAddress, p.Address = addr("10.0.1.11"), addr("10.7.7.7")
	configure(t, s, settings(p))
	waitError(t, s, p.Address, "the kernel has no route to it")
}

// TestFlood: a router that sends too many routes is dropped until the next
// Configure, whatever its settings.
func TestFlood(t *testing.T) {
	if !isolated(t) {
		return
	}
	router := newNS(t)
	router.join(1)
	const static = "protocol static { ipv4; route 172.16.%d.0/24 unreachable; route 172.17.0.0/24 unreachable; }\n"
	sends := strings.Replace(birdNode, "as 64512;", "as 64512; ipv4 { export where source = RTS_STATIC; };", 1)
	b := newBird(router, fmt.Sprintf(static, 1)+sends)
	s := newLimited(t, 2)
	p := peerOn(1)
	configure(t, s, settings(p))
	announce(t, s, routes(vip4)...)
	waitUp(t, s)
	eventually(t, 3*time.Second, "the route", func() bool { return b.route(vip4) != nil })
	b.reconfigure(fmt.Sprintf(static, 2) + fmt.Sprintf(strings.Replace(static, "static", "static two", 1), 3) + sends)
	waitError(t, s, p.Address, "the router sends over 2 routes, of which none is used")
	b.reconfigure(birdNode)
	time.Sleep(6 * time.Second) // longer than any retry
	if st := peerStatus(t, s, p.Address); st.State != Idle || !strings.Contains(st.Error, "over 2 routes") {
		t.Errorf("it came back by itself: %+v", st)
	}
	configure(t, s, settings(p))
	waitUp(t, s)
}

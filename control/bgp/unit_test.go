package bgp

import (
	"errors"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var plain = cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{})

func TestAggregate(t *testing.T) {
	a, b, c := Community{Parts: [3]uint32{1, 1}}, Community{Parts: [3]uint32{2, 2}}, Community{Large: true, Parts: [3]uint32{1, 1, 1}}
	prefixes := []netip.Prefix{prefix("203.0.0.0/16"), prefix("203.0.113.0/24"), prefix("2001:db8::/32")}
	got := aggregate([]Route{
		{Prefix: prefix("203.0.113.1/32"), Communities: []Community{b, a, b}, MED: ptr(10)},
		{Prefix: prefix("203.0.113.2/32"), Communities: []Community{c}, MED: ptr(20), LocalPref: ptr(150)},
		{Prefix: prefix("203.0.113.0/24"), Communities: []Community{a}, LocalPref: ptr(50)},
		{Prefix: prefix("203.0.1.0/24"), LocalPref: ptr(300)},
		{Prefix: prefix("203.0.2.0/24")},
		{Prefix: prefix("198.51.100.1/32"), Communities: []Community{c, b, a}},
	}, prefixes)
	want := map[netip.Prefix]Route{
		// The /24 itself lies within the /16, and so is stood for by that.
		prefix("203.0.113.0/24"):  {Prefix: prefix("203.0.113.0/24"), Communities: []Community{a, b, c}, MED: ptr(20), LocalPref: ptr(100)},
		prefix("203.0.0.0/16"):    {Prefix: prefix("203.0.0.0/16"), Communities: []Community{a}, LocalPref: ptr(50)},
		prefix("198.51.100.1/32"): {Prefix: prefix("198.51.100.1/32"), Communities: []Community{a, b, c}},
	}
	if diff := cmp.Diff(want, got, plain, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// TestSettle: what cannot work is told before anything is done.
func TestSettle(t *testing.T) {
	file := func(text string) string {
		path := filepath.Join(t.TempDir(), "secret")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good := Peer{Address: addr("192.0.2.1"), ASN: 64500, HoldTime: 9 * time.Second, IPv4: true}
	for want, change := range map[string]func(*Settings, *Peer){
		"":                                   func(*Settings, *Peer) {},
		"router ID 2001:db8::1 is not":       func(s *Settings, _ *Peer) { s.RouterID = addr("2001:db8::1") },
		"peer 192.0.2.1: is there twice":     func(s *Settings, _ *Peer) { s.Peers = append(s.Peers, good) },
		"has no address or AS number":        func(_ *Settings, p *Peer) { p.ASN = 0 },
		"a hold time of 2s is too short":     func(_ *Settings, p *Peer) { p.HoldTime = 2 * time.Second },
		"no local address to listen on":      func(_ *Settings, p *Peer) { p.Passive = true },
		"local address ::2 is of the other":  func(_ *Settings, p *Peer) { p.LocalAddress = addr("::2") },
		"exclude each other":                 func(_ *Settings, p *Peer) { p.Multihop, p.TTLSecurity = 1, 1 },
		"no IPv6 next hop":                   func(_ *Settings, p *Peer) { p.IPv6 = true },
		"no IPv4 next hop":                   func(_ *Settings, p *Peer) { p.Address = addr("2001:db8::1") },
		"no such file":                       func(_ *Settings, p *Peer) { p.PasswordFile = "/nowhere" },
		"is empty":                           func(_ *Settings, p *Peer) { p.PasswordFile = file("\nx") },
		"81 characters are more than the 80": func(_ *Settings, p *Peer) { p.PasswordFile = file(strings.Repeat("x", 81)) },
		"another passive peer on port 179": func(s *Settings, p *Peer) {
			p.Passive, p.LocalAddress = true, addr("192.0.2.11")
			other := *p
			other.Address, other.Port = addr("192.0.2.2"), 1790
			s.Peers = append(s.Peers, other)
		},
	} {
		set := Settings{ASN: 64512, RouterID: addr("192.0.2.11"), Peers: []Peer{good}}
		change(&set, &set.Peers[0])
		p := set.Peers[0]
		set.Peers[0] = p
		_, err := set.settle()
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
	if got, err := readPassword(file("pass word\r\nmore")); got != "pass word" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

// TestAllOrNothing: faults leave what there is as it is.
func TestAllOrNothing(t *testing.T) {
	s := New(Config{})
	defer s.Shutdown(ctx)
	good := settings(Peer{Address: addr("127.0.0.2"), ASN: 64500, HoldTime: 9 * time.Second, IPv4: true})
	configure(t, s, good)
	bad := good
	bad.ASN, bad.Peers = 64513, []Peer{{Address: addr("127.0.0.3")}, {Address: addr("127.0.0.4"), ASN: 1}}
	err := s.Configure(ctx, bad)
	if err == nil || strings.Count(err.Error(), "\n") != 1 {
		t.Errorf("want both peers in the error, got %v", err)
	}
	if st := s.Status(); st.ASN != 64512 || len(st.Peers) != 1 {
		t.Errorf("changed: %+v", st)
	}
	late := good
	late.Peers = []Peer{{Address: addr("192.0.2.1"), ASN: 64500, HoldTime: 9 * time.Second, Passive: true, LocalAddress: addr("192.0.2.77"), Port: 1790, IPv4: true}}
	if err := s.Configure(ctx, late); err == nil || !strings.Contains(err.Error(), "cannot assign requested address") {
		t.Errorf("listening on an address of others: %v", err)
	}
	if st := s.Status(); len(st.Peers) != 1 || st.Peers[0].Address != good.Peers[0].Address {
		t.Errorf("changed: %+v", st)
	}
}

// TestWords takes gobgp's log lines, as it writes them, to ours.
func TestWords(t *testing.T) {
	var out strings.Builder
	s := sessions{}
	s.init(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug})), make(chan struct{}, 1), 100)
	p := peer{Peer: Peer{Address: addr("192.0.2.1"), Port: 179, HoldTime: 9 * time.Second}}
	s.keep([]peer{p})
	root := slog.New(&gobgpLog{sessions: &s, log: s.log})
	log := root.With(slog.String("Topic", "Peer"), slog.String("Key", "192.0.2.1"))
	bfd := root.With(slog.String("Topic", "bfd"))
	for _, c := range []struct {
		want string
		say  func()
	}{
		{"no answer to TCP SYN to port 179: the router is down, or something filters, or it wants ttl_security", func() {
			log.Debug("failed to connect", slog.String("Error", "dial tcp 192.0.2.1:179: i/o timeout"))
		}},
		{"no TCP connection: strange", func() { log.Debug("failed to connect", slog.String("Error", "strange")) }},
		{"BFD: the router is not heard any more", func() {
			bfd.Warn("Expired", slog.String("Peer", "192.0.2.1"))
			log.Info("sent notification", slog.String("State", established), slog.Int("Code", 6), slog.Int("Subcode", 4))
			log.Info("Peer Down", slog.String("Reason", "notification-sent code 6(cease) subcode 4(administrative reset)"))
		}},
		{"the TCP connection was closed or reset by the router, or on the way", func() { log.Info("Peer Down", slog.String("Reason", "read-failed")) }},
		{`the router closed the session: cease, administrative shutdown ("good night")`, func() {
			log.Info("received notification", slog.Int("Code", 6), slog.Int("Subcode", 2), slog.String("Communicated-Reason", "good night"))
			log.Info("Peer Down", slog.String("Reason", "notification-received"))
		}},
		{"the router has our router ID", func() {
			log.Info("sent notification", slog.String("State", "BGP_FSM_OPENSENT"), slog.Int("Code", 2), slog.Int("Subcode", 3))
		}},
	} {
		c.say()
		if got := s.all[p.Address].err; got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
	out.Reset()
	root.Error("out of luck", slog.Any("Error", errors.New("disk")))
	log.Info("small talk", slog.Int("State", 3))
	for _, want := range []string{`level=ERROR msg=gobgp said="out of luck" Error=disk`, `level=DEBUG msg=gobgp said="small talk" peer=192.0.2.1 State=3`} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("log lacks %s:\n%s", want, out.String())
		}
	}
}

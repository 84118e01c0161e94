package bgp

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

var (
	addr   = netip.MustParseAddr
	prefix = netip.MustParsePrefix
	ctx    = context.Background()
)

const (
	vip4 = "203.0.113.10/32"
	vip6 = "2001:db8:f::10/128"
)

// newSpeaker makes a Speaker that the test ends if it does not do so itself.
func newSpeaker(t testing.TB) *Speaker { return newLimited(t, 0) }

// newLimited makes one that lets routers send no more routes than limit.
func newLimited(t testing.TB, limit uint32) *Speaker {
	level := slog.LevelInfo
	if os.Getenv("GUIDEWAY_BGP_DEBUG") != "" {
		level = slog.LevelDebug
	}
	s := New(Config{limit: limit, Log: slog.New(slog.NewTextHandler(testLog{t}, &slog.HandlerOptions{Level: level}))})
	t.Cleanup(func() {
		now, cancel := context.WithCancel(ctx)
		cancel()
		if err := s.Shutdown(now); err != nil && ctx.Err() == nil {
			t.Logf("Shutdown: %v", err)
		}
	})
	return s
}

// settings are those of a node with one link to a router of AS 64500.
func settings(peers ...Peer) Settings {
	return Settings{
		ASN: 64512, RouterID: addr("10.0.0.11"), Source4: addr("10.0.1.11"), Source6: addr("2001:db8:1::11"), Peers: peers,
	}
}

// peerOn is the router on a link, by IPv4, with both families.
func peerOn(link int) Peer {
	return Peer{Address: addr(fmt.Sprintf("10.0.%d.1", link)), ASN: 64500, HoldTime: 9 * time.Second, ConnectRetry: 2 * time.Second, IPv4: true, IPv6: true}
}

func routes(prefixes ...string) (list []Route) {
	for _, p := range prefixes {
		list = append(list, Route{Prefix: prefix(p)})
	}
	return list
}

func ptr(v uint32) *uint32 { return &v }

func configure(t testing.TB, s *Speaker, set Settings) {
	t.Helper()
	if err := s.Configure(ctx, set); err != nil {
		t.Fatal(err)
	}
}

func announce(t testing.TB, s *Speaker, want ...Route) {
	t.Helper()
	if err := s.Announce(ctx, want); err != nil {
		t.Fatal(err)
	}
}

// peerStatus is that of one peer.
func peerStatus(t testing.TB, s *Speaker, address netip.Addr) PeerStatus {
	t.Helper()
	peers := s.Status().Peers
	i := slices.IndexFunc(peers, func(p PeerStatus) bool { return p.Address == address })
	if i < 0 {
		t.Fatalf("no peer %s: %+v", address, peers)
	}
	return peers[i]
}

// waitUp waits until all sessions are established.
func waitUp(t testing.TB, s *Speaker) time.Duration {
	t.Helper()
	return eventually(t, 15*time.Second, "all sessions up", func() bool {
		up := func(p PeerStatus) bool { return p.State == Established }
		return !slices.ContainsFunc(s.Status().Peers, func(p PeerStatus) bool { return !up(p) })
	})
}

// waitError waits until a peer's error has the words.
func waitError(t testing.TB, s *Speaker, address netip.Addr, words string) {
	t.Helper()
	last := ""
	defer func() {
		if t.Failed() {
			t.Logf("last error: %q", last)
		}
	}()
	eventually(t, 15*time.Second, "error with "+words, func() bool {
		last = peerStatus(t, s, address).Error
		return strings.Contains(last, words)
	})
}

// A node is what a speaker process is told on its standard input.
type node struct {
	Settings Settings
	Routes   []Route
}

// speakerProcess announces what its standard input says until that ends.
func speakerProcess() int {
	var n node
	in := json.NewDecoder(os.Stdin)
	err := in.Decode(&n)
	s := New(Config{Log: slog.New(slog.NewTextHandler(os.Stderr, nil))})
	if err == nil {
		err = s.Announce(ctx, n.Routes)
	}
	if err == nil {
		err = s.Configure(ctx, n.Settings)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	var more any
	_ = in.Decode(&more) // returns at the end
	_ = s.Shutdown(ctx)
	return 0
}

// speaker starts a speaker process in the namespace. It is another node.
func (n ns) speaker(what node) *exec.Cmd {
	n.Helper()
	text, err := json.Marshal(what)
	if err != nil {
		n.Fatal(err)
	}
	exe, err := os.Executable()
	if err != nil {
		n.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), speakerKey+"=1")
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	in, err := cmd.StdinPipe()
	if err != nil {
		n.Fatal(err)
	}
	n.start(cmd)
	if _, err := in.Write(text); err != nil {
		n.Fatal(err)
	}
	n.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if n.Failed() {
			n.Logf("speaker:\n%s", out.String())
		}
	})
	return cmd
}

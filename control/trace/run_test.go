package trace

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"guideway/maglev/flow"
	"guideway/maglev/packet"
)

// space is the network namespace of these tests: one link, on which all that is
// sent can be seen and nothing is answered.
var space = fmt.Sprintf("gwt-%d", os.Getpid())

func TestMain(m *testing.M) {
	if os.Geteuid() != 0 {
		fmt.Fprintln(os.Stderr, "control/trace: these tests make a network namespace and raw sockets: run them as root")
		os.Exit(1)
	}
	old, _ := os.ReadDir("/run/netns") // of runs that were killed
	for _, e := range old {
		if pid, ours := strings.CutPrefix(e.Name(), "gwt-"); ours {
			if _, err := os.Stat("/proc/" + pid); err != nil {
				ip("netns del " + e.Name())
			}
		}
	}
	code := 1
	if err := makeSpace(); err != nil {
		fmt.Fprintln(os.Stderr, "control/trace:", err)
	} else {
		code = m.Run()
	}
	ip("netns del " + space)
	os.Exit(code)
}

func makeSpace() error {
	for _, line := range []string{
		"netns add " + space, "-n " + space + " link set lo up",
		"-n " + space + " link add d0 type veth peer name d1", "-n " + space + " link set d0 arp off up", "-n " + space + " link set d1 up",
		"-n " + space + " addr add 192.0.2.7/24 dev d0", "-n " + space + " addr add 2001:db8::7/64 dev d0 nodad",
		"-n " + space + " route add 203.0.113.0/24 dev d0", "-n " + space + " route add 2001:db8:cafe::/64 dev d0",
	} {
		if err := ip(line); err != nil {
			return err
		}
	}
	return nil
}

func ip(line string) error {
	if out, err := exec.Command("ip", strings.Fields(line)...).CombinedOutput(); err != nil {
		return fmt.Errorf("ip %s: %w: %s", line, err, out)
	}
	return nil
}

// inside runs f on a thread in the namespace.
func inside(f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		fd, err := unix.Open("/run/netns/"+space, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			done <- err
			return
		}
		defer unix.Close(fd)
		if err = unix.Setns(fd, unix.CLONE_NEWNET); err == nil {
			err = f()
		}
		done <- err
	}()
	return <-done
}

// nodes play the fleet: they see what is sent, and answer marks as said.
type nodes struct {
	t    *testing.T
	fd   int
	conn *net.UDPConn
	seen []flow.Key
}

func newNodes(t *testing.T) *nodes {
	t.Helper()
	n := &nodes{t: t, fd: -1}
	err := inside(func() (err error) {
		link, err := net.InterfaceByName("d0")
		if err != nil {
			return err
		}
		all := int(uint16(unix.ETH_P_ALL)<<8 | uint16(unix.ETH_P_ALL)>>8)
		if n.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, all); err != nil {
			return err
		}
		if err := unix.Bind(n.fd, &unix.SockaddrLinklayer{Protocol: uint16(all), Ifindex: link.Index}); err != nil {
			return err
		}
		n.conn, err = net.ListenUDP("udp", nil)
		return err
	})
	if err == nil {
		err = unix.SetsockoptTimeval(n.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 50_000})
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		unix.Close(n.fd)
		n.conn.Close()
	})
	return n
}

// answer answers every mark until done is closed.
func (n *nodes) answer(k *Key, done chan struct{}, hops func(Mark) []Hop) {
	var b [2048]byte
	for {
		select {
		case <-done:
			return
		default:
		}
		size, _, err := unix.Recvfrom(n.fd, b[:], 0)
		if err != nil {
			continue
		}
		frame := b[:size]
		var h packet.Headers
		r := packet.Parse(frame, 0, &h)
		if r != packet.Whole && r != packet.Fragment {
			continue
		}
		m, err := k.ReadMark(frame, time.Now())
		if err != nil {
			continue
		}
		var got flow.Key
		got.Read(frame, &h)
		n.seen = append(n.seen, got)
		for _, hop := range hops(m) {
			for _, c := range []struct {
				key  *Key
				mark Mark
			}{
				{mustKey(n.t, otherSecret), m},
				{k, Mark{Token: m.Token + 1, Packet: m.Packet, Piece: m.Piece}},
				{k, Mark{Token: m.Token, Packet: m.Packet + 1000, Piece: m.Piece}},
				{k, m}, // the only one that counts
			} {
				if _, err := n.conn.WriteToUDPAddrPort(c.key.Report(c.mark, hop), m.Receiver); err != nil {
					n.t.Error(err)
				}
			}
			if _, err := n.conn.WriteToUDPAddrPort([]byte("junk"), m.Receiver); err != nil {
				n.t.Error(err)
			}
		}
	}
}

// trace runs a trace in the namespace.
func (n *nodes) trace(k *Key, r Request, limit time.Duration, hops func(Mark) []Hop) (result *Result, err error) {
	n.t.Helper()
	done, over := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(over)
		n.answer(k, done, hops)
	}()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	e := inside(func() error {
		result, err = Run(ctx, k, r)
		return nil
	})
	close(done)
	<-over
	return result, errors.Join(e, err)
}

var forwarded = Hop{Node: "lb1", Core: 2, Outcome: "forwarded", VIP: "www", Backend: netip.MustParseAddr("10.0.0.1"), Why: "slot 1 of 2"}

func TestRun(t *testing.T) {
	k := mustKey(t, secret)
	for _, f := range flows() {
		n := newNodes(t)
		began := time.Now()
		r, err := n.trace(k, Request{Flow: f, Count: 3}, time.Minute, func(Mark) []Hop { return []Hop{forwarded} })
		if err != nil {
			t.Fatal(err)
		}
		if r.Sent != 3 || len(r.Hops) != 3 || len(r.Open) != 0 {
			t.Fatalf("%v: %+v", f, r)
		}
		for i, h := range r.Hops {
			want := forwarded
			want.Packet, want.After = i+1, h.After
			if h != want || h.After <= 0 || h.After > time.Since(began) {
				t.Errorf("%v: %+v", f, h)
			}
		}
		if took := time.Since(began); took > 30*time.Second {
			t.Errorf("all was known, and it took %v", took)
		}
		if !slices.Equal(n.seen, []flow.Key{f, f, f}) {
			t.Errorf("sent were %v, want %v", n.seen, f)
		}
	}
}

// What stays open is told apart: nobody has heard of it, or who was to go on
// with it has not.
func TestRunWithLosses(t *testing.T) {
	k := mustKey(t, secret)
	for _, f := range flows()[2:4] {
		r, err := newNodes(t).trace(k, Request{Flow: f, Count: 3, Fragments: true}, 2*time.Second, func(m Mark) []Hop {
			redirected := Hop{Node: "lb1", Outcome: "redirected", Next: "lb2"}
			held := Hop{Node: "lb2", Outcome: Held}
			switch {
			case m.Packet == 1:
				return []Hop{forwarded, held, redirected} // in whatever order
			case m.Packet == 2 && m.Piece == First:
				return []Hop{redirected}
			case m.Packet == 2:
				return []Hop{redirected, held}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		var open []string
		for _, o := range r.Open {
			last := "nobody"
			if o.Last != nil {
				last = o.Last.Node
			}
			open = append(open, fmt.Sprint(o.Packet, o.Piece, " ", last))
		}
		if got, want := fmt.Sprint(open), "[2 first lb1 2 last lb2 3 first nobody 3 last nobody]"; got != want || r.Sent != 6 || len(r.Hops) != 9 {
			t.Errorf("%d sent, %d hops, open %s, want %s", r.Sent, len(r.Hops), got, want)
		}
		for i, want := range []string{"1 redirected", "1 held", "1 forwarded", "1 redirected", "1 held", "1 forwarded", "2 redirected", "2 redirected", "2 held"} {
			if h := r.Hops[i]; fmt.Sprint(h.Packet, " ", h.Outcome) != want {
				t.Errorf("hop %d is %d %s, want %s", i, h.Packet, h.Outcome, want)
			}
		}
	}
}

func TestRunSaysWhyNot(t *testing.T) {
	k, n := mustKey(t, secret), newNodes(t)
	for dst, want := range map[string]string{
		"192.0.2.7:80":      "is an address of this machine",
		"[2001:db8::7]:80":  "is an address of this machine",
		"198.51.100.200:80": "no way to 198.51.100.200",
		"224.0.0.1:80":      "no address of a host",
	} {
		src := "198.51.100.7:1"
		if dst[0] == '[' {
			src = "[2001:db8:c::7]:1"
		}
		_, err := n.trace(k, Request{Flow: key(packet.ProtoUDP, src, dst), Count: 1}, time.Second, func(Mark) []Hop { return nil })
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", dst, err, want)
		}
	}
	if len(n.seen) != 0 {
		t.Errorf("%v were sent", n.seen)
	}
}

package fleet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"golang.org/x/sys/unix"

	"guideway/test/daemon"
)

// Of a session as BGP has one, though of more haste.
const (
	sessionPort = 179
	keepalive   = 100 * time.Millisecond
	holdTime    = 9 * time.Second // of BGP, as [[bgp.peer]] has it by default
	silence     = time.Second     // more than TCP is silent for if hardly a frame is lost
)

// TCP sessions between the router's kernel and the node's live through floods of
// all kinds, and no keepalive is lost.
func TestKernelSession(t *testing.T) {
	f := start(t, shape{nodes: 1})
	nobody4, nobody6 := nth(node4, 88), nth(node6, 88)
	floods := []struct {
		name  string
		to    []netip.Addr
		limit bool // what goes up to the kernel is too much for it
	}{
		{"VIPs", []netip.Addr{void4, void6}, false},
		{"nobody", []netip.Addr{nobody4, nobody6}, true},
		{"the node", []netip.Addr{node4.Addr(), node6.Addr()}, true},
		{"all", []netip.Addr{void4, nobody4, node4.Addr(), void6, nobody6, node6.Addr()}, true},
	}
	for _, flood := range floods {
		t.Run(flood.name, func(t *testing.T) {
			var frames [][]byte
			r := rand.New(rand.NewPCG(3, 3))
			for i := range 6000 {
				frames = append(frames, f.junk(r, netip.AddrPortFrom(flood.to[i%len(flood.to)], recorderPort)))
			}
			sessions := []*session{f.openSession(t, node4.Addr()), f.openSession(t, node6.Addr())}
			before, began := f.metrics(), time.Now()
			stop := f.flood(frames)
			for range size(3, 10) * int(time.Second/keepalive) {
				for _, s := range sessions {
					s.say(t)
				}
				time.Sleep(keepalive)
			}
			took := time.Since(began)
			stop()
			after := f.metrics()
			rate := func(name string) float64 {
				return (daemon.Sum(after, name) - daemon.Sum(before, name)) / took.Seconds() / 1000
			}
			received, missed := rate("guideway_received_packets_total"), rate("guideway_port_rx_missed_total")
			// What the port has no room for is lost to the session, too, and nobody's fault.
			longest := silence
			if missed > received/50 {
				longest = holdTime
			}
			for _, s := range sessions {
				s.judge(t, longest)
			}
			was, is := daemon.Verdicts(before), daemon.Verdicts(after)
			limited := is["kernel_limited"] - was["kernel_limited"]
			if flood.limit && limited == 0 {
				t.Error("the kernel was flooded, and nothing kept from it")
			}
			t.Logf("the node received %.0f thousand frames a second, kept %d from the kernel, and missed %.0f thousand a second", received, limited, missed)
		})
	}
	f.stop()
}

// flood sends frames to the first node, round and round, as fast as a control
// CPU can: the poll loop keeps its own, as it does when frames come by a wire.
func (f *fleet) flood(frames [][]byte) (stop func()) {
	var done atomic.Bool
	var wg sync.WaitGroup
	wg.Go(func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		var were, control unix.CPUSet
		control.Set(controlCPU)
		if err := errors.Join(unix.SchedGetaffinity(0, &were), unix.SchedSetaffinity(0, &control)); err != nil {
			f.t.Error(err)
		}
		for i := 0; !done.Load(); i = (i + 1) % len(frames) {
			f.inject(0, frames[i])
		}
		if err := unix.SchedSetaffinity(0, &were); err != nil {
			f.t.Error(err)
		}
	})
	return func() {
		done.Store(true)
		wg.Wait()
	}
}

// junk is a small UDP datagram from anywhere: a new flow, most likely.
func (f *fleet) junk(r *rand.Rand, to netip.AddrPort) []byte {
	f.t.Helper()
	udp := &layers.UDP{SrcPort: layers.UDPPort(r.Uint32()), DstPort: layers.UDPPort(to.Port())}
	eth := &layers.Ethernet{SrcMAC: edgeMAC, DstMAC: edgeMAC, EthernetType: layers.EthernetTypeIPv4}
	src := to.Addr().AsSlice()
	payload := gopacket.Payload("junk")
	if to.Addr().Is4() {
		copy(src, []byte{198, 51, 100})
		src[3] = byte(100 + r.IntN(100))
		ip := &layers.IPv4{Version: 4, TTL: 62, Protocol: layers.IPProtocolUDP, SrcIP: src, DstIP: to.Addr().AsSlice()}
		udp.SetNetworkLayerForChecksum(ip)
		return serialize(f.t, eth, ip, udp, payload)
	}
	eth.EthernetType = layers.EthernetTypeIPv6
	copy(src, client6.Addr().AsSlice())
	binary.BigEndian.PutUint32(src[12:], r.Uint32())
	ip := &layers.IPv6{Version: 6, HopLimit: 62, NextHeader: layers.IPProtocolUDP, SrcIP: src, DstIP: to.Addr().AsSlice()}
	udp.SetNetworkLayerForChecksum(ip)
	return serialize(f.t, eth, ip, udp, payload)
}

// A session is a TCP connection from the router to a node, whose server sends
// back what it gets.
type session struct {
	to   string
	conn *net.TCPConn
	sent []time.Time
	got  chan []time.Time // of the answers, once the session has ended
}

func (f *fleet) openSession(t *testing.T, to netip.Addr) *session {
	t.Helper()
	at := net.TCPAddrFromAddrPort(netip.AddrPortFrom(to, sessionPort))
	s := &session{to: to.String(), got: make(chan []time.Time, 1)}
	var listener *net.TCPListener
	err := daemon.Inside(prefix+nodeName(0), func() (err error) {
		listener, err = net.ListenTCP("tcp", at)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		defer listener.Close()
		if c, err := listener.Accept(); err == nil {
			defer c.Close()
			io.Copy(c, c)
		}
	}()
	if err := daemon.Inside(prefix+"router", func() (err error) {
		s.conn, err = net.DialTCP("tcp", nil, at)
		return err
	}); err != nil {
		listener.Close()
		t.Fatal(err)
	}
	t.Cleanup(func() { s.conn.Close() })
	go s.hear()
	return s
}

// say sends a keepalive.
func (s *session) say(t *testing.T) {
	t.Helper()
	s.sent = append(s.sent, time.Now())
	if _, err := fmt.Fprintf(s.conn, "%8d", len(s.sent)); err != nil {
		t.Fatalf("session to %s: %v", s.to, err)
	}
}

// hear notes when each keepalive comes back.
func (s *session) hear() {
	var got []time.Time
	var n int
	for text := make([]byte, 8); ; {
		if _, err := io.ReadFull(s.conn, text); err != nil {
			break
		}
		if fmt.Sscan(string(text), &n); n != len(got)+1 {
			break
		}
		got = append(got, time.Now())
	}
	s.got <- got
}

// judge ends the session. Every keepalive must have come back, and it must not
// have been silent for long.
func (s *session) judge(t *testing.T, longest time.Duration) {
	t.Helper()
	retransmitted := s.retransmitted(t)
	s.conn.CloseWrite() // the server then closes, too
	s.conn.SetReadDeadline(time.Now().Add(holdTime))
	got := <-s.got
	if len(got) != len(s.sent) {
		t.Errorf("session to %s: of %d keepalives %d came back", s.to, len(s.sent), len(got))
	}
	var slowest, gap time.Duration
	for i, at := range got {
		slowest = max(slowest, at.Sub(s.sent[i]))
		if i > 0 {
			gap = max(gap, at.Sub(got[i-1]))
		}
	}
	if gap >= longest {
		t.Errorf("session to %s: nothing was heard for %v", s.to, gap)
	}
	t.Logf("session to %s: %d keepalives, the slowest %v, the longest gap %v; %d segments were sent again",
		s.to, len(got), slowest.Round(time.Microsecond), gap.Round(time.Microsecond), retransmitted)
}

// retransmitted is how many segments the router's side sent again.
func (s *session) retransmitted(t *testing.T) (n uint32) {
	t.Helper()
	raw, err := s.conn.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	err = raw.Control(func(fd uintptr) {
		if info, e := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO); e == nil {
			n = info.Total_retrans
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

package kernel

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"golang.org/x/sys/unix"
)

// TestGreeting: a router that knows a node's addresses at another link address sends to
// the right one as soon as the interface is in shape, without asking.
func TestGreeting(t *testing.T) {
	lb, router := pair(t)
	k := lb.follow(Config{Interfaces: []string{"lb0"}})
	wanted := []netip.Prefix{cidr("192.0.2.40/24"), cidr("2001:db8::40/64")}
	elsewhere := func() {
		for _, a := range wanted {
			router.ip("neigh replace %s lladdr 02:00:00:00:00:99 nud reachable dev r0", a.Addr())
		}
	}
	known := func(mac [6]byte) {
		t.Helper()
		at := fmt.Sprintf("lladdr %02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5])
		for _, a := range wanted {
			eventually(t, quick, fmt.Sprintf("the router to know %s at %s", a.Addr(), at), func() bool {
				return strings.Contains(router.ip("neigh show %s dev r0", a.Addr()), at)
			})
		}
	}
	eventually(t, quick, "the router to be ready for IPv6", func() bool {
		return strings.Contains(router.ip("addr show dev r0"), "fe80::")
	})
	want := Interface{Name: "lb0", MAC: [6]byte{2, 0, 0x5e, 0, 0, 0x42}, Addresses: wanted, Link: true}
	elsewhere()
	reconcile(t, k, want)
	known(want.MAC)

	elsewhere() // the card is another one
	want.MAC[5]++
	reconcile(t, k, want)
	known(want.MAC)

	elsewhere() // one address is new
	router.ip("neigh replace 192.0.2.11 lladdr 02:00:00:00:00:99 nud reachable dev r0")
	lb.ip("addr del 192.0.2.40/24 dev lb0")
	lb.ip("addr del 2001:db8::40/64 dev lb0")
	reconcile(t, k, want)
	known(want.MAC)
	if got := router.ip("neigh show 192.0.2.11 dev r0"); !strings.Contains(got, "02:00:00:00:00:99") {
		t.Errorf("an address of somebody else was told: %s", got)
	}

	elsewhere() // nothing is new
	reconcile(t, k, want)
	time.Sleep(50 * time.Millisecond)
	known([6]byte{2, 0, 0, 0, 0, 0x99})

	want.Link = false // a link is lost, without which nobody can be told, and comes back
	reconcile(t, k, want)
	elsewhere()
	want.Link = true
	reconcile(t, k, want)
	known(want.MAC)
}

// TestGreetingOnTheWire: what a port is given to send when its link comes is in order
// for others, too: an ARP announcement and a neighbour advertisement.
func TestGreetingOnTheWire(t *testing.T) {
	n := newNS(t)
	sent := n.openTAP("gw-wan")
	k := n.follow(Config{Interfaces: []string{"gw-wan"}})
	want := wan()
	want.Link = false
	reconcile(t, k, want)
	for len(sent) > 0 {
		if g := <-sent; told(g) != "" {
			t.Fatalf("told without a link: %v", g)
		}
	}
	want.Link = true
	reconcile(t, k, want)
	var got []string
	for end := time.After(quick); len(got) < len(want.Addresses); {
		select {
		case g := <-sent:
			if a := told(g); a != "" {
				got = append(got, a)
			}
			if e := g.ErrorLayer(); e != nil {
				t.Errorf("%v: %v", e.Error(), g)
			}
		case <-end:
			t.Fatalf("told only %q", got)
		}
	}
	same(t, "what was told", got, "192.0.2.11", "192.0.2.12", "2001:db8::11")
}

// told is the address that a frame of wan's interface tells the link address of, or "".
func told(g gopacket.Packet) string {
	mac := wan().MAC
	ethernet, _ := g.LinkLayer().(*layers.Ethernet)
	if ethernet == nil || !bytes.Equal(ethernet.SrcMAC, mac[:]) || ethernet.DstMAC[0]&1 == 0 {
		return ""
	}
	if a, ok := g.Layer(layers.LayerTypeARP).(*layers.ARP); ok && bytes.Equal(a.SourceProtAddress, a.DstProtAddress) && bytes.Equal(a.SourceHwAddress, mac[:]) {
		addr, _ := netip.AddrFromSlice(a.SourceProtAddress)
		return addr.String()
	}
	a, ok := g.Layer(layers.LayerTypeICMPv6NeighborAdvertisement).(*layers.ICMPv6NeighborAdvertisement)
	if !ok || a.Flags != 0x20 || len(a.Options) != 1 || !bytes.Equal(a.Options[0].Data, mac[:]) || !g.NetworkLayer().(*layers.IPv6).SrcIP.Equal(a.TargetAddress) {
		return ""
	}
	return a.TargetAddress.String()
}

// openTAP makes a TAP interface and returns the frames that the kernel sends by it.
func (n ns) openTAP(name string) <-chan gopacket.Packet {
	n.Helper()
	space, err := openNamespace(n.path())
	if err != nil {
		n.Fatal(err)
	}
	defer space.close()
	fd := -1
	err = space.do(func() error {
		if fd, err = unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC, 0); err != nil {
			return err
		}
		request, err := unix.NewIfreq(name)
		if err != nil {
			return err
		}
		request.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI)
		return unix.IoctlIfreq(fd, unix.TUNSETIFF, request)
	})
	if err != nil {
		n.Fatal(err)
	}
	sent, done := make(chan gopacket.Packet, 1000), make(chan bool)
	stop := make(chan bool)
	go func() {
		defer close(done)
		defer unix.Close(fd)
		b := make([]byte, 2048)
		for {
			select {
			case <-stop:
				return
			default:
			}
			if ready, _ := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 10); ready < 1 {
				continue
			}
			if length, err := unix.Read(fd, b); err == nil {
				sent <- gopacket.NewPacket(bytes.Clone(b[:length]), layers.LayerTypeEthernet, gopacket.Default)
			}
		}
	}()
	n.Cleanup(func() {
		close(stop)
		<-done
	})
	return sent
}

package health

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const (
	vip4, vip6   = "203.0.113.10", "2001:db8:f::10"
	node4, node6 = "192.0.2.11", "2001:db8::11"
)

// A backend takes packets out of GRE, has the VIPs on its loopback, and answers
// directly. It is reached by a link of its own: 10.9.N.2 and fd00:9:N::2.
type backend struct {
	ns
	four, six netip.Addr
	title     string
}

// tunnelled is a node, of the addresses above, with backends.
func tunnelled(t testing.TB, n int) (node ns, backends []backend) {
	t.Helper()
	node = newNS(t)
	node.sysctl("ipv4/conf/all/rp_filter=2") // as control/kernel has it
	node.ip("addr add " + node4 + "/32 dev lo")
	node.ip("addr add " + node6 + "/128 dev lo nodad")
	for i := range n {
		b := backend{newNS(t), ip(fmt.Sprintf("10.9.%d.2", i)), ip(fmt.Sprintf("fd00:9:%d::2", i)), fmt.Sprintf("backend %d", i)}
		dev := fmt.Sprintf("n%d", i)
		run(t, "ip", "link", "add", dev, "netns", node.name, "type", "veth", "peer", "name", "b0", "netns", b.name)
		for side, one := range map[ns]struct{ dev, host string }{node: {dev, "1"}, b.ns: {"b0", "2"}} {
			side.sysctl("ipv6/conf/"+one.dev+"/accept_dad=0", "ipv4/conf/"+one.dev+"/rp_filter=0", "ipv4/icmp_ratelimit=0")
			side.ip(fmt.Sprintf("addr add 10.9.%d.%s/24 dev %s", i, one.host, one.dev))
			side.ip(fmt.Sprintf("addr add fd00:9:%d::%s/64 dev %s nodad", i, one.host, one.dev))
			side.ip("link set " + one.dev + " up")
		}
		b.ip(fmt.Sprintf("route add default via 10.9.%d.1", i))
		b.ip(fmt.Sprintf("-6 route add default via fd00:9:%d::1", i))
		b.addVIPs()
		b.takeOff()
		b.serve()
		backends = append(backends, b)
	}
	node.ip("route add default via 10.9.0.2")
	for _, b := range backends { // links need a second until they carry IPv6
		eventually(t, soon, "a link for IPv6", func() bool {
			return exec.Command("ip", "netns", "exec", node.name, "ping", "-c1", "-W1", "-i0.1", "-I", node6, b.six.String()).Run() == nil
		})
	}
	return node, backends
}

func (b backend) addVIPs() {
	b.ip("addr add " + vip4 + "/32 dev lo")
	b.ip("addr add " + vip6 + "/128 dev lo nodad")
}

func (b backend) removeVIPs() {
	b.ip("addr del " + vip4 + "/32 dev lo")
	b.ip("addr del " + vip6 + "/128 dev lo")
}

// takeOff puts what comes in GRE into a TUN, from where the kernel takes it.
func (b backend) takeOff() {
	var tun *os.File
	var raws []*net.IPConn
	err := b.do(func() error {
		fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
		if err != nil {
			return err
		}
		if err := setUp(fd); err != nil {
			return err
		}
		tun = os.NewFile(uintptr(fd), "off")
		for _, family := range []string{"ip4:47", "ip6:47"} {
			raw, err := net.ListenIP(family, nil)
			if err != nil {
				return err
			}
			raws = append(raws, raw)
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	b.sysctl("ipv4/conf/" + tunName + "/rp_filter=0")
	done := make(chan struct{}, len(raws))
	for _, raw := range raws {
		go func() {
			defer func() { done <- struct{}{} }()
			buf := make([]byte, 64<<10)
			for {
				n, _, err := raw.ReadFromIP(buf)
				if err != nil {
					return
				}
				if n > greLen && binary.BigEndian.Uint16(buf) == 0 {
					_, _ = tun.Write(buf[greLen:n])
				}
			}
		}()
	}
	b.Cleanup(func() {
		for _, raw := range raws {
			raw.Close()
			<-done
		}
		tun.Close()
	})
}

// serve has a web server, and one that echoes datagrams, on every address.
func (b backend) serve() {
	var l net.Listener
	var udp net.PacketConn
	if err := b.do(func() (err error) {
		if l, err = net.Listen("tcp", ":80"); err == nil {
			udp, err = net.ListenUDP("udp", nil)
		}
		return err
	}); err != nil {
		b.Fatal(err)
	}
	udp.Close()
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s at %s for %s\n%s", b.title, r.Host, r.RemoteAddr, strings.Repeat("padding ", 1000))
	})}
	go s.Serve(l)
	b.Cleanup(func() { s.Close() })
	// UDP answers leave from the address that was asked only if it is bound.
	for _, vip := range []string{vip4, vip6} {
		if err := b.do(func() (err error) {
			udp, err = net.ListenUDP("udp", &net.UDPAddr{IP: net.ParseIP(vip), Port: 53})
			return err
		}); err != nil {
			b.Fatal(err)
		}
		conn := udp
		go func() {
			buf := make([]byte, 2000)
			for {
				n, from, err := conn.ReadFrom(buf)
				if err != nil {
					return
				}
				_, _ = conn.WriteTo(buf[:n], from)
			}
		}()
		b.Cleanup(func() { conn.Close() })
	}
}

// through makes targets of every type that is tried, for both VIPs and by both
// families of tunnels.
func through(backends []backend) (all []Target) {
	for _, b := range backends {
		for _, outer := range []struct{ to, from netip.Addr }{{b.four, ip(node4)}, {b.six, ip(node6)}} {
			for _, inner := range []struct{ vip, inside netip.Addr }{{ip(vip4), ip(node4)}, {ip(vip6), ip(node6)}} {
				for _, c := range []Check{
					{}, {Type: TCP, Port: 80}, {Type: UDP, Port: 53, Send: "who?", Expect: "who?"},
					{Type: HTTP, Port: 80, Body: "^" + b.title + " at "}, // only this one's answer passes
				} {
					all = append(all, Target{Addr: outer.to, Source: outer.from, VIP: inner.vip, Inside: inner.inside, Check: c,
						Interval: 300 * time.Millisecond, Timeout: 250 * time.Millisecond, Fall: 2})
				}
			}
		}
	}
	return all
}

func (m *Monitor) allAre(s State, only netip.Addr) bool {
	for _, st := range m.Status() {
		if st.State != s && (!only.IsValid() || st.Target.Addr == only) {
			return false
		}
	}
	return true
}

// TestThroughTunnel: every type reaches each backend's own VIP, in GRE over both
// families; without the VIP on its loopback a backend fails, and the others do
// not.
func TestThroughTunnel(t *testing.T) {
	t.Parallel()
	node, backends := tunnelled(t, 2)
	all := through(backends)
	m := watch(t, Config{listen: node.listen, enter: node.do}, all...)
	list := func() (s string) {
		for _, st := range m.Status() {
			s += fmt.Sprintf("\n%v %v %v: %v %s", st.Target.Addr, st.Target.VIP, st.Target.Check.Type, st.State, st.Error)
		}
		return s
	}
	defer func() {
		if t.Failed() {
			t.Log(list())
		}
	}()
	eventually(t, soon, "all up", func() bool { return m.allAre(Up, netip.Addr{}) })
	for _, s := range m.Status() {
		if s.Failed > 0 || s.Untried > 0 {
			t.Errorf("%+v", s)
		}
	}
	backends[0].removeVIPs()
	eventually(t, soon, "the first down", func() bool {
		return m.allAre(Down, backends[0].four) && m.allAre(Down, backends[0].six)
	})
	if !m.allAre(Up, backends[1].four) || !m.allAre(Up, backends[1].six) {
		t.Error("the second suffers")
	}
	backends[0].addVIPs()
	// What is bound to the address has to find it again; that of UDP does.
	eventually(t, soon, "all up again", func() bool { return m.allAre(Up, netip.Addr{}) })

	// The tunnel itself: a backend that takes nothing out of it.
	backends[1].ip("link set " + tunName + " down")
	eventually(t, soon, "the second down", func() bool { return m.allAre(Down, backends[1].four) })
	m.Close()
	for _, family := range []string{"-4", "-6"} {
		if rules := node.ip(family + " rule"); strings.Contains(rules, "103:") {
			t.Errorf("a rule is left:\n%s", rules)
		}
	}
	if links := node.ip("link"); strings.Contains(links, tunName) {
		t.Errorf("%s is left", tunName)
	}
}

// TestTunnelOpensAgain: what cannot be opened is no verdict, and is tried again;
// a rule that was left behind does not matter.
func TestTunnelOpensAgain(t *testing.T) {
	t.Parallel()
	node, backends := tunnelled(t, 1)
	node.ip("rule add pref 103 fwmark 0x6777/0xffffffff table 26487")
	node.ip("tuntap add " + tunName + " mode tap") // not what we can use
	target := through(backends)[1]
	without := target
	without.Inside = netip.Addr{}
	without.VIP = ip("203.0.113.11")
	m := watch(t, Config{listen: node.listen, enter: node.do}, target, without)
	eventually(t, soon, "an error", func() bool { return m.Of(target).Untried > 1 })
	if s := m.Of(target); s.State != Unknown || !strings.Contains(s.Error, "tunnel: gw-probe: ") {
		t.Errorf("%+v", s)
	}
	if s := m.Of(without); s.State != Unknown || s.Untried == 0 || s.Error != "no address of this machine for the answers of the VIP" {
		t.Errorf("%+v", s)
	}
	node.ip("link del " + tunName)
	eventually(t, soon, "up", func() bool { return m.Of(target).State == Up })
}

// TestPortOf: only what is surely a socket's is taken for one.
func TestPortOf(t *testing.T) {
	four := unhex(t, "4500 0028 0000 4000 4006 0000 c000020b cb00710a"+"d431 0050")
	six := unhex(t, "60000000 0014 1140 20010db8000000000000000000000011 20010db8000f00000000000000000010"+"d431 0035")
	for _, c := range []struct {
		b    []byte
		want portKey
	}{
		{four, portKey{ip(node4), unix.IPPROTO_TCP, 0xd431}},
		{six, portKey{ip(node6), unix.IPPROTO_UDP, 0xd431}},
	} {
		if key, ok := portOf(c.b); !ok || key != c.want {
			t.Errorf("%+v, %v", key, ok)
		}
		for n := range len(c.b) - 2 {
			if key, ok := portOf(c.b[:n:n]); ok {
				t.Errorf("%d octets: %+v", n, key)
			}
		}
	}
	four[6], four[7] = 0, 1 // a later fragment
	if key, ok := portOf(four); ok {
		t.Errorf("a fragment: %+v", key)
	}
}

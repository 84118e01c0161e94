package bgp

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"
)

// herd is a Speaker with many passive peers, all of them us: gobgp lets a peer
// that has sent garbage wait for five seconds, the next can send at once.
type herd struct {
	*Speaker
	port  uint16
	peers []netip.Addr
	next  int
	last  []time.Time // a peer was used
}

const herdSize = 250

func newHerd(t testing.TB) *herd {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).AddrPort().Port()
	l.Close()
	h := &herd{Speaker: New(Config{}), port: port, last: make([]time.Time, herdSize)}
	t.Cleanup(func() { _ = h.Shutdown(ctx) })
	set := settings()
	for i := range herdSize {
		a := netip.AddrFrom4([4]byte{127, 0, 1, byte(i + 1)})
		h.peers = append(h.peers, a)
		set.Peers = append(set.Peers, Peer{
			Address: a, ASN: 64500, HoldTime: 9 * time.Second, Passive: true, LocalAddress: addr("127.0.0.1"), Port: port,
			IPv4: true, IPv6: true, ConnectRetry: 2 * time.Second,
		})
	}
	configure(t, h.Speaker, set)
	announce(t, h.Speaker, routes(vip4, vip6)...)
	eventually(t, 5*time.Second, "all wait for connections", func() bool {
		for _, p := range h.Status().Peers {
			if p.State != Active {
				return false
			}
		}
		return true
	})
	return h
}

// dial connects from the next peer, when it has waited for long enough.
func (h *herd) dial(t testing.TB) net.Conn {
	i := h.next % len(h.peers)
	h.next++
	time.Sleep(time.Until(h.last[i].Add(5500 * time.Millisecond)))
	h.last[i] = time.Now()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: h.peers[i].AsSlice()}, Timeout: 2 * time.Second}
	c, err := d.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", h.port))
	if err != nil {
		t.Fatalf("nobody takes connections any more: %v", err)
	}
	_ = c.SetDeadline(time.Now().Add(2 * time.Second))
	return c
}

// open is a peer's OPEN, and what comes after it.
func open(t testing.TB) []byte {
	m, err := bgp.NewBGPOpenMessage(64500, 9, addr("10.0.0.1"), []bgp.OptionParameterInterface{
		bgp.NewOptionParameterCapability([]bgp.ParameterCapabilityInterface{
			bgp.NewCapMultiProtocol(bgp.RF_IPv4_UC), bgp.NewCapMultiProtocol(bgp.RF_IPv6_UC), bgp.NewCapFourOctetASNumber(64500),
			bgp.NewCapRouteRefresh(),
		})})
	return serialized(t, m, err)
}

func serialized(t testing.TB, m *bgp.BGPMessage, err error) []byte {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	b, err := m.Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func keepalive(t testing.TB) []byte { return serialized(t, bgp.NewBGPKeepAliveMessage(), nil) }

// update is one of a router that sends routes of both families.
func update(t testing.TB) []byte {
	r := Route{Prefix: prefix("198.51.100.0/24"), MED: ptr(3), Communities: []Community{gracefulShutdown, {Large: true, Parts: [3]uint32{1, 2, 3}}}}
	p, err := r.path()
	if err != nil {
		t.Fatal(err)
	}
	hop, _ := bgp.NewPathAttributeNextHop(addr("127.0.1.1"))
	p.Attrs[1] = hop
	nlri, _ := bgp.NewIPAddrPrefix(prefix(vip6))
	reach, _ := bgp.NewPathAttributeMpReachNLRI(bgp.RF_IPv6_UC, []bgp.PathNLRI{{NLRI: nlri}}, addr("2001:db8::1"))
	p.Attrs = append(p.Attrs, bgp.NewPathAttributeAsPath([]bgp.AsPathParamInterface{bgp.NewAs4PathParam(2, []uint32{64500, 1})}), reach)
	return serialized(t, bgp.NewBGPUpdateMessage(nil, p.Attrs, []bgp.PathNLRI{{NLRI: p.Nlri}}), nil)
}

// feed sends data, raw or in an established session, and returns when the
// other side has closed or answers no more.
func (h *herd) feed(t testing.TB, raw bool, data []byte) {
	c := h.dial(t)
	defer c.Close()
	if !raw {
		if _, err := c.Write(append(open(t), keepalive(t)...)); err != nil {
			return
		}
		head := make([]byte, bgp.BGP_HEADER_LENGTH)
		for keepalives := 0; keepalives < 1; {
			if _, err := io.ReadFull(c, head); err != nil {
				return
			}
			if head[18] == bgp.BGP_MSG_KEEPALIVE {
				keepalives++
			}
			if _, err := io.CopyN(io.Discard, c, int64(binary.BigEndian.Uint16(head[16:]))-bgp.BGP_HEADER_LENGTH); err != nil {
				return
			}
		}
	}
	_, _ = c.Write(data)
	_ = c.(*net.TCPConn).CloseWrite()
	_, _ = io.Copy(io.Discard, c)
}

// alive takes a proper session and its routes.
func (h *herd) alive(t testing.TB) {
	t.Helper()
	c := h.dial(t)
	defer c.Close()
	if _, err := c.Write(append(open(t), keepalive(t)...)); err != nil {
		t.Fatal(err)
	}
	var all bytes.Buffer
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	buf := make([]byte, 4096)
	for !bytes.Contains(all.Bytes(), []byte{32, 203, 0, 113, 10}) {
		n, err := c.Read(buf)
		if all.Write(buf[:n]); err != nil {
			t.Fatalf("no route in a proper session: %v", err)
		}
	}
}

// mutate changes a few bytes, cuts, doubles or lies about the length.
func mutate(r *rand.Rand, b []byte) []byte {
	b = bytes.Clone(b)
	for range 1 + r.IntN(4) {
		switch r.IntN(5) {
		case 0:
			b[r.IntN(len(b))] ^= 1 << r.IntN(8)
		case 1:
			b[r.IntN(len(b))] = byte(r.Uint32())
		case 2:
			b = b[:1+r.IntN(len(b))]
		case 3:
			b = append(b, b[r.IntN(len(b)):]...)
		case 4:
			if len(b) > 19 {
				b[19+r.IntN(len(b)-19)] = []byte{0, 1, 0x7f, 0x80, 0xff}[r.IntN(5)]
			}
		}
	}
	if len(b) >= 19 && r.IntN(4) > 0 { // as long as it says, so that it is looked into
		binary.BigEndian.PutUint16(b[16:], uint16(len(b)))
	}
	return b
}

// TestGarbage sends what no BGP is, and BGP with faults, in a bounded loop.
func TestGarbage(t *testing.T) {
	if !isolated(t) {
		return
	}
	h := newHerd(t)
	r := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 300)
	for i := range 240 {
		switch i % 4 {
		case 0:
			for j := range noise {
				noise[j] = byte(r.Uint32())
			}
			h.feed(t, true, noise)
		case 1:
			h.feed(t, true, mutate(r, open(t)))
		default:
			var many []byte
			for range 8 {
				many = append(many, mutate(r, update(t))...)
			}
			h.feed(t, false, many)
		}
	}
	h.alive(t)
	if st := h.Status(); len(st.Peers) != herdSize || len(st.Announced) != 2 {
		t.Errorf("%d peers, %d routes", len(st.Peers), len(st.Announced))
	}
}

// FuzzPeer sends the rest of its input raw, or in a session, by its first byte.
func FuzzPeer(f *testing.F) {
	f.Add(append([]byte{0}, open(f)...))
	f.Add(append([]byte{1}, update(f)...))
	f.Add(append([]byte{1}, keepalive(f)...))
	f.Add([]byte{1})
	h := newHerd(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) == 0 {
			return
		}
		h.feed(t, data[0]&1 == 0, data[1:])
		if len(h.Status().Announced) != 2 {
			t.Error("the routes are gone")
		}
	})
}

package bgp

import (
	"errors"
	"maps"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"
)

// TestOpening changes routes all the time while sessions come up: each peer
// must end with the routes that there are, or be sent away to come back.
func TestOpening(t *testing.T) {
	if !isolated(t) {
		return
	}
	h := newHerd(t)
	sessions := 16
	if testing.Short() {
		sessions = 6
	}
	closed := 0
	for i := range sessions {
		want := map[netip.Prefix]bool{}
		if i%2 == 1 { // these lose one route after the other, the others gain
			for n := range changesEach {
				want[nth(n)] = true
			}
		}
		tell := func() {
			var list []Route
			for p := range want {
				list = append(list, Route{Prefix: p})
			}
			announce(t, h.Speaker, list...)
		}
		tell()
		c := h.dial(t)
		address := h.peers[(h.next-1)%len(h.peers)]
		if _, err := c.Write(append(open(t), keepalive(t)...)); err != nil {
			t.Fatal(err)
		}
		for n := 0; n < changesEach && peerStatus(t, h.Speaker, address).State != Established; n++ {
			if i%2 == 0 {
				want[nth(n)] = true
			} else {
				delete(want, nth(n))
			}
			tell()
		}
		has, err := follow(c)
		switch {
		case err != nil && i%2 == 1:
			closed++
		case err != nil:
			t.Errorf("session %d: %v", i, err)
		case !maps.Equal(has, want):
			t.Errorf("session %d: the peer has %d routes, there are %d", i, len(has), len(want))
		}
		c.Close()
	}
	t.Logf("%d of %d sessions were closed because routes were withdrawn while they came up", closed, sessions)
}

const changesEach = 200

func nth(n int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{198, 18, byte(n >> 8), byte(n)}), 32)
}

// follow keeps the table of a peer until it is sent no more.
func follow(c net.Conn) (map[netip.Prefix]bool, error) {
	has := map[netip.Prefix]bool{}
	var in []byte
	buf := make([]byte, 64<<10)
	for {
		_ = c.SetDeadline(time.Now().Add(400 * time.Millisecond))
		n, err := c.Read(buf)
		for in = append(in, buf[:n]...); len(in) >= bgp.BGP_HEADER_LENGTH; {
			size := int(in[16])<<8 | int(in[17])
			if len(in) < size {
				break
			}
			m, rest := in[:size], in[size:]
			if in = rest; m[18] != bgp.BGP_MSG_UPDATE {
				continue
			}
			gone := 21 + (int(m[19])<<8 | int(m[20]))
			attributes := gone + 2 + (int(m[gone])<<8 | int(m[gone+1]))
			for _, p := range prefixes(m[21:gone]) {
				delete(has, p)
			}
			for _, p := range prefixes(m[attributes:]) {
				has[p] = true
			}
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return has, nil
		}
		if err != nil {
			return has, err
		}
	}
}

// prefixes reads those of full length.
func prefixes(b []byte) (list []netip.Prefix) {
	for ; len(b) >= 5; b = b[5:] {
		list = append(list, netip.PrefixFrom(netip.AddrFrom4([4]byte(b[1:5])), 32))
	}
	return list
}

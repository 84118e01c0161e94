package monitoring

import (
	"encoding/binary"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Headers that traffic is made of, IPv4 without options behind Ethernet. Nobody
// here looks at checksums.
const (
	ethernet = 14
	transit  = ethernet + 20 // where the transport header begins
)

// packet is a frame for a node with so many bytes behind the IP header.
func packet(node string, protocol byte, to [4]byte, bytes int) []byte {
	b := make([]byte, transit+bytes)
	copy(b, []byte{2, 0, 0, 0, 0, 0x10 + node[2] - '0', 2, 0, 0, 0, 0, 1, 8, 0})
	ip := b[ethernet:]
	ip[0], ip[8], ip[9] = 0x45, 62, protocol
	binary.BigEndian.PutUint16(ip[2:], uint16(20+bytes))
	copy(ip[12:], client.AsSlice())
	copy(ip[16:], to[:])
	return b
}

func ports(b []byte, from, to uint16) {
	binary.BigEndian.PutUint16(b[transit:], from)
	binary.BigEndian.PutUint16(b[transit+2:], to)
}

// anybody gives the frame a source in 198.18.0.0/15.
func anybody(b []byte) {
	n := rand.Uint32N(1 << 17)
	copy(b[ethernet+12:], []byte{198, 18 + byte(n>>16), byte(n >> 8), byte(n)})
}

// syn opens a connection with www that is never heard of again.
func syn(node string) []byte {
	b := packet(node, 6, [4]byte{203, 0, 113, 10}, 20)
	anybody(b)
	ports(b, uint16(rand.Uint32()), 80)
	b[transit+12], b[transit+13] = 5<<4, 2
	return b
}

// datagram is for the VIP that takes UDP.
func datagram(node string, bytes int) []byte {
	b := packet(node, 17, [4]byte{203, 0, 113, 14}, 8+bytes)
	anybody(b)
	ports(b, uint16(rand.Uint32()), 5000)
	binary.BigEndian.PutUint16(b[transit+4:], uint16(8+bytes))
	return b
}

// later is the end of a datagram whose beginning never comes, from one of some
// clients: one is the whole datagram's to all nodes.
func later(node string, client byte, id uint16) []byte {
	b := packet(node, 17, [4]byte{203, 0, 113, 14}, 24)
	b[ethernet+15] = client
	binary.BigEndian.PutUint16(b[ethernet+4:], id)
	binary.BigEndian.PutUint16(b[ethernet+6:], 185) // times eight
	return b
}

// hopeless is for the VIP whose backend no next hop leads to.
func hopeless(node string) []byte {
	b := packet(node, 6, [4]byte{203, 0, 113, 15}, 20)
	ports(b, uint16(rand.Uint32()), 80)
	b[transit+12], b[transit+13] = 5<<4, 16
	return b
}

// stray is for nobody: the kernel gets it.
func stray(node string) []byte {
	b := packet(node, 17, [4]byte{192, 0, 2, 99}, 8)
	anybody(b)
	return b
}

// forged says that a node has redirected it (RFC 1701, recursion control), and
// comes from none.
func forged(node string) []byte {
	b := packet(node, 47, [4]byte{192, 0, 2, number(node)}, 4+20+24)
	copy(b[ethernet+12:], []byte{192, 0, 2, 50})
	copy(b[transit:], []byte{0x01, 0, 8, 0})
	copy(b[transit+4:], later(node, 7, 7)[ethernet:])
	return b
}

// send sends a frame to a node.
func (s *site) send(node string, frame []byte) {
	for {
		_, err := unix.Write(s.taps[node], frame)
		if err == nil || err == unix.ENETDOWN {
			return
		}
		if err != unix.ENOBUFS && err != unix.EINTR {
			s.t.Errorf("to %s: %v", node, err)
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// A stream sends some frames to a node again and again until it is stopped.
type stream struct {
	done atomic.Bool
	all  sync.WaitGroup
}

func (s *site) stream(node string, each int, pause time.Duration, frames ...func(node string) []byte) *stream {
	st := &stream{}
	s.t.Cleanup(st.stop)
	st.all.Go(func() {
		for !st.done.Load() {
			for range each {
				for _, frame := range frames {
					s.send(node, frame(node))
				}
			}
			time.Sleep(pause)
		}
	})
	return st
}

func (st *stream) stop() {
	st.done.Store(true)
	st.all.Wait()
}

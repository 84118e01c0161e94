package fleet

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"golang.org/x/sys/unix"

	"guideway/test/daemon"
)

// A speaker is a UDP flow of the client: a real socket, which sends whole
// datagrams or has them sent for it piece by piece, and gets the receipts.
type speaker struct {
	f        *fleet
	v        vip
	from, to netip.AddrPort
	conn     *net.UDPConn

	mu      sync.Mutex
	seq     uint64                  // of the last datagram
	waiting map[uint64]chan receipt // by sequence number
	strange int
}

const speakerPort = 40000

// speak opens a flow from the client's i-th address to a VIP's recorder.
func (f *fleet) speak(v vip, i int) *speaker {
	f.t.Helper()
	// The ports are fixed, and so are the backends.
	return f.speakFrom(netip.AddrPortFrom(v.client(i), speakerPort+uint16(i)), v)
}

// speakFrom opens a flow from an address and port of the client.
func (f *fleet) speakFrom(from netip.AddrPort, v vip) *speaker {
	f.t.Helper()
	s := &speaker{f: f, v: v, from: from, to: netip.AddrPortFrom(v.addr, recorderPort), waiting: map[uint64]chan receipt{}}
	s.conn = f.listen("client", s.from)
	go s.listen()
	return s
}

func (s *speaker) close() { s.conn.Close() }

// strangers counts the receipts that nobody waited for, late or twice.
func (s *speaker) strangers() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.strange
}

func (s *speaker) listen() {
	buf := make([]byte, 1500)
	for {
		n, _, err := s.conn.ReadFromUDPAddrPort(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		r, ok := readReceipt(buf[:n])
		s.mu.Lock()
		if c := s.waiting[r.seq]; ok && c != nil {
			delete(s.waiting, r.seq)
			c <- r
		} else {
			s.strange++
		}
		s.mu.Unlock()
	}
}

// An outcome is what became of one datagram.
type outcome struct {
	sent   time.Time
	whole  bool // a backend had it whole, within the limit
	server byte
}

// ask sends one datagram of so many bytes by send, and waits for its receipt.
func (s *speaker) ask(size int, limit time.Duration, send func(payload []byte)) outcome {
	s.f.t.Helper()
	s.mu.Lock()
	s.seq++
	seq, answer := s.seq, make(chan receipt, 1)
	s.waiting[seq] = answer
	s.mu.Unlock()
	payload := payload(seq, size)
	o := outcome{sent: time.Now()}
	send(payload)
	select {
	case r := <-answer:
		o.whole, o.server = true, r.server
		if int(r.length) != size || r.sum != crc32.ChecksumIEEE(payload) {
			s.f.t.Errorf("%v to %v: %d bytes sent, other %d bytes arrived", s.from, s.to, size, r.length)
		}
	case <-time.After(limit):
		s.mu.Lock()
		delete(s.waiting, seq)
		s.mu.Unlock()
	}
	return o
}

// payload is a datagram's content: its sequence number, and bytes of which no
// two stretches are alike.
func payload(seq uint64, size int) []byte {
	b := binary.BigEndian.AppendUint64(nil, seq)
	for x := uint32(seq) * 2654435761; len(b) < size; x = x*1664525 + 1013904223 {
		b = binary.BigEndian.AppendUint32(b, x)
	}
	return b[:size]
}

// write has the client's kernel send a datagram, cut up as it thinks fit.
func (s *speaker) write(payload []byte) {
	if _, err := s.conn.WriteToUDPAddrPort(payload, s.to); err != nil {
		s.f.t.Errorf("%v to %v: %v", s.from, s.to, err)
	}
}

// The most of a datagram that a fragment of 1500 bytes holds, in eighths.
const (
	pieceLen4 = 1500 - 20
	pieceLen6 = (1500 - 40 - 8) &^ 7
)

// frames makes the frames of a datagram as the router would send them on, cut
// for 1500 bytes; inject says to which node.
func (s *speaker) frames(payload []byte) (frames [][]byte) {
	id := s.f.ids.Add(1)
	udp := &layers.UDP{SrcPort: layers.UDPPort(s.from.Port()), DstPort: layers.UDPPort(s.to.Port())}
	ip4 := &layers.IPv4{Version: 4, TTL: 62, Protocol: layers.IPProtocolUDP, Id: uint16(id), SrcIP: s.from.Addr().AsSlice(), DstIP: s.to.Addr().AsSlice()}
	ip6 := &layers.IPv6{Version: 6, HopLimit: 62, NextHeader: layers.IPProtocolUDP, SrcIP: s.from.Addr().AsSlice(), DstIP: s.to.Addr().AsSlice()}
	var ip gopacket.SerializableLayer = ip4
	piece, etherType := pieceLen4, layers.EthernetTypeIPv4
	if s.v.addr.Is6() {
		ip, piece, etherType = ip6, pieceLen6, layers.EthernetTypeIPv6
		udp.SetNetworkLayerForChecksum(ip6)
	} else {
		udp.SetNetworkLayerForChecksum(ip4)
	}
	whole := serialize(s.f.t, udp, gopacket.Payload(payload))
	for at := 0; at < len(whole); at += piece {
		part := whole[at:min(at+piece, len(whole))]
		more := at+len(part) < len(whole)
		switch {
		case len(part) == len(whole):
		case s.v.addr.Is6():
			ip6.NextHeader = layers.IPProtocolIPv6Fragment
			part = append(fragmentHeader(id, at, more), part...)
		default:
			ip4.FragOffset, ip4.Flags = uint16(at/8), 0
			if more {
				ip4.Flags = layers.IPv4MoreFragments
			}
		}
		frames = append(frames, serialize(s.f.t,
			&layers.Ethernet{SrcMAC: edgeMAC, DstMAC: edgeMAC, EthernetType: etherType}, ip, gopacket.Payload(part)))
	}
	return frames
}

// fragmentHeader is that of RFC 8200, 4.5, in front of a piece of UDP.
func fragmentHeader(id uint32, at int, more bool) []byte {
	b := []byte{byte(layers.IPProtocolUDP), 0, byte(at >> 8), byte(at)}
	if more {
		b[3] |= 1
	}
	return binary.BigEndian.AppendUint32(b, id)
}

func serialize(t testing.TB, l ...gopacket.SerializableLayer) []byte {
	t.Helper()
	b := gopacket.NewSerializeBuffer()
	if err := gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, l...); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// tap opens a raw socket on the router's link to a node, by which frames go to
// that node whatever the router would choose.
func (f *fleet) tap(i int) (fd int) {
	f.t.Helper()
	err := daemon.Inside(prefix+"router", func() error {
		link, err := net.InterfaceByName(nodeName(i))
		if err != nil {
			return err
		}
		if fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0); err != nil {
			return err
		}
		return unix.Bind(fd, &unix.SockaddrLinklayer{Ifindex: link.Index})
	})
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { unix.Close(fd) })
	return fd
}

// inject sends frames to a node.
func (f *fleet) inject(i int, frames ...[]byte) {
	for _, frame := range frames {
		copy(frame, nodeMAC(i))
		for {
			_, err := unix.Write(f.taps[i], frame)
			if err == nil {
				break
			}
			if err != unix.ENOBUFS && err != unix.EINTR {
				f.t.Errorf("to %s: %v", nodeName(i), err)
				return
			}
			time.Sleep(time.Millisecond)
		}
	}
}

package health

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"golang.org/x/net/bpf"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"
)

// A tunnel carries probes to a VIP at one backend, as the data plane carries
// traffic: in GRE, with the VIP inside as the destination. The backend answers
// directly, from the VIP, and that comes in as anything does for an address of
// this machine. So tunnel, VIP and service are all proved.
//
//	socket, marked, bound to Inside, connects to the VIP
//	  -> ip rule: what is so marked   -> table 26487
//	  -> table 26487: default         -> gw-probe, a TUN of ours
//	  -> we read the packet, and know by its source port which backend it is for
//	  -> GRE, raw socket bound to Source -> the kernel's ways to the backend
//	backend: out of GRE, VIP on its loopback, service
//	  -> from VIP to Inside, not through us: in by the kernel path, to the socket
//
// The socket is marked and not bound to gw-probe, since a bound one would hear
// only what comes in there. Echo requests are built here and need neither TUN
// nor rule.
type tunnel struct {
	enter func(func() error) error

	mu      sync.Mutex
	tun     *os.File // nil: not open
	err     error    // why not
	tried   time.Time
	ways    map[portKey]way
	outs    map[netip.Addr]*net.IPConn // raw GRE sockets, by their source
	closed  bool
	readers sync.WaitGroup
}

// A way is from where to where GRE goes.
type way struct{ source, backend netip.Addr }

// A portKey is what a socket is bound to, and no other of its protocol.
type portKey struct {
	source netip.Addr
	proto  byte
	port   uint16
}

const (
	tunName  = "gw-probe"
	tunMark  = 0x6777      // of sockets whose packets go through the tunnel
	tunTable = tunMark     // their routing table
	tunRule  = 103         // priority of the rule that leads there
	tunMTU   = 1280        // fits with GRE into all that IPv6 can cross, or nearly; and IPv6 needs no less
	retryTun = time.Second // between two tries to open it
)

// GRE as the data plane sends it, RFC 2784 section 2.1: flags and version zero.
const (
	greLen = 4
	gre4   = unix.ETH_P_IP
	gre6   = unix.ETH_P_IPV6
)

func newTunnel(enter func(func() error) error) *tunnel {
	return &tunnel{enter: enter, ways: map[portKey]way{}, outs: map[netip.Addr]*net.IPConn{}}
}

// claim has what a socket sends go to a backend. The socket is not connected
// yet; it is marked and bound here. A claim lasts until the port is another's:
// the kernel may still have something to say when the socket is closed.
func (t *tunnel) claim(fd int, proto byte, inside netip.Addr, w way) error {
	if err := t.ready(); err != nil {
		return err
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_MARK, tunMark); err != nil {
		return fmt.Errorf("mark: %w", err)
	}
	if err := unix.Bind(fd, sockaddr(inside, 0)); err != nil {
		return fmt.Errorf("bind to %s: %w", inside, err)
	}
	local, err := unix.Getsockname(fd)
	if err != nil {
		return err
	}
	key := portKey{source: inside, proto: proto}
	switch a := local.(type) {
	case *unix.SockaddrInet4:
		key.port = uint16(a.Port)
	case *unix.SockaddrInet6:
		key.port = uint16(a.Port)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ways[key] = w
	return nil
}

// ready opens the TUN and what leads there, unless they are.
func (t *tunnel) ready() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return net.ErrClosed
	}
	if t.tun != nil || time.Since(t.tried) < retryTun {
		return t.err
	}
	var tun *os.File
	t.err = t.enter(func() (err error) {
		tun, err = openTun()
		return err
	})
	t.tried = time.Now()
	if t.err != nil {
		t.err = fmt.Errorf("tunnel: %w", t.err)
		return t.err
	}
	t.tun = tun
	t.readers.Go(func() { t.read(tun) })
	return nil
}

// openTun makes gw-probe, and the rules and routes that lead there.
func openTun() (*os.File, error) {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("/dev/net/tun: %w", err)
	}
	err = setUp(fd)
	if err == nil {
		err = leadTo(tunName)
	}
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	// Only now, since the poller cannot wait for a TUN that is none yet.
	return os.NewFile(uintptr(fd), tunName), nil
}

func setUp(fd int) error {
	r, err := unix.NewIfreq(tunName)
	if err != nil {
		return err
	}
	r.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, r); err != nil {
		return fmt.Errorf("%s: %w", tunName, err)
	}
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(s)
	r.SetUint32(tunMTU)
	if err := unix.IoctlIfreq(s, unix.SIOCSIFMTU, r); err != nil {
		return fmt.Errorf("MTU of %s: %w", tunName, err)
	}
	r.SetUint16(unix.IFF_UP | unix.IFF_NOARP | unix.IFF_POINTOPOINT)
	if err := unix.IoctlIfreq(s, unix.SIOCSIFFLAGS, r); err != nil {
		return fmt.Errorf("%s up: %w", tunName, err)
	}
	return nil
}

// read takes what the kernel has for the VIPs, until the TUN is closed.
func (t *tunnel) read(tun *os.File) {
	buf := make([]byte, greLen+64<<10)
	for {
		n, err := tun.Read(buf[greLen:])
		if err != nil {
			return
		}
		key, ok := portOf(buf[greLen : greLen+n])
		if !ok {
			continue
		}
		t.mu.Lock()
		w, ok := t.ways[key]
		t.mu.Unlock()
		if ok {
			// What is lost here is as lost as on the way: TCP sends it again, and
			// the probe ends by its timeout.
			_ = t.send(w, buf[:greLen+n])
		}
	}
}

// portOf finds out which socket sent a packet. Ours have no extension headers,
// and are never fragments.
func portOf(b []byte) (key portKey, ok bool) {
	switch {
	case len(b) >= len4 && b[0]>>4 == 4:
		header := int(b[0]&0xf) << 2
		if header < len4 || len(b) < header+2 || binary.BigEndian.Uint16(b[6:])&0x1fff != 0 {
			return key, false
		}
		key = portKey{netip.AddrFrom4([4]byte(b[src4At:])), b[proto4At], binary.BigEndian.Uint16(b[header:])}
	case len(b) >= len6+2 && b[0]>>4 == 6:
		key = portKey{netip.AddrFrom16([16]byte(b[src6At:])), b[proto6At], binary.BigEndian.Uint16(b[len6:])}
	}
	return key, key.proto == unix.IPPROTO_TCP || key.proto == unix.IPPROTO_UDP
}

// send sends an IP packet in GRE. Of b it begins after greLen octets, which are
// for GRE.
func (t *tunnel) send(w way, b []byte) error {
	binary.BigEndian.PutUint16(b, 0)
	binary.BigEndian.PutUint16(b[2:], gre4)
	if b[greLen]>>4 == 6 {
		binary.BigEndian.PutUint16(b[2:], gre6)
	}
	conn, err := t.out(w)
	if err != nil {
		return err
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	if e := raw.Control(func(fd uintptr) {
		err = unix.Sendto(int(fd), b, unix.MSG_DONTWAIT, sockaddr(w.backend, 0))
	}); e != nil {
		return e
	}
	return err
}

// out returns the raw socket for GRE from a source.
func (t *tunnel) out(w way) (*net.IPConn, error) {
	source := w.source
	if !source.IsValid() {
		source = unspecified(w.backend)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return nil, net.ErrClosed
	}
	if conn := t.outs[source]; conn != nil {
		return conn, nil
	}
	var conn *net.IPConn
	err := t.enter(func() (err error) {
		conn, err = listenGRE(source)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("tunnel: %w", err)
	}
	t.outs[source] = conn
	return conn, nil
}

// listenGRE opens a raw socket that sends GRE, and hears nothing: the machine
// may have GRE of its own.
func listenGRE(source netip.Addr) (*net.IPConn, error) {
	network := "ip4:47"
	if source.Is6() {
		network = "ip6:47"
	}
	conn, err := net.ListenIP(network, &net.IPAddr{IP: source.AsSlice()})
	if err != nil {
		return nil, err
	}
	deaf, err := bpf.Assemble([]bpf.Instruction{bpf.RetConstant{Val: 0}})
	if err == nil && source.Is4() {
		err = ipv4.NewPacketConn(conn).SetBPF(deaf)
	} else if err == nil {
		err = ipv6.NewPacketConn(conn).SetBPF(deaf)
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// close takes away what was made.
func (t *tunnel) close() {
	t.mu.Lock()
	t.closed = true
	tun, outs := t.tun, t.outs
	t.tun, t.outs = nil, nil
	t.mu.Unlock()
	for _, c := range outs {
		c.Close()
	}
	if tun != nil {
		tun.Close() // and with it go the device and its routes
		_ = t.enter(leadNowhere)
	}
	t.readers.Wait()
}

func sockaddr(a netip.Addr, port int) unix.Sockaddr {
	if a.Is4() {
		return &unix.SockaddrInet4{Addr: a.As4(), Port: port}
	}
	return &unix.SockaddrInet6{Addr: a.As16(), Port: port}
}

func unspecified(like netip.Addr) netip.Addr {
	if like.Is6() {
		return netip.IPv6Unspecified()
	}
	return netip.IPv4Unspecified()
}

// errNoInside is a target that nobody has given an address to answer to.
var errNoInside = errors.New("no address of this machine for the answers of the VIP")

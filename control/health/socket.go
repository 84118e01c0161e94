package health

import (
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"
)

const (
	receiveBuffer = 4 << 20                // bytes; about 8,000 replies, for pauses of the process
	check         = 100 * time.Millisecond // between two looks whether the source address is there
	handful       = 64                     // messages that are taken under one lock
	settleLimit   = 256                    // handfuls that settle takes: more than the buffer holds
	longest       = 576                    // bytes of a message that are looked at
)

// A socket asks from one source address. echo.mu is over all of it.
type socket struct {
	source   netip.Addr
	sessions map[peer]*session
	conn     *net.IPConn // nil: not open
	raw      syscall.RawConn
	err      error     // why it cannot be used; nil: it can
	checked  time.Time // when that was found
	in       [longest]byte
}

// A peer is whom a message is from, and which of our sessions it is for.
type peer struct {
	addr netip.Addr
	id   uint16
}

// listenIP opens a raw socket for what arrives for an address.
func listenIP(network, address string) (*net.IPConn, error) {
	a, err := net.ResolveIPAddr(network[:3], address)
	if err != nil {
		return nil, err
	}
	return net.ListenIP(network, a)
}

// ready opens the socket if it is not, and else makes sure, now and then, that
// the source is still this machine's: without it there are errors that look
// like a lost route, or there is just silence.
func (k *socket) ready(e *echo, now time.Time) error {
	if now.Sub(k.checked) < check {
		return k.err
	}
	k.checked = now
	if k.conn == nil {
		k.err = k.open(e)
	} else if !k.source.IsUnspecified() {
		var again *net.IPConn
		if again, k.err = e.listen(network(k.source), k.source.String()); k.err == nil {
			again.Close()
		}
	}
	return k.err
}

func (k *socket) open(e *echo) error {
	conn, err := openSocket(e.listen, k.source)
	if err != nil {
		return err
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		conn.Close()
		return err
	}
	k.conn, k.raw = conn, raw
	e.readers.Go(func() { k.read(e, raw) })
	return nil
}

// network is the name that package net has for raw ICMP of an address's family.
func network(source netip.Addr) string {
	if source.Is4() {
		return "ip4:1"
	}
	return "ip6:58"
}

// openSocket opens a socket that hears of replies and errors only.
func openSocket(listen func(network, address string) (*net.IPConn, error), source netip.Addr) (*net.IPConn, error) {
	conn, err := listen(network(source), source.String())
	if err != nil {
		return nil, err
	}
	if source.Is4() {
		var f ipv4.ICMPFilter
		f.SetAll(true)
		for t := range errors4 {
			f.Accept(t)
		}
		f.Accept(ipv4.ICMPTypeEchoReply)
		err = ipv4.NewPacketConn(conn).SetICMPFilter(&f)
	} else {
		var f ipv6.ICMPFilter
		f.SetAll(true)
		for t := range errors6 {
			f.Accept(t)
		}
		f.Accept(ipv6.ICMPTypeEchoReply)
		err = ipv6.NewPacketConn(conn).SetICMPFilter(&f)
	}
	if err == nil {
		err = enlarge(conn)
	}
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("socket for %s: %w", source, err)
	}
	return conn, nil
}

// enlarge sets the receive buffer, beyond the system's limit if that is allowed.
func enlarge(conn *net.IPConn) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	forced := false
	err = raw.Control(func(fd uintptr) {
		forced = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, receiveBuffer) == nil
	})
	if err == nil && !forced {
		err = conn.SetReadBuffer(receiveBuffer)
	}
	return err
}

// send sends the request of a session, or fails at once.
func (k *socket) send(s *session) (err error) {
	b, err := request(s.addr, s.id, s.seq, s.token)
	if err != nil {
		return err
	}
	if e := k.raw.Control(func(fd uintptr) { err = unix.Sendto(int(fd), b, unix.MSG_DONTWAIT, sockaddr(s.addr, 0)) }); e != nil {
		return e
	}
	return err
}

// read is the goroutine that waits for messages. It takes them within the
// lock, as settle does, so that no message is ever read but not yet reported
// while the lock is free.
func (k *socket) read(e *echo, raw syscall.RawConn) {
	// Ends, with an error, when the socket is closed.
	_ = raw.Read(func(fd uintptr) bool {
		for k.takeSome(e, int(fd)) {
		}
		return false
	})
}

// settle takes what waits in the socket now, beside read.
func (k *socket) settle(e *echo) {
	// An error is that of a socket closed meanwhile.
	_ = k.raw.Control(func(fd uintptr) {
		for range settleLimit {
			if !k.takeSome(e, int(fd)) {
				break
			}
		}
	})
}

// takeSome takes a handful of messages, and says whether there may be more.
func (k *socket) takeSome(e *echo, fd int) (more bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	now, taken := time.Now(), 0
	for range handful {
		n, from, err := unix.Recvfrom(fd, k.in[:], unix.MSG_DONTWAIT)
		if err == unix.EAGAIN || err == unix.EBADF {
			return false
		}
		if err == nil {
			e.take(k, parse(k.in[:n], from), now)
			taken++
		}
		// Else an error that waited at the socket, and is gone now.
	}
	return taken > 0
}

// close ends read. The lock must not be held. A nil socket needs nothing.
func (k *socket) close() {
	if k != nil && k.conn != nil {
		k.conn.Close()
	}
}

package health

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// asks are the types of checks, each a function that asks once and returns why
// the target has not passed. It does not outlive its context.
var asks = [...]func(context.Context, *inquiry) error{
	TCP: askTCP, HTTP: askHTTP, HTTPS: askHTTP, TLS: askTLS, UDP: askUDP, DNS: askDNS, GRPC: askGRPC,
}

// A kit is what all targets of a check share.
type kit struct {
	check Check
	uses  int // dials.mu is over it

	pattern atomic.Pointer[regexp.Regexp]
	tls     atomic.Pointer[tls.Config]
}

// forget has files read again when they are needed.
func (k *kit) forget() { k.tls.Store(nil) }

// body returns the pattern of Check.Body.
func (k *kit) body() (*regexp.Regexp, error) {
	if p := k.pattern.Load(); p != nil {
		return p, nil
	}
	p, err := regexp.Compile(k.check.Body)
	if err != nil {
		return nil, ourFault{err}
	}
	k.pattern.Store(p)
	return p, nil
}

// An inquiry is one round.
type inquiry struct {
	*dial
	deadline time.Time
	conn     net.Conn // nil: none was made
	stop     func() bool
	stage    string // how far it came, for "connected, but no answer"

	weight  Weight // what it found out
	unclear string
}

// connect opens a connection, or a socket that hears of one peer only. It ends
// with the inquiry, and all that is done with it.
func (q *inquiry) connect(ctx context.Context, network string) (net.Conn, error) {
	t := q.target
	to := netip.AddrPortFrom(t.asked(), t.Check.Port)
	from := t.from()
	switch {
	case !t.asked().IsValid() || t.asked().Zone() != "":
		return nil, ourFault{fmt.Errorf("%s is not an address to ask", t.asked())}
	case t.VIP.IsValid() && !from.IsValid():
		return nil, ourFault{errNoInside}
	case from.IsValid() && from.Is4() != to.Addr().Is4():
		return nil, ourFault{fmt.Errorf("%s and %s are of two families", to.Addr(), from)}
	}
	q.stage = ""
	// Without keep-alives, of which no probe lives to see one.
	d := net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: false}, KeepAlive: -1, FallbackDelay: -1}
	if from.IsValid() {
		d.Control = func(_, _ string, c syscall.RawConn) error { return q.bind(c, network, from) }
	}
	var conn net.Conn
	err := q.dials.enter(func() (err error) {
		conn, err = d.DialContext(ctx, network, to.String())
		return err
	})
	if err != nil {
		return nil, err
	}
	q.close()
	q.conn, q.stage = conn, "connected, but "
	if network == "udp" {
		q.stage = ""
	}
	if err := conn.SetDeadline(q.deadline); err != nil {
		return nil, err
	}
	q.stop = context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	return conn, nil
}

// bind gives a socket its address before it is connected.
func (q *inquiry) bind(c syscall.RawConn, network string, from netip.Addr) (err error) {
	t := q.target
	if e := c.Control(func(fd uintptr) {
		if t.VIP.IsValid() {
			proto := byte(unix.IPPROTO_TCP)
			if network == "udp" {
				proto = unix.IPPROTO_UDP
			}
			err = q.dials.tunnel.claim(int(fd), proto, from, way{t.Source, t.Addr})
			return
		}
		// The port is chosen with the peer in mind, or ports would run out.
		if err = unix.SetsockoptInt(int(fd), unix.SOL_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1); err == nil {
			err = unix.Bind(int(fd), sockaddr(from, 0))
		}
	}); e != nil {
		return e
	}
	if err != nil {
		return ourFault{err}
	}
	return nil
}

// close ends the connection with a reset: neither side keeps anything of it.
func (q *inquiry) close() {
	if q.conn == nil {
		return
	}
	q.stop()
	if c, ok := q.conn.(*net.TCPConn); ok {
		_ = c.SetLinger(0)
	}
	q.conn.Close()
	q.conn = nil
}

// name is the address with its port.
func (q *inquiry) name(usual uint16) string {
	a := q.target.asked()
	switch {
	case q.target.Check.Port != usual:
		return netip.AddrPortFrom(a, q.target.Check.Port).String()
	case a.Is6():
		return "[" + a.String() + "]"
	}
	return a.String()
}

// ourFault is an error that says nothing of the target.
type ourFault struct{ error }

func (e ourFault) Unwrap() error { return e.error }

// judge finds out what an error says of the target, and puts it in words.
func (q *inquiry) judge(err error, took time.Duration) (resultKind, error) {
	var ours ourFault
	var no syscall.Errno
	var timeout net.Error
	late := took - q.target.Timeout
	switch {
	case errors.As(err, &ours):
		return untried, ours.error
	case errors.Is(err, context.Canceled), q.ctx.Err() != nil:
		return untried, errors.New("given up")
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout() && !errors.As(err, &no), late >= 0:
		if late > grace {
			return untried, fmt.Errorf("ended %v after its time: this machine is too busy to tell", late.Round(time.Millisecond))
		}
		return refused, fmt.Errorf("%sno answer within %v", q.stage, q.target.Timeout)
	case errors.As(err, &no):
		return meaningOf(no), no
	}
	return refused, inWords(err)
}

// meaningOf is what the system's word for a failed connection says of the
// target.
func meaningOf(no syscall.Errno) resultKind {
	switch no {
	case unix.EMFILE, unix.ENFILE, unix.ENOMEM, unix.ENOBUFS, // nothing left here
		unix.EADDRNOTAVAIL, unix.EADDRINUSE, // no address, or no port
		unix.EACCES, unix.EPERM, // not allowed: a firewall of ours
		unix.EINVAL, unix.EAFNOSUPPORT, unix.EBADF:
		return untried
	}
	return refused
}

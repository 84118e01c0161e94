package health

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// echo checks with ICMP echo (RFC 792, RFC 4443 section 4). Targets with the
// same source share a socket; a reply is found by its sender's address and its
// identifier, and counts if identifier, sequence number and 16 random bytes, new with every
// request, are those of the last request. Whoever has not seen the request
// cannot forge that.
//
// ICMP errors are easy to forge: most quote no more than the 8 bytes that
// RFC 792 asks for. So they end no round (as RFC 5927 section 4 advises for
// TCP), they only say why nothing was heard when its time is over.
type echo struct {
	listen  func(network, address string) (*net.IPConn, error)
	tunnel  *tunnel
	readers sync.WaitGroup

	mu      sync.Mutex
	sockets map[netip.Addr]*socket // by source
	strange uint64                 // messages that were no answer to a request
	closed  bool
}

func newEcho(listen func(network, address string) (*net.IPConn, error), tunnel *tunnel) *echo {
	if listen == nil {
		listen = listenIP
	}
	return &echo{listen: listen, tunnel: tunnel, sockets: map[netip.Addr]*socket{}}
}

// A session is the probe of one target. echo.mu is over all of it.
type session struct {
	echo   *echo
	target Target
	addr   netip.Addr // that is asked
	source netip.Addr // that is answered; unspecified: as the kernel chooses
	report func(result)
	closed bool

	socket *socket // nil: not registered with it
	id     uint16  // the identifier of all requests; random, since others on this machine ask too

	open  bool // a request has gone out, and was not answered
	round uint64
	seq   uint16
	token token
	sent  time.Time
}

// recent is how many requests back an error may be about. Resolving a
// neighbour, for one, takes longer than many a timeout to fail.
const recent = 64

// tokenLen is long enough that no two requests ever have the same.
const tokenLen = 16

type token [tokenLen]byte

func (e *echo) open(t Target, report func(result)) probe {
	s := &session{echo: e, target: t, addr: t.asked(), source: t.from(), report: report}
	if !s.source.IsValid() {
		s.source = unspecified(s.addr)
	}
	return s
}

func (s *session) waits() bool { return false }

// start sends an echo request.
func (s *session) start(round uint64) {
	e := s.echo
	e.mu.Lock()
	defer e.mu.Unlock()
	if s.closed || e.closed {
		return
	}
	s.open, s.round = true, round
	s.seq++
	_, _ = rand.Read(s.token[:]) // it never fails
	s.sent = time.Now()
	if err := e.send(s); err != nil {
		kind := meaning(err)
		s.open = kind == rumoured
		s.report(result{round: round, kind: kind, err: fmt.Errorf("not sent: %w", err)})
	}
}

// meaning is what an error in sending says of the target.
func meaning(err error) resultKind {
	switch {
	case errors.Is(err, unix.ENETUNREACH), errors.Is(err, unix.EHOSTUNREACH), errors.Is(err, unix.ENETDOWN):
		return refused // no way leads there: as good as down
	case errors.Is(err, unix.ENOBUFS):
		return rumoured // lost on the way, if already in our interface, as when that has no carrier; IPv4 is silent about it
	}
	return untried
}

func (e *echo) send(s *session) error {
	switch {
	case !s.addr.IsValid() || s.addr.Zone() != "":
		return fmt.Errorf("%s is not an address to ask", s.addr)
	case s.addr.Is4() != s.source.Is4():
		return fmt.Errorf("%s and %s are of two families", s.addr, s.source)
	}
	if s.socket == nil {
		e.register(s)
	}
	if err := s.socket.ready(e, s.sent); err != nil {
		return err
	}
	if t := s.target; t.VIP.IsValid() {
		if !t.Inside.IsValid() {
			return errNoInside
		}
		b, err := wholeRequest(t.Inside, t.VIP, s.id, s.seq, s.token)
		if err != nil {
			return err
		}
		return e.tunnel.send(way{t.Source, t.Addr}, b)
	}
	return s.socket.send(s)
}

// register gives a session its socket and an identifier of its own there.
func (e *echo) register(s *session) {
	k := e.sockets[s.source]
	if k == nil {
		k = &socket{source: s.source, sessions: map[peer]*session{}}
		e.sockets[s.source] = k
	}
	for s.socket == nil {
		var id [2]byte
		_, _ = rand.Read(id[:]) // it never fails
		s.id = binary.NativeEndian.Uint16(id[:])
		if at := (peer{s.addr, s.id}); k.sessions[at] == nil {
			k.sessions[at] = s
			s.socket = k
		}
	}
}

// close ends a session, and its socket with the last one.
func (s *session) close() {
	e := s.echo
	e.mu.Lock()
	s.closed = true
	var idle *socket
	if k := s.socket; k != nil && e.sockets[s.source] == k {
		delete(k.sessions, peer{s.addr, s.id})
		if len(k.sessions) == 0 {
			delete(e.sockets, s.source)
			idle = k
		}
	}
	e.mu.Unlock()
	idle.close()
}

func (e *echo) renew() {}

// settle takes all messages that wait in the sockets.
func (e *echo) settle() {
	e.mu.Lock()
	all := make([]*socket, 0, 2)
	for _, k := range e.sockets {
		if k.conn != nil {
			all = append(all, k)
		}
	}
	e.mu.Unlock()
	for _, k := range all {
		k.settle(e)
	}
}

func (e *echo) close() {
	e.mu.Lock()
	e.closed = true
	all := e.sockets
	e.sockets = nil
	e.mu.Unlock()
	for _, k := range all {
		k.close()
	}
	e.readers.Wait()
}

// take finds out what a message means. The lock is held.
func (e *echo) take(k *socket, m message, now time.Time) {
	s := k.sessions[peer{m.peer, m.id}]
	switch {
	case m.kind == noMessage, s == nil:
		e.strange++
	case m.kind == echoError && s.seq-m.seq < recent:
		s.report(result{kind: rumoured, err: m.err})
	case m.kind == echoReply && s.open && m.seq == s.seq && m.token == s.token:
		s.open = false
		s.report(result{round: s.round, latency: now.Sub(s.sent)})
	default:
		e.strange++
	}
}

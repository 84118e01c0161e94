package trace

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"os"
	"slices"
	"time"

	"guideway/maglev/flow"
)

// A Request says what to trace.
type Request struct {
	Flow      flow.Key // TCP, UDP or SCTP: see MayTrace
	Count     int      // datagrams, 1..65535
	Fragments bool     // each datagram is sent in two
}

// A Result is what is known of the packets of a trace.
type Result struct {
	Sent int   // packets
	Hops []Hop // by packet, and of each in the order of its way as far as that can be told
	Open []Open
}

// An Open is a packet whose end is not known: nobody has reported of it, or only
// one that was not to be the last.
type Open struct {
	Packet int
	Piece  Piece
	Last   *Hop // nil: nobody
}

const (
	// Interval is the time between two datagrams of a trace. With it a trace
	// stays below the rate that nodes answer at usually.
	Interval = 20 * time.Millisecond

	// linger is how long to listen on after every packet has come to its end,
	// for reports that nobody expects: of a packet that came twice.
	linger = 200 * time.Millisecond
)

// Run sends marked packets and collects what nodes report, until all is known
// or ctx ends, which is no error.
func Run(ctx context.Context, k *Key, r Request) (*Result, error) {
	if err := MayTrace(r.Flow); err != nil {
		return nil, err
	}
	own, err := wayTo(r.Flow.Dst())
	if err != nil {
		return nil, err
	}
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(own, 0)))
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	out, err := newSender(r.Flow.Dst())
	if err != nil {
		return nil, err
	}
	defer out.close()
	var random [12]byte
	rand.Read(random[:])
	t := &run{
		key: k, request: r, conn: conn, sender: out, token: binary.BigEndian.Uint64(random[:]), id: binary.BigEndian.Uint32(random[8:]),
		sent: map[packetID]time.Time{}, done: map[packetID]bool{}, last: map[packetID]*Hop{},
	}
	if err := t.work(ctx); err != nil {
		return nil, err
	}
	return t.result(), nil
}

type packetID struct {
	packet int
	piece  Piece
}

// A run is a trace that goes on.
type run struct {
	key     *Key
	request Request
	conn    *net.UDPConn
	sender  *sender
	token   uint64
	id      uint32 // of the first datagram

	order []packetID // of sending
	sent  map[packetID]time.Time
	done  map[packetID]bool // its end was reported
	last  map[packetID]*Hop
	hops  []Hop
}

// work sends and listens in turns.
func (t *run) work(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { t.conn.SetReadDeadline(time.Now()) })
	defer stop()
	for n := 1; n <= t.request.Count && ctx.Err() == nil; n++ {
		if err := t.send(n); err != nil {
			return err
		}
		if err := t.listen(ctx, time.Now().Add(Interval), false); err != nil {
			return err
		}
	}
	// Until all is known, and a little longer.
	if err := t.listen(ctx, time.Now().Add(time.Hour), true); err != nil {
		return err
	}
	return t.listen(ctx, time.Now().Add(linger), false)
}

// send sends one datagram.
func (t *run) send(n int) error {
	receiver := t.conn.LocalAddr().(*net.UDPAddr).AddrPort()
	var parts []Piece
	packets := craft(t.request.Flow, t.id+uint32(n), t.request.Fragments, func(b []byte, p Piece) {
		parts = append(parts, p)
		t.key.PutMark(b, Mark{
			Receiver: netip.AddrPortFrom(receiver.Addr().Unmap(), receiver.Port()), Token: t.token, Packet: n, Piece: p, Sent: time.Now(),
		})
	})
	for i, b := range packets {
		id := packetID{n, parts[i]}
		t.order = append(t.order, id)
		t.sent[id] = time.Now()
		if err := t.sender.send(b); err != nil {
			return os.NewSyscallError("sendto", err)
		}
	}
	return nil
}

// listen takes reports until the time is over, or ctx is, or with all what is to
// be known is.
func (t *run) listen(ctx context.Context, until time.Time, all bool) error {
	var b [maxReport + 1]byte
	t.conn.SetReadDeadline(until)
	for ctx.Err() == nil && !(all && len(t.done) == len(t.sent)) {
		n, _, err := t.conn.ReadFromUDPAddrPort(b[:])
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return nil
		}
		if err != nil {
			return err
		}
		t.note(b[:n], time.Now())
	}
	return nil
}

// note notes what a report says, if it is one of this trace.
func (t *run) note(b []byte, now time.Time) {
	token, h, err := t.key.ReadReport(b)
	id := packetID{h.Packet, h.Piece}
	sent, ours := t.sent[id]
	if err != nil || token != t.token || !ours {
		return
	}
	h.After = now.Sub(sent)
	t.hops = append(t.hops, h)
	t.last[id] = &h
	if h.ends() {
		t.done[id] = true
	}
}

func (t *run) result() *Result {
	// Reports of two nodes about one packet may come in any order.
	slices.SortStableFunc(t.hops, func(a, b Hop) int {
		return cmp.Or(cmp.Compare(a.Packet, b.Packet), cmp.Compare(a.Piece, b.Piece), cmp.Compare(a.stage(), b.stage()))
	})
	r := &Result{Sent: len(t.order), Hops: t.hops}
	for _, id := range t.order {
		if !t.done[id] {
			r.Open = append(r.Open, Open{id.packet, id.piece, t.last[id]})
		}
	}
	return r
}

package console

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"guideway/control/trace"
)

// Limits of a trace.
const (
	usualMarked, maxMarked = 3, 100
	traceTime              = 3 * time.Second
)

func traceCommand() *command {
	return &command{
		name: "trace", args: TraceArgs, changes: true, stops: true,
		short: "sends marked packets the way of a flow: each node answers with what it did",
		long: fmt.Sprintf(`PROTOCOL is tcp, udp or sctp. The packets go to the VIP as the client's would, by the
routers' choice of a node; %d at most (count, default %d). fragments: each is a datagram
in two fragments. Answers are awaited for up to %v. The packets go on to their
backend, whose kernel drops them: their checksums are wrong, and no service sees them.`, maxMarked, usualMarked, traceTime),
		example: "trace tcp 198.51.100.7:4711 > 203.0.113.10:80",
		complete: func(n Node, done []string) []string {
			switch len(done) {
			case 0:
				return []string{"tcp", "udp", "sctp"}
			case 2:
				return []string{">"}
			case 4, 5, 6:
				return []string{"count", "fragments"}
			}
			return nil
		},
		run: func(c *call) (answer, error) {
			request, err := ParseTrace(c.args)
			if err != nil {
				return nil, traceCommand().usage("%v", err)
			}
			ctx, cancel := context.WithTimeout(c.ctx, TraceTime(request))
			defer cancel()
			got, err := c.node.Trace(ctx, request)
			if err != nil {
				return nil, err
			}
			return newTraced(got), nil
		},
	}
}

// TraceArgs is what [ParseTrace] reads.
const TraceArgs = "PROTOCOL CLIENT:PORT > VIP:PORT [count N] [fragments]"

// ParseTrace reads what is to be traced. The ">" may be left out.
func ParseTrace(args []string) (r trace.Request, err error) {
	r.Count = usualMarked
	var rest []string
	if r.Flow, rest, err = parseTuple(args); err != nil {
		return r, err
	}
	for len(rest) > 0 {
		switch {
		case rest[0] == "fragments":
			r.Fragments, rest = true, rest[1:]
		case rest[0] == "count" && len(rest) > 1:
			n, err := strconv.Atoi(rest[1])
			if err != nil || n < 1 || n > maxMarked {
				return r, fmt.Errorf("count %q is not a number from 1 to %d", rest[1], maxMarked)
			}
			r.Count, rest = n, rest[2:]
		default:
			return r, fmt.Errorf("%q is not understood", rest[0])
		}
	}
	return r, trace.MayTrace(r.Flow)
}

// TraceTime is how long a trace goes on at most.
func TraceTime(r trace.Request) time.Duration {
	return time.Duration(r.Count)*trace.Interval + traceTime
}

// TraceText is what came of a trace, as the console writes it: for people, or as
// JSON.
func TraceText(r *trace.Result, asJSON bool) (string, error) {
	return render(newTraced(r), asJSON, time.Now())
}

// A traced is the answer to "trace".
type traced struct {
	Sent       int        `json:"sent"`
	Hops       []hop      `json:"hops"`       // by packet
	Unanswered []openEnds `json:"unanswered"` // packets whose end is not known
}

// A hop is what one node says that it did with a marked packet.
type hop struct {
	trace.Hop
	Piece string  `json:"piece"` // of a datagram in fragments: "first", "last"
	After Seconds `json:"after_seconds"`
}

// openEnds are those of a packet that nobody has said the end of.
type openEnds struct {
	Packet  int    `json:"packet"`
	Piece   string `json:"piece"`
	Node    string `json:"node"` // who has answered last; "": nobody
	Outcome string `json:"outcome"`
	Next    string `json:"next"`
}

func newTraced(r *trace.Result) *traced {
	a := &traced{Sent: r.Sent, Hops: []hop{}, Unanswered: []openEnds{}}
	for _, h := range r.Hops {
		a.Hops = append(a.Hops, hop{h, h.Piece.String(), Seconds(h.After)})
	}
	for _, o := range r.Open {
		e := openEnds{Packet: o.Packet, Piece: o.Piece.String()}
		if o.Last != nil {
			e.Node, e.Outcome, e.Next = o.Last.Node, o.Last.Outcome, o.Last.Next
		}
		a.Unanswered = append(a.Unanswered, e)
	}
	return a
}

func (a *traced) text(p *page) {
	p.line("%s marked packets sent", count(a.Sent))
	t := newTable(">PACKET", "NODE", ">CPU", ">AFTER", "OUTCOME", "VIP", "BACKEND", "WHY")
	for _, h := range a.Hops {
		t.row(packetName(h.Packet, h.Piece), h.Node, h.Core, h.After, h.Outcome, h.VIP, addr(h.Backend), h.Why)
	}
	p.table(t, "no node has answered")
	for _, o := range a.Unanswered {
		name := packetName(o.Packet, o.Piece)
		switch {
		case o.Node == "" && len(a.Hops) > 0:
			p.line("no node has answered for packet %s", name)
		case o.Next != "":
			p.line("%s has sent packet %s to %s, which has not answered", o.Node, name, o.Next)
		case o.Node != "":
			p.line("%s has packet %s still: %s", o.Node, name, o.Outcome)
		}
	}
}

// packetName names a packet of a trace.
func packetName(packet int, piece string) string {
	if piece == "" {
		return strconv.Itoa(packet)
	}
	return fmt.Sprintf("%d %s", packet, piece)
}

package console

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Limits of a capture and of a trace.
const (
	usualFrames, maxFrames   = 1000, 1_000_000
	usualSeconds, maxSeconds = 10, 3600
	usualMarked, maxMarked   = 3, 100
	traceTime                = 3 * time.Second
)

func capture() *command {
	return &command{
		name: "capture", args: "[FILTER] [before|after] [count N] [seconds N] FILE", changes: true, stops: true,
		short: "copies packets to a pcapng file, until one of the limits or Enter",
		long: fmt.Sprintf(`FILTER is as tcpdump's. before: packets as they are received (the default); after:
as they are sent, in their tunnels. At most %s packets (count, default %s) in
at most %d seconds (default %d). FILE is a path from / that ends in .pcapng, on the
node; it must not exist. What the cores have no time for is counted, not waited
for. It costs nothing while nobody captures.`, count(maxFrames), count(usualFrames), maxSeconds, usualSeconds),
		example: "capture tcp port 80 and host 198.51.100.7 count 100 /tmp/www.pcapng",
		complete: func(_ Node, done []string) []string {
			return []string{"before", "after", "count", "seconds"}
		},
		run: func(c *call) (answer, error) {
			request, err := parseCapture(c.args)
			if err != nil {
				return nil, capture().usage("%v", err)
			}
			got, err := c.node.Capture(c.ctx, request)
			if err != nil {
				return nil, err
			}
			return &captured{got}, nil
		},
	}
}

// parseCapture reads from the end: the file, then the options, in any order. What
// is left is the filter.
func parseCapture(args []string) (Capture, error) {
	r := Capture{Count: usualFrames, Seconds: usualSeconds}
	if len(args) == 0 {
		return r, fmt.Errorf("into which file?")
	}
	r.File, args = args[len(args)-1], args[:len(args)-1]
	if !filepath.IsAbs(r.File) || filepath.Clean(r.File) != r.File || filepath.Ext(r.File) != ".pcapng" {
		return r, fmt.Errorf("%q is no path from / of a .pcapng file", r.File)
	}
	for len(args) > 0 {
		last := args[len(args)-1]
		if last == "before" || last == "after" {
			r.After, args = last == "after", args[:len(args)-1]
			continue
		}
		if len(args) < 2 {
			break
		}
		limit, into := 0, (*int)(nil)
		switch args[len(args)-2] {
		case "count":
			limit, into = maxFrames, &r.Count
		case "seconds":
			limit, into = maxSeconds, &r.Seconds
		}
		if into == nil {
			break
		}
		n, err := strconv.Atoi(last)
		if err != nil || n < 1 || n > limit {
			return r, fmt.Errorf("%s %q is not a number from 1 to %d", args[len(args)-2], last, limit)
		}
		*into, args = n, args[:len(args)-2]
	}
	r.Filter = strings.Join(args, " ")
	return r, nil
}

type captured struct{ *Captured }

func (a *captured) text(p *page) {
	p.line("%s packets, %s, in %s", count(a.Frames), size(a.Bytes), a.File)
	if a.Missed > 0 {
		p.line("%s more were missed: there was no time to copy them", count(a.Missed))
	}
	p.line("ended by %s", a.Ended)
}

func trace() *command {
	return &command{
		name: "trace", args: "PROTOCOL CLIENT[:PORT] > VIP[:PORT] [count N]", changes: true, stops: true,
		short: "sends marked packets the way of a flow: each node answers with what it did",
		long: fmt.Sprintf(`The packets go to the VIP as the client's would, by the routers' choice of a node.
At most %d (count, default %d); answers are awaited for %v. No backend gets one.`, maxMarked, usualMarked, traceTime),
		example: "trace tcp 198.51.100.7:4711 > 203.0.113.10:80",
		complete: func(n Node, done []string) []string {
			switch len(done) {
			case 0:
				return []string{"tcp", "udp", "sctp"}
			case 2:
				return []string{">"}
			case 4:
				return []string{"count"}
			}
			return nil
		},
		run: func(c *call) (answer, error) {
			key, rest, err := parseTuple(c.args)
			if err != nil {
				return nil, trace().usage("%v", err)
			}
			request := Trace{Key: key, Count: usualMarked}
			if len(rest) == 2 && rest[0] == "count" {
				n, err := strconv.Atoi(rest[1])
				if err != nil || n < 1 || n > maxMarked {
					return nil, trace().usage("count %q is not a number from 1 to %d", rest[1], maxMarked)
				}
				request.Count, rest = n, nil
			}
			if len(rest) > 0 {
				return nil, trace().usage("%q is not understood", rest[0])
			}
			ctx, cancel := context.WithTimeout(c.ctx, traceTime)
			defer cancel()
			got, err := c.node.Trace(ctx, request)
			if err != nil {
				return nil, err
			}
			return &traced{got}, nil
		},
	}
}

type traced struct{ *Traced }

func (a *traced) text(p *page) {
	p.line("%s marked packets sent", count(a.Sent))
	t := newTable(">PACKET", "NODE", ">CPU", ">AFTER", "OUTCOME", "VIP", "BACKEND", "WHY")
	for _, h := range a.Hops {
		t.row(h.Packet, h.Node, h.Core, h.After, h.Outcome, h.VIP, addr(h.Backend), h.Why)
	}
	p.table(t, "no node has answered")
}

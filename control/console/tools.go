package console

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
)

// Limits of a capture.
const (
	usualFrames, maxFrames   = 1000, 1_000_000
	usualSeconds, maxSeconds = 10, 3600
)

func capture() *command {
	return &command{
		name: "capture", args: "[FILTER] [before|after] [count N] [seconds N] FILE", changes: true, stops: true,
		short: "copies packets to a pcapng file, until one of the limits or Enter",
		long: fmt.Sprintf(`FILTER is as tcpdump's, and finds packets in a VLAN and in tunnels as well. before:
packets as they are received (the default); after: as they are sent. At most
%s packets (count, default %s) in at most %d seconds (default %d), and 1 GiB.
FILE is a path from / that ends in .pcapng, on the node; it must not exist. What
the cores find no room for is counted, not waited for. It costs nothing while
nobody captures.`, count(maxFrames), count(usualFrames), maxSeconds, usualSeconds),
		example: "capture tcp port 80 and host 198.51.100.7 count 100 /var/lib/guideway/www.pcapng",
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

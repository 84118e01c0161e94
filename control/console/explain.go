package console

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"guideway/control/plan"
	"guideway/maglev/flow"
	"guideway/maglev/packet"
)

const explainArgs = "PROTOCOL CLIENT[:PORT] > VIP[:PORT] [syn] [size N] [fragment id N offset N]"

func explain() *command {
	return &command{
		name: "explain", args: explainArgs, watched: true,
		short: "what would become of a packet, and why, step by step",
		long: `PROTOCOL is tcp, udp, sctp, icmp, icmpv6 or a number; ports are for the first
three. syn: the packet opens a connection. size: its length from the IP header on,
in bytes, to see whether it fits. A fragment is asked for by the id of its datagram
and its offset in bytes; one with an offset has no ports.

The connection table of the flow's core is asked what it remembers.`,
		example: "explain tcp 198.51.100.7:4711 > 203.0.113.10:80",
		complete: func(n Node, done []string) []string {
			switch {
			case len(done) == 0:
				return []string{"tcp", "udp", "sctp", "icmp", "icmpv6"}
			case len(done) == 2:
				return []string{">"}
			case done[len(done)-1] == "fragment":
				return []string{"id"}
			case len(done) >= 4:
				return []string{"fragment", "id", "offset", "size", "syn"}
			}
			return nil
		},
		run: func(c *call) (answer, error) {
			q, err := parseQuestion(c.args)
			if err != nil {
				return nil, explain().usage("%v", err)
			}
			ctx, cancel := context.WithTimeout(c.ctx, answerTime)
			defer cancel()
			e, err := c.node.Explain(ctx, q)
			if err != nil {
				return nil, err
			}
			e.Packet, e.But = q.String(), c.astray(e.VIP)
			return &explained{e}, nil
		},
	}
}

var protocols = map[string]uint8{
	"tcp": packet.ProtoTCP, "udp": packet.ProtoUDP, "sctp": packet.ProtoSCTP, "icmp": packet.ProtoICMP, "icmpv6": packet.ProtoICMPv6,
}

// parseQuestion reads what explain is asked, by the grammar in its help.
func parseQuestion(args []string) (q plan.Question, err error) {
	key, rest, err := parseTuple(args)
	if err != nil {
		return q, err
	}
	q.Key = key
	for len(rest) > 0 {
		word := rest[0]
		rest = rest[1:]
		switch word {
		case "syn":
			q.Syn = true
			continue
		case "fragment":
			q.Fragment = true
			continue
		}
		limit, known := map[string]int{"size": 65535, "id": 1<<32 - 1, "offset": 65528}[word]
		if !known {
			return q, fmt.Errorf("%q is not understood", word)
		}
		if len(rest) == 0 {
			return q, fmt.Errorf("%s of what?", word)
		}
		n, err := strconv.ParseUint(rest[0], 0, 32)
		if err != nil || n > uint64(limit) {
			return q, fmt.Errorf("%s %q is not a number up to %d", word, rest[0], limit)
		}
		rest = rest[1:]
		switch word {
		case "size":
			q.Size = int(n)
		case "id":
			q.ID, q.Fragment = uint32(n), true
		case "offset":
			q.Offset, q.Fragment = int(n), true
		}
	}
	if q.Offset%8 != 0 {
		return q, fmt.Errorf("the offset %d is no multiple of 8", q.Offset)
	}
	if q.Offset > 0 {
		q.Key.Ports = 0
	}
	return q, nil
}

// parseTuple reads a flow, and returns what follows it. The ">" may be left out.
func parseTuple(args []string) (k flow.Key, rest []string, err error) {
	if len(args) < 3 {
		return k, nil, fmt.Errorf("a packet has a protocol, a sender and a destination")
	}
	proto, known := protocols[args[0]]
	if !known {
		n, err := strconv.ParseUint(args[0], 10, 8)
		if err != nil {
			return k, nil, fmt.Errorf("%q is no protocol: write tcp, udp, sctp, icmp, icmpv6 or its number", args[0])
		}
		proto = uint8(n)
	}
	src, err := parseEnd(args[1])
	if err != nil {
		return k, nil, err
	}
	rest = args[2:]
	if rest[0] == ">" || rest[0] == "->" || rest[0] == "to" {
		rest = rest[1:]
	}
	if len(rest) == 0 {
		return k, nil, fmt.Errorf("to which VIP?")
	}
	dst, err := parseEnd(strings.TrimPrefix(rest[0], ">"))
	if err != nil {
		return k, nil, err
	}
	rest = rest[1:]
	ported := proto == packet.ProtoTCP || proto == packet.ProtoUDP || proto == packet.ProtoSCTP
	switch {
	case src.Addr().Is4() != dst.Addr().Is4():
		return k, nil, fmt.Errorf("%v and %v are of two families", src.Addr(), dst.Addr())
	case !ported && src.Port()+dst.Port() != 0:
		return k, nil, fmt.Errorf("protocol %s has no ports", args[0])
	case ported && !strings.Contains(strings.Join(rest, " "), "offset") && (src.Port() == 0 || dst.Port() == 0):
		return k, nil, fmt.Errorf("a port is missing")
	}
	return flow.NewKey(proto, src, dst), rest, nil
}

// parseEnd reads an address with or without a port: "192.0.2.1", "192.0.2.1:80",
// "2001:db8::1", "[2001:db8::1]:80".
func parseEnd(s string) (netip.AddrPort, error) {
	if a, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil && a.Zone() == "" {
		return netip.AddrPortFrom(a.Unmap(), 0), nil
	}
	ap, err := netip.ParseAddrPort(s)
	if err != nil || ap.Addr().Zone() != "" {
		return ap, fmt.Errorf("%q is no address, with or without a port, as in 192.0.2.1:80 or [2001:db8::1]:80", s)
	}
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port()), nil
}

// astray says why no router sends packets for a VIP here; "" if one does, or
// nothing is known of routers.
func (c *call) astray(vip string) string {
	s, b := c.node.Status(), c.node.BGP()
	i := slices.IndexFunc(s.Plan.VIPs, func(v plan.VIP) bool { return v.Name == vip })
	if b.ASN == 0 || i < 0 {
		return ""
	}
	told, announced := routesOf(b)[vip]
	switch {
	case s.Unhealthy != "":
		return "every route is withdrawn, because " + s.Unhealthy
	case s.Draining:
		return "every route is withdrawn, because the node is drained (undrain node)"
	case !announced:
		return fmt.Sprintf("the VIP is %s, and its route not announced (show vips %s)", s.Plan.VIPs[i].Condition, vip)
	case told == 0:
		return "there is no session with one that takes the route (show bgp)"
	}
	return ""
}

type explained struct{ *Explanation }

func (a *explained) text(p *page) {
	p.line("%s: %s", a.Packet, a.Outcome)
	if a.But != "" {
		p.line("but no router sends it here: %s", a.But)
	}
	p.line("")
	a.Noted.text(p)
	core := ""
	if a.Core != nil {
		core = fmt.Sprint("CPU ", *a.Core)
	}
	entry := ""
	if a.Entry != nil {
		entry = fmt.Sprintf("%v, %s, idle for %s", a.Entry.Backend, a.Entry.State, span(asDuration(a.Entry.Idle)))
	}
	slot := ""
	if a.Slot >= 0 {
		slot = fmt.Sprintf("%d of %d", a.Slot, a.Slots)
	}
	p.pairs("vip", strings.TrimSpace(a.VIP+" "+a.Claim), "owner", addr(a.Owner), "core", core, "entry", entry, "slot", slot,
		"backend", strings.TrimSpace(addr(a.Backend)+" "+a.State))
	if a.VIP != "" || a.Owner.IsValid() {
		p.line("")
	}
	t := newTable("STEP", "FOUND", "WHY")
	for _, s := range a.Steps {
		t.row(s.Stage, s.Found, s.Why)
	}
	p.table(t, "nothing was looked at")
	if len(a.Ways) > 1 {
		p.line("")
		ways := newTable("WAY", "NEXT HOP", ">VLAN", "FROM", "TO", ">FITS", "TAKEN")
		for _, w := range a.Ways {
			taken := ""
			if w.Taken {
				taken = "this one"
			}
			ways.row(w.Port, w.NextHop, w.VLAN, w.Source, w.Dest, w.MaxInner, taken)
		}
		p.table(ways, "")
	}
}

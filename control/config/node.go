package config

import (
	"net/netip"
)

// Node is this machine.
type Node struct {
	Name string // of the machine, in logs and in the list of [fragments]

	// Source4 and Source6 are the outer source addresses of what is tunnelled
	// to IPv4 and to IPv6 backends. Each is valid if a VIP needs it.
	Source4, Source6 netip.Addr

	Shard string // only VIPs of this shard are served; "": all
}

// Source is the outer source address of packets to a backend.
func (n Node) Source(backend netip.Addr) netip.Addr {
	if backend.Is4() {
		return n.Source4
	}
	return n.Source6
}

func (n Node) serves(shard string) bool { return n.Shard == "" || n.Shard == shard }

type nodeDraft struct {
	Node
	sources  []located[netip.Addr]
	clean    bool // every source was understood
	sourceAt pos
	shardAt  pos
}

func readNode(s *section, hostname string) nodeDraft {
	n := nodeDraft{}
	n.Name = read(s, "name", hostname, label)
	if n.Name == "" && !s.r.learning {
		s.r.fault(s.at, "[node] is missing \"name\": this machine has no hostname to take its place")
	}
	n.sources, n.clean = list(s, "source", host)
	for _, src := range n.sources {
		slot := &n.Source4
		if src.v.Is6() {
			slot = &n.Source6
		}
		if slot.IsValid() {
			s.r.fault(src.at, "node.source: %s is the second %s address: at most one per family", src.v, family(src.v))
			continue
		}
		*slot = src.v
	}
	n.Shard = read(s, "shard", "", optional(label))
	n.sourceAt, n.shardAt = s.place("source"), s.place("shard")
	return n
}

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

	// SourcePool4 and SourcePool6 are more of them, in whose place flows are
	// spread over these: sorted, each once, at most MaxSources. Where one is
	// not empty, the Source of its family is valid.
	SourcePool4, SourcePool6 []netip.Addr

	Shard string // only VIPs of this shard are served; "": all
}

// MaxSources is how many addresses a source pool has at most, in each family.
const MaxSources = 64

// Source is this node's own address of dst's family: what it sends from in its
// own name, and to backends where there is no pool.
func (n Node) Source(dst netip.Addr) netip.Addr {
	if dst.Is4() {
		return n.Source4
	}
	return n.Source6
}

// Sources are the outer source addresses of packets to dst, a backend: the pool
// of its family, or where there is none the one Source, or nothing. The slice
// is for reading.
func (n Node) Sources(dst netip.Addr) []netip.Addr {
	pool := n.SourcePool6
	if dst.Is4() {
		pool = n.SourcePool4
	}
	if len(pool) > 0 {
		return pool
	}
	if src := n.Source(dst); src.IsValid() {
		return []netip.Addr{src}
	}
	return nil
}

func (n Node) serves(shard string) bool { return n.Shard == "" || n.Shard == shard }

type nodeDraft struct {
	Node
	sources  []located[netip.Addr]
	pool     []located[netip.Prefix] // what was understood of source_pool
	clean    bool                    // every source was understood
	named    bool                    // the name was understood
	sourceAt pos
	shardAt  pos
}

func readNode(s *section, hostname string) nodeDraft {
	n := nodeDraft{}
	before := len(s.r.faults)
	n.Name = read(s, "name", hostname, label)
	if n.Name == "" && !s.r.learning {
		s.r.fault(s.at, "[node] is missing \"name\": this machine has no hostname to take its place")
	}
	n.named = len(s.r.faults) == before
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
	n.readPool(s)
	n.Shard = read(s, "shard", "", optional(label))
	n.sourceAt, n.shardAt = s.place("source"), s.place("shard")
	return n
}

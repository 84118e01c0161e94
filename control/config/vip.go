package config

import (
	"fmt"
	"net/netip"
)

// VIP is one service address and what is behind it.
//
// A packet belongs to the VIP with the longest Prefix that holds its
// destination; among those of one prefix, to the one that names its protocol
// before one for any, and to the one that names its port before one for any.
type VIP struct {
	Name        string
	Prefix      netip.Prefix // masked; of full length for a single address
	Protocol    Protocol
	Ports       []PortRange // sorted, not overlapping; nil: any
	Pools       []string    // [Config.Backends] resolves them; not empty
	TableSize   int         // of the lookup table, prime
	Hash        Hash
	Fragments   bool   // fragments are forwarded, not dropped
	TooBig      TooBig // of packets that may be fragmented; the others are answered
	MSS         uint16 // of TCP SYNs, at most, in bytes; 0: as they come
	ICMPEcho    Echo
	Shard       string
	MinHealthy  MinHealthy
	WhenDown    WhenDown
	Communities []Community
}

// Protocol is a protocol number of IP (the IANA registry); ProtocolAny stands
// for all of them, in the place of the hop-by-hop option, which no flow has.
type Protocol uint8

const (
	ProtocolAny  Protocol = 0
	ProtocolTCP  Protocol = 6
	ProtocolUDP  Protocol = 17
	ProtocolSCTP Protocol = 132
)

var (
	protocolNames  = []string{"tcp", "udp", "sctp", "any"}
	protocolsNamed = []Protocol{ProtocolTCP, ProtocolUDP, ProtocolSCTP, ProtocolAny}
)

func (p Protocol) String() string {
	for i, q := range protocolsNamed {
		if p == q {
			return protocolNames[i]
		}
	}
	return "unknown"
}

func protocol(v *value) (Protocol, error) {
	i, err := oneOf[uint8](protocolNames)(v)
	return protocolsNamed[i], err
}

// Hash is what of a packet decides its backend.
type Hash uint8

const (
	HashFiveTuple  Hash = iota // addresses, ports, protocol
	HashThreeTuple             // addresses and protocol: all ports of a client together
	HashSource                 // source address: all that a client does, on one backend
)

var hashNames = []string{"5-tuple", "3-tuple", "source"}

func (h Hash) String() string { return hashNames[h] }

// Echo is what becomes of an ICMP echo request to the VIP.
type Echo uint8

const (
	EchoAnswer Echo = iota
	EchoForward
	EchoDrop
)

var echoNames = []string{"answer", "forward", "drop"}

func (e Echo) String() string { return echoNames[e] }

// TooBig is what becomes of an IPv4 packet that does not fit its tunnel and has
// DF clear. With DF, and of IPv6, the sender is told by ICMP.
type TooBig uint8

const (
	TooBigFragment TooBig = iota // it goes in pieces, each in a tunnel of its own
	TooBigDrop
)

var tooBigNames = []string{"fragment", "drop"}

func (t TooBig) String() string { return tooBigNames[t] }

// Bounds of VIP.MSS: below minMSS a sender's packets are mostly headers, and
// some systems refuse it; above maxMSS no port takes the packet.
const (
	minMSS = 216
	maxMSS = maxMTU - 40
)

// mss accepts 0 for none.
func mss(v *value) (uint16, error) {
	if v.kind == kindInteger && v.text == "0" {
		return 0, nil
	}
	n, err := number[uint16](minMSS, maxMSS)(v)
	if err != nil {
		return 0, fmt.Errorf("%w, or 0 to leave it as it comes", err)
	}
	return n, nil
}

// WhenDown is what becomes of a VIP with fewer than MinHealthy backends.
type WhenDown uint8

const (
	DownWithdraw    WhenDown = iota // its route is withdrawn
	DownFailOpen                    // all its backends count as healthy
	DownUnreachable                 // its clients are answered "unreachable"
)

var whenDownNames = []string{"withdraw", "fail-open", "unreachable"}

func (w WhenDown) String() string { return whenDownNames[w] }

type vipDraft struct {
	VIP
	at, nameAt, addressAt, portsAt, tableAt, minHealthyAt, echoAt pos
	fragmentsAt, mssAt                                            pos
	tooBigAt                                                      pos // zero when it is not set
	ports                                                         []located[PortRange]
	pools                                                         []located[string]
	poolsClean                                                    bool
}

func readVIP(s *section) vipDraft {
	v := vipDraft{at: s.at}
	v.Name = must(s, "name", "metrics and the console call the VIP by it", label)
	v.Prefix = must(s, "address", "an IP address or a prefix", target)
	v.Protocol = read(s, "protocol", ProtocolTCP, protocol)
	v.readPorts(s)
	v.readPools(s)
	v.TableSize = read(s, "table_size", defaultTable, prime)
	v.Hash = read(s, "hash", HashFiveTuple, oneOf[Hash](hashNames))
	read(s, "encap", 0, oneOf[uint8]([]string{"gre"}))
	v.Fragments = read(s, "fragments", false, boolean)
	v.TooBig = read(s, "too_big", TooBigFragment, oneOf[TooBig](tooBigNames))
	v.MSS = read(s, "mss", 0, mss)
	v.ICMPEcho = read(s, "icmp_echo", EchoAnswer, oneOf[Echo](echoNames))
	v.Shard = read(s, "shard", "", optional(label))
	v.MinHealthy = read(s, "min_healthy", MinHealthy{N: 1}, minHealthy)
	v.WhenDown = read(s, "when_down", DownWithdraw, oneOf[WhenDown](whenDownNames))
	communities, _ := list(s, "communities", community)
	v.Communities = plain(communities)

	v.nameAt, v.addressAt, v.portsAt = s.place("name"), s.place("address"), s.place("ports")
	v.tableAt, v.minHealthyAt = s.place("table_size"), s.place("min_healthy")
	v.fragmentsAt, v.mssAt = s.place("fragments"), s.place("mss")
	if s.has("too_big") {
		v.tooBigAt = s.place("too_big")
	}
	if v.echoAt = s.place("icmp_echo"); !s.has("icmp_echo") {
		v.echoAt = v.nameAt
	}
	if !s.has("table_size") {
		v.tableAt = v.nameAt
	}
	if !s.has("ports") {
		v.portsAt = v.addressAt
	}
	return v
}

func (v *vipDraft) readPools(s *section) {
	if !s.has("pools") && !s.r.learning {
		s.r.fault(s.at, "[[vip]] is missing \"pools\": the names of one or more [[pool]]")
	}
	v.pools, v.poolsClean = list(s, "pools", label)
	v.poolsClean = v.poolsClean && s.has("pools")
	if len(v.pools) == 0 && v.poolsClean {
		s.fault(s.place("pools"), "pools", "the list is empty: name one or more [[pool]]")
		v.poolsClean = false
	}
	seen := map[string]pos{}
	for _, p := range v.pools {
		unique(&s.r.report, seen, p.v, p.at, "vip.pools: %q")
	}
	v.Pools = plain(v.pools)
}

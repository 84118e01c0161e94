package plan

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math/bits"
	"net/netip"
	"slices"
	"strings"

	"guideway/control/config"
	"guideway/maglev/fib"
	"guideway/maglev/flow"
	"guideway/maglev/packet"
)

// A Question is about a packet that may come.
type Question struct {
	Key  flow.Key // a later fragment (Offset > 0) has no ports
	Syn  bool     // TCP: it opens a connection
	Size int      // from the IP header on, in bytes; 0: not said

	Fragment bool
	ID       uint32 // of its datagram
	Offset   int    // in bytes

	// What only the process knows that the packet would come to. Without it,
	// Entry is zero and Hashed false.
	Entry  fib.Value // what the connection table of the flow's core has of it
	Hashed bool
	Hash   uint64 // of WayKey, under the process's secret seed: picks among ways
}

// WayKey is what picks among the ways to one place, and the core that the pieces
// of a datagram meet on: the flow, or of a fragment the datagram, as
// fragments.Piece has it.
func (q Question) WayKey() flow.Key {
	k := q.Key
	if q.Fragment {
		if k.Ports = q.ID; k.IPv6 {
			k.Proto = 0
		}
	}
	return k
}

// String is the question as the console takes it.
func (q Question) String() string {
	text := q.Key.String()
	if protocol, _, _ := strings.Cut(text, " "); q.Key.Ports == 0 {
		text = fmt.Sprintf("%s %v > %v", protocol, q.Key.Src(), q.Key.Dst())
	}
	if q.Syn {
		text += " syn"
	}
	if q.Size > 0 {
		text += fmt.Sprint(" size ", q.Size)
	}
	if q.Fragment {
		text += fmt.Sprintf(" fragment id %d offset %d", q.ID, q.Offset)
	}
	return text
}

// An Explanation is what would become of a packet, and why.
type Explanation struct {
	Outcome string     `json:"outcome"` // a verdict, as metrics name it
	VIP     string     `json:"vip"`     // "": none
	Claim   string     `json:"claim"`   // address, protocol and ports of the VIP
	Owner   netip.Addr `json:"owner"`   // node that owns a fragment's datagram; not valid: this one, or no fragment
	Slot    int        `json:"slot"`    // of the VIP's table, from 0; -1: the table was not asked
	Slots   int        `json:"slots"`
	Backend netip.Addr `json:"backend"` // not valid: none
	State   string     `json:"state"`   // the backend's
	Ways    []Way      `json:"ways"`    // to where it goes
	Steps   []Step     `json:"steps"`   // in the order in which a core takes them
}

// A Step is one thing that was looked at.
type Step struct {
	Stage string `json:"stage"` // one word
	Found string `json:"found"`
	Why   string `json:"why"` // "" where nothing needs a reason
}

// A Way is one tunnel that the packet may take.
type Way struct {
	Port     string     `json:"port"`
	NextHop  string     `json:"next_hop"` // MAC address
	VLAN     int        `json:"vlan"`     // 0: untagged
	Source   netip.Addr `json:"source"`   // of the outer header
	Dest     netip.Addr `json:"destination"`
	MaxInner int        `json:"max_inner"` // longest packet that fits, in bytes
	Taken    bool       `json:"taken"`     // this one, as far as the flow's hash is known
}

// Explain goes the way of a packet through the plan as a core does, in
// lcore/parse.go, fragment.go, track.go and encap.go, and writes down each
// decision. c is the configuration that the plan was made for.
func (p *Plan) Explain(c *config.Config, q Question) *Explanation {
	e := &explainer{plan: p, config: c, q: q, Explanation: &Explanation{Slot: -1, Ways: []Way{}, Steps: []Step{}}}
	e.Outcome = e.classify()
	return e.Explanation
}

type explainer struct {
	plan   *Plan
	config *config.Config
	q      Question
	*Explanation
}

func (e *explainer) step(stage, found, why string, args ...any) {
	e.Steps = append(e.Steps, Step{stage, found, fmt.Sprintf(why, args...)})
}

// classify finds what kind of packet it is, as Worker.classify.
func (e *explainer) classify() string {
	k, s := &e.q.Key, e.plan.Snapshot
	if !s.Serves(k) {
		e.step("vip", "none", "no VIP has the address %v", k.Dst())
		return e.notOurs()
	}
	switch {
	case e.q.Fragment:
		return e.fragment()
	case k.Proto == packet.ProtoICMP || k.Proto == packet.ProtoICMPv6:
		return e.echo()
	case k.Proto == packet.ProtoGRE || k.Proto == packet.ProtoIPIP || k.Proto == packet.ProtoIPv6:
		e.step("vip", e.candidates(), "a tunnel to a VIP would go round in circles")
		return "tunnelled"
	}
	if verdict := e.match(); verdict != "" {
		return verdict
	}
	return e.track()
}

// notOurs ends the way of what is for no VIP.
func (e *explainer) notOurs() string {
	for _, p := range e.config.Ports {
		if p.Kernel != "" {
			e.step("kernel", p.Kernel, "what is for no VIP goes to the kernel, by the interface of the port that it came by")
			return "to_kernel"
		}
	}
	e.step("kernel", "none", "no port has a kernel interface: what is for no VIP is dropped")
	return "not_vip"
}

// candidates names the VIPs that have the address.
func (e *explainer) candidates() string {
	var list []string
	for _, v := range e.around() {
		list = append(list, v.Name)
	}
	return strings.Join(list, ", ")
}

// nearest names those of the longest prefix, which have icmp_echo in common.
func (e *explainer) nearest() string {
	var list []string
	for _, v := range e.around() {
		if v.Prefix == e.around()[0].Prefix {
			list = append(list, v.Name)
		}
	}
	return strings.Join(list, ", ")
}

// around lists the VIPs whose prefix has the destination, the longest first.
func (e *explainer) around() []config.VIP {
	var all []config.VIP
	dst := e.q.Key.Dst()
	for _, v := range e.config.VIPs {
		if v.Prefix.Contains(dst) {
			all = append(all, v)
		}
	}
	slices.SortFunc(all, func(a, b config.VIP) int {
		return cmp.Or(cmp.Compare(b.Prefix.Bits(), a.Prefix.Bits()), cmp.Compare(a.Name, b.Name))
	})
	return all
}

// match finds the VIP, and why none that is as near took the packet.
func (e *explainer) match() (verdict string) {
	k := &e.q.Key
	id := e.plan.Snapshot.Lookup(k)
	if id < 0 {
		for _, v := range e.around() {
			e.step("vip", "not "+v.Name, "it takes %s", Claim(v))
		}
		if e.config.ICMP.ClosedPort == config.ClosedPortDrop {
			e.step("refuse", "dropped", "no VIP of this address has the protocol and port, and [icmp].closed_port is \"drop\"")
			return "no_service"
		}
		e.step("refuse", "port unreachable", "no VIP of this address has the protocol and port: the sender is told, as far as [icmp].rate allows")
		return "port_refused"
	}
	v := e.vip(uint16(id))
	for _, other := range e.around() {
		if other.Name == v.Name {
			break
		}
		if other.Prefix.Bits() > vipOf(e.config, v.Name).Prefix.Bits() {
			e.step("vip", "not "+other.Name, "its address is nearer, but it takes %s", Claim(other))
		}
	}
	e.VIP, e.Claim = v.Name, Claim(vipOf(e.config, v.Name))
	e.step("vip", v.Name, "it takes %s; it is %s, with %d of %d backends healthy, %d needed", e.Claim, v.Condition, v.Healthy, v.Wanted, v.Needed)
	return ""
}

// vip finds the plan's VIP by the id that the cores know it by.
func (e *explainer) vip(service uint16) *VIP {
	i := slices.IndexFunc(e.plan.VIPs, func(v VIP) bool { return v.Service == service })
	return &e.plan.VIPs[i] // every service of a snapshot is a VIP of its plan
}

// echo is for ICMP, which is taken for an echo request: errors follow the flow
// that they are about, which can be asked for itself.
func (e *explainer) echo() string {
	mode, service := e.plan.Snapshot.Echo(&e.q.Key)
	e.step("icmp", "echo request", "an ICMP error would follow the flow that it quotes: ask for that flow")
	switch mode {
	case fib.EchoAnswer:
		e.step("echo", "answered", "icmp_echo of %s is \"answer\": the node answers itself", e.nearest())
		return "echo_answered"
	case fib.EchoDrop:
		e.step("echo", "dropped", "icmp_echo of %s is \"drop\"", e.nearest())
		return "icmp_dropped"
	}
	v := e.vip(service)
	e.VIP, e.Claim = v.Name, Claim(vipOf(e.config, v.Name))
	e.step("echo", "forwarded", "icmp_echo of %s is \"forward\"", v.Name)
	return e.track()
}

// fragment finds the node that a piece of a datagram belongs to.
func (e *explainer) fragment() string {
	k, s := &e.q.Key, e.plan.Snapshot
	if !s.Fragments(k) {
		e.step("fragment", "dropped", "fragments = false in %s", e.candidates())
		return "fragment_dropped"
	}
	node, self := e.plan.Owners.Owner(k)
	switch nodes := e.plan.Owners.Nodes(); {
	case len(nodes) == 0:
		e.step("owner", "this node", "[fragments].nodes is empty: it is on its own")
	case self:
		e.step("owner", "this node", "the addresses and the protocol of the datagram choose among %d nodes", len(nodes))
	default:
		e.Owner = nodes[node]
		e.step("owner", nodes[node].String(), "the addresses and the protocol of the datagram choose among %d nodes: it is sent on, marked, and decided there", len(nodes))
		return e.send(s.Node(node, k.IPv6), "redirected")
	}
	if e.q.Offset > 0 {
		e.step("table", "as the first fragment", "only the first fragment has ports: this one goes where that went, or waits for it up to [fragments].timeout (%v)", e.config.Fragments.Timeout)
		return "forwarded"
	}
	if verdict := e.match(); verdict != "" {
		return verdict
	}
	if !vipOf(e.config, e.VIP).Fragments {
		e.step("fragment", "dropped", "fragments = false in %s", e.VIP)
		return "fragment_dropped"
	}
	return e.track()
}

// track finds the backend, as Worker.endpoint.
func (e *explainer) track() string {
	s, v := e.plan.Snapshot, e.vip(e.service())
	if e.q.Entry != 0 {
		b := v.backend(e.q.Entry)
		switch at, valid := s.Endpoint(e.q.Entry, v.Service); {
		case !valid || b == nil:
			e.step("entry", "void", "the connection table remembers a backend that the VIP does not have any more: it is selected anew")
		case at.State == fib.Serving || at.State == fib.Draining && !e.q.Syn:
			e.step("entry", b.Address.String(), "the connection table remembers it, and the backend is %s", b.why())
			return e.deliver(b, at)
		case at.State == fib.Draining:
			e.step("entry", "passed over", "the connection table remembers %v, which is %s, and the packet opens a new connection", b.Address, b.why())
		default:
			e.step("entry", "passed over", "the connection table remembers %v, which is %s: it is selected anew", b.Address, b.why())
		}
	} else {
		e.step("entry", "none", "the connection table has no entry of the flow: the lookup table decides")
	}
	if v.Table == nil {
		e.step("table", "none", "no backend of %s takes new flows%s", v.Name, v.reasons())
		if v.Condition == Unreachable {
			return "vip_unreachable"
		}
		return "no_backend"
	}
	mode := modes[vipOf(e.config, v.Name).Hash]
	slot, _ := bits.Mul64(e.q.Key.Select(mode), uint64(v.slots()))
	member := v.Table.Members()[v.Table.Slots()[slot]]
	e.Slot, e.Slots = int(slot), v.slots()
	e.step("table", fmt.Sprintf("slot %d of %d: %v", slot, v.slots(), member.Addr), "the hash of the %s chooses the slot; the table's digest is %016x",
		vipOf(e.config, v.Name).Hash, v.Table.Digest())
	i := slices.IndexFunc(v.Backends, func(b Backend) bool { return b.Address == member.Addr })
	at, _ := s.EndpointOf(v.Backends[i].Endpoint)
	return e.deliver(&v.Backends[i], at)
}

// service is the id of the VIP that was found.
func (e *explainer) service() uint16 {
	v, _ := e.plan.find(e.VIP)
	return v.Service
}

// deliver sends to a backend.
func (e *explainer) deliver(b *Backend, at *fib.Endpoint) string {
	e.Backend, e.State = b.Address, StateName(b.State)
	e.step("backend", fmt.Sprintf("%v %s", b.Address, e.State), "%s", b.why())
	return e.send(at.Path, "forwarded")
}

// send looks at the tunnels, as encap does.
func (e *explainer) send(path fib.Path, outcome string) string {
	if path.Ways == 0 {
		e.step("way", "none", "no next hop is known: see show kernel")
		return "no_next_hop"
	}
	for i := range uint32(path.Ways) {
		e.Ways = append(e.Ways, e.way(path.Tunnel+i))
	}
	way := &e.Ways[0]
	switch {
	case path.Ways == 1:
		way.Taken = true
		e.step("way", way.String(), "the only one")
	case e.q.Hashed:
		way = &e.Ways[path.Way(e.q.Hash)-path.Tunnel]
		way.Taken = true
		e.step("way", way.String(), "the flow's hash chooses among %d ways", path.Ways)
	default:
		e.step("way", fmt.Sprintf("one of %d", path.Ways), "a hash with a secret seed chooses, which is not known here")
	}
	return e.fit(way, outcome)
}

// fit looks at sizes.
func (e *explainer) fit(w *Way, outcome string) string {
	switch {
	case e.q.Size == 0:
		e.step("mtu", fmt.Sprintf("up to %d bytes", w.MaxInner), "longer packets do not fit the MTU of %s with the tunnel's header", w.Port)
	case e.q.Size <= w.MaxInner:
		e.step("mtu", fmt.Sprintf("%d of %d bytes", e.q.Size, w.MaxInner), "it fits")
	case e.q.Key.IPv6:
		e.step("mtu", fmt.Sprintf("%d of %d bytes", e.q.Size, w.MaxInner), "too big: the sender is told by ICMPv6 packet too big")
		return "too_big_answered"
	case e.VIP != "" && vipOf(e.config, e.VIP).TooBig == config.TooBigFragment:
		e.step("mtu", fmt.Sprintf("%d of %d bytes", e.q.Size, w.MaxInner), "too big: with Don't Fragment the sender is told by ICMP; without, it goes in fragments")
	default:
		e.step("mtu", fmt.Sprintf("%d of %d bytes", e.q.Size, w.MaxInner), "too big: with Don't Fragment the sender is told by ICMP; without, too_big says that it is dropped")
		return "too_big"
	}
	return outcome
}

// way reads a tunnel's prepared header.
func (e *explainer) way(index uint32) Way {
	t := e.plan.Snapshot.Tunnel(index)
	var b [fib.TunnelBlock]byte
	t.Write(&b, 0, 0, 0)
	h := b[fib.TunnelBlock-int(t.Len):]
	w := Way{Port: e.config.Ports[t.Port].Name, MaxInner: int(t.MaxInner), NextHop: macText(h[:6])}
	h = h[2*6:]
	if binary.BigEndian.Uint16(h) == packet.EtherTypeVLAN {
		w.VLAN = int(binary.BigEndian.Uint16(h[2:]) & 0xfff)
		h = h[packet.VLANLen:]
	}
	if h = h[2:]; h[0]>>4 == 6 {
		w.Source, w.Dest = netip.AddrFrom16([16]byte(h[packet.IPv6Src:])), netip.AddrFrom16([16]byte(h[packet.IPv6Dst:]))
	} else {
		w.Source, w.Dest = netip.AddrFrom4([4]byte(h[packet.IPv4Src:])), netip.AddrFrom4([4]byte(h[packet.IPv4Dst:]))
	}
	return w
}

func macText(b []byte) string {
	return fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3], b[4], b[5])
}

// String is the way in a few words.
func (w *Way) String() string {
	vlan := ""
	if w.VLAN != 0 {
		vlan = fmt.Sprintf(" VLAN %d", w.VLAN)
	}
	return fmt.Sprintf("%s%s via %s, GRE %v > %v", w.Port, vlan, w.NextHop, w.Source, w.Dest)
}

// backend finds the backend that a value names.
func (v *VIP) backend(value fib.Value) *Backend {
	i := slices.IndexFunc(v.Backends, func(b Backend) bool { return b.Endpoint == value })
	if i < 0 {
		return nil
	}
	return &v.Backends[i]
}

// why says what a backend takes, and on whose word.
func (b *Backend) why() string {
	state := StateName(b.State)
	switch {
	case b.State == fib.Serving && b.Health != Up:
		return state + ": too few backends are healthy, and the VIP fails open"
	case b.State == fib.Serving && len(b.Checks) == 0:
		return state + ": it has no check, and counts as healthy"
	case b.State == fib.Serving && b.Trusted:
		return state + ": as before, until a new check has a verdict"
	case b.State == fib.Serving:
		return state + ": it passes its checks"
	case b.Override != NoOverride:
		return state + ": an operator has it " + b.Override.String()
	case b.Health == Down:
		return state + ": it fails its checks"
	case b.Want == config.StateDrain:
		return state + ": the file says so"
	case b.Health == Unknown:
		return state + ": its checks have no verdict yet"
	}
	return state
}

// reasons lists why backends do not serve, up to three.
func (v *VIP) reasons() string {
	text := ""
	for i := range v.Backends {
		if i == 3 {
			return text + fmt.Sprintf("; and %d more", len(v.Backends)-i)
		}
		text += fmt.Sprintf("; %v is %s", v.Backends[i].Address, v.Backends[i].why())
	}
	return text
}

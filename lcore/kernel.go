package lcore

import (
	"encoding/binary"

	"guideway/maglev/flow"
	"guideway/maglev/packet"
	"guideway/pmd"
)

// What a port's kernel interface gets is policed by class, so that none pushes
// out another: a flood of what nobody wants leaves neighbours and routing
// sessions alone.
type class uint8

const (
	neighbours class = iota // ARP, neighbour discovery: who has which link address
	routing                 // BGP, BFD, OSPF, VRRP; and what other nodes of the fleet say
	rest                    // all else
	classes
)

// Ports and protocols of the class routing.
const (
	portBGP         = 179  // RFC 4271
	portBFD         = 3784 // RFC 5881; 3785 is echo
	portBFDMultihop = 4784 // RFC 5883
	protoOSPF       = 89   // RFC 2328
	protoVRRP       = 112  // RFC 9568
)

// ascend sends a frame that is for no VIP up to the kernel, if the port has an
// interface there and the frame is of the port's VLAN; otherwise v is its
// verdict. The kernel is to be found by one core only.
func (w *Worker) ascend(f *pmd.Frame, port uint8, v Verdict, h *packet.Headers) Verdict {
	p := &w.ports[port]
	if p.KernelRate == 0 || f.Segments() != 1 {
		return v
	}
	b := f.Bytes()
	c := classOf(b, v, h)
	if c == rest && v == NotVIP {
		var k flow.Key
		if k.Read(b, h); w.owners.Others(&k) {
			c = routing // nodes probe each other: a flood of junk must not look like their death
		}
	}
	tagged := binary.BigEndian.Uint16(b[12:]) == packet.EtherTypeVLAN && len(b) >= packet.EthernetLen+packet.VLANLen
	vlan := uint16(0)
	if tagged { // with 0: a priority, and otherwise untagged (IEEE 802.1Q, 9.6)
		vlan = binary.BigEndian.Uint16(b[14:]) & 0xfff
	}
	if vlan != p.VLAN {
		return ForeignVLAN
	}
	if !w.upLimits[port][c].pass(w.now) {
		return KernelLimited
	}
	if tagged { // the interface is in the VLAN itself
		copy(b[packet.VLANLen:], b[:12])
		f.Shrink(packet.VLANLen)
	}
	if p.Kernel != nil {
		w.raise(f, port)
		return gone
	}
	return w.hand(w.kernelCore, f, passage{port: port, marks: upward})
}

// classOf tells the class of a frame that ends by v unless the kernel takes it.
// h counts where v is NotVIP.
func classOf(b []byte, v Verdict, h *packet.Headers) class {
	if v != NotVIP {
		l3 := 12
		if binary.BigEndian.Uint16(b[l3:]) == packet.EtherTypeVLAN {
			l3 += packet.VLANLen
		}
		if len(b) < l3+2 {
			return rest
		}
		switch binary.BigEndian.Uint16(b[l3:]) {
		case packet.EtherTypeARP:
			return neighbours
		case packet.EtherTypeIPv6:
			if ip := b[l3+2:]; len(ip) > packet.IPv6Len && ip[6] == packet.ProtoICMPv6 && discovery(ip[packet.IPv6Len]) {
				return neighbours
			}
		case packet.EtherTypeIPv4:
			if at := l3 + 2 + 9; len(b) > at && (b[at] == protoOSPF || b[at] == protoVRRP) {
				return routing
			}
		}
		return rest
	}
	switch h.Proto {
	case packet.ProtoICMPv6:
		if h.L4 < h.End && discovery(b[h.L4]) {
			return neighbours
		}
	case protoOSPF, protoVRRP:
		return routing
	case packet.ProtoTCP, packet.ProtoUDP:
		if !h.Ports {
			return rest
		}
		src, dst := binary.BigEndian.Uint16(b[h.L4:]), binary.BigEndian.Uint16(b[h.L4+2:])
		if h.Proto == packet.ProtoTCP && (src == portBGP || dst == portBGP) ||
			h.Proto == packet.ProtoUDP && (dst == portBFD || dst == portBFD+1 || dst == portBFDMultihop) {
			return routing
		}
	}
	return rest
}

// discovery tells whether an ICMPv6 type is of neighbour discovery: router and
// neighbour solicitations and advertisements, redirects (RFC 4861, 4).
func discovery(kind uint8) bool { return 133 <= kind && kind <= 137 }

// raise puts a frame among those for a port's kernel interface.
func (w *Worker) raise(f *pmd.Frame, port uint8) {
	up := &w.up[port]
	if up.N == pmd.MaxBurst {
		w.lift(int(port))
	}
	if w.trace.n != 0 {
		w.trace.leaves(f, ToKernel, up, up.N)
	}
	up.Add(f)
}

// lift hands the kernel what is for it.
func (w *Worker) lift(port int) {
	up := &w.up[port]
	if up.N == 0 {
		return
	}
	offered := up.N
	sent := w.ports[port].Kernel.Tx(up)
	w.counters.verdicts[ToKernel] += uint64(sent)
	w.counters.verdicts[KernelFull] += uint64(offered - sent)
	if w.trace.n != 0 {
		w.trace.left(up, sent, KernelFull)
	}
}

// The kernel's interfaces are asked for frames each descendPeriod, for as many
// as descendBurst: no more than 320,000 a second, a share of the loop that leaves
// most of it to the port, whatever the kernel sends. To ask a TAP in vain costs
// more than half a microsecond, too much for every turn.
const (
	descendPeriod = 100_000 // nanoseconds
	descendBurst  = 32
)

// descend sends out what the kernel has for the ports.
func (w *Worker) descend() int {
	if w.kernelCore != w.index || w.now-w.descended < descendPeriod {
		return 0
	}
	w.descended = w.now
	total := 0
	for port := range w.ports {
		p := &w.ports[port]
		if p.Kernel == nil {
			continue
		}
		p.Kernel.Rx(&w.down, descendBurst)
		if w.down.N == 0 {
			continue
		}
		total += w.down.N
		w.counters.received += uint64(w.down.N)
		for _, f := range w.down.Frames[:w.down.N] {
			w.counters.receivedBytes += uint64(f.Len())
			if v := w.tag(f, p.VLAN); v != Unset {
				w.drop(f, v)
				continue
			}
			w.emit(port, f, FromKernel)
		}
		w.down.N = 0
		w.transmit()
	}
	return total
}

// tag puts a frame from the kernel into the port's VLAN.
func (w *Worker) tag(f *pmd.Frame, vlan uint16) Verdict {
	if f.Len() < packet.EthernetLen {
		return TruncatedFrame
	}
	if vlan == 0 {
		return Unset
	}
	if !f.Grow(packet.VLANLen) {
		return NoHeadroom
	}
	b := f.Bytes()
	copy(b, b[packet.VLANLen:packet.VLANLen+12])
	binary.BigEndian.PutUint16(b[12:], packet.EtherTypeVLAN)
	binary.BigEndian.PutUint16(b[14:], vlan)
	return Unset
}

package packet_test

import (
	"fmt"

	"guideway/maglev/packet"
	"guideway/pmd"
)

// received is a frame with an IPv4 packet of 1500 bytes, as a port delivers it:
// behind headroom, in a buffer of its own.
func received() (*pmd.Frame, packet.Headers) {
	const headroom, l3, total = 128, packet.EthernetLen, 1500
	f, h := new(pmd.Frame), packet.Headers{}
	f.Init(make([]byte, 2048), headroom, l3+total)
	b := f.Bytes()
	packet.PutEthernet(b, [6]byte{2, 5: 1}, [6]byte{2, 5: 2}, 0, packet.EtherTypeIPv4)
	packet.PutIPv4(b[l3:], 64, packet.ProtoUDP, 0xc6336407, 0xcb00710a)
	b[l3+6] = 0 // may be fragmented
	packet.SetIPv4(b[l3:], 0, total, packet.IPv4Rest(b[l3:]))
	packet.Parse(b, 0, &h)
	return f, h
}

// The frame of the packet becomes the frame of the error, which begins in its
// headroom.
func ExamplePutICMPError() {
	f, h := received()
	if !packet.MayAnswer(f.Bytes(), &h) {
		return
	}
	at, n := packet.ICMPErrorBounds(&h)
	if !packet.PutICMPError(f.Window(at, n), &h, packet.ICMPErrorSpec{Reason: packet.TooBig, MTU: 1476}) {
		return // the headroom is too small
	}
	f.Recut(at, n)

	packet.Parse(f.Bytes(), 0, &h)
	fmt.Println(f.Len(), packet.ICMPError(f.Bytes(), &h))
	// Output: 590 true
}

// All pieces but the first go into frames of their own; the first stays where
// it is.
func ExampleFragmentIPv4() {
	f, h := received()
	ip := f.Bytes()[h.L3:h.End]
	plan, ok := packet.FragmentIPv4(ip, 1476)
	if !ok {
		return
	}
	for i := 1; i < plan.N; i++ {
		g := new(pmd.Frame) // a fresh one from the port's pool
		g.Init(make([]byte, 2048), 128, 0)
		g.Recut(0, plan.Len(i))
		fmt.Println(plan.Put(g.Bytes(), ip, i), g.Len())
	}
	f.Trim(int(h.L3) + plan.First(ip))
	fmt.Println(f.Len())
	// Output:
	// true 44
	// 1490
}

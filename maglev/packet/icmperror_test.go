package packet

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"pgregory.net/rapid"
)

var (
	node4 = netip.MustParseAddr("192.0.2.1")
	node6 = netip.MustParseAddr("2001:db8:0:1::1")
)

// codes4 and codes6 are what another library calls the reasons.
var (
	codes4 = [Reasons]layers.ICMPv4TypeCode{
		TooBig:          layers.CreateICMPv4TypeCode(layers.ICMPv4TypeDestinationUnreachable, layers.ICMPv4CodeFragmentationNeeded),
		PortUnreachable: layers.CreateICMPv4TypeCode(layers.ICMPv4TypeDestinationUnreachable, layers.ICMPv4CodePort),
		HostUnreachable: layers.CreateICMPv4TypeCode(layers.ICMPv4TypeDestinationUnreachable, layers.ICMPv4CodeHost),
		Prohibited:      layers.CreateICMPv4TypeCode(layers.ICMPv4TypeDestinationUnreachable, layers.ICMPv4CodeCommAdminProhibited),
	}
	codes6 = [Reasons]layers.ICMPv6TypeCode{
		TooBig:          layers.CreateICMPv6TypeCode(layers.ICMPv6TypePacketTooBig, 0),
		PortUnreachable: layers.CreateICMPv6TypeCode(layers.ICMPv6TypeDestinationUnreachable, layers.ICMPv6CodePortUnreachable),
		HostUnreachable: layers.CreateICMPv6TypeCode(layers.ICMPv6TypeDestinationUnreachable, layers.ICMPv6CodeAddressUnreachable),
		Prohibited:      layers.CreateICMPv6TypeCode(layers.ICMPv6TypeDestinationUnreachable, layers.ICMPv6CodeAdminProhibited),
	}
)

// checkICMPError makes the error of a frame, in a buffer with a guard on both
// sides, and holds it against the frame, the RFCs and gopacket.
func checkICMPError(t rapid.TB, frame []byte, h Headers, e ICMPErrorSpec) {
	t.Helper()
	const guard = 8
	at, n := ICMPErrorBounds(&h)
	buffer := cat(dirty(guard-at), frame, dirty(guard))
	was := bytes.Clone(buffer)
	b := buffer[guard : guard+n : guard+n] // no room behind: writing on would panic
	if PutICMPError(b[:n-1], &h, e) || PutICMPError(nil, &h, e) || !bytes.Equal(buffer, was) {
		t.Fatal("an error in less than its bounds")
	}
	if !PutICMPError(b, &h, e) {
		t.Fatalf("no error in %d bytes", n)
	}
	if !bytes.Equal(buffer[:guard], was[:guard]) || !bytes.Equal(buffer[guard+n:], was[guard+n:]) {
		t.Fatal("wrote outside its bounds")
	}

	l3 := int(h.L3)
	if !bytes.Equal(b[:6], frame[6:12]) || !bytes.Equal(b[6:12], frame[:6]) || !bytes.Equal(b[12:l3], frame[12:l3]) {
		t.Fatalf("Ethernet header % x, was % x", b[:l3], frame[:l3])
	}
	quote := frame[l3:h.End]
	if most := map[bool]int{false: 576 - 28, true: 1280 - 48}[h.IPv6]; len(quote) > most {
		quote = quote[:most]
	}
	if !bytes.HasSuffix(b, quote) || n != l3-at+len(quote) || n < 60 {
		t.Fatalf("%d bytes, want %d that end with the quote", n, l3-at+len(quote))
	}
	p := gopacket.NewPacket(b, layers.LayerTypeEthernet, gopacket.Default)
	if f := p.ErrorLayer(); f != nil {
		t.Fatal(f.Error())
	}
	if l, ok := p.Layer(layers.LayerTypeICMPv6).(*layers.ICMPv6); ok {
		l.SetNetworkLayerForChecksum(p.NetworkLayer())
	}
	if err, wrong := p.VerifyChecksums(); err != nil || len(wrong) != 0 {
		t.Fatalf("checksums: %v, %+v", err, wrong)
	}
	mtu := e.MTU
	if e.Reason != TooBig {
		mtu = 0
	}
	message := b[l3-at-8:]
	if h.IPv6 {
		ip, icmp := p.Layer(layers.LayerTypeIPv6).(*layers.IPv6), p.Layer(layers.LayerTypeICMPv6).(*layers.ICMPv6)
		from := quote[24:40]
		if e.Src.Is6() {
			from = e.Src.AsSlice()
		}
		if !bytes.Equal(ip.SrcIP, from) || !bytes.Equal(ip.DstIP, quote[8:24]) ||
			ip.HopLimit != 64 || ip.TrafficClass != 0 || ip.FlowLabel != 0 || int(ip.Length) != n-l3-40 {
			t.Fatalf("%+v", ip)
		}
		if icmp.TypeCode != codes6[e.Reason] || checksum6(b[l3:]) != 0 {
			t.Fatalf("%v, checksum is off by %#x", icmp.TypeCode, checksum6(b[l3:]))
		}
	} else {
		ip, icmp := p.Layer(layers.LayerTypeIPv4).(*layers.IPv4), p.Layer(layers.LayerTypeICMPv4).(*layers.ICMPv4)
		from := quote[16:20]
		if e.Src.Is4() {
			from = e.Src.AsSlice()
		}
		if !bytes.Equal(ip.SrcIP, from) || !bytes.Equal(ip.DstIP, quote[12:16]) || ip.IHL != 5 ||
			ip.TTL != 64 || ip.TOS != 0xc0 || ip.Flags != layers.IPv4DontFragment || ip.Id != 0 || int(ip.Length) != n-l3 {
			t.Fatalf("%+v", ip)
		}
		if icmp.TypeCode != codes4[e.Reason] || plainSum(b[l3:l3+20]) != 0xffff || plainSum(message) != 0xffff {
			t.Fatalf("%v, or a wrong checksum", icmp.TypeCode)
		}
		mtu = min(mtu, 65535)
	}
	if got := binary.BigEndian.Uint32(message[4:]); got != mtu {
		t.Fatalf("MTU %d, want %d", got, mtu)
	}
	// Two that answer each other would never end.
	var back Headers
	id := uint16(0)
	if l3 == 18 {
		id = be16(b[14:]) & 0xfff
	}
	if r := Parse(edit(b, 0, 2), id, &back); r != Whole {
		t.Fatalf("the error does not parse: %s", name(r))
	}
	if !ICMPError(b, &back) || MayAnswer(b, &back) {
		t.Fatal("an error about an error")
	}
}

// reported draws what an error can be about: any whole packet or fragment,
// short or long, with padding.
func reported(t *rapid.T) (frame []byte, id uint16) {
	if rapid.Bool().Draw(t, "short") {
		return wellFormedFrame(t)
	}
	payload := udp(rapid.IntRange(0, 2000).Draw(t, "payload"))
	for i := range payload {
		payload[i] = byte(i * 7)
	}
	padding := zeros(rapid.IntRange(0, 46).Draw(t, "padding"))
	if fragment := rapid.SampledFrom([]int{0, 0x2000, 0x20b9, 0xb9}).Draw(t, "fragment"); rapid.Bool().Draw(t, "ipv6") {
		return eth(0x86dd, ip6(44, frag(17, fragment&0x1fff, fragment>>13), payload), padding), 0
	} else {
		options := zeros(4 * rapid.IntRange(0, 10).Draw(t, "option words"))
		return vlan(7, 0x0800, ip4(17, fragment, options, payload), padding), 7
	}
}

func TestPutICMPError(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		frame, id := reported(t)
		var h Headers
		if r := Parse(frame, id, &h); r != Whole && r != Fragment {
			t.Fatalf("% x: %s", frame, name(r))
		}
		checkICMPError(t, frame, h, ICMPErrorSpec{
			Reason: Reason(rapid.IntRange(0, int(Reasons)-1).Draw(t, "reason")),
			MTU:    rapid.SampledFrom([]uint32{0, 68, 1280, 1476, 65535, 65536, 1<<32 - 1}).Draw(t, "mtu"),
			Src:    rapid.SampledFrom([]netip.Addr{{}, node4, node6}).Draw(t, "source"),
		})
	})
}

func TestICMPErrorAllocatesNothing(t *testing.T) {
	for _, frame := range [][]byte{eth(0x0800, ip4(17, 0, nil, udp(900))), eth(0x86dd, ip6(17, udp(1400)))} {
		var h Headers
		Parse(frame, 0, &h)
		at, n := ICMPErrorBounds(&h)
		b, may, put := cat(zeros(-at), frame), false, false
		if got := testing.AllocsPerRun(10, func() {
			may = MayAnswer(b[-at:], &h)
			put = PutICMPError(b[:n], &h, ICMPErrorSpec{Reason: TooBig, MTU: 1400, Src: node6})
			copy(b[-at:], frame)
		}); got != 0 || !may || !put {
			t.Errorf("%v allocations, answered: %v, %v", got, may, put)
		}
	}
}

// FuzzICMPError: an error about any packet is in order and within its bounds,
// whether or not it may be sent.
func FuzzICMPError(f *testing.F) {
	for _, s := range wellFormed {
		f.Add(s.frame, s.vlan, uint8(TooBig), uint32(1400), node4.AsSlice())
	}
	seen := map[string]bool{} // of the ICMP types, one
	for _, a := range answerable {
		if !seen[a.name] {
			f.Add(a.frame, uint16(0), uint8(HostUnreachable), uint32(0), node6.AsSlice())
		}
		seen[a.name] = true
	}
	f.Add(eth(0x0800, ip4(17, 0, nil, udp(1400))), uint16(0), uint8(TooBig), uint32(70000), []byte(nil))
	f.Add(eth(0x86dd, ip6(17, udp(1400))), uint16(0), uint8(PortUnreachable), uint32(70000), []byte(nil))
	f.Fuzz(func(t *testing.T, frame []byte, id uint16, reason uint8, mtu uint32, from []byte) {
		frame = frame[:len(frame):len(frame)]
		var h Headers
		if r := Parse(frame, id, &h); r != Whole && r != Fragment {
			return
		}
		MayAnswer(frame, &h)
		src, _ := netip.AddrFromSlice(from)
		checkICMPError(t, frame, h, ICMPErrorSpec{Reason(reason) % Reasons, mtu, src})
	})
}

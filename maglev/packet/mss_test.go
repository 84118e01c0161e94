package packet

import (
	"bytes"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"pgregory.net/rapid"
)

// tcpSum is the sum that a TCP segment with a right checksum has with its
// pseudo-header (RFC 9293, 3.1; RFC 8200, 8.1): 0xffff.
func tcpSum(frame []byte, h *Headers) uint16 {
	addresses := frame[h.L3+12 : h.L3+20]
	if h.IPv6 {
		addresses = frame[h.L3+8 : h.L3+40]
	}
	segment := frame[h.L4:h.End]
	return plainSum(cat(addresses, word(6), word(len(segment)), segment))
}

// segment is a frame with a TCP segment and a right checksum.
func segment(ipv6 bool, flags int, options, payload []byte) []byte {
	p := cat(tcp(flags), options, payload)
	p[12] = byte((20 + len(options)) / 4 << 4)
	frame, l4 := eth(0x0800, ip4(6, 0x4000, nil, p)), 34
	if ipv6 {
		frame, l4 = eth(0x86dd, ip6(6, p)), 54
	}
	var h Headers
	Parse(frame, 0, &h)
	copy(frame[l4+16:], word(int(^tcpSum(frame, &h))))
	return frame
}

func mssOption(mss int) []byte { return cat([]byte{2, 4}, word(mss)) }

// Any list of options that can be read, with offers anywhere in it.
func TestClampMSS(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.Uint16Range(216, 9176).Draw(t, "limit")
		var options, want []byte
		for range rapid.IntRange(0, 12).Draw(t, "options") {
			option := rapid.SampledFrom([][]byte{{1}, {3, 3, 7}, {4, 2}, cat([]byte{8, 10}, dirty(8)), {253, 5, 1, 2, 3}, {2, 3, 9}, {2, 2}, {2, 6, 255, 255, 255, 255}, nil}).Draw(t, "option")
			after := option
			if option == nil {
				mss := rapid.Uint16().Draw(t, "mss")
				option, after = mssOption(int(mss)), mssOption(int(min(mss, limit)))
			}
			if len(options)+len(option) > 40 {
				break
			}
			options, want = append(options, option...), append(want, after...)
		}
		if len(options)%4 != 0 { // the end of the list, and something behind it that looks like an offer
			padding := []byte{0, 2, 4}[:-len(options)&3]
			options, want = append(options, padding...), append(want, padding...)
		}
		payload := rapid.SliceOfN(rapid.Byte(), 0, 9).Draw(t, "payload")
		ipv6, flags := rapid.Bool().Draw(t, "ipv6"), rapid.IntRange(0, 255).Draw(t, "flags")
		frame := append(segment(ipv6, flags, options, payload), mssOption(65535)...) // padding
		was := bytes.Clone(frame)
		if flags&2 == 0 {
			want = options
		}

		var h Headers
		if r := Parse(frame, 0, &h); r != Whole {
			t.Fatalf("% x: %s", frame, name(r))
		}
		if got := ClampMSS(frame, &h, limit); got == bytes.Equal(options, want) {
			t.Fatalf("lowered: %v; options % x, want % x", got, options, want)
		}
		at := int(h.L4) + 20
		if !bytes.Equal(frame[at:at+len(want)], want) {
			t.Fatalf("% x, want % x", frame[at:at+len(want)], want)
		}
		if tcpSum(frame, &h) != 0xffff {
			t.Fatalf("the segment sums up to %#04x", tcpSum(frame, &h))
		}
		copy(frame[at-4:], was[at-4:at-2])
		copy(frame[at:], was[at:at+len(options)])
		if !bytes.Equal(frame, was) {
			t.Fatalf("more changed than options and checksum:\n% x, was\n% x", frame, was)
		}
	})
}

// What another decoder finds in a SYN as Linux sends it.
func TestClampMSSLikeGopacket(t *testing.T) {
	linux := cat(mssOption(1460), []byte{4, 2, 8, 10, 0, 1, 2, 3, 0, 0, 0, 0, 1, 3, 3, 7})
	for _, ipv6 := range []bool{false, true} {
		for _, options := range [][]byte{linux, cat([]byte{1}, mssOption(1460), []byte{3, 3, 7})} {
			frame := segment(ipv6, 0x02, options, nil)
			var h Headers
			Parse(frame, 0, &h)
			if !ClampMSS(frame, &h, 1388) || ClampMSS(frame, &h, 1388) || ClampMSS(frame, &h, 1389) {
				t.Fatal("not lowered, or more than once")
			}
			p := gopacket.NewPacket(frame, layers.LayerTypeEthernet, gopacket.Default)
			l := p.Layer(layers.LayerTypeTCP).(*layers.TCP)
			l.SetNetworkLayerForChecksum(p.NetworkLayer())
			if err, wrong := p.VerifyChecksums(); err != nil || len(wrong) != 0 {
				t.Fatalf("checksums: %v, %+v", err, wrong)
			}
			found := false
			for _, o := range l.Options {
				if o.OptionType == layers.TCPOptionKindMSS {
					found = bytes.Equal(o.OptionData, word(1388))
				}
			}
			if !found {
				t.Fatalf("options %v", l.Options)
			}
		}
	}
}

// Every value at both alignments, with a checksum that carries and one that
// does not.
func TestClampMSSExhaustively(t *testing.T) {
	for _, options := range [][]byte{cat(mssOption(0)), cat([]byte{1}, mssOption(0), []byte{1, 1, 1})} {
		at := 54 + bytes.IndexByte(options, 2) + 2
		for _, limit := range []int{216, 1388, 0x1234} {
			frame := segment(false, 0x02, options, nil)
			var h Headers
			Parse(frame, 0, &h)
			for was := range 1 << 16 {
				copy(frame[at:], word(was))
				copy(frame[50:], zeros(2))
				copy(frame[50:], word(int(^tcpSum(frame, &h))))
				lowered := ClampMSS(frame, &h, uint16(limit))
				if lowered != (was > limit) || int(be16(frame[at:])) != min(was, limit) || tcpSum(frame, &h) != 0xffff {
					t.Fatalf("%d to %d: %v, % x", was, limit, lowered, frame[34:])
				}
			}
		}
	}
}

func TestClampMSSLeavesAlone(t *testing.T) {
	offer := mssOption(1460)
	syn := segment(false, 0x02, offer, nil)
	first := eth(0x0800, ip4(6, 0x2000, nil, syn[34:]))
	for name, frame := range map[string][]byte{
		"no SYN":                       segment(false, 0x10, offer, nil),
		"no options":                   segment(false, 0x02, nil, offer),
		"an offer that is low enough":  segment(false, 0x02, mssOption(1388), nil),
		"an offer in a first fragment": first,
		"an offer behind the end":      segment(false, 0x02, cat(zeros(4), offer), nil),
		"an option of length zero":     segment(false, 0x02, cat(offer, []byte{9, 0, 0, 0}), nil),
		"an option of length one":      segment(false, 0x02, cat(offer, []byte{9, 1, 0, 0}), nil),
		"an option beyond the header":  segment(false, 0x02, cat(offer, []byte{1, 9, 4, 0}), offer),
		"an offer beyond the header":   segment(false, 0x02, []byte{1, 1, 2, 4}, offer),
		"a kind without length":        segment(false, 0x02, cat(offer, []byte{1, 1, 1, 9}), nil),
		"an authenticated SYN":         segment(false, 0x02, cat(offer, []byte{29, 16}, zeros(14)), nil),
		"a header of four words":       edit(syn, 46, 0x40),
		"a header of no words":         edit(syn, 46, 0),
		"a header beyond the packet":   edit(syn, 46, 0x70),
		"UDP":                          eth(0x0800, ip4(17, 0, nil, syn[34:])),
	} {
		var h Headers
		if r := Parse(frame, 0, &h); r != Whole && r != Fragment {
			t.Fatalf("%s: parse: %d", name, r)
		}
		was := bytes.Clone(frame)
		if ClampMSS(frame, &h, 1388) || !bytes.Equal(frame, was) {
			t.Errorf("%s: % x, was % x", name, frame, was)
		}
	}
	var h Headers
	if Parse(syn, 0, &h); !ClampMSS(syn, &h, 1388) {
		t.Error("a plain SYN is left alone too")
	}
}

func TestClampMSSAllocatesNothing(t *testing.T) {
	frame, lowered := segment(true, 0x02, mssOption(1460), nil), true
	var h Headers
	Parse(frame, 0, &h)
	if got := testing.AllocsPerRun(10, func() {
		copy(frame[76:], []byte{0x05, 0xb4})
		lowered = ClampMSS(frame, &h, 1388) && lowered
	}); got != 0 || !lowered {
		t.Errorf("%v allocations, lowered: %v", got, lowered)
	}
}

// FuzzClampMSS: nothing changes but offers, to lower ones, and the checksum, to
// what it was worth before.
func FuzzClampMSS(f *testing.F) {
	for _, ipv6 := range []bool{false, true} {
		f.Add(segment(ipv6, 0x02, mssOption(1460), nil), uint16(1388))
		f.Add(segment(ipv6, 0x12, cat([]byte{1}, mssOption(9000), []byte{3, 3, 7}, mssOption(65535)), nil), uint16(1388))
		f.Add(segment(ipv6, 0x02, cat(mssOption(1460), []byte{29, 4, 0, 0}), nil), uint16(536))
		f.Add(segment(ipv6, 0x02, cat(mssOption(1460), []byte{9, 1, 0, 0}), nil), uint16(536))
	}
	f.Fuzz(func(t *testing.T, frame []byte, limit uint16) {
		var h Headers
		frame = frame[:len(frame):len(frame)]
		if Parse(frame, 0, &h) != Whole {
			return
		}
		was := bytes.Clone(frame)
		if !ClampMSS(frame, &h, limit) {
			if !bytes.Equal(frame, was) {
				t.Fatal("changed all the same")
			}
			return
		}
		if before, after := tcpSum(was, &h), tcpSum(frame, &h); before%0xffff != after%0xffff {
			t.Fatalf("the segment summed up to %#04x, and now to %#04x", before, after)
		}
		if ClampMSS(bytes.Clone(frame), &h, limit) {
			t.Fatal("lowered once more")
		}
		checksum, options := int(h.L4)+16, int(h.L4)+20
		end := int(h.L4) + int(frame[h.L4+12]>>4)*4
		for i := range frame {
			if frame[i] != was[i] && i != checksum && i != checksum+1 && (i < options+2 || i >= end) {
				t.Fatalf("byte %d changed", i)
			}
		}
	})
}

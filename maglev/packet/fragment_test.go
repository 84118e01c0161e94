package packet

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/ip4defrag"
	"github.com/gopacket/gopacket/layers"
	"pgregory.net/rapid"
)

// pieces cuts ip by a plan, the first piece before the others or after them,
// each in a buffer with nothing behind it, and holds each against the packet.
// copied are the options that later pieces are to have.
func pieces(t rapid.TB, ip, copied []byte, size int, plan Pieces, firstFirst bool) (list [][]byte) {
	t.Helper()
	original, total := bytes.Clone(ip), int(be16(ip[2:]))
	header := int(ip[0]&15) * 4
	if firstFirst {
		plan.First(ip)
	}
	for i := 1; i < plan.N; i++ {
		b := dirty(plan.Len(i) + 1)
		if plan.Put(b[:plan.Len(i)-1], ip, i) || !bytes.Equal(b, dirty(len(b))) {
			t.Fatalf("piece %d of %d in less than its length", i, plan.N)
		}
		if !plan.Put(b[:plan.Len(i):plan.Len(i)], ip, i) || b[len(b)-1] != 0xff {
			t.Fatalf("piece %d of %d was not written, or too far", i, plan.N)
		}
		list = append(list, b[:plan.Len(i)])
	}
	if n := plan.First(ip); n != plan.Len(0) || !bytes.Equal(ip[header:], original[header:]) {
		t.Fatalf("the first piece has %d bytes, not %d, or data changed", n, plan.Len(0))
	}
	list = append([][]byte{bytes.Clone(ip[:plan.Len(0)])}, list...)
	if plan.Put(dirty(total), ip, 0) || plan.Put(dirty(total), ip, plan.N) || plan.Put(dirty(total), ip, -1) {
		t.Fatal("wrote a piece that there is not")
	}
	if plan.N == 1 {
		if !bytes.Equal(list[0], original[:total]) {
			t.Fatal("a packet that fits was changed")
		}
		return list
	}

	data := 0
	for i, b := range list {
		n, options := int(b[0]&15)*4, copied
		if i == 0 {
			options = original[20:header]
		}
		// RFC 791's IHL: ((OIHL*4 - options not copied) + 3) / 4
		if want := (20 + len(options) + 3) / 4 * 4; n != want || !bytes.Equal(b[20:n], cat(options, zeros(n-20-len(options)))) {
			t.Fatalf("piece %d has the options % x, want % x", i, b[20:n], options)
		}
		if len(b) > size || int(be16(b[2:])) != len(b) || plainSum(b[:n]) != 0xffff {
			t.Fatalf("piece %d: %d bytes of at most %d, header % x", i, len(b), size, b[:n])
		}
		flags, was := int(be16(b[6:])), int(be16(original[6:]))
		more := was & 0x2000
		if i < plan.N-1 {
			if more = 0x2000; (len(b)-n)%8 != 0 || len(b) <= size-8 {
				t.Fatalf("piece %d, not the last: %d bytes of %d, header %d", i, len(b), size, n)
			}
		}
		if want := was&0xc000 | more | (was&0x1fff + data/8); flags != want {
			t.Fatalf("piece %d: flags and offset %#04x, want %#04x", i, flags, want)
		}
		same := func(from, to int) bool { return bytes.Equal(b[from:to], original[from:to]) }
		if b[0]>>4 != 4 || !same(1, 2) || !same(4, 6) || !same(8, 10) || !same(12, 20) ||
			!bytes.Equal(b[n:], original[header+data:header+data+len(b)-n]) {
			t.Fatalf("piece %d: % x, not of % x", i, b, original)
		}
		data += len(b) - n
	}
	if data != total-header {
		t.Fatalf("%d bytes of data in the pieces, want %d", data, total-header)
	}
	return list
}

// defragment puts whole datagrams together, in the order of the pieces.
func defragment(t rapid.TB, list [][]byte) []byte {
	t.Helper()
	d := ip4defrag.NewIPv4Defragmenter()
	for i, b := range list {
		p := gopacket.NewPacket(b, layers.LayerTypeIPv4, gopacket.Default)
		ip, ok := p.Layer(layers.LayerTypeIPv4).(*layers.IPv4)
		if !ok {
			t.Fatalf("piece % x: %v", b, p.ErrorLayer())
		}
		out, err := d.DefragIPv4(ip)
		if err != nil {
			t.Fatal(err)
		}
		if (out != nil) != (i == len(list)-1) {
			t.Fatalf("complete after %d of %d pieces: %v", i+1, len(list), out != nil)
		}
		if out != nil {
			return out.Payload
		}
	}
	return nil
}

// drawOptions draws options of IPv4, and which of them every fragment has.
func drawOptions(t *rapid.T) (all, copied []byte) {
	for range rapid.IntRange(0, 5).Draw(t, "options") {
		option := []byte{1} // No-Operation
		if rapid.Bool().Draw(t, "long") {
			n := rapid.IntRange(2, 11).Draw(t, "length")
			kind := rapid.SampledFrom([]int{7, 68, 130, 131, 136, 148}).Draw(t, "kind")
			option = append([]byte{byte(kind), byte(n)}, dirty(n-2)...)
		}
		if len(all)+len(option) > 40 {
			break
		}
		all = append(all, option...)
		if option[0] >= 128 {
			copied = append(copied, option...)
		}
	}
	return append(all, zeros(-len(all)&3)...), copied
}

// Pieces, some of them cut again and those again, in any order, make up the
// packet, as gopacket puts it together.
func TestFragmentIPv4(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		options, copied := drawOptions(t)
		payload := rapid.SliceOfN(rapid.Byte(), 1, 1).Draw(t, "byte")
		payload = append(payload, zeros(rapid.IntRange(0, 2500).Draw(t, "payload"))...)
		for i := range payload {
			payload[i] = payload[0] + byte(i/8*31+i)
		}
		reserved := rapid.SampledFrom([]int{0, 0x8000}).Draw(t, "reserved flag")
		list := [][]byte{ip4(17, reserved, options, payload)}
		size := 3000
		for range rapid.IntRange(1, 3).Draw(t, "hops") {
			size = rapid.IntRange(68, size).Draw(t, "size")
			var next [][]byte
			for _, ip := range list {
				plan, ok := FragmentIPv4(ip, size)
				if !ok {
					t.Fatalf("%d bytes are not cut to %d: % x", len(ip), size, ip[:20])
				}
				ip = append(ip, dirty(rapid.IntRange(0, 3).Draw(t, "behind"))...)
				next = append(next, pieces(t, ip, copied, size, plan, rapid.Bool().Draw(t, "first first"))...)
			}
			list = next
		}
		if len(list) == 1 {
			return
		}
		list = rapid.Permutation(list).Draw(t, "order")
		if got := defragment(t, list); !bytes.Equal(got, payload) {
			t.Fatalf("together\n% x, want\n% x", got, payload)
		}
	})
}

func TestFragmentIPv4Counts(t *testing.T) {
	long := cat([]byte{0x94, 4, 0, 0}, []byte{7, 35}, zeros(33), []byte{0}) // copied, not copied, end
	for _, c := range []struct {
		options          []byte
		fragment         int
		data, size, want int
		last             int // bytes of data in the last
	}{
		{nil, 0, 1480, 1500, 1, 1480},
		{nil, 0, 1480, 1499, 2, 8},
		{nil, 0, 1481, 1500, 2, 1},
		{nil, 0, 48, 68, 1, 48},
		{nil, 0, 49, 68, 2, 1},
		{nil, 0, 96, 68, 2, 48},
		{nil, 0, 97, 68, 3, 1},
		// 75 bytes hold 48 of data and a header, and the last up to 55.
		{nil, 0, 48 + 55, 75, 2, 55},
		{nil, 0, 48 + 56, 75, 3, 8},
		{nil, 0x2000, 48 + 56, 75, 3, 8},
		{nil, 0x2001, 48 + 48, 75, 2, 48},
		// 60 bytes of header, 24 of the later ones.
		{long, 0, 8 + 44, 68, 2, 44},
		{long, 0, 8 + 45, 68, 3, 5},
		{long, 0, 8 + 40 + 44, 68, 3, 44},
		// The one byte that does not fit behind 24 fits behind 20.
		{[]byte{1, 1, 1, 1}, 0, 48 + 1, 72, 2, 1},
		{[]byte{1, 1, 1, 1}, 0, 48 + 52, 72, 2, 52},
		{[]byte{1, 1, 1, 1}, 0, 48 + 53, 72, 3, 5},
		// The end of what offsets reach.
		{nil, 0x1ff8, 7, 68, 1, 7},
		{nil, 0x2000 | 0x1fe0, 64, 68, 2, 16},
		{nil, 0, 65515, 68, 1365, 43},
	} {
		t.Run(fmt.Sprintf("%d bytes in %d", c.data, c.size), func(t *testing.T) {
			ip := ip4(17, c.fragment, c.options, zeros(c.data))
			plan, ok := FragmentIPv4(ip, c.size)
			if !ok || plan.N != c.want {
				t.Fatalf("%v, %d pieces, want %d", ok, plan.N, c.want)
			}
			var copied []byte
			if len(c.options) > 0 && c.options[0] >= 128 {
				copied = c.options[:4]
			}
			list := pieces(t, ip, copied, c.size, plan, false)
			last := list[len(list)-1]
			if got := len(last) - int(last[0]&15)*4; got != c.last {
				t.Errorf("%d bytes of data in the last, want %d", got, c.last)
			}
		})
	}
}

func TestFragmentIPv4Refuses(t *testing.T) {
	ip := ip4(17, 0, nil, zeros(1480))
	changed := func(at int, with ...byte) []byte { return summed(eth(0x0800, replaced(ip, at, with...)))[14:] }
	for _, c := range []struct {
		name string
		ip   []byte
		size int
	}{
		{"nothing", nil, 1400},
		{"19 bytes", ip[:19], 1400},
		{"a cut packet", ip[:1499], 1400},
		{"IPv6", changed(0, 0x65), 1400},
		{"a header of four words", changed(0, 0x44), 1400},
		{"a length below the header's", changed(2, 0, 19), 1400},
		{"Don't Fragment", ip4(17, 0x4000, nil, zeros(1480)), 1400},
		{"a fragment with Don't Fragment", ip4(17, 0x6000, nil, zeros(1480)), 1400},
		{"67 bytes", ip, 67},
		{"zero bytes", ip, 0},
		{"minus one", ip, -1},
		{"a wrong checksum", patched(ip, 11, ip[11]+1), 1400},
		{"a wrong option", ip4(17, 0, []byte{1, 1, 1, 7}, zeros(1480)), 1400},
		{"an option of length one", ip4(17, 0, []byte{7, 1, 0, 0}, zeros(1480)), 1400},
		{"an option beyond the header", ip4(17, 0, []byte{7, 5, 0, 0}, zeros(1480)), 1400},
		{"no last fragment, with a rest", ip4(17, 0x2000, nil, zeros(1479)), 1400},
		{"beyond 65535 bytes", ip4(17, 8191, nil, zeros(1480)), 1400},
		{"beyond 65535 bytes by one", ip4(17, 8189-1000/8, nil, zeros(1000+24-20)), 1000},
	} {
		if plan, ok := FragmentIPv4(c.ip, c.size); ok {
			t.Errorf("%s: %+v", c.name, plan)
		}
	}
	if plan, ok := FragmentIPv4(ip4(17, 8189-1000/8, nil, zeros(1000+23-20)), 1000); !ok || plan.N != 2 {
		t.Error("to 65535 bytes: refused")
	}
	// What fits goes on as it is, also what is wrong with it.
	for _, fits := range [][]byte{ip, ip4(17, 0x4000, nil, zeros(1480)), patched(ip, 11, ip[11]+1)} {
		was := bytes.Clone(fits)
		plan, ok := FragmentIPv4(fits, 1500)
		if n := plan.First(fits); !ok || plan.N != 1 || n != 1500 || !bytes.Equal(fits, was) {
			t.Errorf("a packet that fits: %v, %d bytes of %+v", ok, n, plan)
		}
	}
}

func TestFragmentIPv4AllocatesNothing(t *testing.T) {
	ip, b, n := ip4(17, 0, []byte{0x94, 4, 0, 0}, zeros(1476)), zeros(1500), 0
	whole := bytes.Clone(ip)
	if got := testing.AllocsPerRun(10, func() {
		copy(ip, whole[:24])
		plan, _ := FragmentIPv4(ip, 600)
		for i := 1; i < plan.N; i++ {
			plan.Put(b, ip, i)
		}
		plan.First(ip)
		n = plan.N
	}); got != 0 || n != 3 {
		t.Errorf("%v allocations, %d pieces", got, n)
	}
}

// FuzzFragmentIPv4: what is cut at all is cut into pieces that are in order.
func FuzzFragmentIPv4(f *testing.F) {
	f.Add(ip4(17, 0, nil, zeros(100)), 68, false)
	f.Add(ip4(17, 0x2003, []byte{0x94, 4, 0, 0, 7, 3, 4, 0}, zeros(104)), 68, true)
	f.Add(ip4(17, 0x1fe0, nil, zeros(100)), 68, false)
	f.Add(ip4(17, 0, cat([]byte{0x83, 39}, zeros(37), []byte{1}), zeros(31)), 70, true)
	f.Add(ip4(17, 0x4000, []byte{7, 1, 0, 0}, zeros(100)), 75, false)
	f.Fuzz(func(t *testing.T, ip []byte, size int, firstFirst bool) {
		if len(ip) >= 20 && len(ip) >= int(ip[0]&15)*4 { // the checksum is not for the fuzzer to find
			copy(ip[10:], zeros(2))
			copy(ip[10:], word(int(^plainSum(ip[:ip[0]&15*4]))))
		}
		ip = ip[:len(ip):len(ip)]
		plan, ok := FragmentIPv4(ip, size)
		if !ok {
			return
		}
		var copied []byte
		if plan.N > 1 {
			for o := ip[20 : int(ip[0]&15)*4]; len(o) > 0 && o[0] != 0; {
				n := 1
				if o[0] != 1 {
					n = int(o[1])
				}
				if o[0] >= 128 {
					copied = append(copied, o[:n]...)
				}
				o = o[n:]
			}
		}
		pieces(t, ip, copied, size, plan, firstFirst)
	})
}

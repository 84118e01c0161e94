package capture

import (
	"encoding/binary"
	"testing"

	"golang.org/x/net/bpf"
)

// tcpPort80 is what libpcap makes of "tcp port 80" for Ethernet, and
// ipTCPPort80 for IP packets.
var (
	tcpPort80 = []bpf.RawInstruction{
		{Op: 0x28, K: 12}, {Op: 0x15, Jf: 6, K: 0x86dd}, {Op: 0x30, K: 20}, {Op: 0x15, Jf: 15, K: 6}, {Op: 0x28, K: 54}, {Op: 0x15, Jt: 12, K: 80},
		{Op: 0x28, K: 56}, {Op: 0x15, Jt: 10, Jf: 11, K: 80}, {Op: 0x15, Jf: 10, K: 0x800}, {Op: 0x30, K: 23}, {Op: 0x15, Jf: 8, K: 6}, {Op: 0x28, K: 20},
		{Op: 0x45, Jt: 6, K: 0x1fff}, {Op: 0xb1, K: 14}, {Op: 0x48, K: 14}, {Op: 0x15, Jt: 2, K: 80}, {Op: 0x48, K: 16}, {Op: 0x15, Jf: 1, K: 80},
		{Op: 0x6, K: 262144}, {Op: 0x6},
	}
	ipTCPPort80 = []bpf.RawInstruction{
		{Op: 0x30}, {Op: 0x54, K: 0xf0}, {Op: 0x15, Jf: 6, K: 0x60}, {Op: 0x30, K: 6}, {Op: 0x15, Jf: 17, K: 6}, {Op: 0x28, K: 40}, {Op: 0x15, Jt: 14, K: 80},
		{Op: 0x28, K: 42}, {Op: 0x15, Jt: 12, Jf: 13, K: 80}, {Op: 0x30}, {Op: 0x54, K: 0xf0}, {Op: 0x15, Jf: 10, K: 0x40}, {Op: 0x30, K: 9}, {Op: 0x15, Jf: 8, K: 6},
		{Op: 0x28, K: 6}, {Op: 0x45, Jt: 6, K: 0x1fff}, {Op: 0xb1}, {Op: 0x48}, {Op: 0x15, Jt: 2, K: 80}, {Op: 0x48, K: 2}, {Op: 0x15, Jf: 1, K: 80},
		{Op: 0x6, K: 262144}, {Op: 0x6},
	}
)

// FuzzMachine holds the machine to bpf.VM: whatever program that takes, both
// give one answer, for any packet. Seven bytes make an instruction.
func FuzzMachine(f *testing.F) {
	encode := func(program []bpf.RawInstruction) (b []byte) {
		for _, i := range program {
			b = binary.BigEndian.AppendUint32(append(b, byte(i.Op), i.Jt, i.Jf), i.K)
		}
		return b
	}
	packet := make([]byte, 64)
	copy(packet[12:], []byte{8, 0, 0x45})
	packet[23], packet[37] = 6, 80
	f.Add(encode(tcpPort80), packet)
	f.Add(encode(ipTCPPort80), packet[14:])
	for _, op := range []uint16{0x04, 0x14, 0x24, 0x34, 0x44, 0x54, 0x64, 0x74, 0x84, 0x94, 0xa4} {
		f.Add(encode([]bpf.RawInstruction{{Op: 0x01, K: 3}, {Op: 0x30, K: 1}, {Op: op, K: 5}, {Op: op | 8}, {Op: 0x02, K: 7}, {Op: 0x00}, {Op: 0x60, K: 7}, {Op: 0x16}}), packet)
	}
	f.Add(encode([]bpf.RawInstruction{{Op: 0x80}, {Op: 0x07}, {Op: 0x50, K: 0xffffffff}, {Op: 0x03, K: 15}, {Op: 0x61, K: 15}, {Op: 0x87}, {Op: 0x1d, Jt: 1}, {Op: 0x05, K: 0}, {Op: 0x16}}), packet)
	f.Fuzz(func(t *testing.T, code, packet []byte) {
		var program []bpf.RawInstruction
		for ; len(code) >= 7; code = code[7:] {
			program = append(program, bpf.RawInstruction{Op: uint16(code[0]), Jt: code[1], Jf: code[2], K: binary.BigEndian.Uint32(code[3:])})
		}
		m, err := newMachine(program)
		if err != nil {
			return
		}
		list, _ := bpf.Disassemble(program)
		vm, err := bpf.NewVM(list)
		if err != nil {
			t.Fatalf("taken, though bpf says %v", err)
		}
		want, err := vm.Run(packet)
		if err != nil { // it cannot negate, which libpcap asks for and TestNegate looks at
			return
		}
		if got := m.run(packet); got != (want != 0) {
			t.Fatalf("%v for a packet of %d bytes: %v, bpf.VM says %d", list, len(packet), got, want)
		}
	})
}

// "-ip[8] = -64" and the like.
func TestNegate(t *testing.T) {
	m, err := newMachine([]bpf.RawInstruction{{Op: 0x30, K: 1}, {Op: 0x84}, {Op: 0x15, Jf: 1, K: 0xffffffc0}, {Op: 0x06, K: 1}, {Op: 0x06}})
	if err != nil {
		t.Fatal(err)
	}
	if !m.run([]byte{0, 64}) || m.run([]byte{0, 63}) {
		t.Error("64 and 63 are not told apart by their negatives")
	}
}

// What the machine does not know never reaches a core.
func TestMachineRefuses(t *testing.T) {
	for what, program := range map[string][]bpf.RawInstruction{
		"an empty program":       {},
		"no return":              {{Op: 0x00}},
		"a jump out of it":       {{Op: 0x15, Jt: 1}, {Op: 0x06}},
		"an unknown instruction": {{Op: 0xffff}, {Op: 0x06}},
		"a division by zero":     {{Op: 0x34}, {Op: 0x06}},
		"an extension":           {{Op: 0x20, K: 0xfffff000}, {Op: 0x06}},
	} {
		if _, err := newMachine(program); err == nil {
			t.Errorf("%s was taken", what)
		}
	}
}

// BenchmarkFilter is what the cores pay for each frame: "tcp port 80" of one
// that matches, of one that does not, and of one that does in its tunnel;
// bpf.VM beside it.
func BenchmarkFilter(b *testing.B) {
	f, err := newFilter(compilePort80, "tcp port 80")
	if err != nil {
		b.Fatal(err)
	}
	list, _ := bpf.Disassemble(tcpPort80)
	vm, err := bpf.NewVM(list)
	if err != nil {
		b.Fatal(err)
	}
	match := tcp(80)
	for _, c := range []struct {
		name string
		run  func() bool
		want bool
	}{
		{"match", func() bool { return f(match) }, true},
		{"other port", func() bool { return f(otherPort) }, false},
		{"in a tunnel", func() bool { return f(tunnelled) }, true},
		{"bpf.VM", func() bool { n, _ := vm.Run(match); return n != 0 }, true},
	} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				if c.run() != c.want {
					b.Fatal("wrong")
				}
			}
		})
	}
}

var otherPort, tunnelled = tcp(81), inTunnel(tcp(80), 0)

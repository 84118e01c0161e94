package capture

import (
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// A machine runs a program of the BSD packet filter (McCanne and Jacobson, 1993)
// for every frame, on the cores. It takes the words as they are, in half the time
// that bpf.VM needs for its switch over types, which is more than all else that is
// done to a packet; and it negates, which bpf.VM does not.
//
// It reads nothing beyond the packet, jumps forward only, and ends.
type machine struct{ program []bpf.RawInstruction }

// scratch is how many words of memory a program has: BPF_MEMWORDS.
const scratch = 16

// newMachine makes a machine of a program that bpf.NewVM finds no fault with: it
// has no unknown instruction and no jump out of it, ends, and divides by no
// constant zero.
func newMachine(program []bpf.RawInstruction) (*machine, error) {
	list, known := bpf.Disassemble(program)
	if !known {
		return nil, errors.New("the filter's program has unknown instructions")
	}
	for _, i := range list {
		if _, ok := i.(bpf.LoadExtension); ok {
			return nil, fmt.Errorf("the filter asks for what frames here do not tell: %v", i)
		}
	}
	if _, err := bpf.NewVM(list); err != nil {
		return nil, err
	}
	// As bpf writes it: of some instructions it takes more than one spelling.
	program, err := bpf.Assemble(list)
	if err != nil {
		return nil, err
	}
	return &machine{program}, nil
}

// run tells whether the program takes a packet. As everywhere, what reads beyond
// its end does not.
func (m *machine) run(b []byte) bool {
	var a, x uint32
	var memory [scratch]uint32
	program := m.program
	for at := 0; at < len(program); at++ {
		i := &program[at]
		k, jump := i.K, false
		switch i.Op {
		case unix.BPF_LD | unix.BPF_ABS | unix.BPF_W:
			if uint64(k)+4 > uint64(len(b)) {
				return false
			}
			a = binary.BigEndian.Uint32(b[k:])
			continue
		case unix.BPF_LD | unix.BPF_ABS | unix.BPF_H:
			if uint64(k)+2 > uint64(len(b)) {
				return false
			}
			a = uint32(binary.BigEndian.Uint16(b[k:]))
			continue
		case unix.BPF_LD | unix.BPF_ABS | unix.BPF_B:
			if uint64(k) >= uint64(len(b)) {
				return false
			}
			a = uint32(b[k])
			continue
		case unix.BPF_LD | unix.BPF_IND | unix.BPF_W:
			from := uint64(x) + uint64(k)
			if from+4 > uint64(len(b)) {
				return false
			}
			a = binary.BigEndian.Uint32(b[from:])
			continue
		case unix.BPF_LD | unix.BPF_IND | unix.BPF_H:
			from := uint64(x) + uint64(k)
			if from+2 > uint64(len(b)) {
				return false
			}
			a = uint32(binary.BigEndian.Uint16(b[from:]))
			continue
		case unix.BPF_LD | unix.BPF_IND | unix.BPF_B:
			from := uint64(x) + uint64(k)
			if from >= uint64(len(b)) {
				return false
			}
			a = uint32(b[from])
			continue
		case unix.BPF_LD | unix.BPF_LEN:
			a = uint32(len(b))
			continue
		case unix.BPF_LD | unix.BPF_IMM:
			a = k
			continue
		case unix.BPF_LD | unix.BPF_MEM:
			a = memory[k%scratch]
			continue
		case unix.BPF_LDX | unix.BPF_MSH | unix.BPF_B:
			if uint64(k) >= uint64(len(b)) {
				return false
			}
			x = uint32(b[k]&0xf) * 4
			continue
		case unix.BPF_LDX | unix.BPF_IMM:
			x = k
			continue
		case unix.BPF_LDX | unix.BPF_MEM:
			x = memory[k%scratch]
			continue
		case unix.BPF_ST:
			memory[k%scratch] = a
			continue
		case unix.BPF_STX:
			memory[k%scratch] = x
			continue
		case unix.BPF_MISC | unix.BPF_TAX:
			x = a
			continue
		case unix.BPF_MISC | unix.BPF_TXA:
			a = x
			continue
		case unix.BPF_RET | unix.BPF_K:
			return k != 0
		case unix.BPF_RET | unix.BPF_A:
			return a != 0

		case unix.BPF_JMP | unix.BPF_JA:
			at += int(k)
			continue
		case unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K:
			jump = a == k
		case unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_X:
			jump = a == x
		case unix.BPF_JMP | unix.BPF_JGT | unix.BPF_K:
			jump = a > k
		case unix.BPF_JMP | unix.BPF_JGT | unix.BPF_X:
			jump = a > x
		case unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K:
			jump = a >= k
		case unix.BPF_JMP | unix.BPF_JGE | unix.BPF_X:
			jump = a >= x
		case unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K:
			jump = a&k != 0
		case unix.BPF_JMP | unix.BPF_JSET | unix.BPF_X:
			jump = a&x != 0

		default: // arithmetic
			if i.Op&unix.BPF_X != 0 {
				k = x
			}
			var ok bool
			if a, ok = calculate(i.Op&0xf0, a, k); !ok {
				return false
			}
			continue
		}
		if jump {
			at += int(i.Jt)
		} else {
			at += int(i.Jf)
		}
	}
	return false
}

// calculate is the arithmetic of a machine; not ok: it divides by zero.
func calculate(op uint16, a, k uint32) (result uint32, ok bool) {
	switch op {
	case unix.BPF_ADD:
		return a + k, true
	case unix.BPF_SUB:
		return a - k, true
	case unix.BPF_MUL:
		return a * k, true
	case unix.BPF_OR:
		return a | k, true
	case unix.BPF_AND:
		return a & k, true
	case unix.BPF_XOR:
		return a ^ k, true
	case unix.BPF_LSH:
		return a << k, true
	case unix.BPF_RSH:
		return a >> k, true
	case unix.BPF_NEG:
		return -a, true
	}
	if k == 0 {
		return 0, false
	}
	if op == unix.BPF_DIV {
		return a / k, true
	}
	return a % k, true
}

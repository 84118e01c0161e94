package pmd

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"
)

func frameOf(buffer []byte, headroom, n int) *Frame {
	f := new(Frame)
	f.Init(buffer, headroom, n)
	return f
}

// Moves of a frame's bounds against plain arithmetic over its buffer: what is
// allowed shows the right bytes, and what would leave the buffer is refused
// and changes nothing.
func TestFrameBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		// One byte is behind the buffer: no data at its very end begins there,
		// which the race detector's pointer check would take for another's memory.
		size := rapid.IntRange(0, 300).Draw(t, "buffer")
		buffer := make([]byte, size, size+1)
		for i := range buffer {
			buffer[i] = byte(i)
		}
		first := rapid.IntRange(0, len(buffer)).Draw(t, "headroom")
		n := rapid.IntRange(0, len(buffer)-first).Draw(t, "length")
		f := frameOf(buffer, first, n)
		for range rapid.IntRange(0, 20).Draw(t, "moves") {
			a, b := rapid.IntRange(-350, 350).Draw(t, "a"), rapid.IntRange(-350, 350).Draw(t, "b")
			var done, want bool
			switch rapid.SampledFrom([]string{"grow", "shrink", "trim", "recut"}).Draw(t, "move") {
			case "grow":
				if done, want = f.Grow(a), 0 <= a && a <= first; want {
					first, n = first-a, n+a
				}
			case "shrink":
				if done, want = f.Shrink(a), 0 <= a && a <= n; want {
					first, n = first+a, n-a
				}
			case "trim":
				if done, want = f.Trim(a), 0 <= a && a <= n; want {
					n = a
				}
			case "recut":
				if done, want = f.Recut(a, b), b >= 0 && first+a >= 0 && first+a+b <= len(buffer); want {
					first, n = first+a, b
				}
			}
			if done != want {
				t.Fatalf("move allowed: %v, want %v", done, want)
			}
			if !bytes.Equal(f.Bytes(), buffer[first:first+n]) || f.Len() != n {
				t.Fatalf("data %v, want %v", f.Bytes(), buffer[first:first+n])
			}
			if f.Headroom() != first || f.Tailroom() != len(buffer)-first-n {
				t.Fatalf("headroom %d, tailroom %d, want %d, %d", f.Headroom(), f.Tailroom(), first, len(buffer)-first-n)
			}
			if at := min(max(a, 0), n); first+at >= FrontLen && first+at-FrontLen < len(buffer) {
				if got := f.Front(at); got == nil || !bytes.Equal(got[:], buffer[first+at-FrontLen:first+at]) {
					t.Fatalf("front(%d) is %v", at, got)
				}
			} else if f.Front(at) != nil {
				t.Fatalf("front(%d) is not nil, with %d bytes in front", at, first)
			}
			w := f.Window(a, b)
			if inside := b >= 0 && first+a >= 0 && first+a+b <= len(buffer); inside {
				if !bytes.Equal(w, buffer[first+a:first+a+b]) {
					t.Fatalf("window(%d, %d) is %v", a, b, w)
				}
			} else if w != nil {
				t.Fatalf("window(%d, %d) outside the buffer is %v", a, b, w)
			}
		}
	})
}

func TestChecksumFlags(t *testing.T) {
	f := frameOf(make([]byte, 64), 0, 64)
	for flags, bad := range map[uint64]bool{
		0:                                      false, // not checked
		FlagIPChecksumGood:                     false,
		FlagIPChecksumBad:                      true,
		FlagIPChecksumBad | FlagIPChecksumGood: false, // "none": for the software to find out
	} {
		f.SetFlags(flags)
		if f.IPChecksumBad() != bad {
			t.Errorf("flags %#x: bad %v, want %v", flags, !bad, bad)
		}
	}
}

func TestBurstAdd(t *testing.T) {
	b, f := new(Burst), frameOf(make([]byte, 8), 0, 8)
	for i := range MaxBurst {
		if b.N != i {
			t.Fatalf("%d frames after %d", b.N, i)
		}
		b.Add(f)
	}
	for i, g := range b.Frames {
		if g != f {
			t.Fatalf("frame %d is not there", i)
		}
	}
}

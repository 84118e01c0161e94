package packet

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"
)

func TestSumRFC1071(t *testing.T) {
	// The example of section 3: the sum is ddf2 with the carries brought round.
	if got := Fold(Sum([]byte{0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7})); got != 0xddf2 {
		t.Errorf("%#04x, want 0xddf2", got)
	}
	for _, c := range []struct {
		name string
		b    []byte
		want uint16
	}{
		{"nothing", nil, 0},
		{"one byte is the high one", []byte{0x12}, 0x1200},
		{"an odd length", []byte{0x12, 0x34, 0x56}, 0x6834},
		{"no carry", []byte{0x7f, 0xff, 0x80, 0x00}, 0xffff},
		{"a carry", []byte{0xff, 0xff, 0x00, 0x01}, 0x0001},
		{"a carry that carries", []byte{0xff, 0xff, 0xff, 0xff, 0x00, 0x01}, 0x0001},
		{"zero stays zero", zeros(1500), 0},
		{"all ones, the most that a packet can hold", bytes.Repeat([]byte{0xff}, 65535), 0xff00},
		{"all ones, more than a packet can hold", bytes.Repeat([]byte{0xff}, 1<<20), 0xffff},
	} {
		if got := Fold(Sum(c.b)); got != c.want {
			t.Errorf("%s: %#04x, want %#04x", c.name, got, c.want)
		}
	}
}

// Every length up to twice the longest step, at every alignment, filled with
// what carries most and with what does not repeat.
func TestSumLengths(t *testing.T) {
	ones := bytes.Repeat([]byte{0xff}, 96)
	mixed := make([]byte, 96)
	for i := range mixed {
		mixed[i] = byte(i*167 + 13)
	}
	for _, b := range [][]byte{ones, mixed} {
		for from := range 16 {
			for n := range 80 {
				if got, want := Fold(Sum(b[from:from+n])), plainSum(b[from:from+n]); got != want {
					t.Fatalf("bytes %d to %d of % x...: %#04x, want %#04x", from, from+n, b[:4], got, want)
				}
			}
		}
	}
}

func TestSumLikeThePlainOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 0x7f, 0x80, 0xfe, 0xff}), 0, 3000).Draw(t, "bytes")
		sum := Sum(b)
		if got, want := Fold(sum), plainSum(b); got != want {
			t.Fatalf("%#04x, want %#04x", got, want)
		}
		if sum >= 1<<18 {
			t.Fatalf("%#x is more than the comment promises", sum)
		}
		// Parts of even length add up.
		cut := rapid.IntRange(0, len(b)/2).Draw(t, "cut") * 2
		if got, want := Fold(Sum(b[:cut])+Sum(b[cut:])), plainSum(b); got != want {
			t.Fatalf("in two parts, %d first: %#04x, want %#04x", cut, got, want)
		}
	})
}

// Fold is exact for every sum that it promises to take.
func TestFold(t *testing.T) {
	for _, sum := range []uint64{0, 1, 0xffff, 0x10000, 0x1fffe, 0x1ffff, 0xffff0000, 0xfffeffff, 0xffffffff} {
		want := sum % 0xffff
		if want == 0 && sum != 0 {
			want = 0xffff // zero has two forms, and only nothing at all sums up to the positive one
		}
		if got := Fold(sum); uint64(got) != want {
			t.Errorf("%#x: %#04x, want %#04x", sum, got, want)
		}
	}
}

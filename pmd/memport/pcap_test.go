package memport

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"guideway/pmd"
)

var captured = [][]byte{[]byte("first"), bytes.Repeat([]byte{0xab}, 90), []byte("the third"), {}}

func info(data []byte) gopacket.CaptureInfo {
	return gopacket.CaptureInfo{Timestamp: time.Unix(1, 2), CaptureLength: len(data), Length: len(data)}
}

// pcapFile and pcapngFile are written by another hand than ours.
func pcapFile(t testing.TB, nanos bool) []byte {
	var buf bytes.Buffer
	w := pcapgo.NewWriter(&buf)
	if nanos {
		w = pcapgo.NewWriterNanos(&buf)
	}
	if err := w.WriteFileHeader(65535, layers.LinkTypeEthernet); err != nil {
		t.Fatal(err)
	}
	for _, data := range captured {
		if err := w.WritePacket(info(data), data); err != nil {
			t.Fatal(err)
		}
	}
	return buf.Bytes()
}

func pcapngFile(t testing.TB) []byte {
	var buf bytes.Buffer
	w, err := pcapgo.NewNgWriter(&buf, layers.LinkTypeEthernet)
	if err != nil {
		t.Fatal(err)
	}
	for _, data := range captured {
		if err := w.WritePacket(info(data), data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// bigEndian turns the numbers of a pcap file around.
func bigEndian(pcap []byte) []byte {
	out := bytes.Clone(pcap)
	words := func(b []byte) {
		for ; len(b) >= 4; b = b[4:] {
			binary.BigEndian.PutUint32(b, binary.LittleEndian.Uint32(b))
		}
	}
	words(out[:24])
	for at := 24; at < len(out); {
		n := int(binary.LittleEndian.Uint32(out[at+8:]))
		words(out[at : at+16])
		at += 16 + n
	}
	return out
}

func TestReadPackets(t *testing.T) {
	for name, file := range map[string][]byte{
		"pcap, microseconds": pcapFile(t, false),
		"pcap, nanoseconds":  pcapFile(t, true),
		"pcap, big endian":   bigEndian(pcapFile(t, false)),
		"pcapng":             pcapngFile(t),
		"pcapng, two files":  append(pcapngFile(t), pcapngFile(t)...),
	} {
		want := captured
		if name == "pcapng, two files" {
			want = append(append([][]byte{}, captured...), captured...)
		}
		got, err := ReadPackets(bytes.NewReader(file))
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v\n%s", name, err, diff)
		}
		// Every way to cut the file short is noticed, or leaves whole packets.
		for n := range len(file) {
			got, err := ReadPackets(bytes.NewReader(file[:n]))
			if err == nil && len(got) > 0 && cmp.Diff(want[:len(got)], got) != "" {
				t.Fatalf("%s: %d bytes of %d read as %q", name, n, len(file), got)
			}
			if n < 24 && err == nil {
				t.Fatalf("%s: %d bytes are a capture", name, n)
			}
		}
	}
}

func TestReadPacketsRefuses(t *testing.T) {
	other := pcapFile(t, false)
	other[20] = 101 // raw IP
	long := pcapFile(t, false)
	binary.LittleEndian.PutUint32(long[24+8:], maxRecord+1)
	block := pcapngFile(t)
	binary.LittleEndian.PutUint32(block[4:], 13)
	for name, file := range map[string][]byte{
		"empty": nil, "text": []byte("this is no capture, but it is long enough"),
		"link type": other, "long record": long, "odd block": block,
	} {
		if got, err := ReadPackets(bytes.NewReader(file)); err == nil {
			t.Errorf("%s: read as %q", name, got)
		}
	}
}

func FuzzReadPackets(f *testing.F) {
	f.Add(pcapFile(f, true))
	f.Add(pcapngFile(f))
	f.Fuzz(func(t *testing.T, file []byte) {
		packets, _ := ReadPackets(bytes.NewReader(file))
		total := 0
		for _, p := range packets {
			total += len(p)
		}
		if total > len(file) {
			t.Errorf("%d bytes of packets in a file of %d", total, len(file))
		}
	})
}

// What is replayed and sent comes out of the capture the same.
func TestReplayAndCapture(t *testing.T) {
	p := New(Config{Queues: 2})
	if n, err := p.Replay(bytes.NewReader(pcapFile(t, false))); n != 4 || err != nil {
		t.Fatal(n, err)
	}
	if p.Pending(0) != 2 || p.Pending(1) != 2 {
		t.Fatalf("pending: %d and %d", p.Pending(0), p.Pending(1))
	}
	var out bytes.Buffer
	if err := p.Capture(&out); err != nil {
		t.Fatal(err)
	}
	b := new(pmd.Burst)
	for i := range 4 {
		p.Queue(i%2).Rx(b, 1)
		p.Advance(1)
		p.Queue(i % 2).Tx(b)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := pcapgo.NewReader(&out)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range captured {
		got, ci, err := r.ReadPacketData()
		if err != nil || !bytes.Equal(got, want) || ci.Timestamp.UnixNano() != Start+int64(i)+1 {
			t.Errorf("packet %d: %q at %v, %v", i, got, ci.Timestamp, err)
		}
	}
	if _, _, err := r.ReadPacketData(); err != io.EOF {
		t.Errorf("behind the last packet: %v", err)
	}
}

type failingWriter struct{ left int }

var errFull = errors.New("disk full")

func (w *failingWriter) Write(b []byte) (int, error) {
	if w.left--; w.left < 0 {
		return 0, errFull
	}
	return len(b), nil
}

func TestCaptureReportsErrors(t *testing.T) {
	p := New(Config{})
	if err := p.Capture(&failingWriter{left: 1}); err != nil {
		t.Fatal(err)
	}
	p.Inject(0, []byte("a"), []byte("b"))
	b := new(pmd.Burst)
	p.Queue(0).Rx(b, 2)
	p.Queue(0).Tx(b)
	if err := p.Capture(nil); !errors.Is(err, errFull) {
		t.Errorf("error %v", err)
	}
	if err := p.Close(); err != nil {
		t.Errorf("again: %v", err)
	}
}

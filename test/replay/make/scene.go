package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"strings"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
)

// A scene is one capture with what must become of each of its frames.
type scene struct {
	name    string
	about   string
	lines   []string // settings, as in the .expect file
	shapes  []shape
	kernel  []shape // what the kernel sends meanwhile
	squeeze bool    // large and of one pattern: stored as .pcap.gz
}

// A shape is one frame and its line in the .expect file.
type shape struct {
	frame               []byte
	verdict, sent, what string
}

// line is what the .expect file says of it.
func (s shape) line() [3]string { return [3]string{s.verdict, s.sent, s.what} }

func newScene(name, about string, settings ...string) *scene {
	return &scene{name: name, about: about, lines: settings}
}

// add adds a frame and returns its number.
func (s *scene) add(frame []byte, verdict, sent, what string) int {
	s.shapes = append(s.shapes, shape{frame, verdict, sent, what})
	return len(s.shapes)
}

// forward adds a frame that ends in a tunnel.
func (s *scene) forward(frame []byte, sent, what string) int {
	return s.add(frame, "forwarded", sent, what)
}

// drop adds a frame of which nothing comes out.
func (s *scene) drop(frame []byte, verdict, what string) int {
	return s.add(frame, verdict, "-", what)
}

// as says that a frame goes where frame k went.
func as(k int) string { return fmt.Sprint("as ", k) }

// files are the scene's files by name.
func (s *scene) files() map[string][]byte {
	files := map[string][]byte{s.name + ".expect": s.expect()}
	if s.squeeze {
		files[s.name+".pcap.gz"] = gzipped(capture(s.shapes, 0))
	} else {
		files[s.name+".pcap"] = capture(s.shapes, time.Millisecond)
	}
	if s.kernel != nil {
		files[s.name+".kernel.pcap"] = capture(s.kernel, time.Millisecond)
	}
	return files
}

// capture makes a capture of frames that are so far apart.
func capture(shapes []shape, apart time.Duration) []byte {
	var b bytes.Buffer
	w := pcapgo.NewWriter(&b)
	must(w.WriteFileHeader(65535, layers.LinkTypeEthernet))
	for i, s := range shapes {
		at := time.Unix(1_000_000_000, int64(i)*int64(apart))
		must(w.WritePacket(gopacket.CaptureInfo{Timestamp: at, CaptureLength: len(s.frame), Length: len(s.frame)}, s.frame))
	}
	return b.Bytes()
}

func gzipped(b []byte) []byte {
	var z bytes.Buffer
	w, err := gzip.NewWriterLevel(&z, gzip.BestCompression)
	must(err)
	_, err = w.Write(b)
	must(err)
	must(w.Close())
	return z.Bytes()
}

// expect makes the text beside the capture.
func (s *scene) expect() []byte {
	var b bytes.Buffer
	for line := range strings.Lines(s.about) {
		fmt.Fprintln(&b, "#", strings.TrimSpace(line))
	}
	for _, line := range s.lines {
		fmt.Fprintln(&b, line)
	}
	fmt.Fprintln(&b)
	wide := [2]int{}
	for _, p := range append(s.shapes[:len(s.shapes):len(s.shapes)], s.kernel...) {
		wide[0], wide[1] = max(wide[0], len(p.verdict)), max(wide[1], len(p.sent))
	}
	write := func(list []shape, prefix string) {
		for i := 0; i < len(list); {
			p, n := list[i], 1
			for i+n < len(list) && p.sent == "-" && list[i+n].line() == p.line() {
				n++
			}
			number := fmt.Sprint(prefix, i+1)
			if i += n; n > 1 {
				number += fmt.Sprint("-", i)
			}
			fmt.Fprintf(&b, "%4s | %-*s | %-*s | %s\n", number, wide[0], p.verdict, wide[1], p.sent, p.what)
		}
	}
	write(s.shapes, "")
	write(s.kernel, "k")
	return b.Bytes()
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

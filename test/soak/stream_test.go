package soak

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"guideway/test/hostile"
)

// A stream is what goes through the daemon's port: DPDK's net_pcap reads its
// captures from one pipe and writes them to others, so that there is no end to
// them, and no frame comes twice.
type stream struct {
	t       *testing.T
	dir     string
	targets hostile.Targets
	stop    atomic.Bool
	over    atomic.Bool  // the test is: nothing is wrong any more
	given   atomic.Int64 // frames written for the daemon
	taken   atomic.Int64 // frames that it has sent
	kinds   [hostile.Other + 1]atomic.Int64
	ends    sync.WaitGroup
	mac     atomic.Pointer[[6]byte] // of the port, once it is known
}

const (
	input   = "in.pcap"
	outputs = 2 // one for each lcore
)

func output(i int) string { return fmt.Sprintf("out%d.pcap", i) }

func newStream(t *testing.T, dir string) *stream {
	s := &stream{t: t, dir: dir}
	for _, name := range []string{input, output(0), output(1)} {
		if err := unix.Mkfifo(filepath.Join(dir, name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s.t.Cleanup(s.end) // after the daemon, which is started later
	return s
}

// fail is what the ends of the stream say when something is wrong.
func (s *stream) fail(format string, args ...any) {
	if !s.over.Load() {
		s.t.Errorf(format, args...)
	}
	s.stop.Store(true)
}

// end lets both ends go, also if the daemon never came, and waits for them.
func (s *stream) end() {
	s.over.Store(true)
	s.stop.Store(true)
	for _, name := range []string{input, output(0), output(1)} {
		if f, err := os.OpenFile(filepath.Join(s.dir, name), os.O_RDWR, 0); err == nil {
			f.Close()
		}
	}
	s.ends.Wait()
}

// pcapHeader is that of a capture of Ethernet frames with times in microseconds.
var pcapHeader = []byte{0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0}

// write sends hostile frames until there are enough or the stream is stopped.
func (s *stream) write(frames int64) {
	f, err := os.OpenFile(filepath.Join(s.dir, input), os.O_WRONLY, 0) // waits for the daemon
	if err != nil {
		s.fail("%v", err)
		return
	}
	defer f.Close()
	w := bufio.NewWriterSize(f, 1<<16)
	w.Write(pcapHeader)
	source, buffer := hostile.New(7, s.targets), make([]byte, 0, hostile.MaxFrame)
	var record [16]byte
	for n := int64(0); n < frames && !s.stop.Load(); {
		b := source.Next(buffer)
		if len(b) == 0 {
			continue
		}
		binary.LittleEndian.PutUint32(record[8:], uint32(len(b)))
		binary.LittleEndian.PutUint32(record[12:], uint32(len(b)))
		w.Write(record[:])
		if _, err := w.Write(b); err != nil {
			s.fail("the daemon takes no more frames: %v", err)
			return
		}
		n++
		s.given.Store(n)
	}
	if err := w.Flush(); err != nil {
		s.fail("the daemon takes no more frames: %v", err)
	}
}

// read judges what the daemon sends, until it closes the pipe.
func (s *stream) read(name string) {
	f, err := os.Open(filepath.Join(s.dir, name)) // waits for the daemon
	if err != nil {
		s.fail("%v", err)
		return
	}
	defer f.Close()
	r := bufio.NewReaderSize(f, 1<<16)
	if _, err := r.Discard(len(pcapHeader)); err != nil {
		s.fail("%s: %v", name, err)
		return
	}
	targets, frame := s.targets, make([]byte, hostile.MaxFrame)
	var record [16]byte
	for {
		if _, err := io.ReadFull(r, record[:]); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			s.fail("%s: %v", name, err)
			return
		}
		n := binary.LittleEndian.Uint32(record[8:])
		if n > hostile.MaxFrame {
			s.fail("%s: a frame of %d bytes", name, n)
			return
		}
		if _, err := io.ReadFull(r, frame[:n]); err != nil {
			s.fail("%s: %v", name, err)
			return
		}
		s.taken.Add(1)
		if mac := s.mac.Load(); mac != nil {
			targets.MAC = *mac
			kind, err := targets.Sound(frame[:n])
			if err != nil {
				s.fail("the daemon sends what is not sound: %v: %x", err, frame[:n])
			}
			s.kinds[kind].Add(1)
		}
	}
}

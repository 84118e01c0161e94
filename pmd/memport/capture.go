package memport

import (
	"encoding/binary"
	"fmt"
	"io"
)

// Replay injects the packets of a pcap or pcapng capture, packet i into queue
// i modulo the number of receiving queues, and returns how many there were.
func (p *Port) Replay(r io.Reader) (int, error) {
	packets, err := ReadPackets(r)
	for i, packet := range packets {
		p.Inject(i%p.info.RxQueues, packet)
	}
	return len(packets), err
}

// Capture writes what is sent from now on to w as a pcap, stamped with the
// port's clock, until the port is closed or Capture is called again; nil ends
// it. Errors of writing end it too, and are returned by the call that ends it.
func (p *Port) Capture(w io.Writer) error {
	err := p.stopCapture()
	if w == nil || err != nil {
		return err
	}
	p.capture.Lock()
	defer p.capture.Unlock()
	p.capture.w = newPcapWriter(w)
	return nil
}

func (p *Port) stopCapture() error {
	p.capture.Lock()
	defer p.capture.Unlock()
	w := p.capture.w
	p.capture.w = nil
	if w != nil && w.err != nil {
		return fmt.Errorf("memport: capture of %s: %w", p.info.Name, w.err)
	}
	return nil
}

func (p *Port) record(packet []byte) {
	p.capture.Lock()
	defer p.capture.Unlock()
	if p.capture.w != nil {
		p.capture.w.write(p.now.Load(), packet)
	}
}

// pcapWriter writes pcap with times in nanoseconds. The first error sticks.
type pcapWriter struct {
	w   io.Writer
	err error
}

func newPcapWriter(w io.Writer) *pcapWriter {
	var head [24]byte
	binary.LittleEndian.PutUint32(head[0:], magicNanos)
	binary.LittleEndian.PutUint16(head[4:], 2) // version 2.4
	binary.LittleEndian.PutUint16(head[6:], 4)
	binary.LittleEndian.PutUint32(head[16:], 1<<16-1)
	binary.LittleEndian.PutUint32(head[20:], linkEthernet)
	_, err := w.Write(head[:])
	return &pcapWriter{w: w, err: err}
}

func (w *pcapWriter) write(now int64, packet []byte) {
	if w.err != nil {
		return
	}
	const second = 1_000_000_000
	rec := make([]byte, 16, 16+len(packet))
	binary.LittleEndian.PutUint32(rec[0:], uint32(now/second))
	binary.LittleEndian.PutUint32(rec[4:], uint32(now%second))
	binary.LittleEndian.PutUint32(rec[8:], uint32(len(packet)))
	binary.LittleEndian.PutUint32(rec[12:], uint32(len(packet)))
	_, w.err = w.w.Write(append(rec, packet...))
}

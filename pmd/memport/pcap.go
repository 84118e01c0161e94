package memport

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// The two capture formats. Both start with a magic number that also tells the
// byte order.
//
//	pcap     magic, version, zone, accuracy, snap length, link type   24 bytes
//	         then records: seconds, fraction, captured, original      16 bytes + data
//	pcapng   blocks: type, length, body padded to 4, length again
//	         body of an enhanced packet (type 6): interface, time high, time low,
//	         captured, original, data; of a simple one (type 3): original, data
const (
	magicMicros  = 0xa1b2c3d4
	magicNanos   = 0xa1b23c4d
	blockSection = 0x0a0d0d0a // the same in both byte orders
	blockSimple  = 3
	blockPacket  = 6
	magicOrder   = 0x1a2b3c4d

	linkEthernet = 1
	maxRecord    = 1 << 20 // no packet or block of a sane capture is longer
)

// ReadPackets reads the packets of a pcap or pcapng capture of Ethernet
// frames, in order. Packets that were cut short when captured come as short as
// they are.
func ReadPackets(r io.Reader) ([][]byte, error) {
	br := bufio.NewReader(r)
	head, err := br.Peek(4)
	if err != nil {
		return nil, fmt.Errorf("memport: capture: %w", noEOF(err))
	}
	read := readPcap
	if binary.LittleEndian.Uint32(head) == blockSection {
		read = readPcapng
	}
	packets, err := read(br)
	if err != nil {
		return packets, fmt.Errorf("memport: capture, behind packet %d: %w", len(packets), err)
	}
	return packets, nil
}

// noEOF makes the end of the file an error where there should be more.
func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

func readPcap(r io.Reader) (packets [][]byte, err error) {
	var head [24]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, noEOF(err)
	}
	order, ok := byteOrder(head[:], magicMicros, magicNanos)
	if !ok {
		return nil, errors.New("neither pcap nor pcapng")
	}
	if link := order.Uint32(head[20:]) & 0xffff; link != linkEthernet {
		return nil, fmt.Errorf("link type %d is not Ethernet", link)
	}
	for {
		var rec [16]byte
		if _, err := io.ReadFull(r, rec[:]); err == io.EOF {
			return packets, nil
		} else if err != nil {
			return packets, err
		}
		data, err := readBody(r, order.Uint32(rec[8:]))
		if err != nil {
			return packets, err
		}
		packets = append(packets, data)
	}
}

func readPcapng(r io.Reader) (packets [][]byte, err error) {
	order := binary.ByteOrder(binary.LittleEndian)
	for {
		var head [12]byte // type, length, and the first word of the body
		if _, err := io.ReadFull(r, head[:8]); err == io.EOF {
			return packets, nil
		} else if err != nil {
			return packets, err
		}
		kind, rest := order.Uint32(head[:]), uint32(8)
		if kind == blockSection {
			// The byte order of a section is in its own header.
			if _, err := io.ReadFull(r, head[8:]); err != nil {
				return packets, noEOF(err)
			}
			var ok bool
			if order, ok = byteOrder(head[8:], magicOrder); !ok {
				return packets, errors.New("section of unknown byte order")
			}
			rest = 12
		}
		length := order.Uint32(head[4:])
		if length < rest+4 || length%4 != 0 {
			return packets, fmt.Errorf("block of %d bytes", length)
		}
		body, err := readBody(r, length-rest)
		if err != nil {
			return packets, err
		}
		data, err := blockData(order, kind, body[:len(body)-4])
		if err != nil {
			return packets, err
		}
		if data != nil {
			packets = append(packets, data)
		}
	}
}

// blockData returns the packet in a block's body; nil where it holds none.
func blockData(order binary.ByteOrder, kind uint32, body []byte) ([]byte, error) {
	var at, captured int
	switch kind {
	case blockPacket:
		at = 20
		if len(body) >= at {
			captured = int(order.Uint32(body[12:]))
		}
	case blockSimple:
		at = 4
		if len(body) >= at {
			captured = min(int(order.Uint32(body)), len(body)-at)
		}
	default:
		return nil, nil
	}
	if len(body) < at || captured > len(body)-at {
		return nil, fmt.Errorf("packet of %d bytes in a block of %d", captured, len(body))
	}
	return body[at : at+captured : at+captured], nil
}

func byteOrder(b []byte, magics ...uint32) (binary.ByteOrder, bool) {
	for _, magic := range magics {
		if binary.LittleEndian.Uint32(b) == magic {
			return binary.LittleEndian, true
		}
		if binary.BigEndian.Uint32(b) == magic {
			return binary.BigEndian, true
		}
	}
	return nil, false
}

func readBody(r io.Reader, n uint32) ([]byte, error) {
	if n > maxRecord {
		return nil, fmt.Errorf("record of %d bytes", n)
	}
	b := make([]byte, n)
	_, err := io.ReadFull(r, b)
	return b, noEOF(err)
}

package keep

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"net/netip"

	"guideway/control/plan"
	"guideway/maglev/fib"
)

// A record is who the tables' owner is. Its file has two halves, each for one
// that is whole or void; of two that are whole the one with the higher sequence
// counts. A new one is written over the one that does not count, so that whoever
// dies in the middle leaves the last.
//
//	 0..7   magic, written last; void without it
//	 8..15  sequence
//	16..19  length of the body
//	20..23  CRC-32C of sequence, length and body
//	24..    the body: see owner.append
//
// Numbers are little endian.
type record struct {
	memory   []byte
	half     int
	sequence uint64 // of the last one written or read
	body     []byte // likewise
}

const (
	recordName  = "record"
	recordMagic = "gwrecord"
	recordHead  = 24
	recordHalf  = 1<<20 - recordHead // room for some 40,000 backends
)

var (
	errEmpty  = errors.New("the record is empty")
	errNoRoom = errors.New("the record has no room")

	castagnoli = crc32.MakeTable(crc32.Castagnoli)
)

// newRecord makes a record with room for n bytes at least in each half, and puts
// it in the place of the one that there may be.
func newRecord(c Config, n int) (*record, error) {
	memory, err := create(c, recordName, 2*(recordHead+n))
	if err != nil {
		return nil, err
	}
	return &record{memory: memory, half: len(memory) / 2}, nil
}

// openRecord maps the one that there is.
func openRecord(c Config) (*record, error) {
	memory, err := open(c, recordName)
	if err != nil {
		return nil, err
	}
	return &record{memory: memory, half: len(memory) / 2}, nil
}

func (r *record) close() error { return unmap(&r.memory) }

// read returns the owner that the record tells of.
func (r *record) read() (owner, error) {
	found := errEmpty
	for i := range 2 {
		sequence, body, err := readHalf(r.memory[i*r.half:][:r.half])
		switch {
		case err == nil && (found != nil || sequence > r.sequence):
			r.sequence, r.body, found = sequence, bytes.Clone(body), nil
		case err != nil && found != nil && !errors.Is(err, errEmpty):
			found = err
		}
	}
	if found != nil {
		return owner{}, found
	}
	return parseOwner(r.body)
}

func readHalf(half []byte) (sequence uint64, body []byte, err error) {
	if len(half) < recordHead || string(half[:8]) != recordMagic {
		return 0, nil, errEmpty
	}
	n := binary.LittleEndian.Uint32(half[16:])
	if uint64(n) > uint64(len(half)-recordHead) {
		return 0, nil, fmt.Errorf("a record of %d bytes in %d", n, len(half))
	}
	body = half[recordHead:][:n]
	if sum(half, body) != binary.LittleEndian.Uint32(half[20:]) {
		return 0, nil, errors.New("the checksum of the record is wrong")
	}
	return binary.LittleEndian.Uint64(half[8:]), body, nil
}

func sum(half, body []byte) uint32 {
	return crc32.Update(crc32.Checksum(half[8:20], castagnoli), castagnoli, body)
}

// write records an owner. Where there is no room for it, errNoRoom, the last one
// stays.
func (r *record) write(o *owner) error {
	body := o.append(nil)
	if r.holds() && bytes.Equal(body, r.body) {
		return nil
	}
	if len(body) > r.half-recordHead {
		return errNoRoom
	}
	r.sequence++
	half := r.memory[int(r.sequence&1)*r.half:][:r.half]
	clear(half[:8])
	copy(half[recordHead:], body)
	binary.LittleEndian.PutUint64(half[8:], r.sequence)
	binary.LittleEndian.PutUint32(half[16:], uint32(len(body)))
	binary.LittleEndian.PutUint32(half[20:], sum(half, body))
	copy(half, recordMagic)
	r.body = body
	return nil
}

// holds tells whether an owner is recorded.
func (r *record) holds() bool {
	half := r.memory[int(r.sequence&1)*r.half:]
	return string(half[:8]) == recordMagic
}

// clear makes both halves void.
func (r *record) clear() {
	clear(r.memory[:8])
	clear(r.memory[r.half:][:8])
}

// size is how long a body is.
func (o *owner) size() int { return len(o.append(nil)) }

// append writes an owner down: its instance, seed and rate, then its facts, the
// backends of each VIP, and the free numbers. Counts and lengths come before
// what they count, as varints.
func (o *owner) append(b []byte) []byte {
	text := func(s string) {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	le := binary.LittleEndian
	b = append(b, o.instance[:]...)
	for _, word := range []uint64{o.seed.A, o.seed.B, o.seed.C, o.rate} {
		b = le.AppendUint64(b, word)
	}
	b = binary.AppendUvarint(b, uint64(len(o.facts)))
	for _, f := range o.facts {
		text(f.name)
		text(f.value)
	}
	for rest := o.numbers.Endpoints; len(rest) > 0; {
		n := 1
		for n < len(rest) && rest[n].VIP == rest[0].VIP {
			n++
		}
		b = binary.AppendUvarint(b, uint64(n))
		text(rest[0].VIP)
		for _, e := range rest[:n] {
			text(string(e.Backend.AsSlice()))
			b = le.AppendUint32(b, uint32(e.Value))
		}
		rest = rest[n:]
	}
	b = binary.AppendUvarint(b, 0)
	b = binary.AppendUvarint(b, uint64(len(o.numbers.Free)))
	for _, v := range o.numbers.Free {
		b = le.AppendUint32(b, uint32(v))
	}
	return b
}

// parseOwner reads what append wrote. It takes any bytes; what it returns without
// an error a planner can go on from.
func parseOwner(body []byte) (o owner, err error) {
	p := parser{rest: body}
	copy(o.instance[:], p.take(len(o.instance)))
	o.seed.A, o.seed.B, o.seed.C, o.rate = p.word(), p.word(), p.word(), p.word()
	for range p.count(2) {
		o.facts = append(o.facts, fact{p.text(), p.text()})
	}
	for n := p.count(5); n > 0; n = p.count(5) {
		vip := p.text()
		for range n {
			a, ok := netip.AddrFromSlice([]byte(p.text()))
			if !ok {
				p.broken = true
				break
			}
			o.numbers.Endpoints = append(o.numbers.Endpoints, plan.Numbered{VIP: vip, Backend: a, Value: p.value()})
		}
	}
	for range p.count(4) {
		o.numbers.Free = append(o.numbers.Free, p.value())
	}
	if p.broken || len(p.rest) > 0 {
		return owner{}, errors.New("the record does not make sense")
	}
	return o, o.numbers.Check()
}

// A parser reads from the front. Once there is too little it is broken, and reads
// zeros.
type parser struct {
	rest   []byte
	broken bool
}

func (p *parser) take(n int) []byte {
	if n > len(p.rest) || p.broken {
		p.broken = true
		return nil
	}
	b := p.rest[:n]
	p.rest = p.rest[n:]
	return b
}

func (p *parser) word() (w uint64) {
	if b := p.take(8); b != nil {
		w = binary.LittleEndian.Uint64(b)
	}
	return w
}

func (p *parser) value() (v fib.Value) {
	if b := p.take(4); b != nil {
		v = fib.Value(binary.LittleEndian.Uint32(b))
	}
	return v
}

// count reads how many things there are of so many bytes at least.
func (p *parser) count(bytes uint64) uint64 {
	n, read := binary.Uvarint(p.rest)
	if read <= 0 || p.broken || n > uint64(len(p.rest))/bytes {
		p.broken = true
		return 0
	}
	p.rest = p.rest[read:]
	return n
}

func (p *parser) text() string { return string(p.take(int(p.count(1)))) }

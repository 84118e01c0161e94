package memport

import (
	"fmt"
	"sync"

	"guideway/pmd"
)

// state is where a frame is.
//
//	     Rx, Alloc           Tx
//	free ---------> held ---------> sent
//	  ^    Free      |                |
//	  +--------------+    Sent, Close |
//	  +-------------------------------+
type state uint8

const (
	free state = iota
	held       // by the packet path
	sent       // in a transmit ring
)

func (s state) String() string {
	return [...]string{"free already", "with the packet path", "sent already"}[s]
}

// A slot is a frame with its books. Frame comes first: see [Pool.slot].
type slot struct {
	pmd.Frame
	buf   []byte
	index int
	state state // guarded by Pool.mu
}

// poison fills the buffers of free frames, so that reading one after handing
// it back shows.
const poison = 0xdb

// A Pool is the frames of one or several ports. It is safe for concurrent use.
type Pool struct {
	name     string
	headroom int
	slots    []slot // never grows: frames do not move

	mu   sync.Mutex
	free []*slot // a stack, as in a core's cache: the warmest first
	sent int     // frames in state sent
}

// NewPool makes a pool of frames with buffers of size bytes each, headroom
// bytes of which are in front of a received packet. It panics where these make
// no frame.
func NewPool(name string, frames, size, headroom int) *Pool {
	if frames < 1 || headroom < 0 || headroom >= size || size > 1<<16-1 {
		panic(fmt.Sprintf("memport: pool %s: %d frames of %d bytes, headroom %d", name, frames, size, headroom))
	}
	p := &Pool{name: name, headroom: headroom, slots: make([]slot, frames)}
	memory := make([]byte, frames*size)
	for i := range p.slots {
		s := &p.slots[i]
		s.index = i
		s.buf = memory[i*size : (i+1)*size : (i+1)*size]
		s.poison()
		p.free = append(p.free, s)
	}
	return p
}

// Count tells how full the pool is.
func (p *Pool) Count() pmd.Pool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return pmd.Pool{Name: p.name, Size: len(p.slots), Free: len(p.free)}
}

func (p *Pool) held() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.slots) - len(p.free) - p.sent
}

// take takes a free frame and puts packet into it; nil when there is none. Of
// a packet longer than a buffer it is the first segment of several.
func (p *Pool) take(packet []byte, flags uint64) *slot {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.free) == 0 {
		return nil
	}
	s := p.pop()
	room := len(s.buf) - p.headroom
	s.Init(s.buf, p.headroom, copy(s.buf[p.headroom:], packet))
	s.SetFlags(flags)
	s.SetSegments(max(1, (len(packet)+room-1)/room))
	return s
}

// takeFresh appends n frames without data to b, or none where there are fewer.
func (p *Pool) takeFresh(b *pmd.Burst, n int) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.free) < n {
		return 0
	}
	for range n {
		s := p.pop()
		s.Init(s.buf, p.headroom, 0)
		b.Add(&s.Frame)
	}
	return n
}

// pop moves a frame from free to held. p.mu is held, and a frame is free.
func (p *Pool) pop() *slot {
	s := p.free[len(p.free)-1]
	p.free = p.free[:len(p.free)-1]
	s.state = held
	return s
}

// check panics unless f is a frame of this pool in state want. p.mu is held.
func (p *Pool) check(op string, f *pmd.Frame, want state) *slot {
	s := p.slot(f)
	switch {
	case s == nil:
		panic(fmt.Sprintf("memport: %s: frame %p is not of pool %s; ports whose frames cross must share a pool", op, f, p.name))
	case s.state != want:
		panic(fmt.Sprintf("memport: %s: frame %d of pool %s is %v", op, s.index, p.name, s.state))
	case s.Headroom()+s.Len() > len(s.buf):
		panic(fmt.Sprintf("memport: %s: frame %d of pool %s ends behind its buffer: headroom %d, length %d, buffer %d",
			op, s.index, p.name, s.Headroom(), s.Len(), len(s.buf)))
	}
	return s
}

// give returns f, which must be in state from, to the pool.
func (p *Pool) give(op string, f *pmd.Frame, from state) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.check(op, f, from)
	if from == sent {
		p.sent--
	}
	s.state = free
	s.poison()
	p.free = append(p.free, s)
}

// send moves f from held to sent.
func (p *Pool) send(f *pmd.Frame) *slot {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.check("Tx", f, held)
	s.state = sent
	p.sent++
	return s
}

func (s *slot) poison() {
	for i := range s.buf {
		s.buf[i] = poison
	}
	s.Init(s.buf, 0, 0)
}

package main

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"net/netip"
	"slices"
	"sync"

	"guideway/maglev"
)

// A method fills lookup tables. Backends are known by number; those that do
// not serve have no slot. All methods are given a table, as in section 5.3 of
// the paper, so that what differs is only who gets which slot.
type method struct {
	name string
	fill func(serves []bool, size int) []uint16
}

// cached is m that remembers its tables, for any number of goroutines that want
// the same ones again.
func cached(m method) method {
	var mu sync.Mutex
	known := map[string][]uint16{}
	return method{m.name, func(serves []bool, size int) []uint16 {
		mu.Lock()
		defer mu.Unlock()
		key := fmt.Sprint(size, serves)
		if known[key] == nil {
			known[key] = m.fill(serves, size)
		}
		return known[key]
	}}
}

// slotOf is where a hash falls in a table, as in maglev.Table.Pick.
func slotOf(hash uint64, size int) int {
	slot, _ := bits.Mul64(hash, uint64(size))
	return int(slot)
}

// address is a backend's, by number.
func address(backend int) netip.Addr {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], 10<<24+1+uint32(backend))
	return netip.AddrFrom4(b)
}

// number is the backend with that address.
func number(a netip.Addr) int {
	b := a.As4()
	return int(binary.BigEndian.Uint32(b[:]) - 10<<24 - 1)
}

// maglevMethod is the project's own. Other sets of addresses than the first
// are as good; they are what another seed is to the other methods.
func maglevMethod(set int) method {
	return method{"Maglev", func(serves []bool, size int) []uint16 {
		first := set * len(serves)
		var members []maglev.Member
		for b, ok := range serves {
			if ok {
				members = append(members, maglev.Member{Addr: address(first + b), Weight: 1})
			}
		}
		table, err := maglev.Build(members, size)
		if err != nil {
			panic(err) // sizes here are primes above the number of backends
		}
		slots := make([]uint16, size)
		for i, ordinal := range table.Slots() {
			slots[i] = uint16(number(table.Members()[ordinal].Addr) - first)
		}
		return slots
	}}
}

// modulo is what one would do first: the hash, modulo the number of backends
// that serve, is an index into their list.
func modulo() method {
	return method{"modulo", func(serves []bool, size int) []uint16 {
		var list []uint16
		for b, ok := range serves {
			if ok {
				list = append(list, uint16(b))
			}
		}
		slots := make([]uint16, size)
		for i := range slots {
			slots[i] = list[i%len(list)]
		}
		return slots
	}}
}

// views is how often a backend is on Karger's ring, as in the paper.
const views = 1000

// karger is consistent hashing on a ring (Karger et al., STOC 1997): a slot
// belongs to the next backend clockwise, and each backend is there many times.
func karger(seed uint64, backends int) method {
	ring := make([]point, 0, views*backends)
	for b := range backends {
		for v := range views {
			ring = append(ring, point(hash(seed, uint64(b), uint64(v))&^0xffff|uint64(b)))
		}
	}
	slices.Sort(ring)
	return method{"Karger", func(serves []bool, size int) []uint16 {
		living := make([]point, 0, len(ring))
		for _, p := range ring {
			if serves[p.backend()] {
				living = append(living, p)
			}
		}
		slots, next := make([]uint16, size), 0
		for i := range slots {
			for next < len(living) && living[next] < place(i, size) {
				next++
			}
			slots[i] = living[next%len(living)].backend()
		}
		return slots
	}}
}

// place is where a slot of a table is on the ring: slots are spread evenly.
func place(slot, size int) point {
	at, _ := bits.Div64(uint64(slot), 0, uint64(size))
	return point(at)
}

// A point is one view of a backend on the ring: its place in the upper 48
// bits, and the backend's number.
type point uint64

func (p point) backend() uint16 { return uint16(p) }

// rendezvous is highest random weight hashing (Thaler and Ravishankar, 1998):
// a slot belongs to the backend that has the largest hash with it.
func rendezvous(seed uint64) method {
	return method{"rendezvous", func(serves []bool, size int) []uint16 {
		var living []uint16
		for b, ok := range serves {
			if ok {
				living = append(living, uint16(b))
			}
		}
		slots := make([]uint16, size)
		for i := range slots {
			at, best := mix(seed^mix(uint64(i))), uint64(0)
			for _, b := range living {
				if h := mix(at + uint64(b)*golden); h >= best {
					best, slots[i] = h, b
				}
			}
		}
		return slots
	}}
}

const golden = 0x9e3779b97f4a7c15

// mix is the finalizer of SplitMix64.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

func hash(seed, a, b uint64) uint64 { return mix(mix(mix(seed+golden)^a) ^ (b + golden)) }

// sample is what a few numbers come to.
type sample struct{ mean, least, most, sigma float64 } // sigma: standard error of the mean

func summary(values []float64) sample {
	s := sample{least: slices.Min(values), most: slices.Max(values)}
	for _, v := range values {
		s.mean += v / float64(len(values))
	}
	for _, v := range values {
		s.sigma += (v - s.mean) * (v - s.mean)
	}
	if n := float64(len(values)); n > 1 {
		s.sigma = math.Sqrt(s.sigma / (n - 1) / n)
	}
	return s
}

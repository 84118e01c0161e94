package conntrack

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"time"

	"guideway/maglev/flow"
)

// Two tables see the same packets. One is asked by Hit first, the other only by
// Find: they say the same, and every byte of them stays the same.
func TestHitIsFind(t *testing.T) {
	const flows = 256
	random := rand.New(rand.NewPCG(1, 2))
	var tables [2]*Table
	var memory [2][]byte
	for i := range tables {
		buffer := make([]byte, Bytes(flows)+lineBytes)
		for {
			if _, base := cast(buffer, 1); base%lineBytes == 0 {
				break
			}
			buffer = buffer[1:]
		}
		memory[i] = buffer[:Bytes(flows)]
		var err error
		tables[i], err = New(Config{Flows: flows, Memory: memory[i], Seed: flow.Selection, Timeouts: Timeouts{
			TCPNew: 400 * time.Millisecond, TCPEstablished: 2 * time.Second, TCPClosing: 200 * time.Millisecond, UDP: time.Second, Other: time.Second}})
		if err != nil {
			t.Fatal(err)
		}
	}
	hit, find := tables[0], tables[1]
	hits, hits6, misses, wrongClass := 0, 0, 0, 0
	for step := range 200_000 {
		// Each with three protocols, which are three flows.
		n := random.Uint64N(flows / 2)
		k := flow.Key{SrcLo: n, DstLo: 7, Ports: uint32(n), Proto: []uint8{6, 17, 132}[random.IntN(3)], IPv6: n%16 == 0}
		now := Ticks(int64(step) * 100_000)
		ev := Event(random.IntN(3))
		h := hit.Hash(&k)
		at, known := find.Find(&k, h, now)
		if value, ok := hit.Hit(&k, h, now, ev); ok {
			hits++
			if k.IPv6 {
				hits6++
			}
			if !known || value != find.Value(at) {
				t.Fatalf("step %d: %v: Hit says %d; Find: %v", step, k, value, known)
			}
			find.Touch(at, now, ev)
		} else {
			other, alsoKnown := hit.Find(&k, h, now)
			if alsoKnown != known || known && other != at {
				t.Fatalf("step %d: %v: Find says %v, %v after Hit, and %v, %v without", step, k, other, alsoKnown, at, known)
			}
			if known {
				misses++
				if !k.IPv6 && at.line() == hit.v4.home(h) {
					wrongClass++
				}
			}
			for _, table := range tables {
				if known {
					table.Touch(at, now, ev)
				} else {
					table.Insert(&k, h, uint32(n), now, ev)
				}
			}
		}
		if step%1000 == 0 {
			hit.Age(now, 16)
			find.Age(now, 16)
		}
		if step%100 == 0 && !bytes.Equal(memory[0], memory[1]) {
			t.Fatalf("step %d: the tables differ", step)
		}
	}
	if !bytes.Equal(memory[0], memory[1]) || hit.Stats() != find.Stats() {
		t.Fatalf("the tables differ: %+v, %+v", hit.Stats(), find.Stats())
	}
	t.Logf("%d hits, of IPv6 %d, %d found only by Find, %d of them in the home line: %+v", hits, hits6, misses, wrongClass, hit.Stats())
	if hits < 10_000 || hits6 < 1000 || misses < 1000 || wrongClass == 0 {
		t.Error("not every way was gone")
	}
}

// A flow that comes again finds another slot than the one it had, and is no less a
// hit for that.
func TestHitAfterReturn(t *testing.T) {
	tb := mustNew(t, Config{Flows: 1})
	var keys []flow.Key // of one home line
	for i := uint32(0); len(keys) < 2; i++ {
		k := flowKey(i, false)
		if tb.v4.home(tb.Hash(&k)) == 0 {
			keys = append(keys, k)
		}
	}
	long := Ticks(int64(time.Hour))
	for _, k := range keys {
		tb.Insert(&k, tb.Hash(&k), 1, 0, Data)
	}
	for _, k := range keys {
		tb.Find(&k, tb.Hash(&k), long) // and is not found
	}
	k := keys[1]
	tb.Insert(&k, tb.Hash(&k), 2, long, Data)
	if value, known := tb.Hit(&k, tb.Hash(&k), long, Data); !known || value != 2 {
		t.Fatalf("%d, %v", value, known)
	}
}

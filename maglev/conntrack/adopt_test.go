package conntrack

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"guideway/maglev/flow"
)

func anything(uint32) bool { return true }

// leave fills a table with what a long run leaves, and returns it with its
// memory.
func leave(t testing.TB, flows int) (*run, Config) {
	c := Config{Flows: flows, Timeouts: shortTimeouts, Seed: flow.Selection, Memory: newMemory(2 * lineCount(flows))}
	r := &run{table: mustNew(t, c), model: map[flow.Key]entry{}, flows: map[place]flow.Key{}, now: ^Tick(99)}
	random := rand.New(rand.NewPCG(1, 2))
	for range 4000 {
		if random.IntN(16) == 0 {
			r.now += Tick(random.IntN(3))
		}
		if err := r.packet(modelKey(uint8(random.Uint32())), random.Uint32(), Event(random.IntN(3)), random.IntN(8) == 0); err != nil {
			t.Fatal(err)
		}
	}
	return r, c
}

// What a table knew is known to the one that adopts its memory, on whatever
// clock: values, states and times, and the notes to find them by.
func TestAdopt(t *testing.T) {
	for _, later := range []Tick{0, 5, ^Tick(1000)} {
		r, c := leave(t, 64)
		want, err := audit(r.table)
		if err != nil {
			t.Fatal(err)
		}
		lived := uint64(0)
		for p, e := range want {
			e.stamp += later
			want[p] = e
			if !r.live(r.flows[p], entry{stamp: e.stamp - later, state: e.state}) {
				delete(want, p)
			} else {
				lived++
			}
		}
		all := r.table.Stats().Entries
		for i := range r.table.lines {
			r.table.lines[i][meta] |= nearMask | 7<<farShift | 0x3f<<18 // as a crash may leave notes
		}
		table, a, err := Adopt(c, r.now+later, later, anything)
		if err != nil {
			t.Fatal(err)
		}
		got, err := audit(table)
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != len(want) || a.Taken != lived || a.Expired != all-lived || a.Dropped != 0 || lived < 50 {
			t.Fatalf("%d flows, want %d: %+v of %d", len(got), len(want), a, all)
		}
		for p, e := range want {
			if got[p] != e {
				t.Fatalf("%v is %+v, want %+v", p, got[p], e)
			}
		}
	}
}

// What cannot be is dropped, each thing for itself, and the rest stays.
func TestAdoptDrops(t *testing.T) {
	spoil := map[string]func(r *run, l *line, i uint32){
		"class 0":       func(_ *run, l *line, i uint32) { l[meta] &^= classMask << (markBits * i) },
		"class 5":       func(_ *run, l *line, i uint32) { l[meta] |= classMask << (markBits * i) },
		"no state":      func(_ *run, l *line, i uint32) { l[meta] &^= stateMask << (markBits * i) },
		"another place": func(_ *run, l *line, i uint32) { l[2*i] ^= 0x5a5a5a5a; l[2*i+1] ^= 0x5a5a5a5a },
		"the future":    func(r *run, l *line, i uint32) { l[stamps+i] = uint32(r.now) + 2000 },
		"a bad value":   func(_ *run, l *line, i uint32) { l[values+i] = 0xdead },
	}
	for name, f := range spoil {
		r, c := leave(t, 4096)
		before, _, err := Adopt(c, r.now, 0, anything)
		if err != nil {
			t.Fatal(err)
		}
		entries, spoilt := before.Stats().Entries, uint64(0)
		for index := range before.lines {
			l := &before.lines[index]
			for i := range uint32(slots) {
				if l.mark(i) != 0 && spoilt < 5 {
					f(r, l, i)
					spoilt++
				}
			}
		}
		table, a, err := Adopt(c, r.now, 0, func(v uint32) bool { return v != 0xdead })
		if err != nil {
			t.Fatal(err)
		}
		if _, err := audit(table); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if name == "a bad value" {
			a.Void, a.Dropped = a.Dropped, a.Void
		}
		if a.Dropped != spoilt || a.Void != 0 || a.Taken != entries-spoilt || spoilt != 5 {
			t.Errorf("%s: %+v of %d with %d spoilt", name, a, entries, spoilt)
		}
	}
}

// Whatever the bytes are, the table is sound, holds good values alone, and
// serves on.
func FuzzAdopt(f *testing.F) {
	r, c := leave(f, 8)
	f.Add(c.Memory, uint32(r.now), uint32(0))
	f.Add([]byte{}, uint32(1), uint32(1))
	for seed := range byte(8) {
		b := make([]byte, len(c.Memory))
		rand.NewChaCha8([32]byte{seed}).Read(b)
		f.Add(b, uint32(r.now), uint32(seed))
	}
	f.Fuzz(func(t *testing.T, bytes []byte, now, later uint32) {
		c := Config{Flows: 8, Timeouts: shortTimeouts, Seed: flow.Selection, Memory: newMemory(2 * lineCount(8))}
		copy(c.Memory, bytes)
		table, a, err := Adopt(c, Tick(now), Tick(later), func(v uint32) bool { return v&3 == 1 })
		if err != nil {
			t.Fatal(err)
		}
		flows, err := audit(table)
		if err != nil || uint64(len(flows)) != a.Taken {
			t.Fatal(a, len(flows), err)
		}
		for p, e := range flows {
			if e.value&3 != 1 {
				t.Fatalf("%v has value %#x", p, e.value)
			}
		}
		r := &run{table: table, model: map[flow.Key]entry{}, flows: map[place]flow.Key{}, now: Tick(now)}
		for i := range 64 {
			k := modelKey(uint8(i))
			h := table.Hash(&k)
			if at, ok := table.Find(&k, h, r.now); ok {
				table.Touch(at, r.now, Data)
			} else {
				table.Insert(&k, h, 1, r.now, Data)
			}
		}
		table.Age(r.now+64+Tick(slack), table.Lines())
		if _, err := audit(table); err != nil || table.Len() != 0 {
			t.Fatal(table.Len(), err)
		}
	})
}

// A process that works on a table is killed at any moment. What is left names for
// each flow one of the two values that it ever had.
func TestKilled(t *testing.T) {
	const flows, kills = 200, 150
	path := filepath.Join(t.TempDir(), "table")
	if err := os.WriteFile(path, make([]byte, Bytes(flows)+4), 0o600); err != nil {
		t.Fatal(err)
	}
	memory := shared(t, path)
	c := Config{Flows: flows, Timeouts: shortTimeouts, Seed: flow.Selection, Memory: memory}
	found := uint64(0)
	for n := range kills {
		child := exec.Command(os.Args[0], "-test.run=^TestKilledChild$")
		child.Env = append(os.Environ(), killedTable+"="+path, fmt.Sprint("GUIDEWAY_TEST_SEED=", n))
		out, err := child.StdoutPipe()
		if err == nil {
			err = child.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := out.Read(make([]byte, 1)); err != nil { // it is at work
			t.Fatal(err)
		}
		time.Sleep(time.Duration(rand.IntN(2000)) * time.Microsecond)
		child.Process.Kill()
		if err := child.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
			t.Fatalf("the child: %v", err)
		}
		now := Tick(binary.LittleEndian.Uint32(memory[Bytes(flows):]))
		table, a, err := Adopt(c, now, 0, anything)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := audit(table); err != nil {
			t.Fatal(err)
		}
		known := uint64(0)
		for i := range uint32(4 * flows) {
			k := killedKey(i)
			h := table.Hash(&k)
			at, ok := table.look(map[bool]*family{false: &table.v4, true: &table.v6}[k.IPv6], tagOf(&k, h), h)
			if !ok {
				continue
			}
			known++
			if v := table.Value(at); v>>1 != i {
				t.Fatalf("flow %d has value %d of flow %d", i, v, v>>1)
			}
		}
		if known != a.Taken || a.Dropped > 0 {
			t.Fatalf("%+v, of which %d are flows", a, known)
		}
		found += known
	}
	if found < kills*flows/2 {
		t.Errorf("%d flows were found after %d kills", found, kills)
	}
}

const killedTable = "GUIDEWAY_TEST_TABLE"

func killedKey(i uint32) flow.Key {
	return flow.Key{SrcLo: 0x0a000000 + uint64(i), DstLo: 0xcb007101, Ports: i<<16 | 80, Proto: [2]uint8{6, 17}[i&1], IPv6: i&2 != 0}
}

// TestKilledChild is the process that TestKilled kills; by itself it does nothing
// but see that it can be. It works until it is killed, and writes the time behind
// the table.
func TestKilledChild(t *testing.T) {
	path := os.Getenv(killedTable)
	if path == "" {
		if _, err := os.Stat("/proc/self/exe"); err != nil {
			t.Fatal("TestKilled starts this program again: ", err)
		}
		return
	}
	const flows = 200
	memory := shared(t, path)
	table, _, err := Adopt(Config{Flows: flows, Timeouts: shortTimeouts, Seed: flow.Selection, Memory: memory}, 1, 0, func(uint32) bool { return false })
	if err != nil {
		t.Fatal(err)
	}
	var seed [32]byte
	copy(seed[:], os.Getenv("GUIDEWAY_TEST_SEED"))
	random := rand.New(rand.NewChaCha8(seed))
	for n := 0; ; n++ {
		if n == 2000 {
			os.Stdout.WriteString("x")
		}
		now := Tick(1 + n/400)
		binary.LittleEndian.PutUint32(memory[Bytes(flows):], uint32(now))
		i := random.Uint32N(4 * flows)
		k := killedKey(i)
		h := table.Hash(&k)
		at, ok := table.Find(&k, h, now)
		switch {
		case !ok:
			table.Insert(&k, h, 2*i, now, Data)
		case n%8 == 0:
			table.Replace(at, 2*i+1, now, Data)
		default:
			table.Touch(at, now, Data)
		}
		table.Age(now, 1)
	}
}

// shared maps a file.
func shared(t *testing.T, path string) []byte {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	memory, err := unix.Mmap(int(f.Fd()), 0, int(info.Size()), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Munmap(memory) })
	return memory
}

// The number of the layout depends on nothing that changes from call to call.
func TestLayout(t *testing.T) {
	if first, again := Layout(), Layout(); first != again || first == 0 {
		t.Error("the layout's number changes by itself")
	}
}

// What a start costs more, for each table: the whole of it is read and written.
func BenchmarkAdopt(b *testing.B) {
	const flows = 1 << 20
	c := Config{Flows: flows, Timeouts: shortTimeouts, Seed: flow.Selection, Memory: newMemory(2 * lineCount(flows))}
	table := mustNew(b, c)
	for i := range uint32(2 * flows) {
		k := flow.Key{SrcLo: uint64(i), DstLo: 0xcb007101, Ports: i<<16 | 80, Proto: 6, IPv6: i&1 != 0}
		table.Insert(&k, table.Hash(&k), i, 0, Data)
	}
	for b.Loop() {
		if _, a, err := Adopt(c, 0, 0, anything); err != nil || a.Taken < 2*flows*9/10 {
			b.Fatal(a, err)
		}
	}
}

package keep

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"guideway/control/plan"
	"guideway/maglev/conntrack"
	"guideway/maglev/fib"
	"guideway/maglev/flow"
)

// A life is that of a process with its tables.
type life struct {
	*Store
	t   *testing.T
	log *strings.Builder
}

// usual is a configuration with a folder of its own on tmpfs.
func usual(t *testing.T) Config { return usualIn(filepath.Join(folder(t, "/dev/shm"), "kept")) }

func usualIn(dir string) Config {
	return Config{
		Dir: dir, Node: 0, Version: "v1", Spread: "as it comes", Cores: 2,
		Table: conntrack.Config{Flows: 2048, Seed: flow.Seed{A: 1, B: 2, C: 3}, Timeouts: conntrack.Timeouts{
			TCPNew: time.Minute, TCPEstablished: time.Minute, TCPClosing: time.Minute, UDP: time.Minute, Other: time.Minute}},
		Now: int64(time.Hour), Rate: 2_400_000_000,
	}
}

// folder makes one that goes with the test.
func folder(t *testing.T, in string) string {
	dir, err := os.MkdirTemp(in, "guideway-keep-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func live(t *testing.T, c Config) *life {
	t.Helper()
	l := &life{t: t, log: &strings.Builder{}}
	c.Log = slog.New(slog.NewTextHandler(l.log, nil))
	var err error
	if l.Store, err = Open(c); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// die ends a life without a word, as kill -9 does.
func (l *life) die() {
	l.t.Helper()
	if err := l.give(); err != nil {
		l.t.Fatal(err)
	}
}

func key(i int) flow.Key {
	return flow.Key{SrcLo: 0x0a000000 + uint64(i), DstLo: 0xcb007101, Ports: uint32(i)<<16 | 80, Proto: 6, IPv6: i&1 != 0}
}

// remember puts flows from one number on into all tables, on endpoint 1 and 2 in
// turn.
func (l *life) remember(from, to int) {
	now := conntrack.Ticks(l.c.Now)
	for _, table := range l.Tables() {
		for i := from; i < to; i++ {
			k := key(i)
			table.Insert(&k, table.Hash(&k), uint32(fib.MakeValue(uint32(1+i%2), 0)), now, conntrack.Data)
		}
	}
}

// knows counts the flows from one number on that a core's table knows, each where
// it was sent.
func (l *life) knows(core, from, to int) (n int) {
	l.t.Helper()
	table, now := l.Tables()[core], conntrack.Ticks(l.c.Now)
	for i := from; i < to; i++ {
		k := key(i)
		if at, ok := table.Find(&k, table.Hash(&k), now); ok {
			if v := fib.Value(table.Value(at)); v != fib.MakeValue(uint32(1+i%2), 0) {
				l.t.Fatalf("flow %d is sent to %x", i, v)
			}
			n++
		}
	}
	return n
}

var (
	backends = []netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("2001:db8::2"), netip.MustParseAddr("2001:db8::3")}
	numbers  = plan.Numbers{
		Endpoints: []plan.Numbered{{VIP: "www", Backend: backends[0], Value: fib.MakeValue(1, 0)}, {VIP: "www", Backend: backends[1], Value: fib.MakeValue(2, 0)}},
		Free:      []fib.Value{fib.MakeValue(3, 7)},
	}
)

func (l *life) keep(n plan.Numbers) {
	l.t.Helper()
	if err := l.Keep(n); err != nil {
		l.t.Fatal(err)
	}
}

func (l *life) came(result string, tables int) {
	l.t.Helper()
	if got := l.Took().Tables; got[result] != tables {
		l.t.Errorf("tables came to be as %v, want %d %s:\n%s", got, tables, result, l.log)
	}
}

// Tables are gone on with after a stop and after a crash, on every kind of memory
// that this machine has, and by the numbers of the last plan.
func TestTakenOver(t *testing.T) {
	for _, huge := range []bool{false, true} {
		for _, end := range []string{"stop", "crash"} {
			c := usual(t)
			if huge {
				if hugepagesFree(t) < 8 {
					continue
				}
				c.Dir, c.Huge = filepath.Join(folder(t, "/dev/hugepages"), "kept"), true
			}
			first := live(t, c)
			first.came(None, 2)
			if first.Left() != nil || first.Kept() {
				t.Fatal("the first finds something, or would be found")
			}
			first.keep(plan.Numbers{})
			first.keep(numbers)
			first.remember(0, 1000)
			if end == "stop" {
				if err := first.Close(); err != nil {
					t.Fatal(err)
				}
			} else {
				first.die()
			}
			c.Table.Seed = flow.Seed{A: 9} // a new process draws another
			c.Rate = c.Rate / 10 * 11      // and measures its clock anew
			c.Now = c.Now / 11 * 10
			second := live(t, c)
			second.came(Taken, 2)
			if got := second.Left(); got == nil || len(got.Endpoints) != 2 || got.Endpoints[1] != numbers.Endpoints[1] || got.Free[0] != numbers.Free[0] {
				t.Errorf("%s: numbers %+v", end, got)
			}
			if second.Seed() != (flow.Seed{A: 1, B: 2, C: 3}) || !second.Kept() {
				t.Errorf("%s: seed %v, kept %v", end, second.Seed(), second.Kept())
			}
			for core := range 2 {
				if n := second.knows(core, 0, 1000); n < 995 || n != second.Tables()[core].Len() {
					t.Errorf("%s: core %d knows %d of 1000 flows", end, core, n)
				}
			}
			if took := second.Took().Adoption; took.Dropped != 0 || took.Taken != uint64(second.Tables()[0].Len()+second.Tables()[1].Len()) {
				t.Errorf("%s: %+v", end, took)
			}
			second.remember(1000, 1100)
			second.die()
			third := live(t, c)
			if n := third.knows(0, 0, 1100); n < 1090 {
				t.Errorf("%s: the third knows %d of 1100 flows", end, n)
			}
		}
	}
}

func hugepagesFree(t *testing.T) (n int) {
	t.Helper()
	text, err := os.ReadFile("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages")
	if err != nil {
		return 0 // a kernel without
	}
	var fs unix.Statfs_t
	if err := unix.Statfs("/dev/hugepages", &fs); err != nil || fs.Type != unix.HUGETLBFS_MAGIC || fs.Bsize != 2<<20 {
		return 0
	}
	if _, err := fmt.Sscan(string(text), &n); err != nil {
		t.Fatal(err)
	}
	return n
}

// Whatever differs, nothing is gone on with, one line says why, and the next
// process finds tables that fit.
func TestRefused(t *testing.T) {
	for name, change := range map[string]func(*Config){
		factVersion: func(c *Config) { c.Version = "v2" },
		factFlows:   func(c *Config) { c.Table.Flows = 1024 },
		factCores:   func(c *Config) { c.Cores = 3 },
		factSpread:  func(c *Config) { c.Spread = "another key" },
	} {
		c := usual(t)
		first := live(t, c)
		first.keep(numbers)
		first.remember(0, 100)
		first.die()
		change(&c)
		second := live(t, c)
		second.came(name, c.Cores)
		if second.Left() != nil || second.knows(0, 0, 100) != 0 || second.Kept() {
			t.Errorf("%s: something was gone on with", name)
		}
		if n := strings.Count(second.log.String(), "\n"); n != 1 || !strings.Contains(second.log.String(), name) {
			t.Errorf("%s: the log says %s", name, second.log)
		}
		second.keep(numbers)
		second.die()
		live(t, c).came(Taken, c.Cores)
	}
	if len(Results()) != 12 || !strings.HasPrefix(strings.Join(Results(), " "), Taken) {
		t.Error("results", Results())
	}
}

// A process that forwarded nothing leaves nothing to be gone on with.
func TestBornAndDied(t *testing.T) {
	c := usual(t)
	live(t, c).die()
	live(t, c).came(None, 2)
}

// Two processes never have one folder.
func TestBusy(t *testing.T) {
	c := usual(t)
	first := live(t, c)
	c.Log = slog.New(slog.DiscardHandler)
	_, err := Open(c)
	var r *Refusal
	if !errors.As(err, &r) || r.Result != Busy {
		t.Fatalf("the second gets %v", err)
	}
	first.die()
	live(t, c)
}

// A folder that is no good is refused by name.
func TestUnusable(t *testing.T) {
	for name, c := range map[string]Config{
		"no such file":    {Dir: "/dev/shm/guideway-is/not/there"},
		"not on tmpfs":    {Dir: "/proc/self"},
		"no folder":       {Dir: "/dev/null"},
		"not on huge":     {Dir: folder(t, "/dev/shm"), Huge: true},
		"this user alone": {Dir: openToAll(t)},
		"bytes":           {Dir: folder(t, "/dev/shm"), Cores: 1, Table: conntrack.Config{Flows: conntrack.MaxFlows}, Node: -1},
	} {
		if c.Cores == 1 && shmSize(t) > uint64(conntrack.Bytes(conntrack.MaxFlows)) {
			continue // there is room
		}
		c.Log = slog.New(slog.DiscardHandler)
		_, err := Open(c)
		var r *Refusal
		if !errors.As(err, &r) || r.Result != Unusable || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
		if left, _ := filepath.Glob(c.Dir + "/core*"); len(left) > 0 && c.Cores > 0 {
			t.Errorf("%s: memory is left: %v", name, left)
		}
	}
}

func openToAll(t *testing.T) string {
	dir := folder(t, "/dev/shm")
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func shmSize(t *testing.T) uint64 {
	var fs unix.Statfs_t
	if err := unix.Statfs("/dev/shm", &fs); err != nil {
		t.Fatal(err)
	}
	return fs.Blocks * uint64(fs.Bsize)
}

// What was damaged between two processes is found, and costs one table at most.
func TestDamaged(t *testing.T) {
	spoil := func(c Config, name string, at int, with byte) {
		f, err := os.OpenFile(filepath.Join(c.Dir, name), os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		var b [1]byte
		if _, err := f.ReadAt(b[:], int64(at)); err != nil {
			t.Fatal(err)
		}
		b[0] ^= with
		if _, err := f.WriteAt(b[:], int64(at)); err != nil {
			t.Fatal(err)
		}
	}
	for _, d := range []struct {
		file         string
		at           int
		taken, other int
		result       string
	}{
		{"core-1", 0, 1, 1, Damaged},                // magic
		{"core-1", 8, 1, 1, Damaged},                // instance
		{"core-1", 24, 1, 1, Damaged},               // core
		{"core-1", 32, 1, 1, Damaged},               // checksum
		{"core-1", tableAt + 1000, 1, 1, Damaged},   // the table
		{"record", recordHead + 200, 0, 2, Damaged}, // the only half that counts
		{"record", 16, 0, 2, Damaged},
	} {
		c := usual(t)
		first := live(t, c)
		first.keep(numbers)
		first.remember(0, 1000)
		first.Close()
		at := d.at
		if d.file == "record" {
			at += len(first.recordOf()) / 2 // the first is written to the second half
		}
		spoil(c, d.file, at, 0x10)
		second := live(t, c)
		second.came(Taken, d.taken)
		second.came(d.result, d.other)
		if d.taken == 1 && (second.knows(0, 0, 1000) < 995 || second.knows(1, 0, 1000) != 0) {
			t.Errorf("%+v: cores know %d and %d flows", d, second.knows(0, 0, 1000), second.knows(1, 0, 1000))
		}
	}
	c := usual(t)
	first := live(t, c)
	first.keep(numbers)
	first.Close()
	if err := os.Truncate(filepath.Join(c.Dir, "core-0"), 4096); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(c.Dir, "core-1")); err != nil {
		t.Fatal(err)
	}
	second := live(t, c)
	second.came(Damaged, 1)
	second.came(None, 1)
}

// recordOf maps what a life has recorded.
func (l *life) recordOf() []byte {
	memory, err := open(l.c, recordName)
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { unmap(&memory) })
	return memory
}

// A record grows with what it holds, and one that is killed in the middle of it
// has left the last.
func TestRecord(t *testing.T) {
	c := usual(t)
	first := live(t, c)
	first.keep(numbers)
	var many plan.Numbers
	for i := range 100_000 {
		many.Endpoints = append(many.Endpoints, plan.Numbered{VIP: fmt.Sprintf("vip %03d", i/1000), Value: fib.MakeValue(uint32(i+1), 0),
			Backend: netip.AddrFrom4([4]byte{10, 0, byte(i % 1000 >> 8), byte(i % 1000)})})
	}
	first.keep(many)
	memory := first.recordOf()
	first.keep(numbers)
	half := memory[int(first.record.sequence&1)*len(memory)/2:]
	binary.LittleEndian.PutUint32(half[20:], 0) // as if killed before this was written
	first.die()
	second := live(t, c)
	second.came(Taken, 2)
	if got := second.Left(); len(got.Endpoints) != len(many.Endpoints) || got.Endpoints[99_999] != many.Endpoints[99_999] {
		t.Errorf("%d endpoints", len(got.Endpoints))
	}
}

// A record that cannot be written leaves none.
func TestRecordShort(t *testing.T) {
	c := usual(t)
	first := live(t, c)
	first.keep(numbers)
	first.c.Dir = "/dev/shm/guideway-is/not/there"
	large := plan.Numbers{Free: make([]fib.Value, 500_000)}
	if err := first.Keep(large); err == nil || first.Kept() {
		t.Errorf("written to nowhere: %v, kept %v", err, first.Kept())
	}
	first.die()
	live(t, c).came(None, 2)
}

// A store that is none does nothing.
func TestNone(t *testing.T) {
	var s *Store
	if s.Keep(numbers) != nil || s.Left() != nil || s.Kept() || s.Close() != nil {
		t.Error("no store does something")
	}
}

// No bytes make a record that a planner cannot go on from, and what is read from
// any is written as it was.
func FuzzRecord(f *testing.F) {
	o := owner{instance: [16]byte{1, 2}, seed: flow.Selection, rate: 3, facts: []fact{{"version", "v1"}}, numbers: numbers}
	f.Add(o.append(nil))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, body []byte) {
		o, err := parseOwner(body)
		if err != nil {
			return
		}
		if err := o.numbers.Check(); err != nil {
			t.Fatal(err)
		}
		o.then(1<<60, 1)
		good := o.good()
		for v := range uint32(16) {
			good(v)
		}
		again, err := parseOwner(o.append(nil))
		if err != nil || len(again.numbers.Endpoints) != len(o.numbers.Endpoints) || len(again.facts) != len(o.facts) {
			t.Fatalf("%+v, then %+v: %v", o, again, err)
		}
		half := make([]byte, recordHead+len(body))
		copy(half, body)
		readHalf(half)
	})
}

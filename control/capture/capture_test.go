package capture

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/pcapgo"

	"guideway/fragments"
	"guideway/lcore"
	"guideway/maglev/conntrack"
	"guideway/maglev/flow"
	"guideway/pmd"
	"guideway/pmd/memport"
)

// A rig is two cores on two ports in memory, that know no VIP, and a Capturer.
type rig struct {
	t       *testing.T
	ports   [2]*memport.Port
	workers []*lcore.Worker
	group   *lcore.Group
	log     *journal
	*Capturer
	dir string
}

// journal is a log that can be read while it is written.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(b)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

func newRig(t *testing.T) *rig {
	r := &rig{t: t, log: new(journal), dir: t.TempDir()}
	pool := memport.NewPool("pool", 16384, 2048, 128)
	for i := range r.ports {
		r.ports[i] = memport.New(memport.Config{Name: []string{"wan", "lan"}[i], Queues: 2, MTU: 1500, Pool: pool})
	}
	seed := flow.Seed{A: 1, B: 2, C: 3}
	for core := range 2 {
		table, err := conntrack.New(conntrack.Config{Flows: 1024, Seed: seed, Timeouts: conntrack.Timeouts{
			TCPNew: time.Minute, TCPEstablished: time.Minute, TCPClosing: time.Minute, UDP: time.Minute, Other: time.Minute}})
		if err != nil {
			t.Fatal(err)
		}
		pieces, err := fragments.New(fragments.Config{Datagrams: 64, Held: 64, Bytes: 1 << 17, Timeout: time.Second, Seed: seed})
		if err != nil {
			t.Fatal(err)
		}
		c := lcore.Config{CPU: core, Conntrack: table, Fragments: pieces, Idle: time.Sleep}
		for _, p := range r.ports {
			c.Ports = append(c.Ports, lcore.PortQueue{Queue: p.Queue(core)})
		}
		r.workers = append(r.workers, lcore.New(c))
	}
	r.group = lcore.NewGroup(r.workers...)
	r.Capturer = New(Options{
		Group: r.group, Ports: []pmd.Info{r.ports[0].Info(), r.ports[1].Info()}, Clock: r.ports[0].Now,
		Compile: compilePort80, Program: "guidewayd test", Node: "lb1", Log: slog.New(slog.NewTextHandler(r.log, nil)),
	})
	return r
}

// poll lets the cores run for as long as the test does.
func (r *rig) poll() {
	var running sync.WaitGroup
	for _, w := range r.workers {
		running.Go(w.Run)
	}
	r.t.Cleanup(func() {
		r.group.Stop()
		running.Wait()
	})
}

// A running capture is one that copies already.
type running struct {
	cancel context.CancelFunc
	done   chan struct{}
	result *Result
	err    error
}

func (r *rig) start(q Request) *running {
	r.t.Helper()
	ctx, cancel := context.WithCancel(r.t.Context())
	c := &running{cancel: cancel, done: make(chan struct{})}
	began := strings.Count(r.log.String(), "msg=capturing")
	go func() {
		defer close(c.done)
		c.result, c.err = r.Run(ctx, q)
	}()
	for strings.Count(r.log.String(), "msg=capturing") == began {
		select {
		case <-c.done:
			r.t.Fatalf("the capture has ended: %+v, %v", c.result, c.err)
		case <-time.After(time.Millisecond):
		}
	}
	return c
}

// wait returns how it ended.
func (c *running) wait(t *testing.T) *Result {
	t.Helper()
	select {
	case <-c.done:
	case <-time.After(20 * time.Second):
		t.Fatal("the capture does not end")
	}
	if c.err != nil {
		t.Fatal(c.err)
	}
	return c.result
}

func (r *rig) file(name string) string { return filepath.Join(r.dir, name+".pcapng") }

// A record is a packet of a file.
type record struct {
	info gopacket.CaptureInfo
	data []byte
}

func read(t *testing.T, name string) (r *pcapgo.NgReader, packets []record) {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	r, err = pcapgo.NewNgReader(f, pcapgo.DefaultNgReaderOptions)
	if err != nil {
		t.Fatal(err)
	}
	for {
		data, info, err := r.ReadPacketData()
		if err == io.EOF {
			return r, packets
		}
		if err != nil {
			t.Fatal(err)
		}
		packets = append(packets, record{info, data})
	}
}

// What matches is in the file, byte for byte, in the order of time over cores and
// ports, with the time on the wall, and with what was said of where it comes from.
func TestCapture(t *testing.T) {
	r := newRig(t)
	r.poll()
	began := time.Now()
	c := r.start(Request{Filter: "tcp port 80", Count: 1000, Time: time.Minute, File: r.file("x")})
	if _, err := r.Run(t.Context(), Request{Count: 1, Time: time.Second, File: r.file("y")}); err == nil || !strings.Contains(err.Error(), "another capture is under way") {
		t.Errorf("a second capture: %v", err)
	}
	var want [][]byte
	for i := range 40 {
		frame := tcp(80)
		frame[14+40] = byte(i)
		want = append(want, frame)
		for _, p := range r.ports {
			p.Advance(int64(time.Millisecond))
		}
		r.ports[i/4%2].Inject(i%2, frame)
		r.ports[i/4%2].Inject(i%2, tcp(81))
		for _, p := range r.ports {
			for p.Pending(0)+p.Pending(1) > 0 {
				time.Sleep(10 * time.Microsecond)
			}
		}
	}
	time.Sleep(5 * time.Millisecond) // rests of the cores
	c.cancel()
	got := c.wait(t)
	if got.Packets != len(want) || got.Missed != 0 || got.Ended != ByOperator {
		t.Errorf("%+v, want %d packets", got, len(want))
	}
	info, err := os.Stat(r.file("x"))
	if err != nil || info.Mode() != 0o600 || info.Size() != got.Bytes {
		t.Errorf("the file: %v, %v; %d bytes were reported", info.Mode(), err, got.Bytes)
	}
	reader, packets := read(t, r.file("x"))
	for i, p := range packets {
		if !bytes.Equal(p.data, want[i]) || p.info.Length != len(want[i]) || p.info.InterfaceIndex != i/4%2 {
			t.Errorf("packet %d is %x of port %d, want %x", i, p.data, p.info.InterfaceIndex, want[i])
		}
		if i > 0 {
			if d := p.info.Timestamp.Sub(packets[i-1].info.Timestamp); d != time.Millisecond {
				t.Errorf("packet %d is %v after the one before it", i, d)
			}
		}
		if p.info.Timestamp.Before(began.Add(-time.Second)) || p.info.Timestamp.After(time.Now().Add(time.Second)) {
			t.Errorf("packet %d has the time %v", i, p.info.Timestamp)
		}
	}
	section := reader.SectionInfo()
	if section.Application != "guidewayd test" || section.Comment != "node lb1" || !strings.HasPrefix(section.OS, "Linux ") || section.Hardware == "" {
		t.Errorf("section: %+v", section)
	}
	for i, name := range []string{"wan", "lan"} {
		in, err := reader.Interface(i)
		if err != nil || in.Name != name || in.Filter != "tcp port 80" || !strings.HasSuffix(in.Description, "as received") || in.SnapLength != 1522 {
			t.Errorf("interface %d: %+v, %v", i, in, err)
		}
		if n := in.Statistics.PacketsReceived; n != 20 || in.Statistics.PacketsDropped != 0 {
			t.Errorf("interface %d: %+v", i, in.Statistics)
		}
	}
	out, err := exec.Command("tshark", "-r", r.file("x"), "-T", "fields", "-e", "tcp.dstport", "-e", "frame.interface_name").Output()
	if err != nil || strings.Count(string(out), "80\twan\n") != 20 || strings.Count(string(out), "80\tlan\n") != 20 {
		t.Errorf("tshark: %v\n%s", err, out)
	}
}

// Each limit ends a capture, and says so; the file is whole.
func TestLimits(t *testing.T) {
	r := newRig(t)
	r.poll()
	for _, c := range []struct {
		Request
		ended string
	}{
		{Request{Count: 3, Time: time.Minute}, ByCount},
		{Request{Count: 1000, Time: 100 * time.Millisecond}, ByTime},
		{Request{Count: 1000, Time: time.Minute, Size: 1000}, BySize},
	} {
		c.File = r.file(c.ended)
		run := r.start(c.Request)
		for range 20 {
			r.ports[0].Inject(0, tcp(80))
		}
		got := run.wait(t)
		_, packets := read(t, c.File)
		if got.Ended != c.ended || len(packets) != got.Packets {
			t.Errorf("%+v, and %d packets in the file; want an end by %s", got, len(packets), c.ended)
		}
		switch c.ended {
		case ByCount:
			if got.Packets != 3 {
				t.Errorf("%d packets, want 3", got.Packets)
			}
		case BySize: // and what a file ends with
			if got.Packets < 3 || got.Packets > 9 || got.Bytes > 1000+200 {
				t.Errorf("%d packets in %d bytes", got.Packets, got.Bytes)
			}
		}
	}
}

// Whatever matched is either in the file or counted, however fast it comes.
func TestFlood(t *testing.T) {
	r := newRig(t)
	r.poll()
	c := r.start(Request{Count: 1 << 20, Time: time.Minute, File: r.file("x")})
	const frames = 15000 // what the pool has
	for i := range frames {
		r.ports[1].Inject(i%2, tcp(80))
	}
	for r.ports[1].Pending(0)+r.ports[1].Pending(1) > 0 {
		time.Sleep(time.Millisecond)
	}
	c.cancel()
	got := c.wait(t)
	if all := got.Packets + int(got.Missed); all != frames {
		t.Errorf("%d packets and %d missed, of %d", got.Packets, got.Missed, frames)
	}
	if _, packets := read(t, r.file("x")); len(packets) != got.Packets {
		t.Errorf("%d packets in the file; reported %+v", len(packets), got)
	}
}

// The file says how many packets are missing in it, by port.
func TestFileOfMissed(t *testing.T) {
	r := newRig(t)
	f, err := r.create(Request{Sent: true, Count: 10, File: r.file("x")}, 1522)
	if err != nil {
		t.Fatal(err)
	}
	for _, port := range []int{0, 1, 1} {
		if err := f.add(lcore.Copy{Port: port, Total: 2000, Data: tcp(80)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.finish([]uint64{5, 7}); err != nil {
		t.Fatal(err)
	}
	reader, packets := read(t, r.file("x"))
	if len(packets) != 3 || packets[0].info.Length != 2000 || !bytes.Equal(packets[0].data, tcp(80)) {
		t.Errorf("%d packets, the first %+v", len(packets), packets[0])
	}
	for i, want := range []pcapgo.NgInterfaceStatistics{{PacketsReceived: 6, PacketsDropped: 5}, {PacketsReceived: 9, PacketsDropped: 7}} {
		in, err := reader.Interface(i)
		if err != nil || in.Statistics.PacketsReceived != want.PacketsReceived || in.Statistics.PacketsDropped != want.PacketsDropped || !strings.HasSuffix(in.Description, "as sent") {
			t.Errorf("interface %d: %+v, %v", i, in, err)
		}
	}
}

// What cannot be captured is refused before anything is done; what is there is
// left alone.
func TestRefused(t *testing.T) {
	r := newRig(t)
	r.poll()
	there := r.file("there")
	if err := os.WriteFile(there, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	dangling := r.file("link")
	if err := os.Symlink(filepath.Join(r.dir, "elsewhere"), dangling); err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct {
		filter, file, want string
	}{
		"a filter":      {"tcp prot 80", r.file("x"), `filter "tcp prot 80": syntax error`},
		"a file":        {"", there, "file exists"},
		"a link":        {"", dangling, "file exists"},
		"a directory":   {"", filepath.Join(r.dir, "none", "x.pcapng"), "no such file"},
		"a name":        {"", filepath.Join(r.dir, "x.conf"), "is no path from / of a .pcapng file"},
		"a relative":    {"", "x.pcapng", "is no path from /"},
		"a roundabout":  {"", r.dir + "/../x.pcapng", "is no path from /"},
		"a file system": {"", "/proc/x.pcapng", ""},
	} {
		got, err := r.Run(t.Context(), Request{Filter: c.filter, Count: 1, Time: time.Minute, File: c.file})
		if got != nil || err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %+v, %v; want %q", what, got, err, c.want)
		}
	}
	if text, err := os.ReadFile(there); err != nil || string(text) != "precious" {
		t.Errorf("%q, %v", text, err)
	}
	entries, err := filepath.Glob(filepath.Join(r.dir, "*"))
	if err != nil || len(entries) != 2 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
	c := r.start(Request{Count: 1, Time: time.Millisecond, File: r.file("after")}) // nothing is copied any more
	c.wait(t)
}

// A core that stands is named, and nothing is left behind.
func TestStalledCore(t *testing.T) {
	r := newRig(t) // nobody polls
	_, err := r.Run(t.Context(), Request{Count: 1, Time: time.Minute, File: r.file("x")})
	if err == nil || !strings.Contains(err.Error(), "cores [0 1] do not answer") {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(r.file("x")); !os.IsNotExist(err) {
		t.Errorf("there is a file: %v", err)
	}
	r.poll()
	r.start(Request{Count: 1, Time: time.Millisecond, File: r.file("x")}).wait(t)
}

// A file that cannot be written on is an error that says how far it came, and
// ends the copying.
func TestWriteFails(t *testing.T) {
	r := newRig(t)
	r.poll()
	f := &file{ports: make([]uint64, 2), count: 10, size: MaxSize}
	disk, err := os.Open("/dev/null") // for reading only
	if err != nil {
		t.Fatal(err)
	}
	f.disk = disk
	f.buffer = newBuffer(disk)
	if err := f.begin(r.Capturer, Request{}, 1522); err != nil {
		t.Fatal(err)
	}
	tap, err := r.group.Tap(t.Context(), lcore.TapConfig{Snap: 1522, Slots: 64})
	if err != nil {
		t.Fatal(err)
	}
	r.ports[0].Inject(0, tcp(80))
	ended, err := r.record(t.Context(), tap, f, Request{Time: time.Minute})
	if ended != "" || err == nil {
		t.Errorf("ended by %q, error %v", ended, err)
	}
	if err := tap.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := f.finish(tap.Missed()); err == nil {
		t.Error("finished without an error")
	}
}

// BenchmarkFile is what a packet of 1500 bytes costs whoever writes the file; how
// many a second that is says from when on a capture misses some.
func BenchmarkFile(b *testing.B) {
	for _, size := range []int{64, 1500} {
		b.Run(map[int]string{64: "64", 1500: "1500"}[size], func(b *testing.B) {
			disk, err := os.OpenFile("/dev/null", os.O_WRONLY, 0)
			if err != nil {
				b.Fatal(err)
			}
			defer disk.Close()
			f := &file{disk: disk, buffer: newBuffer(disk), ports: make([]uint64, 1), size: 1 << 62}
			c := New(Options{Ports: []pmd.Info{{Name: "wan"}}})
			if err := f.begin(c, Request{}, 1522); err != nil {
				b.Fatal(err)
			}
			data := make([]byte, size)
			for b.Loop() {
				if err := f.add(lcore.Copy{Total: size, Data: data}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

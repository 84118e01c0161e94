package control

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"guideway/control/config"
	"guideway/fragments"
	"guideway/lcore"
	"guideway/maglev/conntrack"
	"guideway/maglev/flow"
	"guideway/maglev/packet"
	"guideway/pmd"
	"guideway/pmd/memport"
)

const head = `[reload]
max_removed = "100%"
[node]
name   = "lb1"
source = ["192.0.2.11"]
[dpdk]
lcores = [1, 2]
control_cpus = [0]
memory = "64MiB"
huge = false
[[port]]
name = "mem"
device = "net_null0"
addresses = ["192.0.2.11/24"]
next_hop_mac = "02:00:00:00:00:01"
mtu = 1600
[conntrack]
flows_per_core = 4096
`

// vipText is a VIP at 203.0.113.N, TCP port 80.
func vipText(name string, n int, backends ...string) string {
	return fmt.Sprintf("[[pool]]\nname = %q\nbackends = [%s]\n[[vip]]\nname = %q\naddress = \"203.0.113.%d\"\nports = [\"80\"]\npools = [%q]\ntable_size = 4099\n",
		name, strings.Join(backends, ", "), name, n, name)
}

// backend is a backend 10.0.0.N with more keys, if there are any.
func backend(n int, more ...string) string {
	return "{ " + strings.Join(append([]string{fmt.Sprintf("address = \"10.0.0.%d\"", n)}, more...), ", ") + " }"
}

// A rig is a manager over two cores that poll a port in memory.
type rig struct {
	t       *testing.T
	path    string
	port    *memport.Port
	group   *lcore.Group
	manager *Manager
	log     *logLines
	stalled []sync.RWMutex // by core: held for writing, it stalls at its next rest
	stop    context.CancelFunc
	loops   sync.WaitGroup
}

const rigCores = 2

// newRig starts a manager with a configuration; its Run is not called yet.
func newRig(t *testing.T, text string) *rig {
	t.Helper()
	return newRigWith(t, text, func(*Options) {})
}

// newRigWith starts one that has more than cores and a port.
func newRigWith(t *testing.T, text string, add func(*Options)) *rig {
	t.Helper()
	r := &rig{
		t: t, path: filepath.Join(t.TempDir(), "guideway.toml"), log: &logLines{},
		port:    memport.New(memport.Config{Queues: rigCores, MTU: 1600, Frames: 8192, MAC: [6]byte{2, 0, 0, 0, 0, 0x11}}),
		stalled: make([]sync.RWMutex, rigCores),
	}
	var workers []*lcore.Worker
	for i := range rigCores {
		table, err := conntrack.New(conntrack.Config{
			Flows: 4096, Seed: flow.Seed{A: 1, B: 2, C: 3},
			Timeouts: conntrack.Timeouts{TCPNew: time.Minute, TCPEstablished: time.Hour, TCPClosing: time.Minute, UDP: time.Minute, Other: time.Minute},
		})
		if err != nil {
			t.Fatal(err)
		}
		pieces, err := fragments.New(fragments.Config{Datagrams: 64, Held: 16, Bytes: 1 << 20, Timeout: time.Second})
		if err != nil {
			t.Fatal(err)
		}
		workers = append(workers, lcore.New(lcore.Config{
			CPU: i + 1, Conntrack: table, Fragments: pieces, Ports: []lcore.PortQueue{{Queue: r.port.Queue(i)}},
			Idle: func(d time.Duration) {
				r.stalled[i].RLock()
				defer r.stalled[i].RUnlock()
				time.Sleep(d)
			},
		}))
	}
	r.group = lcore.NewGroup(workers...)
	r.write(text)
	c, warnings, err := config.Load(r.path)
	if err != nil {
		t.Fatal(err)
	}
	o := Options{
		Path: r.path, Config: c, Warnings: warnings, Group: r.group,
		Ports: []pmd.Port{r.port}, Workers: 1,
		Log: slog.New(slog.NewTextHandler(r.log, nil)), AwaitLimit: 20 * time.Second, // the machine may be busy
	}
	add(&o)
	r.manager, err = New(o)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range workers {
		r.loops.Go(w.Run)
	}
	t.Cleanup(r.close)
	if err := r.manager.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	return r
}

// run serves requests as the daemon does.
func (r *rig) run() {
	ctx, cancel := context.WithCancel(context.Background())
	r.stop = cancel
	r.loops.Go(func() { r.manager.Run(ctx) })
}

// close stops everything and counts the frames.
func (r *rig) close() {
	if r.stop != nil {
		r.stop()
	}
	r.group.Stop()
	r.loops.Wait()
	r.port.Sent(0)
	r.port.Sent(1)
	if p := r.port.Pool(); p.Free != p.Size {
		r.t.Errorf("%d of %d frames have come back", p.Free, p.Size)
	}
}

func (r *rig) write(text string) {
	r.t.Helper()
	if err := os.WriteFile(r.path, []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

// reload does one reload with a text, on the test's goroutine, and returns the
// lines that were logged for it.
func (r *rig) reload(text string) []string {
	r.t.Helper()
	r.write(text)
	r.log.take()
	r.manager.serve(r.t.Context(), false)
	return r.log.take()
}

// until waits for a status.
func (r *rig) until(good func(*Status) bool) {
	r.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !good(r.manager.Status()); time.Sleep(100 * time.Microsecond) {
		if time.Now().After(deadline) {
			r.t.Fatalf("status %+v", *r.manager.Status())
		}
	}
}

func (r *rig) generations() []uint64 {
	r.t.Helper()
	reports, err := r.group.Reports(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	var all []uint64
	for _, report := range reports {
		all = append(all, report.Generation)
	}
	return all
}

// A client is one connection; its number decides its core too.
type client int

// segment is one of the connection to 203.0.113.1, with the given flags.
func (c client) segment(flags uint8) []byte {
	b := make([]byte, 14+20+20)
	packet.PutEthernet(b, [6]byte{2, 0, 0, 0, 0, 0x11}, [6]byte{2, 0, 0, 0, 0, 0x99}, 0, packet.EtherTypeIPv4)
	packet.PutIPv4(b[14:], 61, packet.ProtoTCP, 0xc6336401, 0xcb007101)
	packet.SetIPv4(b[14:], 0, 40, packet.IPv4Rest(b[14:]))
	binary.BigEndian.PutUint16(b[34:], uint16(c))
	binary.BigEndian.PutUint16(b[36:], 80)
	b[34+12], b[34+13] = 5<<4, flags
	return b
}

// A sent is where a client's segment went.
type sent struct {
	client  client
	backend netip.Addr
}

// decode reads a frame that a core sent: Ethernet, IPv4, GRE, and the segment.
func decode(frame []byte) sent {
	inner := frame[14+20+4:]
	return sent{client(binary.BigEndian.Uint16(inner[20:])), netip.AddrFrom4([4]byte(frame[14+16:]))}
}

// inject hands the next segment of each of the first clients to its core.
func (r *rig) inject(clients int) { r.injectFrom(0, clients, packet.TCPAck) }

func (r *rig) injectFrom(first, clients int, flags uint8) {
	for c := client(first); c < client(first+clients); c++ {
		r.port.Inject(int(c)%rigCores, c.segment(flags))
	}
}

// stall keeps a core from its next turn on, until the returned function is
// called.
func (r *rig) stall(core int) (resume func()) {
	r.stalled[core].Lock()
	time.Sleep(2 * time.Millisecond) // it comes to rest after some empty turns
	resume = sync.OnceFunc(r.stalled[core].Unlock)
	r.t.Cleanup(resume) // a test that fails must not wait for it
	return resume
}

// collect waits until n segments were sent.
func (r *rig) collect(n int) []sent {
	r.t.Helper()
	var all []sent
	for deadline := time.Now().Add(10 * time.Second); len(all) < n; time.Sleep(50 * time.Microsecond) {
		for q := range rigCores {
			for _, frame := range r.port.Sent(q) {
				all = append(all, decode(frame))
			}
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("%d of %d segments were sent", len(all), n)
		}
	}
	return all
}

// logLines holds what was logged.
type logLines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logLines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

// take returns the lines since the last call, without their times.
func (l *logLines) take() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	lines := strings.Split(strings.TrimSpace(l.buf.String()), "\n")
	l.buf.Reset()
	for i, line := range lines {
		_, lines[i], _ = strings.Cut(line, " ")
	}
	return slices.DeleteFunc(lines, func(s string) bool { return s == "" })
}

package keep

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"guideway/control/config"
	"guideway/control/plan"
	"guideway/maglev/conntrack"
	"guideway/maglev/fib"
)

// A process that reloads and forwards without pause is killed at any moment, and
// so is the one that takes over from it, again and again. Each flow belongs to one
// backend, which comes and goes, and whose numbers others get after it. Whatever is
// left of a flow never names another.
func TestKilledAtAnyMoment(t *testing.T) {
	c := usual(t)
	c.Cores = 1
	reused, entries, plans := false, uint64(0), 0
	for n := range 120 {
		child := exec.Command(os.Args[0], "-test.run=^TestKilledChild$")
		child.Env = append(os.Environ(), killedDir+"="+c.Dir, "GUIDEWAY_TEST_SEED="+fmt.Sprint(n))
		out, err := child.StdoutPipe()
		if err == nil {
			err = child.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		if n%4 > 0 { // else while it begins
			if _, err := out.Read(make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Duration(rand.IntN(20)) * time.Millisecond)
		child.Process.Kill()
		if err := child.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
			t.Fatalf("the child: %v", err)
		}
		l := live(t, c)
		if l.Took().Tables[Damaged] > 0 || l.Took().Adoption.Dropped > 0 {
			t.Fatalf("after %d kills: %+v\n%s", n+1, l.Took(), l.log)
		}
		if left := l.Left(); left != nil {
			plans++
			entries += l.Took().Adoption.Taken
			reused = l.checkNames(*left) || reused
		}
		l.die()
	}
	if entries < 10_000 || plans < 60 || !reused {
		t.Errorf("%d plans and %d entries were taken over, numbers were used again: %v: the test shows less than it should", plans, entries, reused)
	}
}

// checkNames holds what a table has of each flow against the numbers. It tells
// whether any number is not its id's first.
func (l *life) checkNames(left plan.Numbers) (reused bool) {
	l.t.Helper()
	named := map[fib.Value]netip.Addr{}
	for _, e := range left.Endpoints {
		named[e.Value] = e.Backend
		reused = reused || e.Value.Generation() > 0
	}
	table, now, known := l.Tables()[0], conntrack.Ticks(l.c.Now), uint64(0)
	for i := range killedFlows {
		k := key(i)
		at, ok := table.Find(&k, table.Hash(&k), now)
		if !ok {
			continue
		}
		known++
		if got := named[fib.Value(table.Value(at))]; got != killedBackend(i) {
			l.t.Fatalf("flow %d of %v is at %v", i, killedBackend(i), got)
		}
	}
	if took := l.Took().Adoption; took.Taken != known {
		l.t.Fatalf("%+v, of which %d are flows", took, known)
	}
	return reused
}

const (
	killedDir      = "GUIDEWAY_TEST_KEEP"
	killedFlows    = 1500
	killedBackends = 100
)

func killedBackend(flow int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, 0, 0, byte(flow % killedBackends)})
}

// TestKilledChild is the process that is killed; by itself it does nothing but see
// that it can be.
func TestKilledChild(t *testing.T) {
	dir := os.Getenv(killedDir)
	if dir == "" {
		if _, err := os.Stat(os.Args[0]); err != nil {
			t.Fatal("this program is to be started again: ", err)
		}
		return
	}
	c := usualIn(dir)
	c.Cores, c.Log = 1, slog.New(slog.DiscardHandler)
	s, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	seed, err := strconv.Atoi(os.Getenv("GUIDEWAY_TEST_SEED"))
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(uint64(seed), 7))
	in := plan.Input{Left: s.Left(), Ports: []plan.Port{{MAC: [6]byte{2}, MTU: 1500}}, Workers: 1}
	for {
		in.Generation++
		in.Config = killedConfig(random)
		p, err := plan.Build(in)
		if err != nil {
			t.Fatal(err)
		}
		in.Previous = p
		if err := s.Keep(p.Numbers()); err != nil {
			t.Fatal(err)
		}
		forward(s.Tables()[0], p, conntrack.Ticks(c.Now), random)
		if in.Generation == 3 {
			os.Stdout.WriteString("x")
		}
	}
}

// killedConfig has one VIP with two backends in three.
func killedConfig(random *rand.Rand) *config.Config {
	pool := config.Pool{Name: "pool"}
	for i := range killedBackends {
		if random.IntN(3) > 0 {
			pool.Backends = append(pool.Backends, config.Backend{Address: killedBackend(i), Weight: 100})
		}
	}
	return &config.Config{
		Node:  config.Node{Name: "lb1", Source4: netip.MustParseAddr("192.0.2.11")},
		Ports: []config.Port{{Name: "wan", HasNextHop: true, NextHopMAC: [6]byte{2}}},
		Pools: []config.Pool{pool},
		VIPs: []config.VIP{{Name: "vip", Prefix: netip.MustParsePrefix("203.0.113.1/32"), Protocol: config.ProtocolTCP,
			Ports: []config.PortRange{{First: 80, Last: 80}}, Pools: []string{"pool"}, TableSize: 251}},
	}
}

// forward does with packets of flows what a core does, but for the lookup table:
// each flow has its own backend, and none where that is not there.
func forward(table *conntrack.Table, p *plan.Plan, now conntrack.Tick, random *rand.Rand) {
	serving := map[netip.Addr]fib.Value{}
	for _, b := range p.VIPs[0].Backends {
		serving[b.Address] = b.Endpoint
	}
	for range killedFlows / 2 {
		i := random.IntN(killedFlows)
		k := key(i)
		h := table.Hash(&k)
		value, there := serving[killedBackend(i)]
		at, known := table.Find(&k, h, now)
		switch {
		case known && i%5 == 0: // silent since its first packet
		case known && table.Value(at) == uint32(value):
			table.Touch(at, now, conntrack.Data)
		case !there:
		case known:
			table.Replace(at, uint32(value), now, conntrack.Data)
		default:
			table.Insert(&k, h, uint32(value), now, conntrack.Data)
		}
	}
}

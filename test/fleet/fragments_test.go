package fleet

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"guideway/test/daemon"
)

// lost is after how long a datagram without receipt counts as lost.
const lost = 3 * time.Second

// large is a datagram of six fragments at 1500.
const large = 8 << 10

// An entrance is a way for a datagram's frames into the fleet.
type entrance struct {
	name string
	send func(s *speaker, r *rand.Rand) func(payload []byte)
}

// Where frames are injected, every one goes to any node.
var entrances = []entrance{
	{"the client's own", func(s *speaker, _ *rand.Rand) func([]byte) { return s.write }},
	{"in order", scattered(func([][]byte, *rand.Rand) {})},
	{"reversed", scattered(func(frames [][]byte, _ *rand.Rand) { slices.Reverse(frames) })},
	{"shuffled", scattered(func(frames [][]byte, r *rand.Rand) {
		r.Shuffle(len(frames), func(i, j int) { frames[i], frames[j] = frames[j], frames[i] })
	})},
}

func scattered(order func([][]byte, *rand.Rand)) func(*speaker, *rand.Rand) func([]byte) {
	return func(s *speaker, r *rand.Rand) func([]byte) {
		return func(payload []byte) {
			frames := s.frames(payload)
			order(frames, r)
			for _, frame := range frames {
				s.f.inject(r.IntN(s.f.shape.nodes), frame)
			}
		}
	}
}

// Datagrams of six fragments reach one backend whole, that of their flow's
// small ones, in whatever order and at whichever nodes the fragments come in.
func TestFragments(t *testing.T) {
	for _, nodes := range []int{2, 3} {
		t.Run(fmt.Sprintf("%d nodes", nodes), func(t *testing.T) {
			f := start(t, shape{nodes: nodes})
			for _, v := range vips {
				for _, e := range entrances {
					t.Run(v.name+" "+e.name, func(t *testing.T) { f.fragments(t, v, e, size(125, 2500)) })
				}
			}
			f.allMet(t)
			f.stop()
		})
	}
}

// fragments sends at least so many large datagrams in as many flows as the
// client has addresses, one at a time in each, and a small one after every
// fourth.
func (f *fleet) fragments(t *testing.T, v vip, e entrance, datagrams int) {
	began := time.Now()
	each := (datagrams + clients - 1) / clients
	var results [clients]result
	var wg sync.WaitGroup
	for i := range results {
		s := f.speak(v, i)
		defer s.close()
		wg.Go(func() {
			send := e.send(s, rand.New(rand.NewPCG(1, uint64(i))))
			for n := range each {
				results[i].add(s.ask(large, lost, send))
				if n%4 == 0 {
					results[i].add(s.ask(64, lost, send))
				}
			}
			results[i].strange = s.strangers()
		})
	}
	wg.Wait()
	var flows [backends]int
	for i, r := range results {
		if r.lost > 0 || r.strayed > 0 || r.strange > 0 {
			t.Errorf("from %v: %+v", v.client(i), r)
		}
		flows[r.server]++
	}
	for i, n := range flows {
		if n == 0 {
			t.Errorf("%s has none of the %d flows", backendName(i), clients)
		}
	}
	t.Logf("%d datagrams in %v; the backends have %v of the flows", each*clients, time.Since(began).Round(time.Millisecond), flows)
}

// A result is what became of a flow's datagrams, large and small.
type result struct {
	answered, lost int
	strayed        int  // at another backend than the first one
	strange        int  // receipts too many
	server         byte // of the first one
}

func (r *result) add(o outcome) {
	switch {
	case !o.whole:
		r.lost++
		return
	case r.answered == 0:
		r.server = o.server
	case r.server != o.server:
		r.strayed++
	}
	r.answered++
}

// allMet holds the nodes to having brought all fragments together, by every way
// that there is, and the backends' kernels to having given up none.
func (f *fleet) allMet(t *testing.T) {
	t.Helper()
	metrics := f.metrics()
	verdicts := daemon.Verdicts(metrics)
	for verdict, n := range verdicts {
		if strings.HasPrefix(verdict, "fragment_") {
			t.Errorf("%d fragments ended as %s", n, verdict)
		}
	}
	if verdicts["redirected"] == 0 {
		t.Errorf("no fragment went to its owner: %v", verdicts)
	}
	if metrics[fmt.Sprintf(`guideway_fragments_events_total{core="%d",event="released"}`, pollCPU)] == 0 {
		t.Errorf("no fragment waited for its first: %v", metrics)
	}
	for i := range backends {
		for _, failed := range []string{"Ip: ReasmFails", "Ip6: Ip6ReasmFails"} {
			if n := f.counter(backendName(i), failed); n != 0 {
				t.Errorf("%s gave up %d datagrams (%s)", backendName(i), n, failed)
			}
		}
	}
}

// counter reads a counter of a host's kernel, as nstat names it.
func (f *fleet) counter(host, name string) int {
	f.t.Helper()
	group, name, _ := strings.Cut(name, ": ")
	if group == "Ip6" {
		for line := range strings.Lines(f.run(host, "cat", "/proc/net/snmp6")) {
			if fields := strings.Fields(line); fields[0] == name {
				return atoi(f.t, fields[1])
			}
		}
	}
	var names []string
	for line := range strings.Lines(f.run(host, "cat", "/proc/net/snmp")) {
		fields := strings.Fields(line)
		if fields[0] != group+":" {
			continue
		}
		if i := slices.Index(names, name); i >= 0 {
			return atoi(f.t, fields[i])
		}
		names = fields
	}
	f.t.Fatalf("%s has no counter %s", host, name)
	return 0
}

func atoi(t testing.TB, s string) int {
	t.Helper()
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

package fleet

import (
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"guideway/fragments"
	"guideway/maglev/flow"
	"guideway/maglev/packet"
)

// The time that a lost node's datagrams may take to find another owner: the
// probes that it misses, the last one's timeout, and a busy machine.
const (
	healthInterval = 3 * probe
	margin         = probe + 1500*time.Millisecond // for a machine that is busy with other things
)

// With a node killed, new datagrams of those it owned flow again within the
// health interval, and of the others none is lost.
func TestOwnerKilled(t *testing.T) {
	f := start(t, shape{nodes: most})
	victim := f.owner(t, vip4, 0)
	var living []int
	for i := range most {
		if i != victim {
			living = append(living, i)
		}
	}
	type stream struct {
		*speaker
		victims  bool // its datagrams are of the node to be killed
		outcomes []outcome
	}
	var streams []*stream
	owned := [2]int{}
	for _, v := range []vip{vip4, vip6} {
		for i := range clients {
			s := &stream{speaker: f.speak(v, i), victims: f.owner(t, v, i) == victim}
			streams = append(streams, s)
			if s.victims {
				owned[0]++
			} else {
				owned[1]++
			}
		}
	}
	if owned[0] < 3 || owned[1] < 3 {
		t.Fatalf("%s owns %d streams, the others %d: too few to tell", nodeName(victim), owned[0], owned[1])
	}

	company := f.company()
	for i, s := range streams {
		company.wg.Go(func() {
			r := rand.New(rand.NewPCG(2, uint64(i)))
			send := func(payload []byte) {
				for _, frame := range s.frames(payload) {
					f.inject(living[r.IntN(len(living))], frame)
				}
			}
			limit := lost
			if s.victims {
				limit = probe / 4 // time enough for an answer, and to see when they come again
			}
			for {
				select {
				case <-company.stop:
					return
				case <-time.After(10 * time.Millisecond):
					s.outcomes = append(s.outcomes, s.ask(large, limit, send))
				}
			}
		})
	}
	time.Sleep(time.Second)
	killed := time.Now()
	f.nodes[victim].Kill()
	time.Sleep(healthInterval + margin + time.Second)
	company.end()

	var outage time.Duration
	var sent, missing int
	for _, s := range streams {
		for _, o := range s.outcomes {
			after := o.sent.Sub(killed)
			sent++
			switch {
			case o.whole:
			case !s.victims:
				t.Errorf("%v: a datagram of another owner, sent %v after the kill, was lost", s.from, after)
			case after < -probe/4:
				t.Errorf("%v: a datagram sent %v before the kill was lost", s.from, -after)
			case after > healthInterval+margin:
				t.Errorf("%v: a datagram sent %v after the kill was lost", s.from, after)
			default:
				missing++
				outage = max(outage, after)
			}
		}
		if last := s.outcomes[len(s.outcomes)-1]; !last.whole {
			t.Errorf("%v: the last datagram was lost", s.from)
		}
	}
	if missing == 0 {
		t.Errorf("%s was killed and nobody missed it", nodeName(victim))
	}
	t.Logf("%d datagrams; with %s gone %d of its own were lost, the last %v after", sent, nodeName(victim), missing, outage.Round(time.Millisecond))
	f.nodes = append(f.nodes[:victim], f.nodes[victim+1:]...)
	f.stop()
}

// owner tells which node owns the datagrams of the client's i-th address to a
// VIP.
func (f *fleet) owner(t *testing.T, v vip, i int) int {
	t.Helper()
	var nodes []fragments.Node
	for j := range f.shape.nodes {
		nodes = append(nodes, fragments.Node{Addr: nth(node4, j)})
	}
	o, err := fragments.NewOwners(nodes, node4.Addr())
	if err != nil {
		t.Fatal(err)
	}
	k := flow.NewKey(packet.ProtoUDP, netip.AddrPortFrom(v.client(i), 0), netip.AddrPortFrom(v.addr, recorderPort))
	owner, _ := o.Owner(&k)
	return owner
}

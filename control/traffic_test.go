package control

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
)

// A wish is what the operator wants of the backends of VIP www.
type wish map[netip.Addr]string // "up", "drain", "off"

func (w wish) keeps(b netip.Addr) bool { return w[b] == "up" || w[b] == "drain" }

// randomWish is any set of backends, one at least up, with any weights, beside
// other VIPs that come and go, and its text.
func randomWish(random *rand.Rand) (wish, string) {
	w := wish{}
	var list []string
	up := 1 + random.IntN(8)
	for n := 1; n <= 8; n++ {
		state := []string{"up", "up", "up", "drain", "off", ""}[random.IntN(6)]
		if n == up {
			state = "up"
		}
		if state != "" {
			w[netip.AddrFrom4([4]byte{10, 0, 0, byte(n)})] = state
			list = append(list, backend(n, fmt.Sprintf("state = %q, weight = %d", state, 1+random.IntN(200))))
		}
	}
	random.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	var text strings.Builder
	text.WriteString(head + vipText("www", 1, list...))
	for n := 2; n < 8; n++ {
		if random.IntN(2) == 0 { // others, whose numbers are given back and given again
			text.WriteString(vipText(fmt.Sprintf("%c%d", 'a'+random.IntN(26), n), n, backend(n+1), backend(n+2)))
		}
	}
	return w, text.String()
}

// Two hundred reloads with anything in them while 300 connections send all the
// time. A connection whose backend stays, serving or draining, never goes
// anywhere else, neither during the reload nor after it. Any other goes once,
// to where new connections may go.
func TestConnectionsStayOverReloads(t *testing.T) {
	const clients = 300
	reloads := uint64(200)
	if testing.Short() {
		reloads = 40
	}
	random := rand.New(rand.NewPCG(1, 1))
	j := judge{t: t}
	var text string
	j.next, text = randomWish(random)
	r := newRig(t, text)
	r.inject(clients)
	if j.home = homes(r.collect(clients)); len(j.home) != clients {
		t.Fatalf("%d of %d connections were forwarded", len(j.home), clients)
	}
	r.run()

	for j.reload = range reloads {
		j.now, j.moved = j.next, map[client]netip.Addr{}
		j.next, text = randomWish(random)
		r.write(text)
		r.inject(clients)
		r.manager.Reload()
		for r.manager.Status().Reloads.Success == j.reload {
			j.judge(r.collect(clients), false) // of the round before
			r.inject(clients)
		}
		j.judge(r.collect(clients), false)
		r.inject(clients)
		j.judge(r.collect(clients), true)
		if t.Failed() {
			return
		}
		maps.Copy(j.home, j.moved)
		j.moves += len(j.moved)
	}
	t.Logf("%d times a connection had to move; of %d packets %d were sent in the middle of reloads", j.moves, j.judged, j.during)
	if st := r.manager.Status(); st.Reloads != (Results{Success: reloads}) {
		t.Errorf("reloads: %+v", st.Reloads)
	}
	if n := int(reloads) * clients; j.moves < n/10 || j.moves > n/2 || j.during < n {
		t.Error("this shows less than it should")
	}
}

// A judge follows each connection over one reload after another.
type judge struct {
	t         *testing.T
	reload    uint64
	now, next wish
	home      map[client]netip.Addr // before the reload
	moved     map[client]netip.Addr // in it

	moves, judged, during int
}

// judge looks at packets; after tells that they were sent when the reload had
// ended.
func (j *judge) judge(all []sent, after bool) {
	j.judged += len(all)
	if !after {
		j.during += len(all)
	}
	for _, s := range all {
		was := j.home[s.client]
		goes := "goes"
		moved, hasMoved := j.moved[s.client]
		switch {
		case hasMoved:
			if s.backend == moved {
				continue
			}
			goes = fmt.Sprintf("went to %v and goes", moved)
		case s.backend == was:
			if !after || j.next.keeps(was) {
				continue
			}
		case j.next[s.backend] == "up" && !(j.now.keeps(was) && j.next.keeps(was)):
			j.moved[s.client] = s.backend
			continue
		}
		j.t.Errorf("reload %d, after it %v: client %d, which was at %v (%q, then %q), %s to %v (%q)",
			j.reload, after, s.client, was, j.now[was], j.next[was], goes, s.backend, j.next[s.backend])
	}
}

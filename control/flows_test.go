package control

import (
	"net/netip"
	"strings"
	"testing"

	"guideway/maglev/packet"
)

const flowClients = 400

// four is VIP www with four backends.
func four(change ...string) string {
	text := head + vipText("www", 1, backend(1), backend(2), backend(3), backend(4))
	return strings.NewReplacer(change...).Replace(text)
}

// exchange sends one segment of each connection and tells where they went.
func (r *rig) exchange(first int, flags uint8) map[client]netip.Addr {
	r.t.Helper()
	r.injectFrom(first, flowClients, flags)
	return homes(r.collect(flowClients))
}

func at(all map[client]netip.Addr, n byte) (count int) {
	for _, b := range all {
		if b == netip.AddrFrom4([4]byte{10, 0, 0, n}) {
			count++
		}
	}
	return count
}

// gone tells how many connections of one backend, 0 for all of them, are
// elsewhere than before.
func gone(before, after map[client]netip.Addr, of byte) (count int) {
	for c, b := range before {
		if (of == 0 || b == netip.AddrFrom4([4]byte{10, 0, 0, of})) && after[c] != b {
			count++
		}
	}
	return count
}

// Changes that leave every connection where it is: docs/reload.md lists them.
func TestChangesThatMoveNothing(t *testing.T) {
	one := backend(1)
	for name, to := range map[string]string{
		"weights":             four(one, backend(1, "weight = 1")),
		"another backend":     four(one, one+", "+backend(5)),
		"drain":               four(one, backend(1, `state = "drain"`)),
		"order":               head + vipText("www", 1, backend(3), backend(1), backend(4), backend(2)),
		"table size":          four("4099", "8209"),
		"hash":                four("table_size", "hash = \"source\"\ntable_size"),
		"more ports":          four(`["80"]`, `["80", "443", "8000-8010"]`),
		"another VIP":         four() + vipText("two", 2, backend(7)),
		"name of the pool":    four("[[pool]]\nname = \"www\"", "[[pool]]\nname = \"p\"", `pools = ["www"]`, `pools = ["p"]`),
		"to an included pool": four(one+", ", "", "[[pool]]\n", "[[pool]]\nname = \"p\"\nbackends = ["+one+"]\n[[pool]]\ninclude = [\"p\"]\n"),
	} {
		t.Run(name, func(t *testing.T) {
			if to == four() {
				t.Fatal("this changes nothing")
			}
			r := newRig(t, four())
			before := r.exchange(0, packet.TCPAck)
			r.reload(to)
			if st := r.manager.Status(); !st.LastSuccessful {
				t.Fatal(st.LastError)
			}
			if n := gone(before, r.exchange(0, packet.TCPAck), 0); n != 0 {
				t.Errorf("%d of %d connections moved", n, flowClients)
			}
		})
	}
}

// A drained backend keeps its connections and gets no new one, not even with
// the ports of an old one. Drained altogether, the VIP still serves the old.
func TestDrain(t *testing.T) {
	r := newRig(t, four())
	before := r.exchange(0, packet.TCPAck)
	r.reload(four(backend(1), backend(1, `state = "drain"`)))
	if n := at(r.exchange(1000, packet.TCPAck), 1); n != 0 {
		t.Errorf("%d new connections went to the drained backend", n)
	}
	if n := gone(before, r.exchange(0, packet.TCPAck), 0); n != 0 {
		t.Errorf("%d connections moved", n)
	}
	again := r.exchange(0, packet.TCPSyn)
	if n := at(again, 1); n != 0 {
		t.Errorf("%d connections were opened anew to the drained backend", n)
	}
	if n := gone(before, again, 2) + gone(before, again, 3) + gone(before, again, 4); n != 0 {
		t.Errorf("%d connections of the others moved at a SYN", n)
	}

	r.reload(four()) // and back: what was opened elsewhere stays there
	if n := gone(again, r.exchange(0, packet.TCPAck), 0); n != 0 {
		t.Errorf("%d connections moved when the backend came back", n)
	}
	r.reload(strings.ReplaceAll(four(), `" }`, `", state = "drain" }`))
	if n := gone(again, r.exchange(0, packet.TCPAck), 0); n != 0 {
		t.Errorf("%d connections moved when all backends drained", n)
	}
	r.injectFrom(5000, 10, packet.TCPSyn)
	if got := r.exchange(0, packet.TCPAck); len(got) != flowClients { // the new ones came before them
		t.Errorf("%d connections were served, want the %d old ones", len(got), flowClients)
	}
}

// What is off or not in the file loses its connections, to all the others, and
// nobody else loses any. When it comes back it gets new ones only: those that
// moved stay where they are.
func TestOffAndRemove(t *testing.T) {
	for name, without := range map[string]string{
		"off":    four(backend(1), backend(1, `state = "off"`)),
		"remove": four(backend(1)+", ", ""),
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, four())
			before := r.exchange(0, packet.TCPAck)
			r.reload(without)
			after := r.exchange(0, packet.TCPAck)
			if n := at(after, 1); n != 0 {
				t.Errorf("%d connections are at the backend that is gone", n)
			}
			if n := gone(before, after, 2) + gone(before, after, 3) + gone(before, after, 4); n != 0 {
				t.Errorf("%d connections of other backends moved", n)
			}
			for other := byte(2); other <= 4; other++ {
				if grown := at(after, other) - at(before, other); grown < at(before, 1)/6 {
					t.Errorf("backend %d got %d of %d connections", other, grown, at(before, 1))
				}
			}
			r.reload(four())
			if n := gone(after, r.exchange(0, packet.TCPAck), 0); n != 0 {
				t.Errorf("%d connections moved when the backend came back", n)
			}
			if n := at(r.exchange(1000, packet.TCPAck), 1); n < flowClients/8 {
				t.Errorf("%d of %d new connections go to the backend that is back", n, flowClients)
			}
		})
	}
}

// A connection that was silent while its backend was away is selected anew,
// from a table that is what it was: it comes back to the same backend.
func TestSilentWhileAway(t *testing.T) {
	r := newRig(t, four())
	before := r.exchange(0, packet.TCPAck)
	r.reload(four(backend(1)+", ", ""))
	r.reload(four())
	if n := gone(before, r.exchange(0, packet.TCPAck), 0); n != 0 {
		t.Errorf("%d connections moved", n)
	}
}

// To rename a VIP is to remove it and add another: every connection is
// selected anew. Those that the table sends where they are stay; those that only
// the connection table held, at a backend that drains or against a table that
// has changed since, move.
func TestRenamedVIP(t *testing.T) {
	rename := func(text string) string { return strings.ReplaceAll(text, `"www"`, `"web"`) }
	r := newRig(t, four())
	before := r.exchange(0, packet.TCPAck)
	r.reload(rename(four()))
	if n := gone(before, r.exchange(0, packet.TCPAck), 0); n != 0 {
		t.Errorf("%d connections moved though the table is the same", n)
	}

	more := strings.Replace(four(backend(1), backend(1, `state = "drain"`)), backend(4), backend(4)+", "+backend(5), 1)
	r.reload(rename(more))
	if n := gone(before, r.exchange(0, packet.TCPAck), 0); n != 0 {
		t.Errorf("%d connections moved without a new name", n)
	}
	r.reload(more)
	after := r.exchange(0, packet.TCPAck)
	if n := at(after, 1); n != 0 {
		t.Errorf("%d connections are still at the backend that drains", n)
	}
	if n := at(after, 5); n < flowClients/8 {
		t.Errorf("%d of %d connections are at the new backend", n, flowClients)
	}
	if n := gone(before, after, 0); n > flowClients*2/3 {
		t.Errorf("%d of %d connections moved, more than the change of the table explains", n, flowClients)
	}
}

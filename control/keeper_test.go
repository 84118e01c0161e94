package control

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"guideway/control/plan"
	"guideway/maglev/fib"
)

// A ledger notes what it is told to keep, and by what cores then worked.
type ledger struct {
	r     *rig
	kept  []plan.Numbers
	cores []uint64
	err   error
}

func (l *ledger) Keep(n plan.Numbers) error {
	l.kept = append(l.kept, n)
	if l.r != nil {
		l.cores = append(l.cores, l.r.generations()...)
	}
	return l.err
}

// Numbers are kept before any core has them, a plan goes on from those that were
// left, and where they cannot be kept the log says so and all else goes on.
func TestKeeper(t *testing.T) {
	l := &ledger{}
	left := plan.Numbers{Endpoints: []plan.Numbered{{VIP: "www", Backend: netip.MustParseAddr("10.0.0.2"), Value: fib.MakeValue(2, 0)}}, Free: []fib.Value{fib.MakeValue(1, 0)}}
	r := newRigWith(t, head+vipText("www", 10, backend(2)), func(o *Options) { o.Keeper, o.Left = l, &left })
	if len(l.kept) != 1 || len(l.kept[0].Endpoints) != 1 || l.kept[0].Endpoints[0] != left.Endpoints[0] {
		t.Fatalf("at the start %+v is kept", l.kept)
	}
	l.r = r
	r.reload(head + vipText("www", 10, backend(1), backend(2)))
	if len(l.kept) != 2 || len(l.kept[1].Endpoints) != 2 || l.kept[1].Endpoints[1] != left.Endpoints[0] {
		t.Fatalf("after a reload %+v is kept", l.kept)
	}
	if !slices.Equal(l.cores, []uint64{1, 1}) {
		t.Errorf("cores work by %d when the numbers are kept", l.cores)
	}
	l.r, l.err = nil, errors.New("no room")
	log := strings.Join(r.reload(head+vipText("www", 10, backend(1))), "\n")
	if !strings.Contains(log, "empty connection tables") || !strings.Contains(log, "no room") || !strings.Contains(log, "msg=reloaded") {
		t.Errorf("the log says\n%s", log)
	}
}

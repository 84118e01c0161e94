package plan

import (
	"encoding/binary"
	"fmt"

	"guideway/maglev"
	"guideway/maglev/fib"
)

// A table is a lookup table with what it costs a walk over all slots to know.
type table struct {
	*maglev.Table
	shares []int // slots by ordinal
}

// buildTables gives each VIP its table. VIPs with the same members and size
// share one, and a table that the previous plan had is not built again.
func (b *builder) buildTables() error {
	var specs []maglev.Spec
	var keys []string
	wanted := make([]string, len(b.plan.VIPs))
	for i, v := range b.plan.VIPs {
		members := serving(v.Backends)
		if len(members) == 0 {
			continue
		}
		key := tableKey(members, b.configs[i].TableSize)
		wanted[i] = key
		if _, known := b.plan.tables[key]; known {
			continue
		}
		var t table
		if b.in.Previous != nil {
			t = b.in.Previous.tables[key]
		}
		if t.Table == nil {
			specs = append(specs, maglev.Spec{Members: members, Size: b.configs[i].TableSize})
			keys = append(keys, key)
		}
		b.plan.tables[key] = t
	}
	built, err := maglev.BuildAll(specs, b.in.Workers)
	if err != nil {
		return fmt.Errorf("lookup table: %w", err)
	}
	for i, t := range built {
		b.plan.tables[keys[i]] = table{t, t.Shares()}
	}
	for i := range b.plan.VIPs {
		t := b.plan.tables[wanted[i]]
		if t.Table == nil {
			continue
		}
		v, shares := &b.plan.VIPs[i], t.shares
		v.Table = t.Table
		for j := range v.Backends {
			if v.Backends[j].State == fib.Serving {
				v.Backends[j].Slots, shares = shares[0], shares[1:]
			}
		}
	}
	return nil
}

// serving returns the table's members, in the order of backends: by address,
// which is also the table's.
func serving(backends []Backend) []maglev.Member {
	var members []maglev.Member
	for _, e := range backends {
		if e.State == fib.Serving {
			members = append(members, maglev.Member{Addr: e.Address, Weight: e.Weight})
		}
	}
	return members
}

// tableKey names a table by what it is made of.
func tableKey(members []maglev.Member, size int) string {
	key := binary.AppendUvarint(nil, uint64(size))
	for _, m := range members {
		a := m.Addr.As16()
		key = append(key, a[:]...)
		key = binary.AppendUvarint(key, uint64(m.Weight))
	}
	return string(key)
}

package plan

import (
	"encoding/binary"
	"fmt"

	"guideway/maglev"
	"guideway/maglev/fib"
)

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
		var table *maglev.Table
		if b.in.Previous != nil {
			table = b.in.Previous.tables[key]
		}
		if table == nil {
			specs = append(specs, maglev.Spec{Members: members, Size: b.configs[i].TableSize})
			keys = append(keys, key)
		}
		b.plan.tables[key] = table
	}
	built, err := maglev.BuildAll(specs, b.in.Workers)
	if err != nil {
		return fmt.Errorf("lookup table: %w", err)
	}
	for i, table := range built {
		b.plan.tables[keys[i]] = table
	}
	for i := range b.plan.VIPs {
		v := &b.plan.VIPs[i]
		if v.Table = b.plan.tables[wanted[i]]; v.Table == nil {
			continue
		}
		shares := v.Table.Shares()
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

package keep

import (
	"fmt"
	"os"
	"strings"

	"guideway/maglev/conntrack"
	"guideway/maglev/fib"
	"guideway/maglev/flow"

	"guideway/control/plan"
)

// A fact is something that has to be as it was for tables to be gone on with. Its
// name is the result if it is not: see [Takeover].
type fact struct{ name, value string }

// The facts, in the order in which they are compared: the first that differs is
// what is told.
const (
	factVersion = "version" // of the program: another may take the same words for something else
	factLayout  = "layout"  // of tables, for builds that have no version
	factBoot    = "boot"    // times are since then
	factFlows   = "flows"   // a table's size, and so where a flow's entry is
	factCores   = "cores"   // how many, and so which one has a flow
	factSpread  = "spread"  // the same
)

// Results are all that may become of a table.
func Results() []string {
	return []string{Taken, None, Damaged, Busy, Unusable, Off, factVersion, factLayout, factBoot, factFlows, factCores, factSpread}
}

// facts are those of now.
func (c *Config) facts() ([]fact, error) {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return nil, err
	}
	return []fact{
		{factVersion, c.Version},
		{factLayout, fmt.Sprintf("%016x", conntrack.Layout())},
		{factBoot, strings.TrimSpace(string(boot))},
		{factFlows, fmt.Sprint(c.Table.Flows)},
		{factCores, fmt.Sprint(c.Cores)},
		{factSpread, c.Spread},
	}, nil
}

// compare returns the first fact that differs, as it was and as it is.
func compare(was, is []fact) (before, after fact, differ bool) {
	for i, f := range is {
		if i >= len(was) || was[i].name != f.name {
			return fact{name: factLayout}, f, true
		}
		if was[i].value != f.value {
			return was[i], f, true
		}
	}
	return fact{}, fact{}, false
}

// An owner is a process as its record tells of it.
type owner struct {
	instance [16]byte  // drawn at random by the first in a row of processes that went on with its tables
	seed     flow.Seed // of the tables
	rate     uint64    // see Config
	facts    []fact
	numbers  plan.Numbers
}

// then returns what its clock would show when one of that rate shows now. Both
// count the same ticks since the same moment, but each process measures anew how
// many there are to a second.
func (o *owner) then(now int64, rate uint64) int64 {
	if o.rate == rate || o.rate == 0 {
		return now
	}
	return int64(float64(now) * (float64(rate) / float64(o.rate)))
}

// good returns a function that tells whether a value is of a backend.
func (o *owner) good() func(uint32) bool {
	backends := make([]fib.Value, 1+len(o.numbers.Endpoints)+len(o.numbers.Free)) // by id: see plan.Numbers
	for _, e := range o.numbers.Endpoints {
		backends[e.Value.ID()] = e.Value
	}
	return func(value uint32) bool {
		v := fib.Value(value)
		return v.ID() != 0 && int(v.ID()) < len(backends) && backends[v.ID()] == v
	}
}

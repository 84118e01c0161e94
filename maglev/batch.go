package maglev

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
)

// A Spec is what Build takes.
type Spec struct {
	Members []Member
	Size    int
}

// BuildAll builds one table for each spec, in the same order, on up to workers
// goroutines (at least one); it returns when all are done. If any spec is
// faulty there are no tables, and the error names every faulty spec by index.
//
// This is where building is parallel: within a table each turn depends on all
// before it, while tables share nothing.
func BuildAll(specs []Spec, workers int) ([]*Table, error) {
	tables := make([]*Table, len(specs))
	faults := make([]error, len(specs))
	var next atomic.Int64
	var done sync.WaitGroup
	for range min(max(workers, 1), len(specs)) {
		done.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(specs) {
					return
				}
				var err error
				if tables[i], err = Build(specs[i].Members, specs[i].Size); err != nil {
					faults[i] = fmt.Errorf("table %d: %w", i, err)
				}
			}
		})
	}
	done.Wait()
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return tables, nil
}

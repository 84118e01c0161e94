package main

import (
	"fmt"
	"os"
	"sync"

	"guideway/pmd/dpdk"
)

// A dpdkLog keeps what DPDK says while ports open, which is a lot and mostly of no
// concern, for the case that they do not.
type dpdkLog struct {
	mu    sync.Mutex
	lines []string
}

// keptLines is how many are kept, the last ones.
const keptLines = 50

func (l *dpdkLog) line(level dpdk.Level, text string) {
	if level > dpdk.LevelNotice {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lines = append(l.lines, text); len(l.lines) > keptLines {
		l.lines = l.lines[1:]
	}
}

// tell prints what was kept.
func (l *dpdkLog) tell() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, text := range l.lines {
		fmt.Fprintln(os.Stderr, "dpdk:", text)
	}
	l.lines = nil
}

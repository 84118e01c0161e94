package main

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// A narrator tells the person at the terminal what happens, with the seconds
// since the start before each step.
type narrator struct {
	out     io.Writer
	start   time.Time
	verbose bool
}

func newNarrator(out io.Writer, verbose bool) *narrator {
	return &narrator{out: out, start: time.Now(), verbose: verbose}
}

// step announces one step of the run.
func (n *narrator) step(format string, a ...any) {
	fmt.Fprintf(n.out, "[%6.2fs] %s\n", time.Since(n.start).Seconds(), fmt.Sprintf(format, a...))
}

// command shows a command as one would type it, under -v.
func (n *narrator) command(argv []string) {
	if n.verbose {
		fmt.Fprintf(n.out, "          # %s\n", strings.Join(argv, " "))
	}
}

// text prints a block that is no step: a table, the hints.
func (n *narrator) text(s string) {
	fmt.Fprint(n.out, s)
}

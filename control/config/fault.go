package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// pos is a place in the file. Lines and columns count from 1, columns in
// bytes, as compilers and editors do. The zero pos means the file as a whole.
type pos struct{ line, col int }

func (p pos) compare(q pos) int {
	return cmp.Or(cmp.Compare(p.line, q.line), cmp.Compare(p.col, q.col))
}

// A Fault is one thing in a file that keeps it from being loaded.
type Fault struct {
	File string
	Line int // from 1; 0 when the fault is with the file as a whole
	Col  int // from 1, in bytes
	Text string
}

// Error gives the fault as "file:line:col: text", the form that editors jump to.
func (f Fault) Error() string {
	if f.Line == 0 {
		return f.File + ": " + f.Text
	}
	return fmt.Sprintf("%s:%d:%d: %s", f.File, f.Line, f.Col, f.Text)
}

// Faults are all the faults of one file, in the order of their places in it.
// It is the type of every error that this package returns.
type Faults []Fault

// Error gives one line per fault.
func (fs Faults) Error() string { return lines(fs, Fault.Error) }

// A Warning is something that loads, but does not do what the file says, or
// will hurt under traffic.
type Warning struct {
	File string
	Line int // from 1; 0 when it is about the file as a whole
	Col  int // from 1, in bytes
	Text string
}

// String gives the warning as "file:line:col: warning: text".
func (w Warning) String() string {
	return Fault{w.File, w.Line, w.Col, "warning: " + w.Text}.Error()
}

// Warnings are all the warnings of one file, in the order of their places in
// it. They never stop a load.
type Warnings []Warning

// String gives one line per warning.
func (ws Warnings) String() string { return lines(ws, Warning.String) }

func lines[T any](list []T, text func(T) string) string {
	out := make([]string, len(list))
	for i, v := range list {
		out[i] = text(v)
	}
	return strings.Join(out, "\n")
}

// report gathers what is found while a file is read.
type report struct {
	file     string
	faults   Faults
	warnings Warnings
}

func (r *report) fault(at pos, format string, args ...any) {
	r.faults = append(r.faults, Fault{r.file, at.line, at.col, fmt.Sprintf(format, args...)})
}

func (r *report) warn(at pos, format string, args ...any) {
	r.warnings = append(r.warnings, Warning{r.file, at.line, at.col, fmt.Sprintf(format, args...)})
}

// sort puts everything in file order; what shares a place stays in the order
// in which it was found.
func (r *report) sort() {
	slices.SortStableFunc(r.faults, func(a, b Fault) int {
		return pos{a.Line, a.Col}.compare(pos{b.Line, b.Col})
	})
	slices.SortStableFunc(r.warnings, func(a, b Warning) int {
		return pos{a.Line, a.Col}.compare(pos{b.Line, b.Col})
	})
}

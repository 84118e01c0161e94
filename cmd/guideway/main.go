// Command guideway is the operator's side of Guideway. It is pure Go, and needs
// no DPDK; nor root, but for trace, and for what setup changes.
//
// Each verb has a file of its own and one place in [verbs].
package main

import (
	"fmt"
	"io"
	"os"
	"slices"
)

// Exit codes, the same for every verb.
const (
	exitOK    = 0
	exitFault = 1 // what was asked about is not in order
	exitUsage = 2 // what was asked was not understood
)

// env is what a verb may talk to.
type env struct {
	in  io.Reader // of console
	out io.Writer // the answer
	err io.Writer // faults, warnings, usage
}

// verb is one thing that the command does.
type verb struct {
	name  string
	args  string // behind the name, in the usage line
	short string // one line, for the list
	long  string // what help NAME adds
	run   func(e env, args []string) int
}

func verbs() []verb {
	return []verb{setupVerb(), doctorVerb(), checkVerb(), planVerb(), consoleVerb(), showVerb(), traceVerb(), completionVerb(), versionVerb(), helpVerb()}
}

func main() {
	os.Exit(run(env{os.Stdin, os.Stdout, os.Stderr}, os.Args[1:]))
}

func run(e env, args []string) int {
	if len(args) == 0 {
		overview(e.err)
		return exitUsage
	}
	name := args[0]
	switch name {
	case "-h", "-help", "--help":
		name = "help"
	case "-v", "-version", "--version":
		name = "version"
	}
	v, ok := find(name)
	if !ok {
		return unknownVerb(e, name)
	}
	return v.run(e, args[1:])
}

func find(name string) (verb, bool) {
	for _, v := range verbs() {
		if v.name == name {
			return v, true
		}
	}
	return verb{}, false
}

// unknownVerb suggests the verb that was most likely meant.
func unknownVerb(e env, name string) int {
	hint := ""
	for _, v := range verbs() {
		if len(name) > 1 && (within(name, v.name) || within(v.name, name) || sameLetters(v.name, name)) {
			hint = fmt.Sprintf("; did you mean %q?", v.name)
		}
	}
	fmt.Fprintf(e.err, "guideway: there is no verb %q%s (guideway help lists them)\n", name, hint)
	return exitUsage
}

// within tells whether short is long with letters left out.
func within(short, long string) bool {
	for i := 0; i < len(long) && short != ""; i++ {
		if short[0] == long[i] {
			short = short[1:]
		}
	}
	return short == ""
}

// sameLetters tells whether one word is the other with letters swapped.
func sameLetters(a, b string) bool {
	x, y := []byte(a), []byte(b)
	slices.Sort(x)
	slices.Sort(y)
	return slices.Equal(x, y)
}

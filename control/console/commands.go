package console

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A command is one thing that can be said.
type command struct {
	name    string // one word, or two with show
	args    string // behind the name, in the usage line
	short   string // one line, for the list
	long    string // what help NAME adds; ends without a newline
	example string
	hidden  bool // from help, completion and prefixes
	changes bool // what traffic gets: goes into the log
	stops   bool // an empty line or ^C ends it
	watched bool // may be repeated

	complete func(n Node, done []string) []string // words that may come next, after those that are done
	run      func(*call) (answer, error)
}

// A call is a command on its way.
type call struct {
	ctx  context.Context
	node Node
	args []string
	flags
}

// An answer is what a command says. Marshalled, it is the JSON form; text writes
// the same for people.
type answer interface{ text(*page) }

// errQuit ends a session.
var errQuit = errors.New("quit")

// commands is the table of all that can be said, in the order of help.
func commands() []*command {
	return []*command{
		showVIPs(), showPools(), showBackends(), showChecks(), showConntrack(), showFragments(), showPorts(), showCores(), showCounters(),
		showBGP(), showNodes(), showKernel(), showConfig(), showVersion(),
		explain(),
		drain(), undrain(), kill(), reload(), preview(),
		capture(), traceCommand(),
		watch(), help(), quit(), exit(), question(), completion(), frames(),
	}
}

// spoken lists the commands that people are told of.
func spoken() []*command {
	return slices.DeleteFunc(commands(), func(c *command) bool { return c.hidden })
}

// first is the first word of a command's name.
func (c *command) first() string { first, _, _ := strings.Cut(c.name, " "); return first }

// find finds the command that a line begins with, by its name or a prefix that
// no other has, and what follows it.
func find(line []string) (c *command, rest []string, err error) {
	all := commands()
	for _, c := range all {
		if c.hidden && c.name == line[0] {
			return c, line[1:], nil
		}
	}
	all = spoken()
	first, err := pick(line[0], names(all, (*command).first), "command", "")
	if err != nil {
		return nil, nil, err
	}
	all = slices.DeleteFunc(all, func(c *command) bool { return c.first() != first })
	if all[0].name == first {
		return all[0], line[1:], nil
	}
	// Of two words.
	second := func(c *command) string { return strings.TrimPrefix(c.name, first+" ") }
	if len(line) == 1 {
		return nil, nil, fmt.Errorf("%s what? %s", first, strings.Join(names(all, second), ", "))
	}
	word, err := pick(line[1], names(all, second), first, first+" ")
	if err != nil {
		return nil, nil, err
	}
	i := slices.IndexFunc(all, func(c *command) bool { return second(c) == word })
	return all[i], line[2:], nil
}

// names lists what a function says of commands, each once, in their order.
func names(all []*command, of func(*command) string) []string {
	var list []string
	for _, c := range all {
		if n := of(c); !slices.Contains(list, n) {
			list = append(list, n)
		}
	}
	return list
}

// pick finds the one name that a word means.
func pick(word string, names []string, what, before string) (string, error) {
	switch found := matching(word, names); {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return "", fmt.Errorf("%q may be %s", before+word, strings.Join(found, ", "))
	}
	hint := ""
	if n := nearest(word, names); n != "" {
		hint = fmt.Sprintf(": did you mean %q?", before+n)
	}
	if before != "" {
		return "", fmt.Errorf("there is no %q to show%s (help lists all)", word, hint)
	}
	return "", fmt.Errorf("there is no %s %q%s (help lists them)", what, word, hint)
}

// usage is the error of a command that is not given what it needs.
func (c *command) usage(why string, args ...any) error {
	return fmt.Errorf("%s: usage: %s", fmt.Sprintf(why, args...), strings.TrimSpace(c.name+" "+c.args))
}

// most refuses more words than a command takes.
func (c *command) most(n int, args []string) error {
	if len(args) > n {
		return c.usage("%q is too much", args[n])
	}
	return nil
}

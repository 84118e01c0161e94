package console

import (
	"fmt"
	"strings"
	"time"
)

// Limits of watch.
const (
	usualWatch = 2 * time.Second
	minWatch   = time.Second
	maxWatch   = time.Hour
)

func watch() *command {
	return &command{
		name: "watch", args: "COMMAND [INTERVAL]",
		short:    "repeats a command, every two seconds or as said, until Enter (or any line, which is then obeyed)",
		example:  "watch show cores 5s",
		complete: func(n Node, done []string) []string { return candidates(n, done, true) },
		run: func(c *call) (answer, error) {
			w := &watching{every: usualWatch}
			line := c.args
			if len(line) > 1 {
				if every, err := time.ParseDuration(line[len(line)-1]); err == nil {
					if every < minWatch || every > maxWatch {
						return nil, watch().usage("an interval is from %v to %v", minWatch, maxWatch)
					}
					w.every, line = every, line[:len(line)-1]
				}
			}
			if len(line) == 0 {
				return nil, watch().usage("watch what?")
			}
			var err error
			if w.command, w.args, err = find(line); err != nil {
				return nil, err
			}
			if !w.command.watched {
				return nil, fmt.Errorf("%s is not for watching: it is for show, explain and plan", w.command.name)
			}
			return w, nil
		},
	}
}

// watching is what a session does on watch.
type watching struct {
	command *command
	args    []string
	every   time.Duration
}

func (w *watching) text(*page) {}

func help() *command {
	return &command{
		name: "help", args: "[COMMAND]",
		short: "lists the commands, or says more about one",
		long: `Commands and what follows show may be shortened, as long as they are clear:
"sh vi" is "show vips". -json with any command gives its answer as JSON.`,
		example:  "help explain",
		complete: func(n Node, done []string) []string { return candidates(n, done, false) },
		run: func(c *call) (answer, error) {
			if len(c.args) == 0 {
				return overview(""), nil
			}
			if all := matching(c.args[0], names(spoken(), (*command).first)); len(c.args) == 1 && len(all) == 1 && all[0] == "show" {
				return overview("show"), nil
			}
			cmd, _, err := find(c.args)
			if err != nil {
				return nil, err
			}
			return &helpList{Commands: []helpRow{cmd.help()}}, nil
		},
	}
}

type helpRow struct {
	Name    string `json:"name"`
	Args    string `json:"args"`
	Short   string `json:"short"`
	Long    string `json:"long"`
	Example string `json:"example"`
}

type helpList struct {
	Commands []helpRow `json:"commands"`
}

func (c *command) help() helpRow { return helpRow{c.name, c.args, c.short, c.long, c.example} }

// overview lists commands; with a first word, those that have it.
func overview(first string) *helpList {
	a := &helpList{}
	for _, c := range spoken() {
		if first == "" || c.first() == first {
			a.Commands = append(a.Commands, c.help())
		}
	}
	return a
}

func (a *helpList) text(p *page) {
	if len(a.Commands) == 1 {
		c := a.Commands[0]
		p.line("%s: %s", strings.TrimSpace(c.Name+" "+c.Args), c.Short)
		if c.Long != "" {
			p.line("\n%s", c.Long)
		}
		p.line("\nexample: %s", c.Example)
		return
	}
	var pairs []string
	for _, c := range a.Commands {
		pairs = append(pairs, c.Name, c.Short)
	}
	p.pairs(pairs...)
	p.line("\nhelp COMMAND says more, -json gives JSON, and what is clear may be shortened: sh vi")
}

func quit() *command {
	return &command{
		name: "quit", short: "ends the session", example: "quit",
		run: func(*call) (answer, error) { return nil, errQuit },
	}
}

func exit() *command {
	c := quit()
	c.name, c.hidden = "exit", true
	return c
}

func question() *command {
	c := help()
	c.name, c.hidden = "?", true
	return c
}

// Frames, said as a command, asks for marks at the ends of answers: see
// [FrameMark]. It may be said before the password.
const Frames = ".frames"

func frames() *command {
	return &command{name: Frames, hidden: true, run: func(*call) (answer, error) { return framing{}, nil }}
}

type framing struct{}

func (framing) text(*page) {}

// Complete, said as a command, asks what may come at the end of the line that
// follows it.
const Complete = ".complete"

func completion() *command {
	return &command{name: Complete, hidden: true, run: func(c *call) (answer, error) {
		return &wordList{Words: candidates(c.node, c.args, false)}, nil
	}}
}

type wordList struct {
	Words []string `json:"words"`
}

func (a *wordList) text(p *page) {
	for _, w := range a.Words {
		p.line("%s", w)
	}
}

// candidates lists the words that may come after those that are done; watched:
// of the commands that can be.
func candidates(n Node, done []string, watched bool) []string {
	all := spoken()
	if watched {
		kept := all[:0]
		for _, c := range all {
			if c.watched {
				kept = append(kept, c)
			}
		}
		all = kept
	}
	if len(done) == 0 {
		return names(all, (*command).first)
	}
	cmd, rest, err := find(done)
	if err != nil {
		first := matching(done[0], names(all, (*command).first))
		if len(done) > 1 || len(first) != 1 {
			return nil
		}
		var seconds []string
		for _, c := range all {
			if second, ok := strings.CutPrefix(c.name, first[0]+" "); ok {
				seconds = append(seconds, second)
			}
		}
		return seconds
	}
	if cmd.complete == nil {
		return nil
	}
	return cmd.complete(n, rest)
}

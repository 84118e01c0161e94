package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/term"
)

// Where a console is looked for if nothing is said: the package's configuration
// has the socket.
const (
	usualSocket  = "/run/guideway/console.sock"
	usualConsole = "127.0.0.1:2323"
)

// usualAddress is the socket, if there is one, and usualConsole otherwise.
func usualAddress(socket string) string {
	if info, err := os.Lstat(socket); err == nil && info.Mode().Type() == fs.ModeSocket {
		return "unix:" + socket
	}
	return usualConsole
}

func consoleVerb() verb {
	return verb{
		name:  "console",
		args:  "[-c COMMAND] [-p FILE] [ADDRESS]",
		short: "talk to a running guidewayd",
		long: `ADDRESS is address:port or unix:/PATH. If it is not given, it is ` + usualSocket + `
where that is there, else ` + usualConsole + `.

In a terminal there are line editing, history, and completion by Tab; help lists
the commands. Otherwise commands are read from standard input, one a line, and
answers are written without prompts. (telnet and nc do as well as this.)

  -c COMMAND  ask one thing, write the answer, and end
  -p FILE     the file with the password, where one is asked for

Exit status: 0, 1 a command failed or there is no session, 2 usage.
`,
		run: runConsole,
	}
}

// showVerb is the console's show, for a shell.
func showVerb() verb {
	return verb{
		name:  "show",
		args:  "WHAT... [-json]",
		short: "ask a running guidewayd what it does",
		long: `The same as console -c 'show WHAT...', of the console that is found by itself:

  guideway show vips
  guideway show backends vip www -json

Exit status: 0, 1 the command failed or there is no session, 2 usage.
`,
		run: func(e env, args []string) int {
			switch {
			case len(args) == 0:
				usage(e.err, showVerb())
				return exitUsage
			case args[0] == "-h" || args[0] == "-help" || args[0] == "--help":
				usage(e.err, showVerb())
				return exitOK
			}
			return runConsole(e, []string{"-c", "show " + strings.Join(args, " ")})
		},
	}
}

func runConsole(e env, args []string) int {
	flags := flag.NewFlagSet("console", flag.ContinueOnError)
	flags.SetOutput(e.err)
	flags.Usage = func() { usage(e.err, consoleVerb()) }
	command, secret := flags.String("c", "", ""), flags.String("p", "", "")
	switch err := flags.Parse(args); {
	case err == flag.ErrHelp:
		return exitOK
	case err != nil:
		return exitUsage
	case flags.NArg() > 1:
		fmt.Fprintf(e.err, "guideway console: %q is too much\n", flags.Arg(1))
		return exitUsage
	}
	at := usualAddress(usualSocket)
	if flags.NArg() == 1 {
		at = flags.Arg(0)
	}
	d, err := dial(at)
	if err != nil {
		fmt.Fprintf(e.err, "guideway console: %v\n", err)
		return exitFault
	}
	defer d.conn.Close()
	in, terminal := e.in.(*os.File)
	terminal = terminal && *command == "" && term.IsTerminal(int(in.Fd()))
	var ask func(prompt string) (string, error)
	if *secret != "" {
		ask = func(string) (string, error) { return readSecret(*secret) }
	}
	if terminal {
		err = interact(d, in, e.out, ask)
	} else {
		err = script(d, e, *command, ask)
	}
	switch {
	case err == nil || errors.Is(err, io.EOF):
		return exitOK
	case !errors.Is(err, errSaid):
		fmt.Fprintf(e.err, "guideway console: %v\n", err)
	}
	return exitFault
}

// errSaid is of what the node has said itself.
var errSaid = errors.New("a command failed")

func readSecret(path string) (string, error) {
	b, err := os.ReadFile(path)
	return strings.TrimRight(string(b), "\r\n"), err
}

// login gives the password, if one is wanted. It returns the first frame after
// that.
func login(d *dialogue, ask func(prompt string) (string, error), out io.Writer) (frame, error) {
	f, err := d.answer()
	for err == nil && f.status == "password" {
		if ask == nil {
			return f, errors.New("a password is asked for: -p FILE gives it")
		}
		io.WriteString(out, f.text)
		var password string
		if password, err = ask(f.prompt); err != nil {
			return f, err
		}
		if err = d.say(password); err == nil {
			f, err = d.answer()
		}
	}
	return f, err
}

// script says command, or what comes from standard input.
func script(d *dialogue, e env, command string, ask func(string) (string, error)) error {
	tried := false
	once := ask
	if ask != nil {
		once = func(prompt string) (string, error) { // a file says the same every time
			if tried {
				return "", errors.New("the password is another")
			}
			tried = true
			return ask(prompt)
		}
	}
	if _, err := login(d, once, io.Discard); err != nil {
		return err
	}
	lines := make(chan string)
	go func() {
		defer close(lines)
		if command != "" {
			lines <- command
			return
		}
		for s := bufio.NewScanner(e.in); s.Scan(); {
			lines <- s.Text()
		}
	}()
	var failed error
	for line := range lines {
		if strings.TrimSpace(line) == "" {
			continue
		}
		if err := d.say(line); err != nil {
			return err
		}
		err := hear(d, e, lines, command != "")
		if errors.Is(err, io.EOF) {
			return failed // quit
		}
		if err != nil && !errors.Is(err, errSaid) {
			return err
		}
		failed = errors.Join(failed, err)
	}
	return failed
}

// hear writes an answer, or all of a watch: until the next line, or the end of
// lines unless forever.
func hear(d *dialogue, e env, lines <-chan string, forever bool) error {
	if forever {
		lines = nil
	}
	for again := false; ; {
		var more <-chan string
		if again {
			more = lines
		}
		select {
		case f, ok := <-d.frames:
			if !ok {
				return d.end()
			}
			to := e.out
			if f.status == "error" {
				to = e.err
			}
			io.WriteString(to, f.text)
			if f.status == "error" {
				return errSaid
			}
			if again = f.status == "again"; !again {
				return nil
			}
		case line, ok := <-more:
			if !ok {
				if c, half := d.conn.(interface{ CloseWrite() error }); half {
					c.CloseWrite() // the node ends the watch
				}
				lines = nil
				continue
			}
			if err := d.say(line); err != nil { // ends the watch, and is the next command
				return err
			}
			if f, err := d.answer(); err != nil {
				return err
			} else if f.status == "again" {
				io.WriteString(e.out, f.text)
			}
		}
	}
}

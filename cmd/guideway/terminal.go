package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"golang.org/x/term"

	"guideway/control/console"
)

// interact is a session with a person.
func interact(d *dialogue, in *os.File, out io.Writer, ask func(string) (string, error)) (err error) {
	before, err := term.MakeRaw(int(in.Fd()))
	if err != nil {
		return err
	}
	defer func() {
		term.Restore(int(in.Fd()), before)
		if err != nil && !errors.Is(err, io.EOF) {
			fmt.Fprintln(out)
		}
	}()
	k := newKeys(in, d.gone)
	t := term.NewTerminal(struct {
		io.Reader
		io.Writer
	}{k, out}, "")
	defer resize(t, in)()
	if ask == nil {
		ask = t.ReadPassword
	}
	f, err := login(d, ask, t)
	if err != nil {
		return err
	}
	fmt.Fprintln(t, "help lists the commands, Tab completes, ^D leaves")
	t.AutoCompleteCallback = func(line string, pos int, key rune) (string, int, bool) {
		if key != '\t' {
			return "", 0, false
		}
		return complete(d, t, line, pos)
	}
	for {
		t.SetPrompt(f.prompt)
		line, err := t.ReadLine()
		if err != nil {
			return atEnd(d, err)
		}
		if strings.TrimSpace(line) == "" {
			continue
		}
		if err := d.say(line); err != nil {
			return err
		}
		if f, err = follow(d, k, t); err != nil {
			return err
		}
	}
}

// atEnd prefers what the node said when it closed the session to the fact that
// there are no more keys.
func atEnd(d *dialogue, err error) error {
	select {
	case <-d.gone:
		return d.end()
	default:
		return err
	}
}

// follow writes an answer, or all of a watch, which any key ends. Meanwhile Enter
// and ^C end what can be ended; other keys are for the next line.
func follow(d *dialogue, k *keys, t *term.Terminal) (frame, error) {
	watching := false
	for {
		select {
		case f, ok := <-d.frames:
			if !ok {
				return f, d.end()
			}
			if watching = f.status == "again"; !watching {
				_, err := io.WriteString(t, f.text)
				return f, err
			}
			io.WriteString(t, "\x1b[H\x1b[2J") // the top of an empty screen
			io.WriteString(t, f.text)
		case pressed, ok := <-k.pressed:
			if !ok {
				return frame{}, io.EOF
			}
			if watching || pressed == '\r' || pressed == interruptKey {
				d.stop()
				continue
			}
			k.rest = append(k.rest, pressed)
		}
	}
}

const interruptKey = 3 // ^C

// keys is what is typed, one by one, so that a key can end a watch and be read by
// nobody else.
type keys struct {
	pressed chan byte // closed at the end
	rest    []byte    // typed ahead
	gone    <-chan struct{}
}

func newKeys(in io.Reader, gone <-chan struct{}) *keys {
	k := &keys{pressed: make(chan byte, 4096), gone: gone}
	go func() {
		defer close(k.pressed)
		buffer := make([]byte, 256)
		for {
			n, err := in.Read(buffer)
			for _, b := range buffer[:n] {
				k.pressed <- b
			}
			if err != nil {
				return
			}
		}
	}()
	return k
}

// Read gives keys to the line editor, which ends when the session does. ^C gives
// up the line, not the session: to its end, and away with what is before.
func (k *keys) Read(b []byte) (int, error) {
	const toEnd, eraseBefore = 5, 21 // ^E, ^U
	if len(k.rest) == 0 {
		select {
		case one, ok := <-k.pressed:
			if !ok {
				return 0, io.EOF
			}
			k.rest = append(k.rest, one)
		case <-k.gone:
			return 0, io.EOF
		}
	}
	if k.rest[0] == interruptKey {
		k.rest = append([]byte{toEnd, eraseBefore}, k.rest[1:]...)
	}
	n := copy(b[:1], k.rest) // one by one: what the editor has, nobody else can
	k.rest = k.rest[n:]
	return n, nil
}

// resize keeps the editor told of the terminal's size, until the returned
// function is called.
func resize(t *term.Terminal, in *os.File) (stop func()) {
	set := func() {
		if width, height, err := term.GetSize(int(in.Fd())); err == nil && width > 0 {
			t.SetSize(width, height)
		}
	}
	set()
	changes, done := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(changes, syscall.SIGWINCH)
	go func() {
		for {
			select {
			case <-changes:
				set()
			case <-done:
				return
			}
		}
	}()
	return func() {
		signal.Stop(changes)
		close(done)
	}
}

// complete asks the node what may come where the cursor is. One word is put in;
// of several, what they have in common, and if that is nothing, they are shown.
func complete(d *dialogue, t *term.Terminal, line string, pos int) (string, int, bool) {
	before, after := line[:pos], line[pos:]
	start := strings.LastIndexAny(before, " \t") + 1
	word := before[start:]
	if d.say(console.Complete+" "+before[:start]) != nil {
		return "", 0, false
	}
	f, err := d.answer()
	if err != nil || f.status != "ok" {
		return "", 0, false
	}
	var fitting []string
	for _, c := range append(strings.Fields(f.text), flagsFor(word)...) {
		if strings.HasPrefix(c, word) {
			fitting = append(fitting, c)
		}
	}
	if len(fitting) == 0 {
		return "", 0, false
	}
	common := fitting[0]
	for _, c := range fitting {
		for !strings.HasPrefix(c, common) {
			common = common[:len(common)-1]
		}
	}
	if len(fitting) == 1 {
		common += " "
	} else if common == word {
		fmt.Fprintln(t, strings.Join(fitting, "  "))
		return line, pos, true
	}
	return before[:start] + common + after, start + len(common), true
}

// flagsFor are the words that fit everywhere, for who begins one.
func flagsFor(word string) []string {
	if strings.HasPrefix(word, "-") {
		return []string{"-json"}
	}
	return nil
}

package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
	"unicode/utf8"

	"guideway/control/console"
)

// A dialogue is a session with a node's console. Its answers come as frames, so
// that nobody has to guess where one ends.
type dialogue struct {
	conn   net.Conn
	frames chan frame    // closed with the connection
	gone   chan struct{} // likewise
	last   string        // what came after the last frame: why the node has closed; for who has seen gone
}

// A frame is one answer.
type frame struct {
	text   string
	status string // "ok", "error", "again" of a watch that goes on, "password" of a node that asks for it
	prompt string
}

const dialLimit = 5 * time.Second

// dial opens a session at "ADDRESS:PORT", "unix:/PATH" or "/PATH". The first frame
// says whether a password is wanted.
func dial(at string) (*dialogue, error) {
	network, address := "tcp", at
	if path, ok := strings.CutPrefix(at, "unix:"); ok || strings.HasPrefix(at, "/") {
		network, address = "unix", path
	}
	conn, err := net.DialTimeout(network, address, dialLimit)
	if err != nil {
		return nil, err
	}
	d := &dialogue{conn: conn, frames: make(chan frame, 1), gone: make(chan struct{})}
	if err := d.say(console.Frames); err != nil {
		conn.Close()
		return nil, err
	}
	go d.listen()
	return d, nil
}

// say sends a line.
func (d *dialogue) say(line string) error {
	_, err := fmt.Fprintf(d.conn, "%s\n", line)
	return err
}

// stop ends what goes on, and does nothing if nothing does.
func (d *dialogue) stop() { d.conn.Write([]byte{interruptKey}) } // a lost connection shows elsewhere

// listen makes frames of what comes. What comes before the first, a greeting and
// a prompt, is for clients without frames.
func (d *dialogue) listen() {
	defer close(d.frames)
	defer close(d.gone)
	r := bufio.NewReader(d.conn)
	var text strings.Builder
	for first := true; ; {
		line, err := r.ReadString('\n')
		before, end, framed := strings.Cut(line, console.FrameMark)
		text.WriteString(before)
		if err != nil {
			d.last = strings.TrimLeftFunc(text.String(), telnetByte)
			return
		}
		if !framed {
			continue
		}
		status, prompt, _ := strings.Cut(strings.TrimSuffix(end, "\n"), " ")
		if first {
			text.Reset()
			first = false
		}
		d.frames <- frame{text.String(), status, prompt}
		text.Reset()
	}
}

// answer waits for the next frame; io.EOF, or what the node said last, if there
// is none.
func (d *dialogue) answer() (frame, error) {
	f, ok := <-d.frames
	if !ok {
		return f, d.end()
	}
	return f, nil
}

// end is why there are no more frames.
func (d *dialogue) end() error {
	if why := strings.TrimSpace(d.last); why != "" {
		return fmt.Errorf("%s", why)
	}
	return io.EOF
}

// telnetByte tells whether a rune is part of the options that the server begins
// with: bytes that are no text, and the number of the option to echo.
func telnetByte(r rune) bool { return r == utf8.RuneError || r == 1 }

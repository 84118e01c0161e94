package console

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A session is one client. Its reader turns bytes into inputs, its run takes
// them one by one: what comes while a command runs waits, and holds up the
// client.
type session struct {
	server *Server
	conn   net.Conn
	peer   string
	id     uint64

	inputs chan input // closed by the reader
	done   chan struct{}
	next   *input // that ended a watch, and is yet to be obeyed

	decoder decoder // the reader's; echoing and telnet under out
	framed  bool    // answers end with a mark: see FrameMark

	out sync.Mutex // over writing to conn, and what both sides know of telnet
}

// An input is what a client says.
type input struct {
	event event
	line  string
}

// FrameMark begins the line that ends an answer, once a client has asked for it:
// the mark, how the answer ended ("ok", "error", "again" with watch, "password"),
// and the prompt. No answer has the mark in it.
const FrameMark = "\x1e"

func newSession(s *Server, conn net.Conn, id uint64) *session {
	return &session{server: s, conn: conn, peer: peer(conn), id: id, inputs: make(chan input), done: make(chan struct{})}
}

// run is the life of a session.
func (s *session) run() {
	defer s.conn.Close()
	var reader sync.WaitGroup
	reader.Go(s.read)
	defer reader.Wait()
	defer s.conn.Close()
	defer close(s.done)
	if !s.login() {
		return
	}
	v := s.server.o.Node.Version()
	if !s.framed {
		s.say(fmt.Sprintf("Guideway %s on %s. help lists the commands, quit leaves.\n", v.Version, v.Node))
	}
	status := "ok"
	for {
		if s.prompt(status) != nil {
			return
		}
		in, ok := s.await(s.server.o.Settings().IdleTimeout)
		for ok && s.framed && in.event == interrupt { // of what had ended by itself
			in, ok = s.await(s.server.o.Settings().IdleTimeout)
		}
		if !ok {
			return
		}
		var err error
		if status, err = s.obey(in); err != nil {
			return
		}
	}
}

// prompt says that it is the client's turn.
func (s *session) prompt(status string) error {
	prompt := s.server.o.Node.Version().Node + "> "
	if s.framed {
		return s.mark(status, prompt)
	}
	return s.say(prompt)
}

func (s *session) mark(status, prompt string) error {
	return s.write([]byte(FrameMark + status + " " + prompt + "\n"))
}

// await returns the next input; not if the client is gone, or says nothing for
// too long.
func (s *session) await(limit time.Duration) (input, bool) {
	if s.next != nil {
		in := *s.next
		s.next = nil
		return in, true
	}
	idle := time.NewTimer(limit)
	defer idle.Stop()
	select {
	case in, ok := <-s.inputs:
		return in, ok
	case <-idle.C:
		s.say("\nnothing was said for " + span(limit) + ": goodbye\n")
	case <-s.server.ctx.Done():
	}
	return input{}, false
}

// obey does what a line says, and tells how it went: "ok" or "error". An error
// ends the session.
func (s *session) obey(in input) (status string, err error) {
	switch in.event {
	case interrupt:
		return "ok", s.say("\n")
	case tooLong:
		return "error", s.say(fmt.Sprintf("the line is longer than %d bytes\n", maxLine))
	}
	list, err := words(in.line)
	if err != nil {
		return "error", s.say(err.Error() + "\n")
	}
	list, f := split(list)
	if len(list) == 0 {
		return "ok", nil
	}
	cmd, rest, err := find(list)
	if err != nil {
		return "error", s.fail(err, f)
	}
	c := &call{node: s.server.o.Node, args: rest, flags: f}
	began := time.Now()
	a, err := s.do(cmd, c)
	if cmd.changes {
		s.audit(in.line, began, err)
	}
	switch {
	case errors.Is(err, errQuit):
		return "", err
	case err != nil:
		return "error", s.fail(err, f)
	}
	switch a := a.(type) {
	case framing:
		s.framed = true
		return "ok", nil
	case *watching:
		return s.watch(a, f)
	}
	return "ok", s.answer(a, f)
}

// audit writes down what somebody changed, or tried to.
func (s *session) audit(line string, began time.Time, err error) {
	args := []any{"peer", s.peer, "session", s.id, "command", line, "took", time.Since(began).Round(time.Microsecond)}
	if err != nil {
		s.server.o.Log.Warn("console command failed", append(args, "error", err)...)
		return
	}
	s.server.o.Log.Info("console command", args...)
}

// do runs a command. One that stops does so when the client says something; what
// it says is yet to be obeyed.
func (s *session) do(cmd *command, c *call) (a answer, err error) {
	ctx, cancel := context.WithCancel(s.server.ctx)
	defer cancel()
	c.ctx = ctx
	if !cmd.stops {
		return s.guard(cmd, c)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		a, err = s.guard(cmd, c)
	}()
	inputs := s.inputs
	look := time.NewTicker(time.Second)
	defer look.Stop()
	for {
		select {
		case <-done:
			return a, err
		case <-look.C:
			if s.gone() {
				cancel()
			}
		case in, ok := <-inputs:
			inputs = nil
			if ok { // a client that has said all it has to say still listens
				cancel()
				s.keep(in)
			}
		}
	}
}

// gone tells whether nobody hears what is said any more. A client that has closed
// its side of the connection only, as a pipe does, does hear; one that is away
// is found out by TCP's keepalive.
func (s *session) gone() (gone bool) {
	c, ok := s.conn.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return true
	}
	err = raw.Control(func(fd uintptr) {
		poll := []unix.PollFd{{Fd: int32(fd)}}
		n, _ := unix.Poll(poll, 0) // interrupted: the next look tells
		gone = n > 0 && poll[0].Revents&(unix.POLLHUP|unix.POLLERR) != 0
	})
	return gone || err != nil
}

// keep keeps what ended something for later, unless that was all it was for.
func (s *session) keep(in input) {
	if in.event == lineEnd && strings.TrimSpace(in.line) != "" || in.event == tooLong {
		s.next = &in
	}
}

// guard runs a command so that a fault in it ends the command and nothing else:
// packets do not stop for a table that is printed wrongly.
func (s *session) guard(cmd *command, c *call) (a answer, err error) {
	defer func() {
		if p := recover(); p != nil {
			s.server.o.Log.Error("console command panicked", "command", cmd.name, "error", p, "stack", string(debug.Stack()))
			a, err = nil, errors.New("this is a fault of Guideway's: the log has the details")
		}
	}()
	return cmd.run(c)
}

// watch repeats a command until the client says something.
func (s *session) watch(w *watching, f flags) (status string, err error) {
	tick := time.NewTicker(w.every)
	defer tick.Stop()
	for {
		a, err := s.guard(w.command, &call{ctx: s.server.ctx, node: s.server.o.Node, args: w.args, flags: f})
		if err != nil {
			return "error", s.fail(err, f)
		}
		if !f.json && !s.framed {
			s.say(fmt.Sprintf("-- %s, every %v; Enter ends it\n", time.Now().UTC().Format("15:04:05 UTC"), w.every))
		}
		if err := s.answer(a, f); err != nil {
			return "", err
		}
		if s.framed {
			s.mark("again", "")
		}
		select {
		case <-tick.C:
		case in, ok := <-s.inputs:
			if !ok {
				return "", errQuit
			}
			s.keep(in)
			return "ok", nil
		case <-s.server.ctx.Done():
			return "", errQuit
		}
	}
}

// read turns bytes into inputs until the client ends, or must.
func (s *session) read() {
	defer close(s.inputs)
	buffer := make([]byte, 4096)
	for {
		n, err := s.conn.Read(buffer)
		for _, b := range buffer[:n] {
			if !s.take(b) {
				return
			}
		}
		if err != nil {
			if errors.Is(err, io.EOF) && s.decoder.unfinished() {
				s.take('\n') // scripts forget the last one
			}
			return
		}
	}
}

// take takes one byte; more tells whether there may be others.
func (s *session) take(b byte) (more bool) {
	s.out.Lock()
	e := s.decoder.take(b)
	s.out.Unlock()
	if len(s.decoder.reply) > 0 && s.write(s.decoder.reply) != nil {
		return false
	}
	in := input{event: e}
	switch e {
	case nothing:
		return true
	case ayt:
		return s.say("\nyes\n") == nil
	case lineEnd:
		in.line = string(s.decoder.line)
	case flooding:
		s.server.o.Log.Warn("console session closed: it floods", "peer", s.peer)
		s.conn.Close()
		return false
	case ending:
		return false
	}
	select {
	case s.inputs <- in:
		return true
	case <-s.done:
		return false
	}
}

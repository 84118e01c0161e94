package console

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"guideway/control/config"
)

// Limits that are no settings.
const (
	loginLimit    = 30 * time.Second // for the password, all attempts together
	loginAttempts = 3
	loginDelay    = time.Second      // after a wrong one
	writeLimit    = 10 * time.Second // for a reader to take writeChunk
	writeChunk    = 64 << 10
	maxSecret     = 4096 // bytes of a password file
)

// A Server is the console of one process.
type Server struct {
	o        Options
	listener net.Listener
	ctx      context.Context
	cancel   context.CancelFunc
	work     sync.WaitGroup

	mu       sync.Mutex
	sessions map[*session]bool
	count    uint64 // of sessions ever
	closed   bool
}

// Serve listens where the options say and serves in the background. A zero Listen
// makes a Server that serves nothing.
func Serve(o Options) (*Server, error) {
	s := newServer(o)
	if o.Listen == (config.Listen{}) {
		return s, nil
	}
	listener, err := listen(o.Listen)
	if err != nil {
		return nil, fmt.Errorf("[console].listen: %w", err)
	}
	s.listener = listener
	s.work.Go(s.accept)
	return s, nil
}

func newServer(o Options) *Server {
	o.loginDelay, o.loginLimit, o.writeLimit = cmp.Or(o.loginDelay, loginDelay), cmp.Or(o.loginLimit, loginLimit), cmp.Or(o.writeLimit, writeLimit)
	s := &Server{o: o, sessions: map[*session]bool{}}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// listen takes the place of a process that was killed and left its Unix socket
// behind, but not of one that still answers there, nor of any other kind of file.
// A Unix socket is for its owner and group alone.
func listen(at config.Listen) (net.Listener, error) {
	if at.Network != "unix" {
		return net.Listen(at.Network, at.Address)
	}
	if info, err := os.Lstat(at.Address); err == nil && info.Mode().Type() == fs.ModeSocket {
		if c, err := net.Dial("unix", at.Address); err == nil {
			c.Close()
			return nil, fmt.Errorf("another process serves at %s", at.Address)
		}
		os.Remove(at.Address) // if this fails, so does Listen, and says why
	}
	listener, err := net.Listen("unix", at.Address)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(at.Address, 0o660); err != nil {
		listener.Close()
		return nil, err
	}
	return listener, nil
}

// Addr returns where the console is: an address and port, "unix:" and a path, or
// "none".
func (s *Server) Addr() string {
	switch {
	case s.listener == nil:
		return "none"
	case s.listener.Addr().Network() == "unix":
		return "unix:" + s.listener.Addr().String()
	}
	return s.listener.Addr().String()
}

// accept takes clients until Close. What the machine lacks at times, such as
// descriptors, must not end the console.
func (s *Server) accept() {
	for {
		conn, err := s.listener.Accept()
		if err == nil {
			s.serve(conn)
			continue
		}
		if s.ctx.Err() != nil {
			return
		}
		s.o.Log.Warn("console takes nobody in", "error", err)
		select {
		case <-s.ctx.Done():
			return
		case <-time.After(time.Second):
		}
	}
}

// serve begins a session, or says why there is none.
func (s *Server) serve(conn net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	limit := s.o.Settings().Sessions
	if s.closed || len(s.sessions) >= limit {
		s.o.Log.Warn("console session refused", "peer", peer(conn), "sessions", len(s.sessions))
		conn.SetWriteDeadline(time.Now().Add(time.Second)) // it is new: there is room
		fmt.Fprintf(conn, "%d sessions are open, and no more are allowed: try again later\n", len(s.sessions))
		conn.Close()
		return
	}
	s.count++
	one := newSession(s, conn, s.count)
	s.sessions[one] = true
	s.work.Go(func() {
		one.run()
		s.mu.Lock()
		delete(s.sessions, one)
		s.mu.Unlock()
	})
}

// Close ends all sessions, and returns when none calls the Node any more. It may
// be called twice.
func (s *Server) Close() error {
	s.mu.Lock()
	s.closed = true
	for one := range s.sessions {
		one.conn.Close()
	}
	s.mu.Unlock()
	s.cancel()
	if s.listener != nil {
		s.listener.Close() // an error says that it is closed already
	}
	s.work.Wait()
	return nil
}

// peer names who is at the other end.
func peer(conn net.Conn) string {
	if conn.RemoteAddr().Network() != "unix" {
		return conn.RemoteAddr().String()
	}
	who := "unix"
	if u, ok := conn.(*net.UnixConn); ok {
		if raw, err := u.SyscallConn(); err == nil {
			raw.Control(func(fd uintptr) {
				if c, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil {
					who = fmt.Sprintf("unix:uid=%d,pid=%d", c.Uid, c.Pid)
				}
			})
		}
	}
	return who
}

package console

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"os"
	"strings"
	"time"
)

// login asks for the password, if there is one.
func (s *session) login() bool {
	deadline := time.Now().Add(s.server.o.loginLimit)
	for attempt := 0; attempt < loginAttempts; {
		want, set, err := s.server.secret()
		if err != nil {
			s.server.o.Log.Error("console password is not known: nobody comes in", "error", err)
			s.say("the password cannot be checked: see the log\n")
			return false
		}
		if !set {
			return true
		}
		if s.framed {
			s.mark("password", "password: ")
		} else {
			s.hide(true)
			s.say("password: ")
		}
		in, ok := s.await(time.Until(deadline))
		switch {
		case !ok || in.event != lineEnd && in.event != tooLong:
			return false
		case in.line == Frames:
			s.framed = true
			continue
		}
		if !s.framed {
			s.hide(false)
			s.say("\n")
		}
		if in.event == lineEnd && equal(in.line, want) {
			return true
		}
		s.server.o.Log.Warn("console login failed", "peer", s.peer)
		select {
		case <-time.After(s.server.o.loginDelay):
		case <-s.server.ctx.Done():
			return false
		}
		attempt++
		s.say("that is not the password\n")
	}
	return false
}

// hide has a telnet client stop or begin to show what is typed, by offering to
// do that. Others see three odd bytes.
func (s *session) hide(hide bool) {
	s.out.Lock()
	s.decoder.echoing = hide
	s.out.Unlock()
	offer := byte(telnetWONT)
	if hide {
		offer = telnetWILL
	}
	s.write([]byte{telnetIAC, offer, optionEcho})
}

// secret reads the password that is asked for; set tells whether one is.
func (s *Server) secret() (password string, set bool, err error) {
	path := s.o.Settings().PasswordFile
	if path == "" {
		return "", false, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return "", true, err
	}
	defer f.Close()
	b := make([]byte, maxSecret)
	n, _ := f.Read(b)
	if password = strings.TrimRight(string(b[:n]), "\r\n"); password == "" {
		return "", true, fmt.Errorf("%s is empty", path)
	}
	return password, true, nil
}

// equal compares in a time that says nothing about either, their lengths
// included.
func equal(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

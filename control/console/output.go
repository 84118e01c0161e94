package console

import (
	"encoding/json"
	"errors"
	"strings"
	"time"
	"unicode"
)

// answer writes an answer in the form that was asked for.
func (s *session) answer(a answer, f flags) error {
	text, err := render(a, f.json, time.Now())
	if err != nil {
		return s.fail(err, f)
	}
	return s.say(text)
}

// render writes an answer as text or as JSON.
func render(a answer, asJSON bool, now time.Time) (string, error) {
	if asJSON {
		b, err := json.MarshalIndent(a, "", "  ")
		return string(b) + "\n", err
	}
	p := &page{now: now}
	a.text(p)
	return p.String(), nil
}

// fail says what went wrong.
func (s *session) fail(err error, f flags) error {
	text := err.Error()
	if errors.Is(err, ErrForce) && !strings.Contains(text, "--force") {
		text += ": " + ErrForce.Error()
	}
	if f.json {
		b, err := json.Marshal(map[string]string{"error": text})
		if err != nil {
			return err
		}
		return s.say(string(b) + "\n")
	}
	return s.say(text + "\n")
}

// printable replaces what terminals obey.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && unicode.IsControl(r) || r == unicode.ReplacementChar {
			return '?'
		}
		return r
	}, text)
}

// say writes text. Whatever it is made of (a backend's error, a name that somebody
// typed), no control character but a new line reaches the client's terminal.
func (s *session) say(text string) error {
	text = printable(text)
	s.out.Lock()
	telnet := s.decoder.telnet
	s.out.Unlock()
	if telnet {
		text = strings.ReplaceAll(text, "\n", "\r\n") // RFC 854; no byte of UTF-8 is IAC
	}
	return s.write([]byte(text))
}

// write writes within the time that a reader has for it.
func (s *session) write(b []byte) error {
	s.out.Lock()
	defer s.out.Unlock()
	for len(b) > 0 {
		n := min(len(b), writeChunk)
		s.conn.SetWriteDeadline(time.Now().Add(s.server.o.writeLimit))
		if _, err := s.conn.Write(b[:n]); err != nil {
			s.conn.Close() // half an answer helps nobody
			return err
		}
		b = b[n:]
	}
	return nil
}

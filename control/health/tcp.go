package health

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
)

// longAnswer is how much of an answer is looked at, in bytes.
const longAnswer = 64 << 10

// askTCP connects. Send, Expect and WeightBody ask for more.
func askTCP(ctx context.Context, q *inquiry) error {
	conn, err := q.connect(ctx, "tcp")
	if err != nil {
		return err
	}
	c := q.target.Check
	if c.Send != "" {
		if _, err := io.WriteString(conn, c.Send); err != nil {
			return err
		}
	}
	switch {
	case c.Expect != "" || c.WeightBody:
		return q.converse(conn, c)
	}
	return nil
}

// converse reads until it has heard enough.
func (q *inquiry) converse(conn net.Conn, c Check) error {
	var heard []byte
	buf := make([]byte, 4<<10)
	for {
		n, err := conn.Read(buf)
		heard = append(heard, buf[:n]...)
		whole := err != nil && errors.Is(err, io.EOF) || len(heard) >= longAnswer
		if done, wrong := q.enough(heard, whole, c); done {
			return wrong
		}
		if err != nil {
			if len(heard) > 0 && !errors.Is(err, io.EOF) {
				q.stage = "answered " + quote(string(heard)) + ", but " + q.missing(c) + ": "
			}
			return err
		}
	}
}

func (q *inquiry) missing(c Check) string {
	if c.Expect != "" {
		return "not " + quote(c.Expect)
	}
	return "not a whole line"
}

// enough says whether what was heard decides: it is whole, or all that is
// wanted is there.
func (q *inquiry) enough(heard []byte, whole bool, c Check) (done bool, wrong error) {
	line := bytes.IndexByte(heard, '\n') >= 0
	found := strings.Contains(string(heard), c.Expect)
	switch {
	case found && (!c.WeightBody || line):
	case !whole:
		return false, nil
	case len(heard) == 0:
		return true, io.EOF
	case !found:
		return true, fmt.Errorf("answered %s, want %s", quote(string(heard)), quote(c.Expect))
	}
	if c.WeightBody {
		q.weight, wrong = parseWeight(string(heard))
	}
	return true, wrong
}

// askUDP sends a datagram, and wants one back.
func askUDP(ctx context.Context, q *inquiry) error {
	conn, err := q.connect(ctx, "udp")
	if err != nil {
		return err
	}
	c := q.target.Check
	if _, err := io.WriteString(conn, c.Send); err != nil {
		return err
	}
	buf := make([]byte, 4<<10)
	n, err := conn.Read(buf)
	if err != nil {
		return err
	}
	if !strings.Contains(string(buf[:n]), c.Expect) {
		return fmt.Errorf("answered %s, want %s", quote(string(buf[:n])), quote(c.Expect))
	}
	return nil
}

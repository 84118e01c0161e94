package health

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"sync/atomic"
	"syscall"
)

type roundTrip func(*http.Request) (*http.Response, error)

// overHTTP2 speaks HTTP/2 (RFC 9113) on a connection for as long as ask lasts.
func (q *inquiry) overHTTP2(ctx context.Context, conn net.Conn, ask func(roundTrip) error) (err error) {
	var p http.Protocols
	p.SetUnencryptedHTTP2(true)
	scheme := "http"
	if t, ok := conn.(*tls.Conn); ok {
		if t.ConnectionState().NegotiatedProtocol != "h2" {
			return errors.New("does not speak HTTP/2 (ALPN)")
		}
		p.SetHTTP2(true)
		scheme = "https"
	}
	told := &errno{Conn: conn}
	if scheme == "http" { // a tls.Conn is asked what it is, and must come as it is
		conn = told
	}
	defer func() {
		if no := told.no.Load(); err != nil && no != 0 {
			err = syscall.Errno(no)
		}
	}()
	given := func(context.Context, string, string) (net.Conn, error) { return conn, nil }
	t := &http.Transport{
		Protocols: &p, DialContext: given, DialTLSContext: given, DisableCompression: true, MaxResponseHeaderBytes: longHeader,
	}
	c, err := t.NewClientConn(ctx, scheme, conn.RemoteAddr().String())
	if err != nil {
		return err
	}
	// The goroutine that it has ends with the connection.
	defer c.Close()
	return ask(c.RoundTrip)
}

// An errno is a connection that remembers how the system says it ended. A reset
// is told once, to whoever comes first, the reader or the writer; the other
// finds it closed. Which of the two HTTP/2 believes is a matter of haste.
type errno struct {
	net.Conn
	no atomic.Uintptr
}

func (c *errno) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.note(err)
	return n, err
}

func (c *errno) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.note(err)
	return n, err
}

func (c *errno) note(err error) {
	if no := syscall.Errno(0); errors.As(err, &no) && no != syscall.EPIPE {
		c.no.Store(uintptr(no))
	}
}

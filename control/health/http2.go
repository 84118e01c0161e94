package health

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
)

type roundTrip func(*http.Request) (*http.Response, error)

// overHTTP2 speaks HTTP/2 (RFC 9113) on a connection for as long as ask lasts.
func (q *inquiry) overHTTP2(ctx context.Context, conn net.Conn, ask func(roundTrip) error) error {
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

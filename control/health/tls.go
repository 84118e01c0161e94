package health

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"
)

// askTLS shakes hands.
func askTLS(ctx context.Context, q *inquiry) error {
	_, err := q.secure(ctx)
	return err
}

// secure connects and shakes hands, offering the protocols (ALPN).
func (q *inquiry) secure(ctx context.Context, protocols ...string) (*tls.Conn, error) {
	c, err := q.kit.secure()
	if err != nil {
		return nil, ourFault{err}
	}
	conn, err := q.connect(ctx, "tcp")
	if err != nil {
		return nil, err
	}
	c = c.Clone()
	c.NextProtos = protocols
	if c.ServerName == "" {
		c.ServerName = q.target.asked().String()
	}
	t := tls.Client(conn, c)
	q.stage = "connected, but in the TLS handshake "
	if err := t.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	q.stage = "TLS is up, but "
	return t, nil
}

// secure returns how the check speaks TLS.
func (k *kit) secure() (*tls.Config, error) {
	if c := k.tls.Load(); c != nil {
		return c, nil
	}
	s := k.check.Secure
	c := &tls.Config{ServerName: s.ServerName, InsecureSkipVerify: s.Insecure}
	if c.ServerName == "" {
		c.ServerName = hostOnly(k.check.Host)
	}
	if s.CAFile != "" {
		pem, err := os.ReadFile(s.CAFile)
		if err != nil {
			return nil, err
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s holds no certificate", s.CAFile)
		}
	}
	if s.CertFile != "" {
		own, err := tls.LoadX509KeyPair(s.CertFile, s.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.CertFile, err)
		}
		c.Certificates = []tls.Certificate{own}
	}
	k.tls.Store(c)
	return c, nil
}

// hostOnly is a Host header without its port.
func hostOnly(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	return strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
}

// tlsWords says what went wrong in a handshake; empty: it was something else.
func tlsWords(err error) string {
	var (
		name    x509.HostnameError
		unknown x509.UnknownAuthorityError
		invalid x509.CertificateInvalidError
		alert   tls.AlertError
		record  tls.RecordHeaderError
		system  x509.SystemRootsError
		op      *net.OpError
	)
	switch {
	case errors.As(err, &name):
		return fmt.Sprintf("certificate is for %s, not %s", names(name.Certificate), name.Host)
	case errors.As(err, &unknown):
		issuer := "nobody we trust"
		if unknown.Cert != nil && unknown.Cert.Issuer.String() != "" {
			issuer = unknown.Cert.Issuer.String() + ", whom we do not trust"
		}
		return "certificate is signed by " + issuer
	case errors.As(err, &invalid):
		if invalid.Reason == x509.Expired && invalid.Cert != nil {
			if time.Now().Before(invalid.Cert.NotBefore) {
				return "certificate begins on " + invalid.Cert.NotBefore.UTC().Format(time.DateTime)
			}
			return "certificate has ended on " + invalid.Cert.NotAfter.UTC().Format(time.DateTime)
		}
		return "certificate: " + strings.TrimPrefix(invalid.Error(), "x509: ")
	case errors.As(err, &system):
		return "this system has no list of whom to trust"
	case errors.As(err, &record):
		return "answered " + quote(string(record.RecordHeader[:])) + ", which is not TLS"
	case errors.As(err, &alert):
		return "it refused us in TLS: " + strings.TrimPrefix(alert.Error(), "tls: ")
	case errors.As(err, &op) && op.Op == "remote error":
		return "it refused us in TLS: " + strings.TrimPrefix(op.Err.Error(), "tls: ")
	}
	return ""
}

// names lists whom a certificate is for.
func names(c *x509.Certificate) string {
	all := append([]string(nil), c.DNSNames...)
	for _, a := range c.IPAddresses {
		all = append(all, a.String())
	}
	const most = 3
	switch {
	case len(all) == 0:
		return "no host"
	case len(all) > most:
		return fmt.Sprintf("%s and %d more", strings.Join(all[:most], ", "), len(all)-most)
	}
	return strings.Join(all, ", ")
}

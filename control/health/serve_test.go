package health

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// patienceOfTests is the timeout of single probes. Where words hold it they are
// written with 300ms.
const patienceOfTests = 300 * time.Millisecond * (1 + slower/2)

// inquire asks a target once, as a Monitor would.
func inquire(t testing.TB, target Target) result {
	t.Helper()
	d := newDials(0, func(f func() error) error { return f() }, nil)
	defer d.close()
	if target.Timeout == 0 {
		target.Timeout, target.Interval = patienceOfTests, time.Second
	}
	results := make(chan result, 2)
	p := d.open(target.normal(), func(r result) { results <- r })
	defer p.close()
	p.start(1)
	if r := <-results; r.kind != begun || r.round != 1 {
		t.Fatalf("began with %+v", r)
	}
	r := <-results
	if r.round != 1 {
		t.Fatalf("ended with %+v", r)
	}
	return r
}

// holds checks a result against what it is to be: "" is an answer, "? words" an
// untried round, and other words a failure.
func holds(t testing.TB, what string, r result, want string) {
	t.Helper()
	got := ""
	switch r.kind {
	case refused:
		got = r.err.Error()
	case untried:
		got = "? " + r.err.Error()
	}
	if want = strings.ReplaceAll(want, "300ms", patienceOfTests.String()); got != want {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
	if r.kind == answered && (r.latency <= 0 || r.latency > patienceOfTests+grace) {
		t.Errorf("%s: latency %v", what, r.latency)
	}
}

// serve runs a server on loopback that handles each connection by talk, and
// closes it. It hears all of 127/8.
func serve(t testing.TB, talk func(net.Conn)) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer c.Close()
				talk(c)
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		all.Wait()
	})
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), l.Addr().(*net.TCPAddr).AddrPort().Port())
}

// serveUDP answers datagrams; nil: with nothing.
func serveUDP(t testing.TB, answer func([]byte) [][]byte) netip.AddrPort {
	t.Helper()
	c, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		b := make([]byte, 64<<10)
		for {
			n, from, err := c.ReadFromUDPAddrPort(b)
			if err != nil {
				return
			}
			for _, a := range answer(b[:n]) {
				_, _ = c.WriteToUDPAddrPort(a, from)
			}
		}
	}()
	t.Cleanup(func() {
		c.Close()
		<-done
	})
	return c.LocalAddr().(*net.UDPAddr).AddrPort()
}

// nobody returns where nobody listens, until the test ends: a port that is taken, so
// that no other test comes to listen there.
func nobody(t testing.TB) netip.AddrPort {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	at, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	in := at.(*unix.SockaddrInet4)
	return netip.AddrPortFrom(netip.AddrFrom4(in.Addr), uint16(in.Port))
}

// free returns where nobody listens as yet, and a server of another process may.
func free(t testing.TB) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).AddrPort()
}

// says sends pieces, with a pause before each but the first.
func says(pause time.Duration, pieces ...string) func(net.Conn) {
	return func(c net.Conn) {
		for i, p := range pieces {
			if i > 0 {
				time.Sleep(pause)
			}
			if _, err := io.WriteString(c, p); err != nil {
				return
			}
		}
	}
}

// after reads a request first: what ends with an empty line.
func after(talk func(net.Conn)) func(net.Conn) {
	return func(c net.Conn) {
		var heard []byte
		b := make([]byte, 4096)
		for !strings.Contains(string(heard), "\r\n\r\n") {
			n, err := c.Read(b)
			if err != nil {
				return
			}
			heard = append(heard, b[:n]...)
		}
		talk(c)
	}
}

// hang says nothing until the other side goes.
func hang(c net.Conn) { _, _ = io.Copy(io.Discard, c) }

// reset ends a connection with a reset.
func reset(c net.Conn) { _ = c.(*net.TCPConn).SetLinger(0) }

func flood(c net.Conn) {
	for {
		if _, err := c.Write([]byte(strings.Repeat("junk", 1024))); err != nil {
			return
		}
	}
}

// An authority signs certificates.
type authority struct {
	testing.TB
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t testing.TB, name string) *authority {
	a := &authority{TB: t, dir: t.TempDir()}
	a.cert, a.key = a.make(name, &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}, nil)
	return a
}

// make writes NAME.pem and NAME.key.
func (a *authority) make(name string, c *x509.Certificate, by *authority) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.Fatal(err)
	}
	c.SerialNumber = big.NewInt(time.Now().UnixNano())
	if c.NotAfter.IsZero() {
		c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	}
	parent, signer := c, key
	if by != nil {
		parent, signer = by.cert, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), signer)
	if err != nil {
		a.Fatal(err)
	}
	secret, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		a.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{
		a.pem(name): {Type: "CERTIFICATE", Bytes: der}, a.keyOf(name): {Type: "EC PRIVATE KEY", Bytes: secret},
	} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			a.Fatal(err)
		}
	}
	made, err := x509.ParseCertificate(der)
	if err != nil {
		a.Fatal(err)
	}
	return made, key
}

func (a *authority) pem(name string) string {
	return filepath.Join(a.dir, strings.ReplaceAll(name, " ", "-")+".pem")
}
func (a *authority) keyOf(name string) string {
	return filepath.Join(a.dir, strings.ReplaceAll(name, " ", "-")+".key")
}

// server makes a certificate for hosts, whose files begin with the first.
func (a *authority) server(hosts ...string) {
	c := &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			c.IPAddresses = append(c.IPAddresses, ip)
		} else {
			c.DNSNames = append(c.DNSNames, h)
		}
	}
	a.make(hosts[0], c, a)
}

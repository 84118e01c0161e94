package health

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestHTTPWire: answers of all kinds, octet by octet.
func TestHTTPWire(t *testing.T) {
	t.Parallel()
	const ok = "HTTP/1.1 200 OK\r\n"
	for _, c := range []struct {
		what  string
		talk  func(net.Conn)
		check Check
		want  string
	}{
		{"passes", says(0, ok+"Content-Length: 2\r\n\r\nok"), Check{}, ""},
		{"HTTP/1.0", says(0, "HTTP/1.0 200 fine\r\n\r\n"), Check{}, ""},
		{"another status", says(0, "HTTP/1.1 503 Service Unavailable\r\n\r\n"), Check{}, "status 503, want 200"},
		{"another status of many", says(0, "HTTP/1.1 503 x\r\n\r\n"), Check{Statuses: StatusesOf(200, 201, 202, 204, 301, 302)},
			"status 503, want 200 to 202, 204, 301 or 302"},
		{"one of many", says(0, "HTTP/1.1 302 Found\r\nLocation: http://192.0.2.1/\r\n\r\n"), Check{Statuses: StatusesOf(200, 302)}, ""},
		{"a redirection", says(0, "HTTP/1.1 302 Found\r\nLocation: /other\r\n\r\n"), Check{}, "status 302, want 200"},
		{"early hints", says(0, "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", ok+"\r\n"), Check{}, ""},
		{"hints only", says(0, strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 20)), Check{}, "nothing but provisional answers"},
		{"in pieces", says(20*time.Millisecond, "HTT", "P/1.1 2", "00 OK\r", "\n\r", "\n"), Check{}, ""},
		{"slow", says(100*time.Millisecond, "H", ok[1:], "\r\n"), Check{}, ""},
		{"too slow", says(patienceOfTests*2/3, "H", ok[1:], "\r\n"), Check{}, "connected, but no answer within 300ms"},
		{"hangs", hang, Check{}, "connected, but no answer within 300ms"},
		{"hangs in the header", func(c net.Conn) { says(0, ok)(c); hang(c) }, Check{}, "connected, but no answer within 300ms"},
		{"resets", reset, Check{}, "connection reset by peer"},
		{"closes", says(0), Check{}, "connection closed before the answer was whole"},
		{"closes in the header", says(0, ok+"X: y\r\n"), Check{}, "connection closed before the answer was whole"},
		{"garbage", says(0, "220 mail.example ESMTP\r\n"), Check{}, `answered "220 mail.example ESMTP\r\n", which is not HTTP/1`},
		{"garbage without end", flood, Check{}, ""},
		{"a bad header", says(0, ok+"no colon\r\n\r\n"), Check{}, `malformed MIME header: missing colon: "no colon"`},
		{"a bad status", says(0, "HTTP/1.1 fine\r\n\r\n"), Check{}, `malformed HTTP status code "fine"`},
		{"a header without end", func(c net.Conn) {
			says(0, ok, strings.Repeat("X-Filler: "+strings.Repeat("x", 990)+"\r\n", 100))(c)
			hang(c)
		}, Check{}, "a header of more than 64 KiB"},
		{"body", says(0, ok+"Content-Length: 11\r\n\r\nstatus: ok\n"), Check{Body: `(?m)^status: (ok|fine)$`}, ""},
		{"chunks", says(0, ok+"Transfer-Encoding: chunked\r\n\r\n3\r\nall\r\n6\r\n right\r\n0\r\n\r\n"), Check{Body: "^all right$"}, ""},
		{"another body", says(0, ok+"\r\nstatus: bad"), Check{Body: "ok"}, `body "status: bad" does not match "ok"`},
		{"a body cut short", says(0, ok+"Content-Length: 99\r\n\r\nok"), Check{Body: "ok"}, "connection closed before the answer was whole"},
		{"a body that hangs", func(c net.Conn) { says(0, ok+"Content-Length: 99\r\n\r\nok")(c); hang(c) }, Check{Body: "ok"},
			"status 200, but of the body no answer within 300ms"},
		{"a body without end", func(c net.Conn) { says(0, ok+"\r\nok")(c); flood(c) }, Check{Body: "^ok"}, ""},
		{"a pattern that is none", says(0, ok+"\r\nok"), Check{Body: "("}, "? error parsing regexp: missing closing ): `(`"},
		{"HEAD", says(0, ok+"Content-Length: 99\r\n\r\n"), Check{Method: "HEAD"}, ""},
	} {
		c.check.Type = HTTP
		talk := after(c.talk)
		if c.what == "garbage without end" {
			talk, c.want = after(flood), `answered "`+strings.Repeat("junk", 10)+`"..., which is not HTTP/1`
		}
		holds(t, c.what, inquire(t, tcpTarget(serve(t, talk), c.check)), c.want)
	}
	holds(t, "nobody there", inquire(t, tcpTarget(nobody(t), Check{Type: HTTP})), "connection refused")
}

// TestHTTPRequest: what is asked, by HTTP/1.1 and HTTP/2 alike.
func TestHTTPRequest(t *testing.T) {
	t.Parallel()
	var p http.Protocols
	p.SetHTTP1(true)
	p.SetUnencryptedHTTP2(true)
	s := &http.Server{Protocols: &p, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Weight", r.Header.Get("X-None")+"drain")
		fmt.Fprintf(w, "%s %s %s %s %s", r.Proto, r.Method, r.URL, r.Host, r.UserAgent())
	})}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go s.Serve(l)
	t.Cleanup(func() { s.Close() })
	at := l.Addr().(*net.TCPAddr).AddrPort()
	for _, c := range []struct {
		check Check
		want  string
	}{
		{Check{}, "HTTP/1.1 GET / " + at.String()},
		{Check{HTTP2: true}, "HTTP/2.0 GET / " + at.String()},
		{Check{Method: "OPTIONS", Path: "/up?deep=1&x=%20", Host: "www.example:81"}, "HTTP/1.1 OPTIONS /up?deep=1&x=%20 www.example:81"},
		{Check{Method: "OPTIONS", Path: "/up?deep=1&x=%20", Host: "www.example:81", HTTP2: true}, "HTTP/2.0 OPTIONS /up?deep=1&x=%20 www.example:81"},
	} {
		c.check.Type, c.check.WeightHeader = HTTP, "x-weight"
		c.check.Body = "^nothing"
		holds(t, c.want, inquire(t, tcpTarget(at, c.check)), fmt.Sprintf("body %s does not match %q", quote(c.want+" guideway-health"), "^nothing"))
		c.check.Body = ""
		if r := inquire(t, tcpTarget(at, c.check)); !r.weight.Drain || r.unclear != "" {
			t.Errorf("%s: weight %+v, %q", c.want, r.weight, r.unclear)
		}
	}
	for header, want := range map[string]string{"X-Other": "no header X-Other", "Content-Type": `"text/plain; charset=utf-8" is no weight`} {
		r := inquire(t, tcpTarget(at, Check{Type: HTTP, WeightHeader: header}))
		holds(t, header, r, "")
		if r.weight.Said || r.unclear != want {
			t.Errorf("%s: %+v, %q", header, r.weight, r.unclear)
		}
	}
	only1 := serve(t, after(says(0, "HTTP/1.1 400 Bad Request\r\n\r\n")))
	if r := inquire(t, tcpTarget(only1, Check{Type: HTTP, HTTP2: true})); r.kind != refused {
		t.Errorf("HTTP/2 to a server that has none: %+v", r)
	}
	holds(t, "HTTP/2 that hangs", inquire(t, tcpTarget(serve(t, hang), Check{Type: HTTP, HTTP2: true})), "connected, but no answer within 300ms")
}

// TestTLS holds what is said of certificates and handshakes, for the types that
// have them.
func TestTLS(t *testing.T) {
	t.Parallel()
	ca, other := newAuthority(t, "Test CA"), newAuthority(t, "Other CA")
	ca.server("a.example", "www.a.example")
	ca.server("127.0.0.1")
	ca.make("old", &x509.Certificate{DNSNames: []string{"old.example"}, NotBefore: time.Unix(0, 0), NotAfter: time.Unix(86400, 0)}, ca)
	ca.make("client", &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}, ca)
	server := func(name string, set func(*tls.Config)) netip.AddrPort {
		cert, err := tls.LoadX509KeyPair(ca.pem(name), ca.keyOf(name))
		if err != nil {
			t.Fatal(err)
		}
		c := &tls.Config{Certificates: []tls.Certificate{cert}}
		if set != nil {
			set(c)
		}
		return serve(t, func(raw net.Conn) {
			conn := tls.Server(raw, c)
			if conn.Handshake() == nil {
				after(says(0, "HTTP/1.1 200 OK\r\n\r\n"))(conn)
			}
		})
	}
	pool := x509.NewCertPool()
	pool.AddCert(ca.cert)
	plain, address, old := server("a.example", nil), server("127.0.0.1", nil), server("old", nil)
	mutual := server("a.example", func(c *tls.Config) {
		c.ClientAuth, c.ClientCAs, c.MaxVersion = tls.RequireAndVerifyClientCert, pool, tls.VersionTLS12
	})
	ours := ca.pem("Test CA")
	for _, c := range []struct {
		what   string
		at     netip.AddrPort
		secure Secure
		want   string
	}{
		{"right", plain, Secure{CAFile: ours, ServerName: "www.a.example"}, ""},
		{"an address", address, Secure{CAFile: ours}, ""},
		{"another name", plain, Secure{CAFile: ours, ServerName: "b.example"}, "certificate is for a.example, www.a.example, not b.example"},
		{"no name", plain, Secure{CAFile: ours}, "certificate is for a.example, www.a.example, not 127.0.0.1"},
		{"another name, which is all the same", plain, Secure{Insecure: true, ServerName: "b.example"}, ""},
		{"another authority", plain, Secure{CAFile: other.pem("Other CA"), ServerName: "a.example"}, "certificate is signed by CN=Test CA, whom we do not trust"},
		{"the system's authorities", plain, Secure{ServerName: "a.example"}, "certificate is signed by CN=Test CA, whom we do not trust"},
		{"too old", old, Secure{CAFile: ours, ServerName: "old.example"}, "certificate has ended on 1970-01-02 00:00:00"},
		{"our certificate", mutual, Secure{CAFile: ours, ServerName: "a.example", CertFile: ca.pem("client"), KeyFile: ca.keyOf("client")}, ""},
		{"no certificate of ours", mutual, Secure{CAFile: ours, ServerName: "a.example"}, "it refused us in TLS: handshake failure"},
		{"not TLS", serve(t, says(0, "220 mail.example ESMTP\r\n")), Secure{Insecure: true}, `answered "220 m", which is not TLS`},
		{"hangs", serve(t, hang), Secure{Insecure: true}, "connected, but in the TLS handshake no answer within 300ms"},
		{"resets", serve(t, reset), Secure{Insecure: true}, "connection reset by peer"},
		{"nobody there", nobody(t), Secure{Insecure: true}, "connection refused"},
		{"no such file", plain, Secure{CAFile: "/nonexistent/ca.pem"}, "? open /nonexistent/ca.pem: no such file or directory"},
		{"an empty file", plain, Secure{CAFile: ca.keyOf("client")}, "? " + ca.keyOf("client") + " holds no certificate"},
	} {
		for _, kind := range []Type{TLS, HTTPS} {
			if c.what == "no certificate of ours" && kind == TLS {
				continue // below
			}
			holds(t, kind.String()+", "+c.what, inquire(t, tcpTarget(c.at, Check{Type: kind, Secure: c.secure})), c.want)
		}
	}
	holds(t, "the Host names the server", inquire(t, tcpTarget(plain, Check{Type: HTTPS, Host: "a.example:444", Secure: Secure{CAFile: ours}})), "")
	holds(t, "only HTTP/1", inquire(t, tcpTarget(plain, Check{Type: HTTPS, HTTP2: true, Secure: Secure{Insecure: true}})), "does not speak HTTP/2 (ALPN)")
}

// TestFilesAgain: a file that changes counts from the next Watch on.
func TestFilesAgain(t *testing.T) {
	t.Parallel()
	ca, other := newAuthority(t, "Test CA"), newAuthority(t, "Other CA")
	ca.server("a.example")
	cert, err := tls.LoadX509KeyPair(ca.pem("a.example"), ca.keyOf("a.example"))
	if err != nil {
		t.Fatal(err)
	}
	at := serve(t, func(raw net.Conn) {
		_ = tls.Server(raw, &tls.Config{Certificates: []tls.Certificate{cert}}).Handshake()
	})
	file := filepath.Join(t.TempDir(), "ca.pem")
	use := func(a *authority, name string) {
		b, err := os.ReadFile(a.pem(name))
		if err == nil {
			err = os.WriteFile(file, b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	use(other, "Other CA")
	target := tcpTarget(at, Check{Type: TLS, Secure: Secure{CAFile: file, ServerName: "a.example"}})
	target.Interval, target.Timeout = 30*time.Millisecond, 30*time.Millisecond
	m := watch(t, Config{}, target)
	eventually(t, soon, "down", func() bool { return m.Of(target).State == Down })
	use(ca, "Test CA")
	time.Sleep(100 * time.Millisecond)
	if m.Of(target).State != Down {
		t.Error("the file was read again, and nobody had said so")
	}
	m.Watch([]Target{target})
	eventually(t, soon, "up", func() bool { return m.Of(target).State == Up })
}

// TestNginx: the server that most of the world has, by http, https and HTTP/2.
func TestNginx(t *testing.T) { // alone, since it is told ports that nobody has at the moment
	ca := newAuthority(t, "Test CA")
	ca.server("www.example")
	ca.make("client", &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}, ca)
	plain, secure, mutual := free(t), free(t), free(t)
	dir := t.TempDir()
	conf := fmt.Sprintf(`daemon off; master_process off; pid %[1]s/pid; error_log %[1]s/error.log info;
events { worker_connections 256; }
http {
  access_log off; client_body_temp_path %[1]s/b; proxy_temp_path %[1]s/p; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;
  ssl_certificate %[2]s; ssl_certificate_key %[3]s; ssl_client_certificate %[4]s;
  server { listen %[5]s; listen %[6]s ssl http2; server_name www.example;
    location = /healthz { add_header X-Weight 40; return 200 "fine\n"; }
    location = /moved { return 301 /healthz; }
    location / { return 503; }
  }
  server { listen %[7]s ssl; ssl_verify_client on; location / { return 204; } }
}`, dir, ca.pem("www.example"), ca.keyOf("www.example"), ca.pem("Test CA"), plain, secure, mutual)
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	server := exec.Command("nginx", "-p", dir, "-e", dir+"/error.log", "-c", file)
	server.Stderr = os.Stderr
	server.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait()
	})
	eventually(t, soon, "nginx listens", func() bool {
		c, err := net.Dial("tcp", mutual.String())
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	tlsOf := Secure{CAFile: ca.pem("Test CA"), ServerName: "www.example"}
	own := tlsOf
	own.CertFile, own.KeyFile = ca.pem("client"), ca.keyOf("client")
	for _, c := range []struct {
		what  string
		at    netip.AddrPort
		check Check
		want  string
	}{
		{"http", plain, Check{Type: HTTP, Path: "/healthz", Body: "^fine$", WeightHeader: "X-Weight"}, `body "fine\n" does not match "^fine$"`},
		{"http", plain, Check{Type: HTTP, Path: "/healthz", Body: "^fine\n$", WeightHeader: "X-Weight"}, ""},
		{"http, unwell", plain, Check{Type: HTTP, Path: "/"}, "status 503, want 200"},
		{"http, moved", plain, Check{Type: HTTP, Path: "/moved"}, "status 301, want 200"},
		{"https", secure, Check{Type: HTTPS, Path: "/healthz", Secure: tlsOf, WeightHeader: "X-Weight"}, ""},
		{"https, HTTP/2", secure, Check{Type: HTTPS, Path: "/healthz", Secure: tlsOf, HTTP2: true, WeightHeader: "X-Weight"}, ""},
		{"https, HTTP/2, unwell", secure, Check{Type: HTTPS, Path: "/", Secure: tlsOf, HTTP2: true}, "status 503, want 200"},
		{"https, our certificate", mutual, Check{Type: HTTPS, Secure: own, Statuses: StatusesOf(204)}, ""},
		{"https, no certificate of ours", mutual, Check{Type: HTTPS, Secure: tlsOf}, "status 400, want 200"},
		{"tls", secure, Check{Type: TLS, Secure: tlsOf}, ""},
		{"http to https", secure, Check{Type: HTTP}, "status 400, want 200"},
		{"https to http", plain, Check{Type: HTTPS, Secure: tlsOf}, `answered "HTTP/", which is not TLS`},
	} {
		r := inquire(t, tcpTarget(c.at, c.check))
		holds(t, c.what, r, c.want)
		if c.check.WeightHeader != "" && c.want == "" && r.weight.Share() != 40 {
			t.Errorf("%s: weight %v, %q", c.what, r.weight, r.unclear)
		}
	}
}

// FuzzHTTP: whatever answers, the inquiry ends, and passes nothing but a status
// that is wanted.
func FuzzHTTP(f *testing.F) {
	f.Add("HTTP/1.1 200 OK\r\nX-Weight: 5\r\n\r\nok", "ok")
	f.Add("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No\r\nTransfer-Encoding: chunked\r\n\r\n", "")
	f.Add("HTTP/1.0 200\r\n\r\n", "(")
	f.Fuzz(func(t *testing.T, said, body string) {
		c := Check{Type: HTTP, Body: body, WeightHeader: "X-Weight"}.normal()
		q := &inquiry{dial: &dial{kit: &kit{check: c}, target: Target{Addr: one, Check: c}}}
		client, server := net.Pipe()
		go func() {
			go io.Copy(io.Discard, server)
			_, _ = io.WriteString(server, said)
			server.Close()
		}()
		err := q.overHTTP1(client)
		client.Close()
		if err == nil && !strings.Contains(said, "200") {
			t.Errorf("%q passes", said)
		}
	})
}

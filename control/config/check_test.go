package config

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// certificate writes a certificate and its key.
func certificate(t *testing.T) (cert, key string) {
	t.Helper()
	cert, key = filepath.Join(t.TempDir(), "c.pem"), filepath.Join(t.TempDir(), "c.key")
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, k.Public(), k)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalECPrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	for file, b := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "EC PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(b), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

// TestChecks sets every key of every type, and none but those that must be.
func TestChecks(t *testing.T) {
	cert, key := certificate(t)
	usual := Check{Name: "c", Interval: time.Second, Timeout: 500 * time.Millisecond, Rise: 2, Fall: 3}
	with := func(set func(*Check)) Check {
		c := usual
		set(&c)
		return c
	}
	for _, c := range []struct {
		text string
		want Check
	}{
		{`type = "icmp"`, usual},
		{`type = "tcp"
port = 6379`, with(func(c *Check) { c.Type, c.Port = CheckTCP, 6379 })},
		{`type = "tcp"
port = 6379
send = "PING\r\n"
answer = "hex:2B 50 4f"
weight_body = true
via = "tunnel"`, with(func(c *Check) {
			c.Type, c.Port, c.Send, c.Answer, c.WeightBody, c.Via = CheckTCP, 6379, "PING\r\n", "+PO", true, ViaTunnel
		})},
		{`type = "udp"
port = 1
send = "hex:00ff"
answer = "\u0001"`, with(func(c *Check) { c.Type, c.Port, c.Send, c.Answer = CheckUDP, 1, "\x00\xff", "\x01" })},
		{`type = "http"`, with(func(c *Check) {
			c.Type, c.Port, c.Method, c.Path, c.Expect = CheckHTTP, 80, "GET", "/", []int{200}
		})},
		{`type = "http"
port = 8080
method = "OPTIONS"
path = "/up"
host = "[2001:db8::1]:81"
http_version = "2"
expect = [404, "200-202", 201]
body = "^ok$"
weight_header = "X-Weight"`, with(func(c *Check) {
			c.Type, c.Port, c.Method, c.Path, c.Host, c.HTTPVersion = CheckHTTP, 8080, "OPTIONS", "/up", "[2001:db8::1]:81", HTTP2
			c.Expect, c.Body, c.WeightHeader = []int{200, 201, 202, 404}, "^ok$", "X-Weight"
		})},
		{`type = "https"
server_name = "www.example"
ca_file = "CERT"
cert_file = "CERT"
key_file = "KEY"
weight_body = true`, with(func(c *Check) {
			c.Type, c.Port, c.Method, c.Path, c.Expect = CheckHTTPS, 443, "GET", "/", []int{200}
			c.TLS, c.ServerName, c.CAFile, c.CertFile, c.KeyFile, c.WeightBody = true, "www.example", cert, cert, key, true
		})},
		{`type = "tls"
insecure = true
server_name = "192.0.2.1"`, with(func(c *Check) {
			c.Type, c.Port, c.TLS, c.Insecure, c.ServerName = CheckTLS, 443, true, true, "192.0.2.1"
		})},
		{`type = "dns"
query = "www.example"`, with(func(c *Check) { c.Type, c.Port, c.Query, c.Record = CheckDNS, 53, "www.example", 1 })},
		{`type = "dns"
port = 5353
query = "."
record = "AAAA"
rcode = "NXDOMAIN"
answer = "2001:db8::1"`, with(func(c *Check) {
			c.Type, c.Port, c.Query, c.Record, c.Rcode, c.Answer = CheckDNS, 5353, ".", 28, 3, "2001:db8::1"
		})},
		{`type = "grpc"
port = 50051`, with(func(c *Check) { c.Type, c.Port = CheckGRPC, 50051 })},
		{`type = "grpc"
port = 50051
service = "shop.Cart"
tls = true
server_name = "cart.example"
insecure = true`, with(func(c *Check) {
			c.Type, c.Port, c.Service, c.TLS, c.ServerName, c.Insecure = CheckGRPC, 50051, "shop.Cart", true, "cart.example", true
		})},
	} {
		text := strings.NewReplacer("CERT", cert, "KEY", key).Replace(c.text)
		got := parse(t, head+"\n[[check]]\nname = \"c\"\n"+text+"\n")
		if diff := cmp.Diff([]Check{c.want}, got.Checks); diff != "" {
			t.Errorf("%s\n(-want +got)\n%s", c.text, diff)
		}
	}
	if RecordType(28).String() != "AAAA" || RecordType(1000).String() != "1000" || Rcode(3).String() != "NXDOMAIN" || HTTP2.String() != "2" {
		t.Error("names")
	}
}

// TestCheckFiles: what is in the files is looked at, so that a mistake shows
// before the file is in use.
func TestCheckFiles(t *testing.T) {
	cert, key := certificate(t)
	_, otherKey := certificate(t)
	for text, want := range map[string]string{
		`ca_file = "KEY"`: `check.ca_file: "KEY" holds no certificate in PEM`,
		"cert_file = \"CERT\"\nkey_file = \"OTHER\"": `check.cert_file: "CERT" and the key in "OTHER": private key does not match public key`,
		"ca_file = \"CERT\"\ninsecure = true":        `check.insecure: any certificate is taken then: leave out ca_file, or this`,
		`key_file = "KEY"`:                           `check.key_file: a key is of use with its certificate only: set cert_file`,
		`cert_file = "CERT"`:                         `check.cert_file: a certificate is of use with its key only: set key_file`,
	} {
		r := strings.NewReplacer("CERT", cert, "KEY", key, "OTHER", otherKey)
		_, _, err := Parse("x", []byte(head+"\n[[check]]\nname = \"c\"\ntype = \"https\"\n"+r.Replace(text)+"\n"))
		if err == nil || !strings.HasSuffix(err.Error(), r.Replace(want)) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

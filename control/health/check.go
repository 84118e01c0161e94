package health

import (
	"fmt"
	"strings"
)

// A Type is a way to ask.
type Type uint8

// The types.
const (
	ICMP  Type = iota // echo
	TCP               // a connection; with Send, Expect or WeightBody, what is said on it
	HTTP              // a request, by HTTP/1.1 or HTTP/2
	HTTPS             // the same, by TLS
	TLS               // a handshake
	UDP               // a datagram each way
	DNS               // a query, by UDP, and by TCP where the answer was cut
	GRPC              // grpc.health.v1.Health/Check, in clear or by TLS
)

var typeNames = [...]string{"icmp", "tcp", "http", "https", "tls", "udp", "dns", "grpc"}

// String is the name that the configuration has for it.
func (t Type) String() string { return typeNames[t] }

// A Check is what is asked of a target, and what answer passes. It is
// comparable: equal checks of one address are one probe. The zero Check is an
// ICMP echo.
type Check struct {
	Type Type
	Port uint16 // of all but ICMP

	Send   string // TCP, UDP: octets to send
	Expect string // TCP, UDP: octets that the answer holds; empty: TCP, no answer is needed; UDP, any will do

	Method   string // HTTP, HTTPS; empty: GET
	Path     string // HTTP, HTTPS: the request target, from its slash; empty: "/"
	Host     string // HTTP, HTTPS: the Host header; empty: the address and, if it is not the usual one, the port
	HTTP2    bool   // HTTP: by HTTP/2 without TLS, which is not asked for but known; HTTPS: by ALPN, and nothing else
	Statuses Statuses
	Body     string // HTTP, HTTPS: a regular expression (RE2) that the first 64 KiB of the body match

	Secure Secure // HTTPS, TLS, and GRPC if Secure.On

	Query  string // DNS: the name that is asked for
	Record uint16 // DNS: the type of record, as RFC 1035 section 3.2.2 numbers it; 0: A
	Rcode  uint8  // DNS: the wanted response code; 0: NOERROR
	Answer string // DNS: the data of one record that the answer must hold, as zone files have it; empty: any answer will do

	Service string // GRPC: whose status is asked for; empty: the server's as a whole

	// The answer may say what share of its weight the target wants: see Weight.
	WeightHeader string // HTTP, HTTPS: in this header
	WeightBody   bool   // TCP, HTTP, HTTPS: in the first line of what is answered
}

// Secure is how a check speaks TLS. Files are read when they are first needed
// after each Watch.
type Secure struct {
	On         bool   // GRPC: by TLS
	ServerName string // asked for (SNI), and what the certificate must be for; empty: Host if it is given, else the address
	CAFile     string // PEM; empty: what the system trusts
	Insecure   bool   // take any certificate
	CertFile   string // PEM: our own certificate; empty: none
	KeyFile    string // PEM: its key
}

// Statuses is a set of HTTP status codes, 100 to 599. The empty set stands for
// 200 alone.
type Statuses [8]uint64

// StatusesOf makes a set. Codes out of range are left out.
func StatusesOf(codes ...int) (s Statuses) {
	for _, c := range codes {
		if c >= 100 && c <= 599 {
			s[(c-100)>>6] |= 1 << ((c - 100) & 63)
		}
	}
	return s
}

func (s Statuses) has(code int) bool {
	return code >= 100 && code <= 599 && s[(code-100)>>6]>>((code-100)&63)&1 == 1
}

// String lists the codes in words: "200 to 299 or 404".
func (s Statuses) String() string {
	var words []string
	for c := 100; c <= 599; c++ {
		if !s.has(c) {
			continue
		}
		first := c
		for s.has(c + 1) {
			c++
		}
		switch c - first {
		case 0:
			words = append(words, fmt.Sprint(first))
		case 1:
			words = append(words, fmt.Sprint(first), fmt.Sprint(c))
		default:
			words = append(words, fmt.Sprintf("%d to %d", first, c))
		}
	}
	if n := len(words); n > 1 {
		words = append(words[:n-2], words[n-2]+" or "+words[n-1])
	}
	return strings.Join(words, ", ")
}

// normal returns c with one form for each meaning, without what its type does
// not look at.
func (c Check) normal() Check {
	n := Check{Type: c.Type, Port: c.Port}
	switch c.Type {
	case ICMP:
		return Check{}
	case TCP:
		n.Send, n.Expect, n.WeightBody = c.Send, c.Expect, c.WeightBody
	case UDP:
		n.Send, n.Expect = c.Send, c.Expect
	case HTTP, HTTPS:
		n.Method, n.Path, n.Host, n.HTTP2, n.Statuses, n.Body = c.Method, c.Path, c.Host, c.HTTP2, c.Statuses, c.Body
		n.WeightHeader, n.WeightBody = c.WeightHeader, c.WeightBody
		if n.Method == "" {
			n.Method = "GET"
		}
		if n.Path == "" {
			n.Path = "/"
		}
		if n.Statuses == (Statuses{}) {
			n.Statuses = StatusesOf(200)
		}
	case DNS:
		n.Query, n.Record, n.Rcode, n.Answer = c.Query, c.Record, c.Rcode, c.Answer
		if n.Record == 0 {
			n.Record = 1
		}
	case GRPC:
		n.Service = c.Service
	}
	if c.Type == HTTPS || c.Type == TLS || c.Type == GRPC && c.Secure.On {
		n.Secure = c.Secure
		n.Secure.On = true
	}
	return n
}

package config

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

// Check is one way to find out whether a backend serves. What its type has no
// use for is zero.
type Check struct {
	Name string
	Type CheckType
	Port uint16 // of all but CheckICMP

	Send   string // CheckTCP, CheckUDP: octets
	Answer string // CheckTCP, CheckUDP: octets that the answer holds; CheckDNS: the data of one of its records; "": any

	Method      string // CheckHTTP, CheckHTTPS
	Path        string // CheckHTTP, CheckHTTPS
	Host        string // CheckHTTP, CheckHTTPS: "": the address
	HTTPVersion HTTPVersion
	Expect      []int  // CheckHTTP, CheckHTTPS: status codes that count as healthy, sorted
	Body        string // CheckHTTP, CheckHTTPS: a regular expression that the body matches; "": anything will do

	TLS        bool   // of those that can do with and without; CheckHTTPS and CheckTLS always
	ServerName string // "": Host or the address
	CAFile     string // "": what the system trusts
	Insecure   bool
	CertFile   string // "": none of ours
	KeyFile    string

	Query  string     // CheckDNS
	Record RecordType // CheckDNS
	Rcode  Rcode      // CheckDNS

	Service string // CheckGRPC: "": the server as a whole

	WeightHeader string // CheckHTTP, CheckHTTPS: "": the answer says nothing of weights there
	WeightBody   bool   // CheckTCP, CheckHTTP, CheckHTTPS

	Interval time.Duration
	Timeout  time.Duration // at most Interval
	Rise     int           // successes in a row until up
	Fall     int           // failures in a row until down
	Via      Via
}

// CheckType is the protocol of a check.
type CheckType uint8

const (
	CheckICMP CheckType = iota
	CheckTCP
	CheckHTTP
	CheckHTTPS
	CheckTLS
	CheckUDP
	CheckDNS
	CheckGRPC
)

var checkTypeNames = []string{"icmp", "tcp", "http", "https", "tls", "udp", "dns", "grpc"}

func (t CheckType) String() string { return checkTypeNames[t] }

// Via is the way that a check takes to the backend.
type Via uint8

const (
	ViaDirect Via = iota // to the backend's own address
	ViaTunnel            // to the VIP, in the tunnel, as the traffic goes
)

var viaNames = []string{"direct", "tunnel"}

func (v Via) String() string { return viaNames[v] }

// HTTPVersion is the version of HTTP that a check speaks.
type HTTPVersion uint8

const (
	HTTP11 HTTPVersion = iota
	HTTP2
)

var httpVersionNames = []string{"1.1", "2"}

func (v HTTPVersion) String() string { return httpVersionNames[v] }

func readCheck(s *section) Check {
	c := Check{
		Name:     must(s, "name", "pools refer to the check by it", label),
		Type:     must(s, "type", "one of "+quoted(checkTypeNames), oneOf[CheckType](checkTypeNames)),
		Port:     read(s, "port", 0, number[uint16](1, 65535)),
		Interval: read(s, "interval", time.Second, span(100*time.Millisecond, time.Hour)),
		Timeout:  read(s, "timeout", 500*time.Millisecond, span(10*time.Millisecond, time.Hour)),
		Rise:     read(s, "rise", 2, number[int](1, 100)),
		Fall:     read(s, "fall", 3, number[int](1, 100)),
		Via:      read(s, "via", ViaDirect, oneOf[Via](viaNames)),
	}
	c.readQuestion(s)
	c.readTLS(s)
	if c.Timeout > c.Interval {
		at := s.at
		if s.has("timeout") {
			at = s.place("timeout")
		} else if s.has("interval") {
			at = s.place("interval")
		}
		s.r.fault(at, "check.timeout: %s is longer than the interval, %s: probes would overtake each other", short(c.Timeout), short(c.Interval))
	}
	if s.has("type") && slices.Contains(checkTypeNames, s.t.index["type"].value.text) {
		c.fit(s)
	}
	return c
}

// readQuestion reads what is asked and what is wanted.
func (c *Check) readQuestion(s *section) {
	c.Send = read(s, "send", "", octets)
	c.Answer = read(s, "answer", "", octets)
	c.Method = read(s, "method", "", method)
	c.Path = read(s, "path", "", urlPath)
	c.Host = read(s, "host", "", optional(hostHeader))
	c.HTTPVersion = read(s, "http_version", HTTP11, oneOf[HTTPVersion](httpVersionNames))
	expect, _ := list(s, "expect", statusRange)
	for _, e := range expect {
		for code := e.v.first; code <= e.v.last; code++ {
			c.Expect = append(c.Expect, code)
		}
	}
	slices.Sort(c.Expect)
	c.Expect = slices.Compact(c.Expect)
	c.Body = read(s, "body", "", pattern)
	c.Query = read(s, "query", "", dnsName)
	c.Record = read(s, "record", 0, recordType)
	c.Rcode = read(s, "rcode", 0, oneOf[Rcode](rcodeNames))
	c.Service = read(s, "service", "", text)
	c.WeightHeader = read(s, "weight_header", "", optional(headerName))
	c.WeightBody = read(s, "weight_body", false, boolean)
}

// readTLS reads how TLS is spoken, and looks into the files that it names.
func (c *Check) readTLS(s *section) {
	c.TLS = read(s, "tls", false, boolean)
	c.ServerName = read(s, "server_name", "", optional(serverName))
	c.CAFile = read(s, "ca_file", "", optional(readable))
	c.Insecure = read(s, "insecure", false, boolean)
	c.CertFile = read(s, "cert_file", "", optional(readable))
	c.KeyFile = secret(s, "key_file")
	if c.CAFile != "" {
		if pem, err := os.ReadFile(c.CAFile); err != nil || !x509.NewCertPool().AppendCertsFromPEM(pem) {
			s.fault(s.place("ca_file"), "ca_file", fmt.Sprintf("%q holds no certificate in PEM", c.CAFile))
		}
		if c.Insecure {
			s.fault(s.place("insecure"), "insecure", "any certificate is taken then: leave out ca_file, or this")
		}
	}
	switch {
	case c.CertFile != "" && c.KeyFile != "":
		if _, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile); err != nil {
			s.fault(s.place("cert_file"), "cert_file", fmt.Sprintf("%q and the key in %q: %s", c.CertFile, c.KeyFile, strings.TrimPrefix(err.Error(), "tls: ")))
		}
	case s.has("cert_file") && !s.has("key_file"):
		s.fault(s.place("cert_file"), "cert_file", "a certificate is of use with its key only: set key_file")
	case s.has("key_file") && !s.has("cert_file"):
		s.fault(s.place("key_file"), "key_file", "a key is of use with its certificate only: set cert_file")
	}
}

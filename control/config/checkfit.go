package config

import (
	"fmt"
	"slices"
	"strings"
)

// checkKeys are the keys of [[check]] that are not for every type.
var checkKeys = []struct {
	key   string
	types []CheckType
}{
	{"port", []CheckType{CheckTCP, CheckHTTP, CheckHTTPS, CheckTLS, CheckUDP, CheckDNS, CheckGRPC}},
	{"send", []CheckType{CheckTCP, CheckUDP}},
	{"answer", []CheckType{CheckTCP, CheckUDP, CheckDNS}},
	{"method", []CheckType{CheckHTTP, CheckHTTPS}},
	{"path", []CheckType{CheckHTTP, CheckHTTPS}},
	{"host", []CheckType{CheckHTTP, CheckHTTPS}},
	{"http_version", []CheckType{CheckHTTP, CheckHTTPS}},
	{"expect", []CheckType{CheckHTTP, CheckHTTPS}},
	{"body", []CheckType{CheckHTTP, CheckHTTPS}},
	{"tls", []CheckType{CheckGRPC}},
	{"server_name", []CheckType{CheckHTTPS, CheckTLS, CheckGRPC}},
	{"ca_file", []CheckType{CheckHTTPS, CheckTLS, CheckGRPC}},
	{"insecure", []CheckType{CheckHTTPS, CheckTLS, CheckGRPC}},
	{"cert_file", []CheckType{CheckHTTPS, CheckTLS, CheckGRPC}},
	{"key_file", []CheckType{CheckHTTPS, CheckTLS, CheckGRPC}},
	{"query", []CheckType{CheckDNS}},
	{"record", []CheckType{CheckDNS}},
	{"rcode", []CheckType{CheckDNS}},
	{"service", []CheckType{CheckGRPC}},
	{"weight_header", []CheckType{CheckHTTP, CheckHTTPS}},
	{"weight_body", []CheckType{CheckTCP, CheckHTTP, CheckHTTPS}},
}

// insteadOf says what to write where people of other load balancers write
// something else.
var insteadOf = map[string]map[CheckType]string{
	"expect": {CheckTCP: "; what the answer holds is \"answer\"", CheckUDP: "; what the answer holds is \"answer\"", CheckDNS: "; write \"rcode\" or \"answer\""},
	"answer": {CheckHTTP: "; write \"body\"", CheckHTTPS: "; write \"body\""},
	"path":   {CheckGRPC: "; write \"service\""},
	"host":   {CheckTLS: "; write \"server_name\"", CheckGRPC: "; write \"server_name\""},
	"tls":    {CheckHTTP: "; write type = \"https\"", CheckTCP: "; write type = \"tls\""},
}

// usualPorts are those of types that have one.
var usualPorts = map[CheckType]uint16{CheckHTTP: 80, CheckHTTPS: 443, CheckTLS: 443, CheckDNS: 53}

// fit holds the keys against the type, and sets what it has for defaults.
func (c *Check) fit(s *section) {
	for _, k := range checkKeys {
		if s.has(k.key) && !slices.Contains(k.types, c.Type) {
			s.fault(s.place(k.key), k.key, fmt.Sprintf("a check of type %q has none: it is for %s%s", c.Type, typeList(k.types), insteadOf[k.key][c.Type]))
		}
	}
	if c.Port == 0 {
		c.Port = usualPorts[c.Type]
	}
	if c.Port == 0 && c.Type != CheckICMP && !s.has("port") {
		s.r.fault(s.at, "[[check]] is missing \"port\": type %q has none that is usual", c.Type)
	}
	c.TLS = c.TLS || c.Type == CheckHTTPS || c.Type == CheckTLS
	switch c.Type {
	case CheckHTTP, CheckHTTPS:
		c.fitHTTP(s)
	case CheckUDP:
		if !s.has("send") {
			s.r.fault(s.at, "[[check]] is missing \"send\": without a datagram to answer there is no answer")
		}
	case CheckDNS:
		if !s.has("query") {
			s.r.fault(s.at, "[[check]] is missing \"query\": the name to ask for")
		}
		if c.Record == 0 {
			c.Record = RecordType(1)
		}
	case CheckGRPC:
		for _, key := range []string{"server_name", "ca_file", "insecure", "cert_file", "key_file"} {
			if !c.TLS && s.has(key) {
				s.fault(s.place(key), key, "it is for TLS: set tls = true")
			}
		}
	}
}

func (c *Check) fitHTTP(s *section) {
	if c.Path == "" {
		c.Path = "/"
	}
	if c.Method == "" {
		c.Method = "GET"
	}
	if c.Expect == nil {
		c.Expect = []int{200}
	}
	if c.WeightHeader != "" && c.WeightBody {
		s.fault(s.place("weight_body"), "weight_body", "the weight is in weight_header already: write one of the two")
	}
	for _, key := range []string{"body", "weight_body"} {
		if c.Method == "HEAD" && s.has(key) {
			s.fault(s.place(key), key, "the answer to HEAD has no body")
		}
	}
}

// typeList is "http and https", "tcp, http and https".
func typeList(types []CheckType) string {
	names := make([]string, len(types))
	for i, t := range types {
		names[i] = t.String()
	}
	if n := len(names) - 1; n > 0 {
		return strings.Join(names[:n], ", ") + " and " + names[n]
	}
	return names[0]
}

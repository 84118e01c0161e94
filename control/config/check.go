package config

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Check is one way to find out whether a backend serves.
type Check struct {
	Name     string
	Type     CheckType
	Path     string // of CheckHTTP and CheckHTTPS
	Expect   []int  // HTTP status codes that count as healthy
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

func readCheck(s *section) Check {
	c := Check{
		Name:     must(s, "name", "pools refer to the check by it", label),
		Type:     must(s, "type", "one of "+quoted(checkTypeNames), oneOf[CheckType](checkTypeNames)),
		Path:     read(s, "path", "/", urlPath),
		Interval: read(s, "interval", time.Second, span(100*time.Millisecond, time.Hour)),
		Timeout:  read(s, "timeout", 500*time.Millisecond, span(10*time.Millisecond, time.Hour)),
		Rise:     read(s, "rise", 2, number[int](1, 100)),
		Fall:     read(s, "fall", 3, number[int](1, 100)),
		Via:      read(s, "via", ViaDirect, oneOf[Via](viaNames)),
	}
	expect, _ := list(s, "expect", number[int](100, 599))
	c.Expect = plain(expect)
	if c.Timeout > c.Interval {
		at := s.at
		if s.has("timeout") {
			at = s.place("timeout")
		} else if s.has("interval") {
			at = s.place("interval")
		}
		s.r.fault(at, "check.timeout: %s is longer than the interval, %s: probes would overtake each other", short(c.Timeout), short(c.Interval))
	}
	if c.Type == CheckHTTP || c.Type == CheckHTTPS {
		if c.Expect == nil {
			c.Expect = []int{200}
		}
		return c
	}
	known := s.has("type") && slices.Contains(checkTypeNames, s.t.index["type"].value.text)
	for _, key := range []string{"path", "expect"} {
		if s.has(key) && known {
			s.fault(s.place(key), key, fmt.Sprintf("a check of type %q has none: it is for http and https", c.Type))
		}
	}
	c.Path = ""
	return c
}

func urlPath(v *value) (string, error) {
	s, err := text(v)
	if err != nil {
		return "", err
	}
	if !strings.HasPrefix(s, "/") || strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || c == 0x7f }) {
		return "", fmt.Errorf("%q is not a path: it starts with / and has no spaces", s)
	}
	return s, nil
}

package config

import (
	"fmt"
	"path/filepath"
	"time"

	"guideway/maglev/conntrack"
)

// Conntrack sizes the connection table that each lcore has of its own.
type Conntrack struct {
	FlowsPerCore int
	Timeouts     Timeouts
	Keep         string // directory in memory where tables outlive the process; "": they end with it
}

// UsualKeep is where tables are kept if the file does not say, and if the
// directory above it is there.
func UsualKeep(huge bool) string {
	if huge {
		return "/dev/hugepages/guideway"
	}
	return "/run/guideway/flows"
}

// Timeouts are how long an entry outlives the last packet of its flow.
type Timeouts struct {
	TCPNew         time.Duration // a SYN was seen and no more
	TCPEstablished time.Duration
	TCPClosing     time.Duration // a FIN or RST was seen
	UDP            time.Duration
	Other          time.Duration // SCTP and every other protocol
}

const (
	minFlows     = 1 << 10
	maxFlows     = conntrack.MaxFlows
	defaultFlows = 1 << 20
)

// The reasons for the defaults are in docs/config.md.
func readConntrack(s *section, huge bool) Conntrack {
	c := Conntrack{
		FlowsPerCore: read(s, "flows_per_core", defaultFlows, number[int](minFlows, maxFlows)),
		Keep:         read(s, "keep", UsualKeep(huge), optional(directory)),
	}
	t := s.section("timeout")
	timeout := func(key string, def time.Duration) time.Duration {
		return read(t, key, def, span(time.Second, 24*time.Hour))
	}
	c.Timeouts = Timeouts{
		TCPNew:         timeout("tcp_new", 30*time.Second),
		TCPEstablished: timeout("tcp_established", 15*time.Minute),
		TCPClosing:     timeout("tcp_closing", 30*time.Second),
		UDP:            timeout("udp", time.Minute),
		Other:          timeout("other", time.Minute),
	}
	if c.Timeouts.TCPNew > c.Timeouts.TCPEstablished {
		t.r.warn(t.place("tcp_new"), "conntrack.timeout: tcp_new (%s) is longer than tcp_established (%s): half-open flows outlive those that carry data",
			short(c.Timeouts.TCPNew), short(c.Timeouts.TCPEstablished))
	}
	return c
}

// directory accepts the absolute path of one, be it there or not.
func directory(v *value) (string, error) {
	path, err := text(v)
	if err == nil && !filepath.IsAbs(path) {
		err = fmt.Errorf("%q is relative: a daemon has no directory of its own, write the path from /", path)
	}
	return filepath.Clean(path), err
}

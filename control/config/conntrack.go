package config

import (
	"time"

	"guideway/maglev/conntrack"
)

// Conntrack sizes the connection table that each lcore has of its own.
type Conntrack struct {
	FlowsPerCore int
	Timeouts     Timeouts
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
func readConntrack(s *section) Conntrack {
	c := Conntrack{FlowsPerCore: read(s, "flows_per_core", defaultFlows, number[int](minFlows, maxFlows))}
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

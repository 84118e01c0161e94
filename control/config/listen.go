package config

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Metrics is the page that Prometheus reads.
type Metrics struct {
	Listen Listen // the zero Listen: no page
}

// Listen is where a server waits, in the words of net.Listen.
type Listen struct {
	Network string // "tcp", "unix", or "" for nowhere
	Address string // "127.0.0.1:9150", ":9150" or a path
}

// String gives the address as the file has it.
func (l Listen) String() string {
	if l.Network == "unix" {
		return "unix:" + l.Address
	}
	return l.Address
}

// local tells whether only this machine can get there.
func (l Listen) local() bool {
	at, err := netip.ParseAddrPort(l.Address)
	return l.Network != "tcp" || err == nil && at.Addr().IsLoopback()
}

func readMetrics(s *section) Metrics {
	return Metrics{read(s, "listen", Listen{"tcp", "127.0.0.1:9150"}, optional(tcp))}
}

// tcp accepts "address:port", ":port" for every address, and port 0 for one
// that the kernel picks.
func tcp(v *value) (Listen, error) {
	s, err := text(v)
	if err != nil {
		return Listen{}, err
	}
	if _, err := netip.ParseAddrPort(s); err == nil {
		return Listen{"tcp", s}, nil
	}
	host, number, found := strings.Cut(s, ":")
	_, err = strconv.ParseUint(number, 10, 16)
	switch {
	case found && err == nil && host == "":
		return Listen{"tcp", s}, nil
	case found && err == nil && host == "localhost":
		return Listen{}, fmt.Errorf("%q: names are not looked up: write \"127.0.0.1:%s\"", s, number)
	}
	return Listen{}, fmt.Errorf("%q is not an address and a port, as in \"127.0.0.1:9150\", \"[::1]:9150\" or \":9150\"", s)
}

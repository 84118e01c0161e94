package config

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Console is the admin console.
type Console struct {
	Listen       Listen // the zero Listen: no console
	PasswordFile string // "": no password, on loopback and Unix sockets only
}

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

func readConsole(s *section) Console {
	c := Console{
		Listen:       read(s, "listen", Listen{}, optional(tcpOrUnix)),
		PasswordFile: read(s, "password_file", "", optional(secretFile)),
	}
	if !c.Listen.local() && !s.has("password_file") {
		s.fault(s.place("listen"), "listen", fmt.Sprintf("%s can be reached from other machines: set password_file, or listen on 127.0.0.1, [::1] or unix:/PATH", c.Listen))
	}
	return c
}

func readMetrics(s *section) Metrics {
	return Metrics{read(s, "listen", Listen{"tcp", "127.0.0.1:9150"}, optional(tcp))}
}

func tcpOrUnix(v *value) (Listen, error) {
	path, unix := strings.CutPrefix(v.text, "unix:")
	switch {
	case v.kind != kindString || !unix:
		return tcp(v)
	case !strings.HasPrefix(path, "/"):
		return Listen{}, fmt.Errorf("%q: write the socket's path from /, as in \"unix:/run/guideway/console.sock\"", v.text)
	case len(path) > 107: // sun_path of sockaddr_un less the final zero
		return Listen{}, fmt.Errorf("the socket's path has %d bytes: the kernel takes at most 107", len(path))
	}
	return Listen{"unix", path}, nil
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

package config

import (
	"fmt"
	"strings"
	"time"
)

// Console is the admin console.
type Console struct {
	Listen       Listen        // the zero Listen: no console
	PasswordFile string        // "": no password, on loopback and Unix sockets only
	Sessions     int           // open at a time, those that have not said the password yet included
	IdleTimeout  time.Duration // after which a session that says nothing is closed
}

func readConsole(s *section) Console {
	c := Console{
		Listen:       read(s, "listen", Listen{}, optional(tcpOrUnix)),
		PasswordFile: secret(s, "password_file"),
		Sessions:     read(s, "sessions", 16, number[int](1, 256)),
		IdleTimeout:  read(s, "idle_timeout", 10*time.Minute, span(10*time.Second, 24*time.Hour)),
	}
	if !c.Listen.local() && !s.has("password_file") {
		s.fault(s.place("listen"), "listen", fmt.Sprintf("%s can be reached from other machines: set password_file, or listen on 127.0.0.1, [::1] or unix:/PATH", c.Listen))
	}
	return c
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

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
)

// tools are the programs that the lab runs, and the Debian package of each.
var tools = []struct{ name, pkg string }{
	{"ip", "iproute2"},
	{"ethtool", "ethtool"},
	{"sysctl", "procps"},
	{"nginx", "nginx"},
	{"curl", "curl"},
}

func lookTool(name string) (string, bool) {
	path, err := exec.LookPath(name)
	return path, err == nil
}

// require reports everything that is missing, at once.
func require() error {
	var faults []error
	if os.Geteuid() != 0 {
		faults = append(faults, errors.New("must run as root: it makes network namespaces and opens raw sockets"))
	}
	for _, t := range tools {
		if _, ok := lookTool(t.name); !ok {
			faults = append(faults, fmt.Errorf("%s is not installed: apt-get install %s", t.name, t.pkg))
		}
	}
	if _, err := os.Stat("/dev/net/tun"); err != nil {
		faults = append(faults, errors.New("no /dev/net/tun, on which the backends hand over what was in the tunnel: modprobe tun"))
	}
	return errors.Join(faults...)
}

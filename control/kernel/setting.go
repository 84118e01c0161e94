package kernel

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// A setting is one value of an interface, as text.
type setting struct {
	name  string
	want  func(now string) string
	read  func() (string, error) // fs.ErrNotExist: this kernel has no such setting
	write func(string) error
}

func exactly(value string) func(string) string {
	return func(string) string { return value }
}

// A history is what was done to an interface, for the way back.
type history struct {
	index   int // of the interface; another one of the same name has its own history
	done    []deed
	added   map[string]bool // addresses
	noLever bool            // the carrier cannot be set
}

// A deed is a setting that was changed: the value found, and the one it got.
type deed struct {
	setting
	was, is string
}

// apply changes the setting if it is not as wanted.
func (h *history) apply(s setting) (changes []Change, err error) {
	now, err := s.read()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.name, err)
	}
	want := s.want(now)
	if now == want {
		return nil, nil
	}
	if err := s.write(want); err != nil {
		return nil, fmt.Errorf("%s %s: %w", s.name, want, err)
	}
	h.remember(deed{s, now, want})
	return []Change{{s.name, now, want}}, nil
}

// remember keeps the first value found and the last one set.
func (h *history) remember(d deed) {
	for i := range h.done {
		if h.done[i].name == d.name {
			h.done[i].setting, h.done[i].is = d.setting, d.is
			return
		}
	}
	h.done = append(h.done, d)
}

// revert puts back what was found, last deed first, but not where someone has
// set yet another value since.
func (h *history) revert() (changes []Change, err error) {
	for i := len(h.done) - 1; i >= 0; i-- {
		d := h.done[i]
		now, e := d.read()
		if e == nil && now == d.is && now != d.was {
			if e = d.write(d.was); e == nil {
				changes = append(changes, Change{d.name, now, d.was})
			}
		}
		if e != nil {
			err = errors.Join(err, fmt.Errorf("%s %s: %w", d.name, d.was, e))
		}
	}
	h.done = nil
	return changes, err
}

// sysctls are the kernel's settings of an exception-path interface, all of
// them the interface's own.
func (k *Kernel) sysctls(name string) []setting {
	return []setting{
		// Traffic is asymmetric by design. A strict reverse path filter (1) would
		// drop what comes up through one port and would be answered through
		// another. The larger of "all" and the interface's value holds, and 2,
		// loose, is larger than strict.
		k.sysctl("ipv4", name, "rp_filter", func(now string) string {
			if now == "1" || now == "0" && k.readSysctl("ipv4", "all", "rp_filter") == "1" {
				return "2"
			}
			return now
		}),
		// ARP for another port's address is not answered here, with this port's
		// link address, and no other port's address is named as ours.
		k.sysctl("ipv4", name, "arp_ignore", atLeast(1)),
		k.sysctl("ipv4", name, "arp_announce", atLeast(2)),
		// A port without link is no way, for the kernel's own packets either.
		k.sysctl("ipv4", name, "ignore_routes_with_linkdown", exactly("1")),
		k.sysctl("ipv6", name, "ignore_routes_with_linkdown", exactly("1")),
		// Removing an address of ours must not take others of its subnet along.
		k.sysctl("ipv4", name, "promote_secondaries", exactly("1")),
		// The link-local address, which asks for neighbours, is made from the
		// port's own link address; it need not wait a second to be sure of that.
		k.sysctl("ipv6", name, "accept_dad", exactly("0")),
	}
}

// acceptDAD is the name of that last one.
const acceptDAD = "net.ipv6.conf.accept_dad"

func atLeast(n int) func(string) string {
	return func(now string) string {
		if v, err := strconv.Atoi(now); err == nil && v >= n {
			return now
		}
		return strconv.Itoa(n)
	}
}

func (k *Kernel) sysctl(family, name, key string, want func(string) string) setting {
	path := filepath.Join("/proc/sys/net", family, "conf", name, key)
	return setting{
		name: strings.Join([]string{"net", family, "conf", key}, "."),
		want: want,
		read: func() (value string, err error) {
			err = k.ns.do(func() error {
				b, err := os.ReadFile(path)
				value = strings.TrimSpace(string(b))
				return err
			})
			return value, err
		},
		write: func(value string) error {
			return k.ns.do(func() error { return os.WriteFile(path, []byte(value), 0) })
		},
	}
}

// readSysctl is "" for what cannot be read.
func (k *Kernel) readSysctl(family, name, key string) string {
	value, _ := k.sysctl(family, name, key, nil).read()
	return value
}

package kernel

import (
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// A State is what the kernel knows of a neighbour. The zero value is Absent.
type State uint8

// The states of a neighbour, from nothing to certain. They are those of
// RFC 4861 section 7.3.2, which Linux uses for ARP as well, with DELAY and
// PROBE counted as Stale: the link address is known and being confirmed.
const (
	Absent     State = iota // no entry
	Failed                  // asked for, no answer
	Incomplete              // asked for, no answer yet
	Stale                   // known, not confirmed lately
	Reachable               // known and confirmed, or set by hand
)

var stateNames = [...]string{"absent", "failed", "incomplete", "stale", "reachable"}

// String is the state in lower case.
func (s State) String() string { return stateNames[s] }

// Usable says that there is a link address to send to.
func (s State) Usable() bool { return s >= Stale }

// A hop's key: whom to ask for, and where.
type target struct {
	index int        // of the interface
	addr  netip.Addr // without zone
}

type neighbour struct {
	mac   [6]byte // zero if not usable
	state State
	busy  bool // the kernel is asking or about to: nothing for us to do
}

// material says that a changes where packets go, compared to b.
func (a neighbour) material(b neighbour) bool {
	return a.mac != b.mac || a.state.Usable() != b.state.Usable()
}

// neighbourOf reads a kernel's entry. ok is false for what is no neighbour of
// a port: proxy entries, bridge entries, multicast.
func neighbourOf(n *netlink.Neigh) (target, neighbour, bool) {
	addr, ok := netip.AddrFromSlice(n.IP)
	if !ok || n.Family != unix.AF_INET && n.Family != unix.AF_INET6 || n.Flags&unix.NTF_PROXY != 0 ||
		addr.IsMulticast() {
		return target{}, neighbour{}, false
	}
	if n.Family == unix.AF_INET {
		addr = addr.Unmap()
	}
	e := neighbour{
		state: stateOf(n.State),
		busy:  n.State&(unix.NUD_INCOMPLETE|unix.NUD_DELAY|unix.NUD_PROBE) != 0,
	}
	if e.state.Usable() {
		if len(n.HardwareAddr) != len(e.mac) {
			return target{}, neighbour{}, false
		}
		e.mac = [6]byte(n.HardwareAddr)
	}
	return target{n.LinkIndex, addr}, e, true
}

func stateOf(nud int) State {
	switch {
	case nud&(unix.NUD_REACHABLE|unix.NUD_PERMANENT|unix.NUD_NOARP) != 0:
		return Reachable
	case nud&(unix.NUD_STALE|unix.NUD_DELAY|unix.NUD_PROBE) != 0:
		return Stale
	case nud&unix.NUD_INCOMPLETE != 0:
		return Incomplete
	case nud&unix.NUD_FAILED != 0:
		return Failed
	}
	return Absent
}

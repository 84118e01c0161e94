package kernel

import (
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// request asks the kernel for each neighbour.
func (l *loop) request(ask []target) {
	use := l.c.use
	if use == nil {
		use = askKernel
	}
	for _, t := range ask {
		l.stats.asks.Add(1)
		err := use(l.mirror.handle, t)
		if err == nil {
			continue
		}
		if link := l.mirror.links[t.index]; link != nil {
			if err = l.ns.do(func() error { return knock(link.Name, t.addr) }); err == nil {
				continue
			}
		}
		l.stats.askFailures.Add(1)
		l.log.Debug("neighbour cannot be asked for", "address", t.addr, "error", err)
	}
}

// askKernel does what a packet to the neighbour would do, without the packet:
// NTF_USE (Linux 2.6.31) makes the entry if there is none, starts ARP or ND for
// one that is absent or failed, and has a stale one confirmed by unicast. It
// says nothing of state or link address, so it can set neither. An entry made
// so is collected like any other.
func askKernel(h *netlink.Handle, t target) error {
	return h.NeighSet(&netlink.Neigh{
		LinkIndex: t.index,
		Family:    familyOf(t.addr),
		Flags:     unix.NTF_USE,
		IP:        t.addr.AsSlice(),
	})
}

func familyOf(a netip.Addr) int {
	if a.Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}

// knock sends an empty UDP packet to the neighbour's discard port (RFC 863).
// It needs no privilege over neighbour tables, and any kernel resolves for it.
func knock(device string, addr netip.Addr) error {
	d := net.Dialer{Control: func(_, _ string, c syscall.RawConn) (err error) {
		if e := c.Control(func(fd uintptr) { err = unix.BindToDevice(int(fd), device) }); e != nil {
			return e
		}
		return err
	}}
	if addr.IsLinkLocalUnicast() && addr.Is6() {
		addr = addr.WithZone(device)
	}
	conn, err := d.Dial("udp", netip.AddrPortFrom(addr, 9).String())
	if err != nil {
		return fmt.Errorf("knock at %s: %w", addr, err)
	}
	defer conn.Close()
	_, err = conn.Write(nil)
	return err
}

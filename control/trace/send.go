package trace

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"golang.org/x/sys/unix"
)

// A sender sends packets that are complete from the IP header on, with whatever
// source, by the way that the kernel has to their destination.
type sender struct {
	fd int
	to unix.Sockaddr
}

func newSender(dst netip.Addr) (*sender, error) {
	family, to := unix.AF_INET, unix.Sockaddr(nil)
	if dst.Is4() {
		to = &unix.SockaddrInet4{Addr: dst.As4()}
	} else {
		family, to = unix.AF_INET6, &unix.SockaddrInet6{Addr: dst.As16()}
	}
	// IPPROTO_RAW: the headers are ours (raw(7), ipv6(7)).
	fd, err := unix.Socket(family, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)
	if errors.Is(err, unix.EPERM) {
		return nil, errors.New("packets with the client's address are sent by root only, or with CAP_NET_RAW")
	}
	if err != nil {
		return nil, fmt.Errorf("a raw socket: %w", err)
	}
	if dst.Is4() {
		// Connection tracking in the kernel would put our fragments together
		// again; where it is not there, there is nothing to tell it.
		unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_NODEFRAG, 1)
	}
	return &sender{fd, to}, nil
}

func (s *sender) send(packet []byte) error {
	for {
		err := unix.Sendto(s.fd, packet, 0, s.to)
		if err != unix.EINTR {
			return err
		}
	}
}

func (s *sender) close() { unix.Close(s.fd) }

// wayTo returns the address that this machine has on its way to a destination.
func wayTo(dst netip.Addr) (netip.Addr, error) {
	const any = 9 // nothing is sent there: the kernel only looks for the way
	c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(dst, any)))
	if err != nil {
		return netip.Addr{}, fmt.Errorf("no way to %v: %w", dst, err)
	}
	defer c.Close()
	own := c.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap()
	if own == dst {
		return own, fmt.Errorf("%v is an address of this machine, whose packets to it never leave: take it off here, or trace from another one", dst)
	}
	return own, nil
}

package health

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// What leads marked packets into the tunnel: one rule and one route for each
// family, by rtnetlink. Routes go with the device. A rule that a killed process
// left behind leads to an empty table, which is to nowhere else.

// ours is the routing protocol that stands at what Guideway adds.
const ours = 0x67

// leadTo makes rules and routes to a device. A machine without IPv6 has none
// for that.
func leadTo(device string) error {
	link, err := net.InterfaceByName(device)
	if err != nil {
		return err
	}
	for _, family := range []byte{unix.AF_INET, unix.AF_INET6} {
		route := newDemand(unix.RTM_NEWROUTE, unix.NLM_F_CREATE|unix.NLM_F_REPLACE,
			[12]byte{0: family, 5: ours, 6: scope(family), 7: unix.RTN_UNICAST})
		route.attr(unix.RTA_TABLE, tunTable)
		route.attr(unix.RTA_OIF, uint32(link.Index))
		err := route.ask()
		if err == nil {
			if err = rule(unix.RTM_NEWRULE, family).ask(); errors.Is(err, unix.EEXIST) {
				err = nil
			}
		}
		if family == unix.AF_INET6 && (errors.Is(err, unix.EAFNOSUPPORT) || errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EACCES)) {
			err = nil
		}
		if err != nil {
			return fmt.Errorf("route by %s: %w", device, err)
		}
	}
	return nil
}

// leadNowhere removes the rules.
func leadNowhere() error {
	return errors.Join(rule(unix.RTM_DELRULE, unix.AF_INET).ask(), rule(unix.RTM_DELRULE, unix.AF_INET6).ask())
}

func scope(family byte) byte {
	if family == unix.AF_INET {
		return unix.RT_SCOPE_LINK
	}
	return unix.RT_SCOPE_UNIVERSE
}

func rule(kind uint16, family byte) *demand {
	var flags uint16
	if kind == unix.RTM_NEWRULE {
		flags = unix.NLM_F_CREATE | unix.NLM_F_EXCL
	}
	r := newDemand(kind, flags, [12]byte{0: family, 7: unix.FR_ACT_TO_TBL})
	r.attr(unix.FRA_PRIORITY, tunRule)
	r.attr(unix.FRA_FWMARK, tunMark)
	r.attr(unix.FRA_FWMASK, 0xffffffff)
	r.attr(unix.FRA_TABLE, tunTable)
	return r
}

// A netlink message, RFC 3549 section 2.3: a header of 16 octets, that of the
// family of requests (struct rtmsg and struct fib_rule_hdr are laid out alike),
// and attributes, each with its length and type; all in the machine's order.
type demand struct{ b []byte }

func newDemand(kind, flags uint16, header [12]byte) *demand {
	b := make([]byte, unix.NLMSG_HDRLEN, 128)
	binary.NativeEndian.PutUint16(b[4:], kind)
	binary.NativeEndian.PutUint16(b[6:], flags|unix.NLM_F_REQUEST|unix.NLM_F_ACK)
	return &demand{append(b, header[:]...)}
}

// attr adds a number of 32 bits.
func (r *demand) attr(kind uint16, value uint32) {
	r.b = binary.NativeEndian.AppendUint16(r.b, unix.SizeofRtAttr+4)
	r.b = binary.NativeEndian.AppendUint16(r.b, kind)
	r.b = binary.NativeEndian.AppendUint32(r.b, value)
}

// ask sends the request and waits for what the kernel says.
func (r *demand) ask() error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	binary.NativeEndian.PutUint32(r.b, uint32(len(r.b)))
	if err := unix.Sendto(fd, r.b, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	answer := make([]byte, 4096)
	n, _, err := unix.Recvfrom(fd, answer, 0)
	if err != nil {
		return err
	}
	messages, err := syscall.ParseNetlinkMessage(answer[:n])
	if err != nil {
		return err
	}
	for _, m := range messages {
		if m.Header.Type == unix.NLMSG_ERROR && len(m.Data) >= 4 {
			if code := int32(binary.NativeEndian.Uint32(m.Data)); code != 0 {
				return unix.Errno(-code)
			}
			return nil
		}
	}
	return errors.New("the kernel did not answer a netlink request")
}

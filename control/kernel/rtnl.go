package kernel

import (
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// An rtnl is a pair of sockets for requests: the library's, and one for what
// the library has no words for, IFA_PROTO and IFLA_CARRIER.
type rtnl struct {
	*netlink.Handle
	own map[int]*nl.SocketHandle
}

func newRtnl(ns namespace) (*rtnl, error) {
	h, err := newHandle(ns)
	if err != nil {
		return nil, err
	}
	s, err := nl.GetNetlinkSocketAt(ns.handle, netns.None(), unix.NETLINK_ROUTE)
	if err != nil {
		h.Close()
		return nil, fmt.Errorf("netlink: %w", err)
	}
	limit := unix.NsecToTimeval(int64(dumpLimit))
	_ = s.SetSendTimeout(&limit) // only stores it
	_ = s.SetReceiveTimeout(&limit)
	return &rtnl{h, map[int]*nl.SocketHandle{unix.NETLINK_ROUTE: {Socket: s}}}, nil
}

func (r *rtnl) close() {
	r.Close()
	r.own[unix.NETLINK_ROUTE].Close()
}

func (r *rtnl) execute(kind, flags int, reply uint16, data ...nl.NetlinkRequestData) ([][]byte, error) {
	req := nl.NewNetlinkRequest(kind, flags)
	req.Sockets = r.own
	req.Data = data
	return req.Execute(unix.NETLINK_ROUTE, reply)
}

// setCarrier makes the interface look as if its cable were plugged in or not.
// TAP has this since Linux 5.0; others answer EOPNOTSUPP.
func (r *rtnl) setCarrier(index int, on bool) error {
	msg := nl.NewIfInfomsg(unix.AF_UNSPEC)
	msg.Index = int32(index)
	value := []byte{0}
	if on {
		value[0] = 1
	}
	_, err := r.execute(unix.RTM_SETLINK, unix.NLM_F_ACK, 0, msg, nl.NewRtAttr(unix.IFLA_CARRIER, value))
	return err
}

// addressOrigin marks the addresses we add, in IFA_PROTO (Linux 5.18), where
// ip-address(8) shows it as "proto 0x67". Older kernels ignore the mark, so
// there only the process that added an address knows it for ours.
const (
	addressOrigin = 0x67
	ifaProto      = 11 // IFA_PROTO, which golang.org/x/sys/unix does not have
)

type address struct {
	netip.Prefix
	ours      bool // it has our mark
	tentative bool // the kernel still makes sure that nobody else has it
}

// addresses lists those of an interface.
func (r *rtnl) addresses(index int) ([]address, error) {
	reply, err := r.execute(unix.RTM_GETADDR, unix.NLM_F_DUMP, unix.RTM_NEWADDR, nl.NewIfAddrmsg(unix.AF_UNSPEC))
	if err != nil {
		return nil, fmt.Errorf("read addresses: %w", err)
	}
	var all []address
	for _, m := range reply {
		msg := nl.DeserializeIfAddrmsg(m)
		if int(msg.Index) != index {
			continue
		}
		attrs, err := nl.ParseRouteAttr(m[msg.Len():])
		if err != nil {
			return nil, fmt.Errorf("read addresses: %w", err)
		}
		var local, subnet []byte // IPv6 has no IFA_LOCAL but on point-to-point links
		a := address{tentative: msg.Flags&unix.IFA_F_TENTATIVE != 0}
		for _, attr := range attrs {
			switch attr.Attr.Type {
			case unix.IFA_LOCAL:
				local = attr.Value
			case unix.IFA_ADDRESS:
				subnet = attr.Value
			case ifaProto:
				a.ours = len(attr.Value) == 1 && attr.Value[0] == addressOrigin
			}
		}
		if local == nil {
			local = subnet
		}
		if ip, ok := netip.AddrFromSlice(local); ok {
			a.Prefix = netip.PrefixFrom(ip, int(msg.Prefixlen))
			all = append(all, a)
		}
	}
	return all, nil
}

// addAddress adds a marked address, usable at once: without duplicate address
// detection, which would hold an IPv6 address back for a second or more.
func (r *rtnl) addAddress(index int, p netip.Prefix) error {
	msg, attrs := addressRequest(index, p)
	if p.Addr().Is6() {
		msg.Flags = unix.IFA_F_NODAD
	}
	attrs = append(attrs, nl.NewRtAttr(ifaProto, []byte{addressOrigin}))
	_, err := r.execute(unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_EXCL|unix.NLM_F_ACK, 0, attrs...)
	return err
}

// hurry has link-local addresses usable at once that the kernel began to make sure
// of before it was told that it need not: it sends no request for a neighbour
// until it is done with that. It tells whether there were any.
func (r *rtnl) hurry(index int) (found bool, err error) {
	all, err := r.addresses(index)
	if err != nil {
		return false, err
	}
	for _, a := range all {
		if !a.tentative || !a.Addr().Is6() || !a.Addr().IsLinkLocalUnicast() {
			continue
		}
		if err := r.removeAddress(index, a.Prefix); err != nil {
			return found, fmt.Errorf("link-local address %v: %w", a.Prefix, err)
		}
		msg, attrs := addressRequest(index, a.Prefix)
		msg.Flags = unix.IFA_F_NODAD
		if _, err := r.execute(unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_ACK, 0, attrs...); err != nil {
			return found, fmt.Errorf("link-local address %v: %w", a.Prefix, err)
		}
		found = true
	}
	return found, nil
}

func (r *rtnl) removeAddress(index int, p netip.Prefix) error {
	_, attrs := addressRequest(index, p)
	_, err := r.execute(unix.RTM_DELADDR, unix.NLM_F_ACK, 0, attrs...)
	return err
}

func addressRequest(index int, p netip.Prefix) (*nl.IfAddrmsg, []nl.NetlinkRequestData) {
	msg := nl.NewIfAddrmsg(familyOf(p.Addr()))
	msg.Index, msg.Prefixlen = uint32(index), uint8(p.Bits())
	ip := p.Addr().AsSlice()
	attrs := []nl.NetlinkRequestData{msg, nl.NewRtAttr(unix.IFA_LOCAL, ip), nl.NewRtAttr(unix.IFA_ADDRESS, ip)}
	if p.Addr().Is4() && p.Bits() < 31 { // a /31 has no broadcast address, RFC 3021
		broadcast := p.Addr().AsSlice()
		for i := range broadcast {
			broadcast[i] |= byte(0xff >> min(8, max(0, p.Bits()-8*i)))
		}
		attrs = append(attrs, nl.NewRtAttr(unix.IFA_BROADCAST, broadcast))
	}
	return msg, attrs
}

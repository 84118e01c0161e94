package kernel

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"syscall"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Parts of the mirror.
type parts uint8

const (
	links parts = 1 << iota // with addresses
	neighbours
	routes
	everything = links | neighbours | routes
)

const mostTorn = 5

// A mirror is the loop's own copy of the kernel's tables.
//
// Neighbours are kept up notification by notification: each carries the whole
// entry. Of links, addresses and routes a notification only says that it is
// time to read them again: the kernel removes IPv4 routes without saying so when a
// link goes down, a next-hop object or (before Linux 6.5) a source address is
// removed, and replacing and appending cannot be told apart by what arrives. What is read is newer than any notification
// taken from the socket before; those still in it repeat an older state and then
// the same one, so the mirror always ends at what the kernel has.
type mirror struct {
	handle   *netlink.Handle
	followed map[string]bool

	links      map[int]*Link
	neighbours map[target]neighbour
	table      *table

	stale   parts // to be read again
	changed parts // since the last View
	torn    int   // reads in a row during which the table changed
}

func newMirror(handle *netlink.Handle, followed []string) *mirror {
	m := &mirror{handle: handle, followed: map[string]bool{}, table: newTable(nil), stale: everything}
	for _, name := range followed {
		m.followed[name] = true
	}
	return m
}

// apply takes a notification. It says whether it may concern where packets for
// the wanted targets go.
func (m *mirror) apply(msg syscall.NetlinkMessage, wanted map[target]*progress) (material bool) {
	switch msg.Header.Type {
	case unix.RTM_NEWNEIGH, unix.RTM_DELNEIGH:
		return m.applyNeighbour(msg, wanted)
	case unix.RTM_NEWLINK, unix.RTM_DELLINK, unix.RTM_NEWADDR, unix.RTM_DELADDR:
		// The kernel tells of an address before it removes the routes through
		// it, but the loop reads routes some milliseconds later.
		m.stale |= links | routes
		return true
	case unix.RTM_NEWROUTE, unix.RTM_DELROUTE:
		if len(msg.Data) < unix.SizeofRtMsg {
			return false
		}
		if r := nl.DeserializeRtMsg(msg.Data); r.Table != unix.RT_TABLE_MAIN || r.Flags&unix.RTM_F_CLONED != 0 {
			return false
		}
		m.stale |= routes
		return true
	case unix.RTM_NEWNEXTHOP, unix.RTM_DELNEXTHOP:
		m.stale |= routes
		return true
	}
	return false
}

func (m *mirror) applyNeighbour(msg syscall.NetlinkMessage, wanted map[target]*progress) bool {
	if len(msg.Data) < unix.SizeofNdMsg {
		return false
	}
	n, err := netlink.NeighDeserialize(msg.Data)
	if err != nil || m.links[n.LinkIndex] == nil {
		return false
	}
	key, now, ok := neighbourOf(n)
	if !ok {
		return false
	}
	before := m.neighbours[key]
	if msg.Header.Type == unix.RTM_DELNEIGH {
		now = neighbour{}
		delete(m.neighbours, key)
	} else {
		m.neighbours[key] = now
	}
	if now != before {
		m.changed |= neighbours
	}
	return wanted[key] != nil && now.material(before)
}

// refresh reads again what is stale. On an error the parts not read stay stale.
//
// A table that changes while it is read may come with an entry missing. Such a
// copy is thrown away, a few times; under endless changes an old copy would be
// worse, so it is then taken, and read again.
func (m *mirror) refresh() error {
	for _, step := range []struct {
		part parts
		read func() error
	}{{links, m.readLinks}, {neighbours, m.readNeighbours}, {routes, m.readRoutes}} {
		if m.stale&step.part == 0 {
			continue
		}
		if err := step.read(); err != nil {
			return err
		}
		m.stale &^= step.part
	}
	m.torn = 0
	return nil
}

// whole passes an error of a read on, unless it is that of a torn copy which
// had better be taken.
func (m *mirror) whole(err error) error {
	if errors.Is(err, netlink.ErrDumpInterrupted) {
		if m.torn++; m.torn > mostTorn {
			return nil
		}
	}
	return err
}

func (m *mirror) readLinks() error {
	all, err := m.handle.LinkList()
	if err = m.whole(err); err != nil {
		return fmt.Errorf("read links: %w", err)
	}
	found := map[int]*Link{}
	for _, l := range all {
		if a := l.Attrs(); m.followed[a.Name] {
			found[a.Index] = linkOf(a)
		}
	}
	addresses, err := m.handle.AddrList(nil, netlink.FAMILY_ALL)
	if err = m.whole(err); err != nil {
		return fmt.Errorf("read addresses: %w", err)
	}
	for _, a := range addresses {
		l := found[a.LinkIndex]
		if p, ok := prefixOf(a.IPNet); ok && l != nil && a.Flags&(unix.IFA_F_TENTATIVE|unix.IFA_F_DADFAILED) == 0 {
			l.Addresses = append(l.Addresses, p)
		}
	}
	for index, l := range found {
		slices.SortFunc(l.Addresses, comparePrefixes)
		if m.links[index] == nil {
			m.stale |= neighbours // those of a new link were not listened to
		}
	}
	if !maps.EqualFunc(m.links, found, (*Link).equal) {
		m.changed |= links
		m.links = found
	}
	return nil
}

func linkOf(a *netlink.LinkAttrs) *Link {
	l := &Link{
		Index: a.Index, Name: a.Name, MTU: a.MTU,
		Up: a.RawFlags&unix.IFF_UP != 0, Carrier: a.RawFlags&unix.IFF_LOWER_UP != 0,
	}
	if len(a.HardwareAddr) == len(l.MAC) {
		l.MAC = [6]byte(a.HardwareAddr)
	}
	return l
}

func (m *mirror) readNeighbours() error {
	all, err := m.handle.NeighList(0, netlink.FAMILY_ALL)
	if err = m.whole(err); err != nil {
		return fmt.Errorf("read neighbours: %w", err)
	}
	found := map[target]neighbour{}
	for i := range all {
		if m.links[all[i].LinkIndex] == nil {
			continue
		}
		if key, e, ok := neighbourOf(&all[i]); ok {
			found[key] = e
		}
	}
	if !maps.Equal(m.neighbours, found) {
		m.changed |= neighbours
	}
	m.neighbours = found
	return nil
}

func (m *mirror) readRoutes() error {
	// Under strict checking (Linux 4.20) the kernel sends the table we ask for;
	// before, it sends all, and the library filters.
	_ = m.handle.SetStrictCheck(true)
	defer func() { _ = m.handle.SetStrictCheck(false) }() // the library's other requests fail it
	var found []Route
	filter := &netlink.Route{Table: unix.RT_TABLE_MAIN}
	for _, family := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
		err := m.handle.RouteListFilteredIter(family, filter, netlink.RT_FILTER_TABLE, func(r netlink.Route) bool {
			if route, ok := routeOf(&r); ok {
				found = append(found, route)
			}
			return true
		})
		if err = m.whole(err); err != nil {
			return fmt.Errorf("read routes: %w", err)
		}
	}
	t := newTable(found)
	if !slices.EqualFunc(m.table.routes, t.routes, equalRoutes) {
		m.changed |= routes
		m.table = t
	}
	return nil
}

// routeOf reads a kernel's route. ok is false for those that never take part
// in forwarding a plain packet: local, broadcast, multicast, and those for one
// type of service.
func routeOf(r *netlink.Route) (Route, bool) {
	prefix, ok := prefixOf(r.Dst)
	if !ok || r.Tos != 0 {
		return Route{}, false
	}
	route := Route{Prefix: prefix.Masked(), Metric: uint32(r.Priority)}
	switch r.Type {
	case unix.RTN_UNICAST:
	case unix.RTN_BLACKHOLE:
		route.Kind = Blackhole
	case unix.RTN_UNREACHABLE:
		route.Kind = Unreachable
	case unix.RTN_PROHIBIT:
		route.Kind = Prohibit
	case unix.RTN_THROW:
		route.Kind = Throw
	default:
		return Route{}, false
	}
	if route.Kind != Unicast {
		return route, true
	}
	if len(r.MultiPath) == 0 {
		route.Hops = []Hop{hopOf(r.LinkIndex, r.Gw, r.Via, r.Encap, 0, r.Flags)}
	}
	for _, h := range r.MultiPath {
		route.Hops = append(route.Hops, hopOf(h.LinkIndex, h.Gw, h.Via, h.Encap, h.Hops, h.Flags))
	}
	return route, true
}

// hopOf: hops is the weight less one, as in struct rtnexthop. A hop that wants
// an encapsulation of the kernel's is none that a port could take.
func hopOf(index int, gw net.IP, via netlink.Destination, encap netlink.Encap, hops, flags int) Hop {
	h := Hop{Index: index, Weight: hops + 1, Dead: encap != nil || flags&(unix.RTNH_F_DEAD|unix.RTNH_F_LINKDOWN) != 0}
	if v, ok := via.(*netlink.Via); ok && v != nil {
		gw = v.Addr
	}
	if a, ok := netip.AddrFromSlice(gw); ok {
		h.Gateway = a.Unmap()
	}
	return h
}

func prefixOf(n *net.IPNet) (netip.Prefix, bool) {
	if n == nil {
		return netip.Prefix{}, false
	}
	addr, ok := netip.AddrFromSlice(n.IP)
	ones, bits := n.Mask.Size()
	if bits == 32 {
		addr = addr.Unmap() // the library spells 0.0.0.0/0 with 16 bytes
	}
	return netip.PrefixFrom(addr, ones), ok
}

package kernel

import (
	"net/netip"
	"slices"
)

// A View is the kernel's network at one moment, as far as it concerns the
// followed interfaces. It is never changed; any goroutine may keep and read it.
type View struct {
	// Generation grows by one with every published View.
	Generation uint64

	links      map[int]*Link // the followed ones, by index
	table      *table
	neighbours map[target]neighbour
}

// A Link is one of the followed interfaces.
type Link struct {
	Index     int
	Name      string
	MAC       [6]byte
	MTU       int            // bytes
	Up        bool           // wanted up: IFF_UP
	Carrier   bool           // it is up and the lower layer too: IFF_LOWER_UP
	Addresses []netip.Prefix // with the subnet's length, sorted; not those that are tentative or failed
}

func (l *Link) equal(o *Link) bool {
	return l.Index == o.Index && l.Name == o.Name && l.MAC == o.MAC && l.MTU == o.MTU &&
		l.Up == o.Up && l.Carrier == o.Carrier && slices.Equal(l.Addresses, o.Addresses)
}

func (l *Link) usable() bool { return l.Up && l.Carrier }

// A NextHop is one way to a destination.
type NextHop struct {
	Interface string // a followed one, up and with carrier
	Index     int
	Addr      netip.Addr // whose link address it is: a gateway, or the destination itself
	OnLink    bool       // Addr is the destination
	Weight    int        // 1..256, its share among the next hops returned with it
	State     State
	MAC       [6]byte // where to send to, if State.Usable; else zero
}

// Links lists the followed interfaces that exist, sorted by index.
func (v *View) Links() []Link {
	var all []Link
	for _, l := range v.links {
		all = append(all, *l)
	}
	slices.SortFunc(all, func(a, b Link) int { return a.Index - b.Index })
	return all
}

// Link finds a followed interface by name.
func (v *View) Link(name string) (Link, bool) {
	for _, l := range v.links {
		if l.Name == name {
			return *l, true
		}
	}
	return Link{}, false
}

// NextHops says which ways the kernel would send to dst, of those that lead
// through followed interfaces; see [View.Lookup]. Some may be unresolved.
func (v *View) NextHops(dst netip.Addr) []NextHop {
	_, hops := v.Lookup(dst)
	return hops
}

// Lookup finds the route to dst as the kernel does for a packet without rules:
// in the main table, the longest prefix first, then the lowest metric. A route
// whose hops are all dead is passed over. Hops that lead through interfaces
// that are not followed count as ways, since the kernel would take them, but are
// not returned: a destination behind a management port has a route and no next
// hop.
//
// Without a route the Route is zero (its Prefix is not valid). A dst with a
// zone, as in fe80::1%gw-wan, needs none: it is on that link.
func (v *View) Lookup(dst netip.Addr) (Route, []NextHop) {
	if zone := dst.Zone(); zone != "" {
		if l, ok := v.Link(zone); ok && l.usable() {
			return Route{}, []NextHop{v.nextHop(&l, Hop{Index: l.Index, Weight: 1}, dst.WithZone(""))}
		}
		return Route{}, nil
	}
	if !dst.IsValid() {
		return Route{}, nil
	}
	dst = dst.Unmap()
	for r := range v.table.match(dst) {
		if r.Kind != Unicast {
			return *r, nil
		}
		if hops, alive := v.resolve(r, dst); alive {
			return *r, hops
		}
	}
	return Route{}, nil
}

// resolve lists the route's next hops through followed interfaces; alive says
// that there is any hop at all.
func (v *View) resolve(r *Route, dst netip.Addr) (hops []NextHop, alive bool) {
	for _, h := range r.Hops {
		l, followed := v.links[h.Index]
		switch {
		case h.Dead || followed && !l.usable():
		case !followed:
			alive = true
		default:
			alive = true
			if hops == nil {
				hops = make([]NextHop, 0, len(r.Hops))
			}
			hops = append(hops, v.nextHop(l, h, dst))
		}
	}
	return hops, alive
}

func (v *View) nextHop(l *Link, h Hop, dst netip.Addr) NextHop {
	n := NextHop{Interface: l.Name, Index: l.Index, Addr: h.Gateway, Weight: h.Weight}
	if !h.Gateway.IsValid() {
		n.Addr, n.OnLink = dst, true
	}
	e := v.neighbours[target{n.Index, n.Addr}]
	n.State, n.MAC = e.state, e.mac
	return n
}

package bgp

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"github.com/osrg/gobgp/v4/pkg/apiutil"
	"github.com/osrg/gobgp/v4/pkg/packet/bgp"
)

// A Route is a prefix that routers are to send here. The next hop is no part
// of it: that belongs to the session that it goes out on.
type Route struct {
	Prefix      netip.Prefix // masked
	Communities []Community
	MED         *uint32 // nil: none
	LocalPref   *uint32 // for peers of our own AS; nil: 100
}

// Community is a BGP community: two parts of 16 bits (RFC 1997) or, if Large,
// three of 32 (RFC 8092).
type Community struct {
	Large bool
	Parts [3]uint32 // the third is 0 unless Large
}

// gracefulShutdown is GRACEFUL_SHUTDOWN (RFC 8326, section 5).
var gracefulShutdown = Community{Parts: [3]uint32{65535, 0}}

// String gives "64512:100" or "64512:100:7".
func (c Community) String() string {
	if c.Large {
		return fmt.Sprintf("%d:%d:%d", c.Parts[0], c.Parts[1], c.Parts[2])
	}
	return fmt.Sprintf("%d:%d", c.Parts[0], c.Parts[1])
}

func (c Community) compare(d Community) int {
	if c.Large != d.Large {
		if d.Large {
			return -1
		}
		return 1
	}
	return slices.Compare(c.Parts[:], d.Parts[:])
}

// canonical gives each community once and in order, so that routes can be
// compared.
func canonical(list []Community) []Community {
	return slices.Compact(slices.SortedFunc(slices.Values(list), Community.compare))
}

func (r Route) equal(o Route) bool {
	return r.Prefix == o.Prefix && same(r.MED, o.MED) && same(r.LocalPref, o.LocalPref) &&
		slices.Equal(r.Communities, o.Communities)
}

func same[T comparable](a, b *T) bool {
	return a == b || a != nil && b != nil && *a == *b
}

func comparePrefixes(a, b netip.Prefix) int {
	return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
}

// path is the route as gobgp's table holds it: with no AS in its path, which
// makes it our own, and an unspecified next hop, which makes that our address
// of the session.
func (r Route) path() (*apiutil.Path, error) {
	nlri, err := bgp.NewIPAddrPrefix(r.Prefix)
	if err != nil {
		return nil, err
	}
	p := &apiutil.Path{Family: bgp.RF_IPv4_UC, Nlri: nlri, Attrs: []bgp.PathAttributeInterface{bgp.NewPathAttributeOrigin(bgp.BGP_ORIGIN_ATTR_TYPE_IGP)}}
	if r.Prefix.Addr().Is4() {
		nextHop, err := bgp.NewPathAttributeNextHop(netip.IPv4Unspecified())
		if err != nil {
			return nil, err
		}
		p.Attrs = append(p.Attrs, nextHop)
	} else {
		p.Family = bgp.RF_IPv6_UC
		reach, err := bgp.NewPathAttributeMpReachNLRI(p.Family, []bgp.PathNLRI{{NLRI: nlri}}, netip.IPv6Unspecified())
		if err != nil {
			return nil, err
		}
		p.Attrs = append(p.Attrs, reach)
	}
	if r.MED != nil {
		p.Attrs = append(p.Attrs, bgp.NewPathAttributeMultiExitDisc(*r.MED))
	}
	if r.LocalPref != nil {
		p.Attrs = append(p.Attrs, bgp.NewPathAttributeLocalPref(*r.LocalPref))
	}
	var standard []uint32
	var large []*bgp.LargeCommunity
	for _, c := range r.Communities {
		if c.Large {
			large = append(large, bgp.NewLargeCommunity(c.Parts[0], c.Parts[1], c.Parts[2]))
		} else {
			standard = append(standard, c.Parts[0]<<16|c.Parts[1])
		}
	}
	if len(standard) > 0 {
		p.Attrs = append(p.Attrs, bgp.NewPathAttributeCommunities(standard))
	}
	if len(large) > 0 {
		p.Attrs = append(p.Attrs, bgp.NewPathAttributeLargeCommunities(large))
	}
	return p, nil
}

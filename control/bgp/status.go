package bgp

import (
	"context"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/osrg/gobgp/v4/api"
)

// Status is what a Speaker does and knows. The receiver owns it.
type Status struct {
	ASN       uint32 // 0: no BGP
	RouterID  netip.Addr
	Listening []netip.AddrPort // for passive peers
	Peers     []PeerStatus     // in the order of the settings
	Announced []Route          // to every peer that takes the family; by prefix
}

// PeerStatus is the state of one session.
type PeerStatus struct {
	Address    netip.Addr
	ASN        uint32
	State      State
	Since      time.Time // it came up or was lost, or the peer was configured
	IPv4, IPv6 bool      // families that both sides have; none unless Established
	Wanted     int       // routes that it is to have: of the families of its settings
	Sent       int       // routes announced to it now
	Refused    uint64    // routes that it sends, none of which is used
	Losses     uint64    // established sessions lost, since the peer was configured

	// Error is, in words, why the session is not up, or why it was lost; empty
	// since it came up.
	Error   string
	ErrorAt time.Time

	BFD BFDState
}

// BFDState is that of the BFD session with a peer (RFC 5880, section 6.2).
type BFDState uint8

const (
	BFDOff BFDState = iota // not asked for
	BFDDown
	BFDInit
	BFDUp
)

var bfdNames = []string{"off", "down", "init", "up"}

func (s BFDState) String() string { return bfdNames[s] }

// Status gives the state now.
func (s *Speaker) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := Status{ASN: s.settings.ASN, RouterID: s.settings.RouterID}
	if s.server == nil {
		return st
	}
	for _, a := range listenAddresses(s.peers) {
		st.Listening = append(st.Listening, netip.AddrPortFrom(a, listenPort(s.peers)))
	}
	for _, r := range slices.SortedFunc(maps.Values(s.sent), func(a, b Route) int { return comparePrefixes(a.Prefix, b.Prefix) }) {
		r.Communities = slices.Clone(r.Communities)
		st.Announced = append(st.Announced, r)
	}
	refused := map[string]uint64{}
	_ = s.server.ListPeer(context.Background(), &api.ListPeerRequest{}, func(p *api.Peer) {
		for _, f := range p.AfiSafis {
			refused[p.State.NeighborAddress] += f.State.GetReceived()
		}
	})
	bfd := map[string]BFDState{}
	s.server.ListBfdPeer(context.Background(), func(address string, b *api.BfdPeerState) {
		bfd[address] = bfdState(b.SessionState)
	})
	st.Peers = s.sessions.status(s.peers)
	wanted4, wanted6 := count(aggregate(s.want, s.settings.Aggregate))
	for i := range st.Peers {
		p := &st.Peers[i]
		if s.peers[i].IPv4 {
			p.Wanted += wanted4
		}
		if s.peers[i].IPv6 {
			p.Wanted += wanted6
		}
		p.Refused = refused[p.Address.String()]
		if s.peers[i].BFD.Enabled {
			p.BFD = max(BFDDown, bfd[p.Address.String()])
		}
	}
	return st
}

// count tells how many routes are of each family.
func count(routes map[netip.Prefix]Route) (v4, v6 int) {
	for p := range routes {
		if p.Addr().Is4() {
			v4++
		}
	}
	return v4, len(routes) - v4
}

func (s *sessions) status(peers []peer) (list []PeerStatus) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range peers {
		one := s.all[p.Address]
		st := PeerStatus{
			Address: p.Address, ASN: p.ASN, State: one.state, Since: one.since, IPv4: one.ipv4, IPv6: one.ipv6,
			Losses: one.losses, Error: one.err, ErrorAt: one.errAt,
		}
		if one.ipv4 {
			st.Sent += s.routes4
		}
		if one.ipv6 {
			st.Sent += s.routes6
		}
		list = append(list, st)
	}
	return list
}

func bfdState(s api.BfdSessionState) BFDState {
	switch s {
	case api.BfdSessionState_BFD_SESSION_STATE_UP:
		return BFDUp
	case api.BfdSessionState_BFD_SESSION_STATE_INIT:
		return BFDInit
	}
	return BFDDown
}

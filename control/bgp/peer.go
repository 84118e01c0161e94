package bgp

import (
	"reflect"
	"time"

	"github.com/osrg/gobgp/v4/api"
)

// families are those of the routes, as gobgp's API has them.
func (p peer) families() (list []*api.Family) {
	if p.IPv4 {
		list = append(list, &api.Family{Afi: api.Family_AFI_IP, Safi: api.Family_SAFI_UNICAST})
	}
	if p.IPv6 {
		list = append(list, &api.Family{Afi: api.Family_AFI_IP6, Safi: api.Family_SAFI_UNICAST})
	}
	return list
}

// request is the peer as gobgp wants it. limit is of routes that it may send;
// restarting says that this process may have been killed a moment ago, for
// GracefulRestart.
func (p peer) request(s Settings, limit uint32, restarting bool) *api.Peer {
	a := &api.Peer{
		Conf: &api.PeerConf{
			NeighborAddress: p.Address.String(), PeerAsn: p.ASN, LocalAsn: s.ASN, AuthPassword: p.password,
		},
		Timers: &api.Timers{Config: &api.TimersConfig{
			HoldTime: seconds(p.HoldTime), KeepaliveInterval: seconds(p.Keepalive),
			ConnectRetry: seconds(p.ConnectRetry), IdleHoldTimeAfterReset: seconds(p.ConnectRetry),
		}},
		Transport: &api.Transport{PassiveMode: p.Passive},
		Bfd: &api.BfdPeerConfig{
			Enabled:                  p.BFD.Enabled,
			DesiredMinimumTxInterval: uint32(p.BFD.Interval.Microseconds()), RequiredMinimumReceive: uint32(p.BFD.Interval.Microseconds()),
			DetectionMultiplier: uint32(p.BFD.Multiplier),
		},
	}
	if !p.Passive {
		a.Transport.RemotePort = uint32(p.Port)
	}
	if p.LocalAddress.IsValid() {
		a.Transport.LocalAddress = p.LocalAddress.String()
	}
	if p.Multihop > 0 {
		a.EbgpMultihop = &api.EbgpMultihop{Enabled: true, MultihopTtl: uint32(p.Multihop)}
	}
	if p.TTLSecurity > 0 {
		// What started at 255 and made n hops, the last of them to us, has lost n-1.
		a.TtlSecurity = &api.TtlSecurity{Enabled: true, TtlMin: 256 - uint32(p.TTLSecurity)}
	}
	if s.GracefulRestart {
		a.GracefulRestart = &api.GracefulRestart{
			Enabled: true, RestartTime: uint32(RestartTime / time.Second),
			DeferralTime: uint32(deferral / time.Second), LocalRestarting: restarting,
		}
	}
	for _, f := range p.families() {
		a.AfiSafis = append(a.AfiSafis, &api.AfiSafi{
			Config:            &api.AfiSafiConfig{Family: f, Enabled: true},
			PrefixLimits:      &api.PrefixLimit{Family: f, MaxPrefixes: limit, ShutdownThresholdPct: 1},
			MpGracefulRestart: &api.MpGracefulRestart{Config: &api.MpGracefulRestartConfig{Enabled: s.GracefulRestart}},
		})
	}
	return a
}

// deferral is how long routes wait, after a restart, for peers to have sent
// theirs (RFC 4724, section 4.1): we make no choice by those, so hardly.
const deferral = 3 * time.Second

func seconds(d time.Duration) uint64 { return uint64(d / time.Second) }

// session is the peer without what only its routes get.
func (p peer) session() peer {
	p.NextHop4, p.NextHop6, p.MED, p.LocalPref, p.Prepend, p.Communities = zero.NextHop4, zero.NextHop6, nil, nil, 0, nil
	return p
}

// attributes is the peer as far as only its routes are concerned.
func (p peer) attributes() peer {
	return peer{Peer: Peer{Address: p.Address, NextHop4: p.NextHop4, NextHop6: p.NextHop6, MED: p.MED, LocalPref: p.LocalPref, Prepend: p.Prepend, Communities: p.Communities}}
}

var zero Peer

func (p peer) sameSession(o peer) bool    { return reflect.DeepEqual(p.session(), o.session()) }
func (p peer) sameAttributes(o peer) bool { return reflect.DeepEqual(p.attributes(), o.attributes()) }

package metrics

import (
	"guideway/control/plan"
	"guideway/lcore"
	"guideway/maglev/fib"
)

var (
	vipPackets     = counter("vip_packets_total", "Packets to a VIP for which a backend was selected.", "vip")
	vipBytes       = counter("vip_bytes_total", "Bytes of these packets from the IP header on, without the tunnel.", "vip")
	vipTableSlots  = gauge("vip_table_slots", "Size of a VIP's lookup table.", "vip")
	vipTableDigest = gauge("vip_table_digest", "The upper 52 bits of the digest of a VIP's lookup table: nodes with the same table show the same number.", "vip")
	vipAnnounced   = gauge("vip_announced", "Whether routers are to be told to send a VIP's packets here.", "vip")
	vipPeers       = gauge("vip_announced_peers", "Routers that were sent a route to a VIP.", "vip")
	vipHealthy     = gauge("vip_healthy_backends", "Backends of a VIP that take new flows, of those that are meant to.", "vip")
	vipWanted      = gauge("vip_wanted_backends", "Backends of a VIP that are meant to take new flows.", "vip")
	vipNeeded      = gauge("vip_needed_backends", "Backends that a VIP needs: min_healthy.", "vip")
	vipCondition   = gauge("vip_condition", "The condition of a VIP; always 1.", "vip", "condition")
	backendPackets = counter("backend_packets_total", "Packets to a VIP for which this backend was selected.", "vip", "backend")
	backendShare   = gauge("backend_share", "Share of new flows that a backend gets of a VIP.", "vip", "backend")
	backendServing = gauge("backend_serving", "Whether a backend takes new flows of a VIP.", "vip", "backend")
)

// vips shows each VIP and its backends, summed over the cores.
func (s sender) vips(st Status, reports []*lcore.Report) {
	p := st.Plan
	for i := range p.VIPs {
		v := &p.VIPs[i]
		count := service(reports, v)
		s.send(vipPackets, float64(count.Packets), v.Name)
		s.send(vipBytes, float64(count.Bytes), v.Name)
		sentTo, announced := st.Announced[v.Name]
		s.send(vipAnnounced, truth(announced), v.Name)
		s.send(vipPeers, float64(sentTo), v.Name)
		s.send(vipHealthy, float64(v.Healthy), v.Name)
		s.send(vipWanted, float64(v.Wanted), v.Name)
		s.send(vipNeeded, float64(v.Needed), v.Name)
		s.send(vipCondition, 1, v.Name, v.Condition.String())
		slots := 0
		if v.Table != nil {
			slots = len(v.Table.Slots())
			s.send(vipTableSlots, float64(slots), v.Name)
			s.send(vipTableDigest, float64(v.Table.Digest()>>12), v.Name)
		}
		for j := range v.Backends {
			b := &v.Backends[j]
			address, share := b.Address.String(), 0.0
			if slots > 0 {
				share = float64(b.Slots) / float64(slots)
			}
			s.send(backendPackets, float64(endpoint(reports, b)), v.Name, address)
			s.send(backendShare, share, v.Name, address)
			s.send(backendServing, truth(b.State == fib.Serving), v.Name, address)
		}
	}
}

// knows tells whether a core counted for the holder of an id that was given
// with the snapshot born, or still for another before it.
func knows(r *lcore.Report, born uint64) bool { return r != nil && r.Generation >= born }

func service(reports []*lcore.Report, v *plan.VIP) (sum lcore.ServiceCount) {
	for _, r := range reports {
		if id := int(v.Service); knows(r, v.Born) && id < len(r.Services) {
			sum.Packets += r.Services[id].Packets
			sum.Bytes += r.Services[id].Bytes
		}
	}
	return sum
}

func endpoint(reports []*lcore.Report, b *plan.Backend) (packets uint64) {
	for _, r := range reports {
		if id := int(b.Endpoint.ID()); knows(r, b.Born) && id < len(r.Endpoints) {
			packets += r.Endpoints[id]
		}
	}
	return packets
}

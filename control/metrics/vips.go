package metrics

import (
	"guideway/control/plan"
	"guideway/lcore"
	"guideway/maglev/fib"
)

// vips shows each VIP and its backends, summed over the cores.
func (s sender) vips(p *plan.Plan, reports []*lcore.Report) {
	for _, v := range p.VIPs {
		packets, bytes := service(reports, int(v.Service))
		s.counter("vip_packets_total", "Packets to a VIP that went to a backend.", float64(packets), "vip", v.Name)
		s.counter("vip_bytes_total", "IP bytes to a VIP that went to a backend, without the tunnel.", float64(bytes), "vip", v.Name)
		if v.Table != nil {
			s.gauge("vip_table_slots", "Size of a VIP's lookup table.", float64(len(v.Table.Slots())), "vip", v.Name)
			s.gauge("vip_table_digest", "The upper 52 bits of the digest of a VIP's lookup table: nodes with the same table show the same number.",
				float64(v.Table.Digest()>>12), "vip", v.Name)
		}
		for _, b := range v.Backends {
			address := b.Address.String()
			s.counter("backend_packets_total", "Packets to a VIP that went to a backend.", float64(endpoint(reports, b.Endpoint)), "vip", v.Name, "backend", address)
			share := 0.0
			if v.Table != nil {
				share = float64(b.Slots) / float64(len(v.Table.Slots()))
			}
			s.gauge("backend_share", "Share of new flows that a backend gets of a VIP.", share, "vip", v.Name, "backend", address)
			s.gauge("backend_serving", "Whether a backend takes new flows of a VIP.", truth(b.State == fib.Serving), "vip", v.Name, "backend", address)
		}
	}
}

func service(reports []*lcore.Report, id int) (packets, bytes uint64) {
	for _, r := range reports {
		if r != nil && id < len(r.Services) {
			packets += r.Services[id].Packets
			bytes += r.Services[id].Bytes
		}
	}
	return packets, bytes
}

func endpoint(reports []*lcore.Report, v fib.Value) (packets uint64) {
	for _, r := range reports {
		if id := int(v.ID()); r != nil && id < len(r.Endpoints) {
			packets += r.Endpoints[id]
		}
	}
	return packets
}

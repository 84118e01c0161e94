package plan

import "guideway/lcore"

// Counted sums what cores counted for a VIP. A core that still works by a plan
// from before the VIP had its id counts for another.
func (v *VIP) Counted(reports []*lcore.Report) (sum lcore.ServiceCount) {
	for _, r := range reports {
		if id := int(v.Service); r != nil && r.Generation >= v.Born && id < len(r.Services) {
			sum.Packets += r.Services[id].Packets
			sum.Bytes += r.Services[id].Bytes
		}
	}
	return sum
}

// Counted sums the packets that cores counted for a backend of a VIP, likewise.
func (b *Backend) Counted(reports []*lcore.Report) (packets uint64) {
	for _, r := range reports {
		if id := int(b.Endpoint.ID()); r != nil && r.Generation >= b.Born && id < len(r.Endpoints) {
			packets += r.Endpoints[id]
		}
	}
	return packets
}

package config

import (
	"fmt"
	"net/netip"
	"slices"

	"guideway/maglev/conntrack"
)

const (
	// wantSlots is the number of slots under which a backend's share may be
	// off by more than 1 %: it is off by up to one slot (section 3.4).
	wantSlots = 100

	greIPv4 = 20 + 4 // outer IPv4 header and GRE without options (RFC 2784)
	greIPv6 = 40 + 4

	slotBytes  = 2       // of a lookup table
	muchMemory = 8 << 30 // from here on a person should have meant it
)

// warn says what will hurt under traffic.
func (c *Config) warn(d *draft, r *report) {
	c.warnUnused(d, r)
	c.warnMemory(d, r)
	c.warnMTU(d, r)
	for _, p := range d.ports {
		if !p.HasNextHop {
			r.warn(p.nameAt, "port %q has no next_hop_mac: next hops are not learnt in this version, so set it to the MAC address of the router that takes the tunnels", p.Name)
		}
	}
	own := d.own()
	for i := range d.vips {
		if v := &d.vips[i]; c.Node.serves(v.Shard) {
			c.warnVIP(v, r)
			c.warnWithin(v, own, r)
		}
	}
}

func (c *Config) warnUnused(d *draft, r *report) {
	switch {
	case len(d.vips) == 0:
		r.warn(pos{}, "there is no [[vip]]: nothing is forwarded")
	case len(c.VIPs) == 0:
		var shards []string
		for _, v := range d.vips {
			shards = append(shards, v.Shard)
		}
		r.warn(d.node.shardAt, "node.shard: no VIP is of shard %q, so nothing is forwarded%s", c.Node.Shard, didYouMean(c.Node.Shard, shards))
	}
	var all []string
	for _, v := range d.vips {
		all = append(all, v.Pools...)
	}
	used := d.reach(all)
	checked := map[string]bool{}
	for _, p := range d.pools {
		checked[p.Check] = true
		if !used[p.Name] {
			r.warn(p.nameAt, "pool %q is used by no VIP", p.Name)
		}
		if len(p.backends) == 0 && len(p.include) == 0 {
			r.warn(p.nameAt, "pool %q is empty", p.Name)
		}
	}
	for _, check := range d.checks {
		if !checked[check.v.Name] {
			r.warn(check.at, "check %q is used by no pool", check.v.Name)
		}
	}
}

func (c *Config) warnMemory(d *draft, r *report) {
	tablesBytes := uint64(conntrack.Bytes(c.Conntrack.FlowsPerCore)) * uint64(len(c.DPDK.Lcores))
	if tablesBytes > c.DPDK.Memory {
		then := "more hugepages are taken, if there are any"
		if !c.DPDK.Huge {
			then = "guidewayd will not start"
		}
		r.warn(d.flowsAt, "conntrack.flows_per_core: %d flows on each of %d lcores take %s, more than all of dpdk.memory (%s), where packet buffers have to fit as well: %s",
			c.Conntrack.FlowsPerCore, len(c.DPDK.Lcores), binary(tablesBytes), binary(c.DPDK.Memory), then)
	}
	slots := uint64(0)
	tables := map[string]bool{}
	for _, v := range c.VIPs {
		// VIPs with the same backends and size share one table.
		if key := fmt.Sprint(poolsKey(v.Pools), v.TableSize); !tables[key] {
			tables[key] = true
			slots += uint64(v.TableSize)
		}
	}
	if n := slots * slotBytes; n > muchMemory {
		r.warn(pos{}, "the lookup tables of %d VIPs take about %s of memory: a smaller table_size will do where there are few backends", len(c.VIPs), binary(n))
	}
}

// warnMTU tells where full-size packets will not fit once they are in the
// tunnel. The client's side brings 1500 bytes or the port's mtu, if that is
// less; the tunnel leaves by the port with the largest.
func (c *Config) warnMTU(d *draft, r *report) {
	overhead, fam := 0, ""
	for _, p := range d.served() {
		for _, b := range p.backends {
			if b.v.Address.Is6() {
				overhead, fam = greIPv6, "IPv6"
			} else if overhead == 0 {
				overhead, fam = greIPv4, "IPv4"
			}
		}
	}
	if overhead == 0 {
		return
	}
	least, largest := d.ports[0], d.ports[0]
	for _, p := range d.ports[1:] {
		if p.MTU < least.MTU {
			least = p
		}
		if p.MTU > largest.MTU {
			largest = p
		}
	}
	if inner := min(usualMTU, least.MTU); largest.MTU < inner+overhead {
		r.warn(largest.mtuAt, "port %q: mtu %d leaves no room for the tunnel: of packets to %s backends, those over %d bytes will not fit (GRE adds %d). Set mtu = %d here and on the way to the backends, or have the backends announce an MSS that is %d less",
			largest.Name, largest.MTU, fam, largest.MTU-overhead, overhead, inner+overhead, overhead)
	}
}

func (c *Config) warnVIP(v *vipDraft, r *report) {
	var total, least uint64
	n := 0
	for _, b := range c.Backends(v.VIP) {
		if b.State != StateUp {
			continue
		}
		n++
		total += uint64(b.Weight)
		if least == 0 || uint64(b.Weight) < least {
			least = uint64(b.Weight)
		}
	}
	if n == 0 {
		r.warn(v.nameAt, "vip %q takes no new flows: none of its backends has state \"up\"", v.Name)
		return
	}
	if slots := uint64(v.TableSize) * least / total; slots < wantSlots {
		want := "split the VIP, or bring the weights nearer to each other"
		if need := (wantSlots*total + least - 1) / least; need < maxTable {
			want = fmt.Sprintf("set table_size = %d", primeFrom(int64(need)))
		}
		r.warn(v.tableAt, "vip %q: of %d slots the least of its %d backends gets %d, so its share may be off by more than 1 %%: %s", v.Name, v.TableSize, n, slots, want)
	}
}

// warnWithin tells of addresses that a VIP takes away from others.
func (c *Config) warnWithin(v *vipDraft, own map[netip.Addr]string, r *report) {
	var held []netip.Addr
	for a := range own {
		if v.Prefix.Contains(a) {
			held = append(held, a)
		}
	}
	slices.SortFunc(held, netip.Addr.Compare)
	for _, a := range held {
		r.warn(v.addressAt, "vip %q holds %s, this node's own address (%s): what comes for it there is sent to the backends", v.Name, a, own[a])
	}
	if v.Prefix.IsSingleIP() {
		return // a loop: reported as a fault
	}
	for _, b := range c.Backends(v.VIP) {
		if v.Prefix.Contains(b.Address) {
			r.warn(v.addressAt, "vip %q holds its own backend %s: the network must have a longer route to it, or the tunnel leads back here", v.Name, b.Address)
			return
		}
	}
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

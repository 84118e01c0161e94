package config

import (
	"fmt"
	"net/netip"
	"slices"

	"guideway/fragments"
	"guideway/maglev/conntrack"
)

const (
	// wantSlots is the number of slots under which a backend's share may be
	// off by more than 1 %: it is off by up to one slot (section 3.4).
	wantSlots = 100

	slotBytes  = 2       // of a lookup table
	muchMemory = 8 << 30 // from here on a person should have meant it
)

// warn says what will hurt under traffic.
func (c *Config) warn(d *draft, r *report) {
	c.warnUnused(d, r)
	c.warnMemory(d, r)
	d.warnMTU(r)
	d.warnPorts(r)
	d.warnFragments(c, r)
	own := d.own()
	for i := range d.vips {
		if v := &d.vips[i]; c.Node.serves(v.Shard) {
			c.warnVIP(v, r)
			c.warnWithin(v, own, d.node.pool, r)
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
	// A fragment that waits takes a whole buffer of the port that it came by,
	// and all may have come by one.
	cores := uint64(len(c.DPDK.Lcores))
	flows := uint64(conntrack.Bytes(c.Conntrack.FlowsPerCore)) * cores
	inTables := fmt.Sprintf("%d flows each take %s, and ", c.Conntrack.FlowsPerCore, binary(flows))
	if c.Conntrack.Keep != "" { // they have memory of their own
		flows, inTables = 0, ""
	}
	held := uint64(0)
	for _, p := range c.Ports {
		held += uint64(c.Fragments.Held) * cores * bufferBytes(p.MTU)
	}
	if flows+held > c.DPDK.Memory {
		at, key := d.flowsAt, "conntrack.flows_per_core"
		if held > flows {
			at, key = d.fragments.heldAt, "fragments.held"
		}
		then := "more hugepages are taken, if there are any"
		if !c.DPDK.Huge {
			then = "guidewayd will not start"
		}
		r.warn(at, "%s: on %s %sbuffers for %d held fragments each take %s, more than all of dpdk.memory (%s), where the rest of the packet buffers has to fit as well: %s",
			key, plural(int(cores), "lcore"), inTables, c.Fragments.Held, binary(held), binary(c.DPDK.Memory), then)
	}
	if n := uint64(fragments.Memory(c.Fragments.Datagrams, c.Fragments.Held)) * cores; n > muchMemory {
		r.warn(d.fragments.datagramsAt, "fragments.datagrams: %d datagrams on each of %d lcores take %s of memory, beside dpdk.memory", c.Fragments.Datagrams, cores, binary(n))
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

// bufferBytes is about what one buffer of a port's pool takes: at least 2 KiB,
// as devices want, with headroom and what DPDK keeps of it.
func bufferBytes(mtu int) uint64 { return uint64(max(2<<10, mtu+512)) + 256 }

func (c *Config) warnVIP(v *vipDraft, r *report) {
	if v.MSS != 0 && v.Protocol != ProtocolTCP && v.Protocol != ProtocolAny {
		r.warn(v.mssAt, "vip.mss: vip %q is for %s, which has no MSS: this does nothing", v.Name, v.Protocol)
	}
	if v.tooBigAt != (pos{}) && v.Prefix.Addr().Is6() {
		r.warn(v.tooBigAt, "vip.too_big: packets to vip %q are IPv6, which only their sender may fragment (RFC 8200, 4.5): it is told by ICMP, and this does nothing", v.Name)
	}
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
func (c *Config) warnWithin(v *vipDraft, own map[netip.Addr]string, pool []located[netip.Prefix], r *report) {
	var held []netip.Addr
	for a := range own {
		if v.Prefix.Contains(a) && own[a] != "[node].source_pool" {
			held = append(held, a)
		}
	}
	slices.SortFunc(held, netip.Addr.Compare)
	for _, a := range held {
		r.warn(v.addressAt, "vip %q holds %s, this node's own address (%s): what comes for it there is sent to the backends", v.Name, a, own[a])
	}
	for _, p := range pool {
		if v.Prefix.Overlaps(p.v) && !v.Prefix.IsSingleIP() { // else a fault
			r.warn(v.addressAt, "vip %q holds %s of [node].source_pool: what comes back about the tunnels is sent to the backends", v.Name, prefixText(p.v))
		}
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

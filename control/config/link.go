package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Limits of what the forwarding tables can number (package fib): a service has
// 16 bits, and so have the backends of one table; endpoints have 20 in all.
const (
	maxVIPs        = 1<<16 - 1
	maxVIPBackends = 1<<16 - 1
	maxEndpoints   = 1<<20 - 1 // pairs of a VIP and a backend
)

// link holds the sections against each other.
func (d *draft) link(r *report) {
	own := d.own()
	d.linkPorts(r, own)
	d.linkNames(r)
	d.resolve(r)
	d.overlaps(r)
	d.sources(r)
	d.loops(r, own)
	d.linkPool(r, own)
	d.linkNodes(r, own)
	d.linkBGP(r, own)
	if d.metrics.Listen == d.console.Listen && d.metrics.Listen.Network != "" {
		r.fault(d.consoleAt, "console.listen: %s is that of [metrics]", d.console.Listen)
	}
}

// own gives this node's addresses, and for each where it is set.
func (d *draft) own() map[netip.Addr]string {
	own := map[netip.Addr]string{}
	for _, p := range d.ports {
		for _, a := range p.addresses {
			own[a.v.Addr()] = fmt.Sprintf("port %q", p.Name)
		}
	}
	for _, p := range d.node.pool {
		for a := p.v.Addr(); p.v.Contains(a); a = a.Next() {
			own[a] = "[node].source_pool"
		}
	}
	for _, s := range d.node.sources {
		own[s.v] = "[node].source"
	}
	return own
}

func (d *draft) linkPorts(r *report, own map[netip.Addr]string) {
	if len(d.ports) == 0 {
		r.fault(pos{}, "there is no [[port]]: packets need one to come and go by, with a name and a device")
	}
	if len(d.ports) > maxPorts {
		r.fault(d.ports[maxPorts].nameAt, "%d ports: DPDK is built for at most %d", len(d.ports), maxPorts)
	}
	names, devices, kernels := map[string]pos{}, map[string]pos{}, map[string]pos{}
	addresses := map[netip.Addr]pos{}
	for _, p := range d.ports {
		unique(r, names, p.Name, p.nameAt, "port.name: %q")
		unique(r, devices, deviceName(p.Device), p.deviceAt, "port.device: %q")
		unique(r, kernels, p.Kernel, p.kernelAt, "port.kernel: %q")
		for _, a := range p.addresses {
			unique(r, addresses, a.v.Addr(), a.at, "port.addresses: %s")
		}
		for _, g := range p.gateways {
			if who, ours := own[g.v]; ours {
				r.fault(g.at, "port.gateways: %s is this node's own address (%s)", g.v, who)
			}
		}
		n := len(d.dpdk.lcores)
		switch {
		case !d.dpdk.clean || n == 0:
		case p.RxQueues > n:
			r.fault(p.rxAt, "port.rx_queues: %d queues for %d lcores: a queue needs an lcore to poll it (0: one each)", p.RxQueues, n)
		case d.dpdk.Steering == SteeringDevice && p.RxQueues > 0 && p.RxQueues < n:
			r.fault(p.rxAt, "port.rx_queues: %d for %d lcores: the device can steer (dpdk.steering) to lcores with a queue only: write 0, or steering = \"auto\"", p.RxQueues, n)
		}
		for _, other := range d.ports {
			if _, args, _ := strings.Cut(other.Device, ","); p.Kernel != "" && slices.Contains(strings.Split(args, ","), "iface="+p.Kernel) {
				r.fault(p.kernelAt, "port.kernel: %q is the interface that port %q stands on: write a new name", p.Kernel, other.Name)
			}
		}
	}
}

// linkNames sees to it that names stand once and that references lead
// somewhere.
func (d *draft) linkNames(r *report) {
	checks, pools, vips := map[string]pos{}, map[string]pos{}, map[string]pos{}
	var checkNames, poolNames []string
	for _, c := range d.checks {
		unique(r, checks, c.v.Name, c.at, "check.name: %q")
		checkNames = append(checkNames, c.v.Name)
	}
	for _, p := range d.pools {
		unique(r, pools, p.Name, p.nameAt, "pool.name: %q")
		poolNames = append(poolNames, p.Name)
	}
	for _, p := range d.pools {
		if _, ok := checks[p.Check]; p.Check != "" && !ok {
			r.fault(p.checkAt, "pool.check: there is no [[check]] named %q%s", p.Check, didYouMean(p.Check, checkNames))
		}
		for _, i := range p.include {
			if _, ok := pools[i.v]; !ok {
				r.fault(i.at, "pool.include: there is no [[pool]] named %q%s", i.v, didYouMean(i.v, poolNames))
			}
		}
	}
	if len(d.vips) > maxVIPs {
		r.fault(d.vips[maxVIPs].nameAt, "%d VIPs: at most %d can be numbered", len(d.vips), maxVIPs)
	}
	for i := range d.vips {
		v := &d.vips[i]
		unique(r, vips, v.Name, v.nameAt, "vip.name: %q")
		for _, p := range v.pools {
			if _, ok := pools[p.v]; !ok {
				r.fault(p.at, "vip.pools: there is no [[pool]] named %q%s", p.v, didYouMean(p.v, poolNames))
				v.poolsClean = false
			}
		}
	}
}

// unique tells whether key is new and valid, and reports it if it has been seen
// before. format names it and takes it.
func unique[K comparable](r *report, seen map[K]pos, key K, at pos, format string) bool {
	var zero K
	if key == zero {
		return false // missing or misspelt: reported already
	}
	if first, dup := seen[key]; dup {
		r.fault(at, format+" is already on line %d", key, first.line)
		return false
	}
	seen[key] = at
	return true
}

package config

import (
	"fmt"
	"slices"
	"strings"
)

// restartOnly names the sections with keys that a running process cannot
// change: what the machine was divided by at start (CPUs, memory, devices,
// tables), what prepared headers are made of, and where servers listen.
func restartOnly(section string) bool {
	switch section {
	case "node", "dpdk", "port", "conntrack", "conntrack.timeout", "fragments", "console", "metrics", "reload":
		return true
	}
	return false
}

// setting is one such key, as it can be compared and shown.
type setting struct{ id, value string }

func (c *Config) settings() []setting {
	var out []setting
	add := func(id string, value any) { out = append(out, setting{id, fmt.Sprint(value)}) }
	add("node.name", c.Node.Name)
	add("node.source", sourceText(c.Node))
	add("node.source_pool", slices.Concat(c.Node.SourcePool4, c.Node.SourcePool6))
	add("dpdk.lcores", c.DPDK.Lcores)
	add("dpdk.control_cpus", c.DPDK.ControlCPUs)
	add("dpdk.memory", fmt.Sprint(c.DPDK.Memory>>20, "MiB"))
	add("dpdk.huge", c.DPDK.Huge)
	add("dpdk.idle", c.DPDK.Idle)
	add("dpdk.steering", c.DPDK.Steering)
	add("dpdk.eal_args", c.DPDK.EALArgs)
	add("conntrack.flows_per_core", c.Conntrack.FlowsPerCore)
	add("conntrack.keep", c.Conntrack.Keep)
	t := c.Conntrack.Timeouts
	add("conntrack.timeout.tcp_new", short(t.TCPNew))
	add("conntrack.timeout.tcp_established", short(t.TCPEstablished))
	add("conntrack.timeout.tcp_closing", short(t.TCPClosing))
	add("conntrack.timeout.udp", short(t.UDP))
	add("conntrack.timeout.other", short(t.Other))
	add("fragments.datagrams", c.Fragments.Datagrams)
	add("fragments.held", c.Fragments.Held)
	add("fragments.bytes", fmt.Sprint(c.Fragments.Bytes>>20, "MiB"))
	add("fragments.timeout", short(c.Fragments.Timeout))
	add("console.listen", c.Console.Listen)
	add("metrics.listen", c.Metrics.Listen)
	add("reload.watch", c.Reload.Watch)
	add("reload.settle", short(c.Reload.Settle))
	for i, p := range c.Ports {
		id := "port" + index(i) + "."
		add(id+"name", p.Name)
		add(id+"device", p.Device)
		add(id+"addresses", p.Addresses)
		add(id+"next_hop_mac", macText(p))
		add(id+"mtu", p.MTU)
		add(id+"vlan", p.VLAN)
		add(id+"rx_queues", p.RxQueues)
		add(id+"kernel", p.Kernel)
		add(id+"kernel_rate", p.KernelRate)
	}
	return out
}

// RestartNeeded compares the Config that a process runs with one that it is to
// load, and gives a fault for every key that only a new start can change, at
// its place in next's file. With none, a reload brings next fully into effect.
func RestartNeeded(running, next *Config) Faults {
	r := &report{file: next.file}
	before, after := running.settings(), next.settings()
	if a, b := portNames(running), portNames(next); !slices.Equal(a, b) {
		r.fault(pos{}, "the ports are now %s, they were %s: this needs a restart", strings.Join(b, ", "), strings.Join(a, ", "))
		notPort := func(s setting) bool { return strings.HasPrefix(s.id, "port[") }
		before, after = slices.DeleteFunc(before, notPort), slices.DeleteFunc(after, notPort)
	}
	for i, s := range after {
		if old := before[i].value; old != s.value {
			r.fault(next.where[s.id], "%s is now %s, it was %s: this needs a restart", s.id, shown(s.value), shown(old))
		}
	}
	r.sort()
	return r.faults
}

func portNames(c *Config) []string {
	var names []string
	for _, p := range c.Ports {
		names = append(names, p.Name)
	}
	return names
}

func shown(s string) string {
	if s == "" {
		return "empty"
	}
	return s
}

func sourceText(n Node) string {
	var out []string
	if n.Source4.IsValid() {
		out = append(out, n.Source4.String())
	}
	if n.Source6.IsValid() {
		out = append(out, n.Source6.String())
	}
	return strings.Join(out, ", ")
}

func macText(p Port) string {
	if !p.HasNextHop {
		return ""
	}
	m := p.NextHopMAC
	return fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5])
}

package main

import (
	"fmt"
	"net/netip"
	"os/exec"
	"strings"
)

// A builder runs the commands that make the network, one after the other, and
// stops at the first that fails: later calls then do nothing and err stays.
type builder struct {
	t   topology
	say *narrator
	err error
}

// run executes one command in the host's namespace.
func (b *builder) run(argv ...string) {
	if b.err != nil {
		return
	}
	b.say.command(argv)
	if out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil {
		b.err = fmt.Errorf("%s: %w: %s", strings.Join(argv, " "), err, strings.TrimSpace(string(out)))
	}
}

// ip runs an ip command inside a host's namespace.
func (b *builder) ip(host string, line string) {
	b.run(append([]string{"ip", "-n", b.t.ns(host)}, strings.Fields(line)...)...)
}

// in runs any command inside a host's namespace.
func (b *builder) in(host string, argv ...string) {
	b.run(append(inNamespace(b.t.ns(host)), argv...)...)
}

// inNamespace is the prefix that runs a command inside a namespace. It execs, so
// the command keeps the process id.
func inNamespace(ns string) []string { return []string{"ip", "netns", "exec", ns} }

// host adds a namespace. Its settings come before its links, since a link takes
// the defaults of the moment it is made.
func (b *builder) host(name string, settings ...string) {
	b.run("ip", "netns", "add", b.t.ns(name))
	b.in(name, append([]string{"sysctl", "-qw",
		// The way back is not the way there (direct server return), which a
		// reverse path filter takes for forgery.
		"net.ipv4.conf.all.rp_filter=0",
		"net.ipv4.conf.default.rp_filter=0",
		// No waiting for duplicates of addresses that cannot have any.
		"net.ipv6.conf.default.accept_dad=0",
		"net.ipv6.conf.default.accept_ra=0",
	}, settings...)...)
	b.ip(name, "link set lo up")
}

// link joins two hosts by a veth pair. One queue each: the load balancer's AF_XDP
// socket sits on queue 0 and must see every packet.
func (b *builder) link(hostA, devA, macA, hostB, devB, macB string, mtu int) {
	end := func(dev, mac, host string) string {
		s := fmt.Sprintf("name %s netns %s mtu %d numtxqueues 1 numrxqueues 1", dev, b.t.ns(host), mtu)
		if mac != "" {
			s += " address " + mac
		}
		return s
	}
	b.run(strings.Fields("ip link add " + end(devA, macA, hostA) + " type veth peer " + end(devB, macB, hostB))...)
	b.up(hostA, devA)
	b.up(hostB, devB)
}

// up brings a veth end up with all offloads off. A veth leaves checksums and
// segmentation to a NIC that is not there: what it sends is only whole if the
// kernel has done both before (and nobody joins it again on the way).
func (b *builder) up(host, dev string) {
	b.in(host, strings.Fields("ethtool -K "+dev+" tx off tso off gso off gro off")...)
	b.ip(host, "link set "+dev+" up")
}

func (b *builder) address(host, dev string, addrs ...netip.Prefix) {
	for _, a := range addrs {
		if a.Addr().Is6() {
			b.ip(host, "addr add "+a.String()+" dev "+dev+" nodad")
		} else {
			b.ip(host, "addr add "+a.String()+" dev "+dev)
		}
	}
}

func (b *builder) gateways(host string, gateways ...netip.Prefix) {
	for _, g := range gateways {
		b.ip(host, "route add default via "+g.Addr().String())
	}
}

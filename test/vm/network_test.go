//go:build vm

package vm

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// The network around the machines, on this one's kernel:
//
//	gwvm-client  198.51.100.2        2001:db8:c::2
//	    |        veth
//	gwvm-router  198.51.100.1        2001:db8:c::1
//	  bridge lan 192.0.2.1/24        2001:db8::1/64
//	    |        one TAP for each card of the machines
//	node         192.0.2.11          2001:db8::11      routed to it: the VIPs
//	backend N    192.0.2.100 + N     2001:db8::10N     VIPs on lo
const (
	router = "gwvm-router"
	client = "gwvm-client"

	nodeIPv4, nodeIPv6 = "192.0.2.11", "2001:db8::11"
	vipIPv4, vipIPv6   = "203.0.113.10", "2001:db8:ffff::10"
)

func backendIPv4(n int) string { return fmt.Sprintf("192.0.2.%d", 100+n) }
func backendIPv6(n int) string { return fmt.Sprintf("2001:db8::10%d", n) }

// build makes the namespaces, anew if a killed test has left them.
func build(t *testing.T) {
	t.Helper()
	takeAway := func() {
		for _, netns := range []string{client, router} {
			if _, err := os.Stat("/run/netns/" + netns); err == nil {
				exec.Command("ip", "netns", "del", netns).Run()
			}
		}
	}
	takeAway()
	t.Cleanup(takeAway)
	for _, line := range strings.Split(strings.TrimSpace(`
ip netns add gwvm-router
ip netns add gwvm-client
ip -n gwvm-router link set lo up
ip -n gwvm-client link set lo up
ip -n gwvm-router link add uplink type veth peer name eth0 netns gwvm-client
ip -n gwvm-router link add lan type bridge stp_state 0 mcast_snooping 0
ip netns exec gwvm-router sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
ip -n gwvm-router addr add 198.51.100.1/24 dev uplink
ip -n gwvm-router addr add 2001:db8:c::1/64 dev uplink nodad
ip -n gwvm-router addr add 192.0.2.1/24 dev lan
ip -n gwvm-router addr add 2001:db8::1/64 dev lan nodad
ip -n gwvm-client addr add 198.51.100.2/24 dev eth0
ip -n gwvm-client addr add 2001:db8:c::2/64 dev eth0 nodad
ip -n gwvm-router link set uplink up
ip -n gwvm-router link set lan up
ip -n gwvm-client link set eth0 up
ip -n gwvm-client route add default via 198.51.100.1
ip -n gwvm-client route add default via 2001:db8:c::1
ip -n gwvm-router route add 203.0.113.0/24 via 192.0.2.11
ip -n gwvm-router route add 2001:db8:ffff::/64 via 2001:db8::11`), "\n") {
		sh(t, line)
	}
}

// tap makes a TAP on the bridge, for QEMU to open, with as many queues as a
// card has, and returns QEMU's arguments for a card of this model. QEMU knows
// the cable by the TAP's name.
func tap(t *testing.T, name, mac, model string, queues int) []string {
	t.Helper()
	multi := ""
	if queues > 1 {
		multi = " multi_queue"
	}
	sh(t, "ip -n gwvm-router tuntap add mode tap name "+name+multi)
	sh(t, "ip -n gwvm-router link set "+name+" master lan up")
	// As on a cable: checksums and segments are complete when they are sent.
	sh(t, "ip netns exec gwvm-router ethtool -K "+name+" tx off tso off gso off")
	return []string{
		"-netdev", fmt.Sprintf("tap,id=%s,ifname=%s,script=no,downscript=no,vnet_hdr=off,queues=%d", name, name, queues),
		"-device", fmt.Sprintf("%s,id=card-%s,netdev=%s,mac=%s", model, name, name, mac),
	}
}

func sh(t *testing.T, command string) string {
	t.Helper()
	argv := strings.Fields(command)
	out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", command, err, out)
	}
	return string(out)
}

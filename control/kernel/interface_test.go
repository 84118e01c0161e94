package kernel

import (
	"fmt"
	"net/netip"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

func wan() Interface {
	return Interface{
		Name: "gw-wan", MAC: [6]byte{2, 0, 0x5e, 0, 0, 1}, MTU: 1600, Link: true,
		Addresses: []netip.Prefix{cidr("192.0.2.11/24"), cidr("192.0.2.12/24"), cidr("2001:db8::11/64")},
	}
}

// reconcile returns the changes as text.
func reconcile(t *testing.T, k *Kernel, want Interface) []string {
	t.Helper()
	changes, err := k.Reconcile(want)
	if err != nil {
		t.Fatal(err)
	}
	return texts(changes)
}

func texts(changes []Change) (all []string) {
	for _, c := range changes {
		all = append(all, c.String())
	}
	return all
}

func same(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s changed\n\t%s\nwant\n\t%s", what, strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

// has fails unless what ip(8) shows of the interface holds each of the texts.
func (n ns) has(iface string, want ...string) {
	n.Helper()
	shown := n.ip("-d addr show dev %s", iface)
	for _, w := range want {
		if not, forbidden := strings.CutPrefix(w, "!"); strings.Contains(shown, not) == forbidden {
			n.Errorf("%q in\n%s", w, shown)
		}
	}
}

func TestReconcile(t *testing.T) {
	n := newNS(t)
	n.sysctl("ipv4/conf/all/rp_filter", "1")
	n.tap("gw-wan")
	n.ip("link set gw-wan address 02:00:00:00:00:99")
	k := n.follow(Config{Interfaces: []string{"gw-wan"}})

	if _, err := k.Reconcile(Interface{Name: "gw-none"}); err == nil {
		t.Error("an interface that does not exist is reconciled")
	}
	same(t, "the first time", reconcile(t, k, wan()),
		"net.ipv4.conf.rp_filter 0 -> 2",
		"net.ipv4.conf.arp_ignore 0 -> 1",
		"net.ipv4.conf.arp_announce 0 -> 2",
		"net.ipv4.conf.ignore_routes_with_linkdown 0 -> 1",
		"net.ipv6.conf.ignore_routes_with_linkdown 0 -> 1",
		"net.ipv4.conf.promote_secondaries 0 -> 1",
		"net.ipv6.conf.accept_dad 1 -> 0",
		"mtu 1500 -> 1600",
		"mac 02:00:00:00:00:99 -> 02:00:5e:00:00:01",
		"state down -> up",
		"address none -> 192.0.2.11/24",
		"address none -> 192.0.2.12/24",
		"address none -> 2001:db8::11/64",
	)
	n.has("gw-wan", "mtu 1600", "02:00:5e:00:00:01", ",UP,LOWER_UP", "192.0.2.11/24 brd 192.0.2.255",
		"2001:db8::11/64", "fe80::5eff:fe00:1/64")
	// A link-local address that is made sure of is tentative for a second.
	eventually(t, 900*time.Millisecond, "the link-local address to be usable", func() bool {
		return !strings.Contains(n.ip("addr show dev gw-wan"), "tentative")
	})
	same(t, "the second time", reconcile(t, k, wan()))

	// So it is on an interface that was up before, and the address stays.
	n.tap("gw-up")
	n.ip("link set gw-up up")
	if !strings.Contains(n.ip("addr show dev gw-up"), "tentative") {
		t.Error("the kernel does not make sure of a link-local address: this shows nothing")
	}
	up := Interface{Name: "gw-up", Link: true}
	if changes := reconcile(t, k, up); !slices.Contains(changes, "link-local address tentative -> usable") {
		t.Errorf("changed %q", changes)
	}
	n.has("gw-up", "fe80::", "!tentative")
	same(t, "an interface that was up, the second time", reconcile(t, k, up))
	n.has("gw-up", "fe80::", "!tentative")
	eventually(t, quick, "the View to have the addresses", func() bool {
		l, _ := k.View().Link("gw-wan")
		return len(l.Addresses) == 4 && l.MTU == 1600 && l.MAC == wan().MAC && l.Carrier
	})

	// What someone undid comes back, and only that.
	n.ip("addr del 192.0.2.12/24 dev gw-wan")
	n.ip("link set gw-wan mtu 1400")
	n.ip("link set gw-wan down") // takes the IPv6 address along
	same(t, "after interference", reconcile(t, k, wan()),
		"mtu 1400 -> 1600", "state down -> up", "address none -> 192.0.2.12/24", "address none -> 2001:db8::11/64")

	// The carrier follows the link; routes stay, dead.
	n.ip("route add 10.0.0.0/8 via 192.0.2.1")
	to(t, k, "10.0.0.1", "192.0.2.1/1")
	down := wan()
	down.Link = false
	same(t, "a lost link", reconcile(t, k, down), "carrier on -> off")
	same(t, "a link still lost", reconcile(t, k, down))
	to(t, k, "10.0.0.1")
	if got := n.ip("route show 10.0.0.0/8"); !strings.Contains(got, "dead linkdown") {
		t.Errorf("route without link: %s", got)
	}
	same(t, "the link again", reconcile(t, k, wan()), "carrier off -> on")
	to(t, k, "10.0.0.1", "192.0.2.1/1")

	// Addresses of others stay: in our subnets, as secondaries of ours, and
	// even those that we want as well.
	n.ip("addr add 192.0.2.50/24 dev gw-wan")
	n.ip("addr add 198.51.100.1/24 dev gw-wan")
	fewer := wan()
	fewer.Addresses = []netip.Prefix{cidr("2001:db8::11/64"), cidr("198.51.100.1/24")}
	same(t, "fewer addresses", reconcile(t, k, fewer), "address 192.0.2.11/24 -> none", "address 192.0.2.12/24 -> none")
	n.has("gw-wan", "192.0.2.50/24", "198.51.100.1/24", "!192.0.2.11", "!192.0.2.12")

	// A fault in one thing does not stop the others.
	odd := wan()
	odd.MTU, odd.Addresses = 70000, append(odd.Addresses, cidr("2001:db8::11/48"))
	changes, err := k.Reconcile(odd)
	if err == nil || !strings.Contains(err.Error(), "mtu 70000") || !strings.Contains(err.Error(), "2001:db8::11/48") {
		t.Errorf("error %v", err)
	}
	same(t, "with faults", texts(changes), "address none -> 192.0.2.11/24", "address none -> 192.0.2.12/24")

	// Release takes back what is ours, and nothing that others set since.
	n.sysctl("ipv4/conf/gw-wan/arp_ignore", "2")
	n.ip("link set gw-wan mtu 1450")
	released, err := k.Release("gw-wan")
	if err != nil {
		t.Fatal(err)
	}
	same(t, "the release", texts(released),
		"address 192.0.2.11/24 -> none", "address 192.0.2.12/24 -> none", "address 2001:db8::11/64 -> none",
		"state up -> down",
		"mac 02:00:5e:00:00:01 -> 02:00:00:00:00:99",
		"net.ipv6.conf.accept_dad 0 -> 1",
		"net.ipv4.conf.promote_secondaries 1 -> 0",
		"net.ipv6.conf.ignore_routes_with_linkdown 1 -> 0",
		"net.ipv4.conf.ignore_routes_with_linkdown 1 -> 0",
		"net.ipv4.conf.arp_announce 2 -> 0",
		"net.ipv4.conf.rp_filter 2 -> 0",
	)
	n.has("gw-wan", "mtu 1450", "192.0.2.50/24", "198.51.100.1/24", "!192.0.2.11", "!192.0.2.12", "!2001:db8")
	if again, err := k.Release("gw-wan"); err != nil || len(again) > 0 {
		t.Errorf("released again: %v, %v", again, err)
	}
	if none, err := k.Release("gw-none"); err != nil || len(none) > 0 {
		t.Errorf("released what is not there: %v, %v", none, err)
	}
}

// TestLeftovers: what a killed process left on an interface that outlived it
// is removed by the next one, and what it left and is wanted still is kept.
func TestLeftovers(t *testing.T) {
	n := newNS(t)
	n.tap("gw-wan")
	killed := n.follow(Config{})
	reconcile(t, killed, wan())
	killed.Close()
	n.ip("addr add 192.0.2.50/24 dev gw-wan")

	k := n.follow(Config{})
	want := wan()
	want.Addresses = []netip.Prefix{cidr("192.0.2.12/24")}
	same(t, "the next process", reconcile(t, k, want), "address 192.0.2.11/24 -> none", "address 2001:db8::11/64 -> none")
	n.has("gw-wan", "192.0.2.12/24", "192.0.2.50/24")
	if _, err := k.Release("gw-wan"); err != nil {
		t.Fatal(err)
	}
	n.has("gw-wan", "!192.0.2.12/24", "192.0.2.50/24")
}

// TestNoCarrierLever: an interface whose carrier cannot be set goes down and
// comes up with the link.
func TestNoCarrierLever(t *testing.T) {
	lb, _ := pair(t)
	k := lb.follow(Config{Interfaces: []string{"lb0"}})
	want := Interface{Name: "lb0", Link: true}
	reconcile(t, k, want)
	want.Link = false
	same(t, "a lost link", reconcile(t, k, want), "state up -> down")
	same(t, "a link still lost", reconcile(t, k, want))
	want.Link = true
	same(t, "the link again", reconcile(t, k, want), "state down -> up")
	same(t, "the link still there", reconcile(t, k, want))
}

// TestARPNamesThePort: the kernel answers with the wanted link address, and not
// for addresses of other interfaces.
func TestARPNamesThePort(t *testing.T) {
	lb, router := pair(t)
	lb.ip("addr add 203.0.113.7/32 dev lo")
	k := lb.follow(Config{Interfaces: []string{"lb0"}})
	mac := [6]byte{2, 0, 0x5e, 0, 0, 0x42}
	reconcile(t, k, Interface{Name: "lb0", MAC: mac, Addresses: []netip.Prefix{cidr("192.0.2.40/24")}, Link: true})
	r := router.follow(Config{Interfaces: []string{"r0"}})
	router.ip("route add 203.0.113.7 dev r0")
	r.Want(ips("192.0.2.40", "203.0.113.7"))
	eventually(t, 5*time.Second, "192.0.2.40 to name the port", func() bool {
		h := r.View().NextHops(ip("192.0.2.40"))
		return len(h) == 1 && h[0].MAC == mac
	})
	eventually(t, 6*time.Second, "no answer for the address of another interface", func() bool {
		return r.View().NextHops(ip("203.0.113.7"))[0].State == Failed
	})
}

// TestNetTap: the interface that DPDK's net_tap makes takes all of it.
func TestNetTap(t *testing.T) {
	n := newNS(t)
	testpmd := exec.Command("ip", "netns", "exec", n.name, "dpdk-testpmd",
		"--no-huge", "-m", "64", "--no-pci", "--no-shconf", "-l", "0,1", "--file-prefix", n.name,
		"--vdev=net_tap0,iface=gw-wan,mac=02:00:5e:00:00:01",
		"--", "-i", "--total-num-mbufs=2048")
	var out strings.Builder
	testpmd.Stdout, testpmd.Stderr = &out, &out
	stdin, err := testpmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := testpmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- testpmd.Wait() }()
	k := n.follow(Config{Interfaces: []string{"gw-wan"}})
	eventually(t, 20*time.Second, "net_tap's interface to come", func() bool {
		l, ok := k.View().Link("gw-wan")
		return ok && l.Up && l.Carrier
	})
	time.Sleep(200 * time.Millisecond) // testpmd is still setting it up
	got := reconcile(t, k, wan())
	if !slices.Contains(got, "mtu 1500 -> 1600") || slices.ContainsFunc(got, func(c string) bool { return strings.HasPrefix(c, "mac") }) {
		t.Errorf("changed %q", got)
	}
	n.has("gw-wan", "mtu 1600", "02:00:5e:00:00:01", "192.0.2.11/24", "LOWER_UP")
	down := wan()
	down.Link = false
	same(t, "a lost link", reconcile(t, k, down), "carrier on -> off")
	n.has("gw-wan", "NO-CARRIER")
	same(t, "the link again", reconcile(t, k, wan()), "carrier off -> on")
	fmt.Fprintln(stdin, "quit")
	stdin.Close()
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("testpmd: %v", err)
		}
	case <-time.After(20 * time.Second):
		_ = testpmd.Process.Kill()
		t.Error("testpmd does not end")
	}
	if t.Failed() {
		t.Log(out.String())
	}
	eventually(t, quick, "the interface to go with its process", func() bool { _, ok := k.View().Link("gw-wan"); return !ok })
}

//go:build vm

package vm

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// built has what image.sh has made, and takes the machines' logs.
var built = os.Getenv("VM_IMAGE")

// alone holds a lock until the test is over: names of namespaces and of files
// are fixed, so that what a killed run has left can be found.
func alone(t *testing.T) {
	t.Helper()
	f, err := os.Create("/run/lock/guideway-vm")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		t.Fatalf("another test has virtual machines: %v", err)
	}
}

// cards of the node. The first has one queue in each direction; the second as
// many as QEMU is told, and RSS; the third does not say how it spreads, and QEMU
// has all arrive by the first queue: lcores hand over to each other.
var cards = []card{
	{name: "e1000e", pci: "0000:00:03.0", tap: "node0", driver: "net_e1000_em", lcores: "1"},
	{name: "virtio", pci: "0000:00:04.0", tap: "node1", driver: "net_virtio", lcores: "1, 2", rss: true},
	{name: "vmxnet3", pci: "0000:00:05.0", tap: "node2", driver: "net_vmxnet3", lcores: "1, 2"},
}

const backends = 2

// TestMachines boots a node and two backends once, and plays all scenes on one
// card of the node after the other.
func TestMachines(t *testing.T) {
	for _, file := range []string{"vmlinuz", "initrd", "root.img"} {
		if _, err := os.Stat(filepath.Join(built, file)); err != nil {
			t.Fatalf("VM_IMAGE=%s: %v: make test-vm makes it", built, err)
		}
	}
	if os.Geteuid() != 0 {
		t.Fatal("it takes root, for network namespaces")
	}
	alone(t)
	build(t)

	began := time.Now()
	args := []string{"-m", "1280", "-smp", "3", "-device", "intel-iommu,intremap=on"}
	args = append(args, tap(t, cards[0].tap, "02:00:00:00:00:11", "e1000e,addr=3", 1)...)
	args = append(args, tap(t, cards[1].tap, "02:00:00:00:00:12", "virtio-net-pci,addr=4,mq=on,vectors=8,rss=on,disable-legacy=on,iommu_platform=on", 2)...)
	args = append(args, tap(t, cards[2].tap, "02:00:00:00:00:13", "vmxnet3,addr=5", 1)...)
	n := node{boot(t, router, "node", "intel_iommu=on iommu=pt", args...)}
	var servers []*machine
	for i := 1; i <= backends; i++ {
		args := append([]string{"-m", "256"}, tap(t, fmt.Sprintf("backend%d", i), fmt.Sprintf("02:00:00:00:01:%02x", i), "virtio-net-pci", 1)...)
		servers = append(servers, boot(t, router, fmt.Sprintf("backend%d", i), "init=/vm/init", args...))
	}
	for i, s := range servers {
		s.ready()
		serve(t, s, i+1)
	}
	n.ready()
	t.Logf("three machines up after %v", time.Since(began).Round(time.Second))

	for _, c := range cards {
		t.Run(c.name, func(t *testing.T) { scenes(t, n, c, servers) })
		if t.Failed() {
			return // the next needs the node in order
		}
	}
}

// serve makes a machine a backend by the script of the package, and starts a
// server on the VIPs.
func serve(t *testing.T, s *machine, number int) {
	t.Helper()
	s.run(t, fmt.Sprintf(`set -e
hostname %s
ip addr add %s/24 dev eth0
ip addr add %s/64 dev eth0 nodad
ip link set eth0 up
ip route add default via 192.0.2.1
ip route add default via 2001:db8::1`, s.name, backendIPv4(number), backendIPv6(number)))
	script := "/usr/share/guideway/backend/guideway-backend "
	s.run(t, script+fmt.Sprintf("up --vip %s --vip %s --from %s --from %s", vipIPv4, vipIPv6, nodeIPv4, nodeIPv6))
	t.Logf("%s:\n%s", s.name, s.run(t, script+"status"))
	s.run(t, fmt.Sprintf("setsid /vm/guest serve %s %s </dev/null >/run/serve.log 2>&1 &", vipIPv4, vipIPv6))
}

// scenes takes a card from the kernel to the service and back.
func scenes(t *testing.T, n node, c card, servers []*machine) {
	play := func(name string, scene func(*testing.T, node, card)) {
		if !t.Failed() {
			t.Run(name, func(t *testing.T) {
				began := time.Now()
				scene(t, n, c)
				t.Logf("%v", time.Since(began).Round(100*time.Millisecond))
			})
		}
	}
	defer func() {
		if t.Failed() {
			t.Logf("guidewayd said last:\n%s", n.log(t, 80))
			_, said := n.try(t, time.Minute, "for what in ports cores counters kernel; do guideway console -c \"show $what\" unix:/run/guideway/console.sock; done 2>&1")
			t.Logf("%s", said)
			for _, s := range servers {
				_, said := s.try(t, time.Minute, "cat /run/serve.log; /usr/share/guideway/backend/guideway-backend status; ip neigh; ip -s link show eth0")
				t.Logf("%s: %s", s.name, said)
			}
		}
	}()
	play("install", install)
	play("http", httpThroughGRE)
	play("fragments", fragments)
	play("path-mtu", pathMTU)
	play("reload", reload)
	play("kill", kill)
	play("cable", cable)
	play("stop", stop)
}

// install follows docs/install.md: the file, the machine, the service.
func install(t *testing.T, n node, c card) {
	// The same address by another card: the router would stay with the old one a while.
	sh(t, "ip -n "+router+" neigh flush dev lan")
	n.write(t, "/etc/guideway/guideway.toml", nodeConfig(c, 1, 2))
	n.run(t, "guideway check /etc/guideway/guideway.toml")
	if exit, said := n.try(t, time.Minute, "guideway setup"); exit != 1 || !strings.Contains(said, "MISSING") {
		t.Errorf("guideway setup finds nothing missing on a new machine: exit status %d\n%s", exit, said)
	}
	n.run(t, "guideway setup --apply")
	n.run(t, "guideway setup")
	n.run(t, "systemctl start guidewayd")
	n.up(t, c)
	t.Logf("\n%s", n.console(t, "show ports wan"))
}

// up waits until the port has a link, and holds the driver to what it is.
func (n node) up(t *testing.T, c card) {
	t.Helper()
	eventually(t, "link", func() error {
		p := n.list(t, "show ports").Ports[0]
		if p.Driver != c.driver {
			t.Fatalf("the driver is %s, not %s", p.Driver, c.driver)
		}
		if p.RSS != c.rss {
			t.Fatalf("it says how it spreads: %t, not %t", p.RSS, c.rss)
		}
		if !p.Up {
			return fmt.Errorf("it is down")
		}
		return nil
	})
}

// httpThroughGRE has every backend answer, over both families, by what the
// kernel has taken out of its tunnels.
func httpThroughGRE(t *testing.T, n node, c card) {
	for _, vip := range []string{vipIPv4, vipIPv6} {
		before := n.ended(t, "forwarded")
		by := served(t, vip, 20)
		after := n.ended(t, "forwarded")
		t.Logf("%s: %v, %d packets forwarded", vip, by, after-before)
		if len(by) != backends {
			t.Errorf("%s: not every backend has answered: %v", vip, by)
		}
		if after-before < 100 { // 20 connections of at least five packets from the client
			t.Errorf("%s: only %d packets were forwarded", vip, after-before)
		}
	}
	cores := n.list(t, "show cores").Cores
	for _, core := range cores {
		t.Logf("lcore %d: %d received, %d taken over, %d misspread", core.CPU, core.Received, core.Taken, core.Misspread)
		if core.Received+core.Taken == 0 || c.rss && core.Received == 0 {
			t.Errorf("lcore %d has received nothing", core.CPU)
		}
		if core.Misspread > 0 {
			t.Errorf("lcore %d: the device does not spread as it says", core.CPU)
		}
	}
}

func fragments(t *testing.T, n node, c card) {
	for _, vip := range []string{vipIPv4, vipIPv6} {
		echoed(t, vip, 100)
		before := n.ended(t, "forwarded")
		echoed(t, vip, 5000) // four fragments each way
		t.Logf("%s: 5000 bytes and back, %d packets forwarded", vip, n.ended(t, "forwarded")-before)
	}
}

// pathMTU sends full segments where the tunnel leaves no room for them: the
// client learns it from the node's errors.
func pathMTU(t *testing.T, n node, c card) {
	for vip, want := range map[string]string{vipIPv4: "mtu 1476", vipIPv6: "mtu 1456"} {
		sh(t, "ip -n "+client+" route flush cache")
		sh(t, "ip -n "+client+" -6 route flush cache")
		before := n.ended(t, "too_big_answered")
		if _, err := post(newClient(false), vip, random(200_000)); err != nil {
			t.Fatalf("%s: %v", vip, err)
		}
		route := sh(t, "ip -n "+client+" route get "+vip)
		if !strings.Contains(route, want) {
			t.Errorf("%s: the client knows no %s: %s", vip, want, route)
		}
		answered := n.ended(t, "too_big_answered") - before
		t.Logf("%s: 200 kB arrived, %s learnt from %d errors", vip, want, answered)
		if answered == 0 {
			t.Errorf("%s: no error was sent", vip)
		}
	}
}

// reload takes a backend away, and brings it back. systemd has the signal sent
// and does not wait for what it does: the node is asked.
func reload(t *testing.T, n node, c card) {
	to := func(list ...int) {
		n.write(t, "/etc/guideway/guideway.toml", nodeConfig(c, list...))
		n.run(t, "systemctl reload guidewayd")
		eventually(t, "new configuration in effect", func() error {
			if said := n.console(t, "show pools ipv4"); strings.Contains(said, backendIPv4(2)) != (len(list) == backends) {
				return fmt.Errorf("the pool is\n%s", said)
			}
			return nil
		})
	}
	to(1)
	for _, vip := range []string{vipIPv4, vipIPv6} {
		if by := served(t, vip, 8); by["backend1"] != 8 {
			t.Errorf("%s: %v with backend 1 alone", vip, by)
		}
	}
	to(1, 2)
	if by := served(t, vipIPv4, 20); len(by) != backends {
		t.Errorf("%v with both backends", by)
	}
}

// kill ends guidewayd in the middle of its work. The card is left as it was,
// ring and all, and the next process takes it; a connection goes on.
func kill(t *testing.T, n node, c card) {
	kept := newClient(true)
	defer kept.CloseIdleConnections()
	first, err := post(kept, vipIPv4, random(1000))
	if err != nil {
		t.Fatal(err)
	}
	pid := n.run(t, "systemctl show -P MainPID guidewayd")
	n.run(t, "kill -9 "+pid)
	began := time.Now()
	eventually(t, "new process that forwards", func() error {
		// The other way round it could be the old process that is active, and none that is there.
		if now := n.run(t, "systemctl show -P MainPID guidewayd"); now == pid || now == "0" {
			return fmt.Errorf("its process is %s", now)
		}
		if exit, said := n.try(t, time.Minute, "systemctl is-active guidewayd"); exit != 0 {
			return fmt.Errorf("guidewayd is %s", said)
		}
		return nil
	})
	t.Logf("forwards again after %v", time.Since(began).Round(100*time.Millisecond))
	n.up(t, c)
	again, err := post(kept, vipIPv4, random(1000))
	if err != nil {
		t.Errorf("the connection from before did not go on: %v", err)
	} else if again != first {
		t.Errorf("the request went to %s, and the connection was with %s", again, first)
	}
	for _, vip := range []string{vipIPv4, vipIPv6} {
		if by := served(t, vip, 10); len(by) != backends {
			t.Errorf("%s: %v", vip, by)
		}
	}
}

// cable pulls the network cable, and plugs it in again.
func cable(t *testing.T, n node, c card) {
	n.monitor(t, "set_link "+c.tap+" off")
	eventually(t, "notice that the link is down", func() error {
		if n.list(t, "show ports").Ports[0].Up {
			return fmt.Errorf("it is up")
		}
		return nil
	})
	n.monitor(t, "set_link "+c.tap+" on")
	n.up(t, c)
	for _, vip := range []string{vipIPv4, vipIPv6} {
		served(t, vip, 5)
	}
}

// stop ends the service in order: every frame is back, and no process is left.
func stop(t *testing.T, n node, c card) {
	n.run(t, "systemctl stop guidewayd")
	if said := n.log(t, 20); !strings.Contains(said, "every frame is back") {
		t.Errorf("not every frame is back:\n%s", said)
	}
	if state := n.run(t, "systemctl show -P Result guidewayd"); state != "success" {
		t.Errorf("the service ended with %s", state)
	}
	n.run(t, "! pgrep guidewayd")
}

package fleet

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// frr is zebra, bgpd and bfdd of FRR.
type frr struct {
	*fleet
	peering
	dir  string
	cmds []*exec.Cmd
}

func newFRR(f *fleet, p peering) router {
	f.t.Helper()
	bgp := fmt.Sprintf(`router bgp %d
 bgp router-id %s
 no bgp ebgp-requires-policy
 no bgp default ipv4-unicast
 bgp bestpath as-path multipath-relax
`, routerAS, edge4.Addr())
	family := " maximum-paths 16\n"
	for _, node := range p.nodes {
		bgp += fmt.Sprintf(" neighbor %s remote-as %d\n neighbor %[1]s timers connect 1\n", node, nodeAS)
		if p.password {
			bgp += fmt.Sprintf(" neighbor %s password %s\n", node, password)
		}
		if p.bfd {
			bgp += fmt.Sprintf(" neighbor %s bfd %d 300 300\n", node, bfdMultiplier)
		}
		family += fmt.Sprintf("  neighbor %s activate\n", node)
	}
	for _, name := range []string{"ipv4", "ipv6"} {
		bgp += fmt.Sprintf(" address-family %s unicast\n %s exit-address-family\n", name, family)
	}
	r := &frr{fleet: f, peering: p}
	r.dir = f.routerFiles("frr defaults datacenter\n" + bgp)
	r.own()
	r.start()
	return r
}

// own gives the folder to the user that FRR's programs become.
func (r *frr) own() {
	r.t.Helper()
	who, err := user.Lookup("frr")
	if err != nil {
		r.t.Fatal(err)
	}
	uid, err := strconv.Atoi(who.Uid)
	// The folders above are of the test alone.
	err = errors.Join(err, os.Chown(r.dir, uid, -1), os.Chmod(r.fleet.dir, 0o755), os.Chmod(filepath.Dir(r.fleet.dir), 0o755))
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *frr) start() {
	r.t.Helper()
	r.cmds = nil
	for _, name := range []string{"zebra", "bfdd", "bgpd"} {
		argv := []string{"/usr/lib/frr/" + name, "-f", r.dir + "/conf", "-i", r.dir + "/" + name + ".pid",
			"-z", r.dir + "/zserv", "--vty_socket", r.dir, "-P", "0", "--log", "file:" + r.dir + "/log"}
		if name == "bfdd" {
			argv = append(argv, "--bfdctl", r.dir+"/bfdd.sock")
		}
		r.cmds = append(r.cmds, r.routerDaemon([]string{"vtysh", "--vty_socket", r.dir, "-d", name, "-c", "show version"}, argv...))
	}
}

// end ends bgpd first: it has routes to take out of the kernel, by way of zebra.
func (r *frr) end(s syscall.Signal) {
	for i := len(r.cmds); i > 0; i-- {
		finish(r.cmds[i-1], s)
	}
}

func (r *frr) route(vip netip.Addr, node int) (a attributes) {
	r.t.Helper()
	family, prefix := "ipv4", netip.PrefixFrom(vip, vip.BitLen()).String()
	if vip.Is6() {
		family = "ipv6"
	}
	var got struct {
		Paths []struct {
			ASPath    struct{ String string }
			MED       json.Number `json:"metric"`
			Community struct{ String string }
			Large     struct{ String string } `json:"largeCommunity"`
			Nexthops  []struct{ IP string }
			Peer      struct{ PeerID string }
		}
	}
	out, err := exec.Command("vtysh", "--vty_socket", r.dir, "-d", "bgpd", "-c", "show bgp "+family+" unicast "+prefix+" json").Output()
	if err == nil {
		err = json.Unmarshal(out, &got)
	}
	if err != nil {
		r.t.Fatalf("vtysh: %v: %s", err, out)
	}
	for _, p := range got.Paths {
		if p.Peer.PeerID == r.peering.nodes[node].String() {
			numbers := strings.NewReplacer("graceful-shutdown", "65535:0", "no-export", "65535:65281") // FRR writes names
			return attributes{p.ASPath.String, p.Nexthops[0].IP, string(p.MED), words(numbers.Replace(p.Community.String)), words(p.Large.String)}
		}
	}
	return a
}

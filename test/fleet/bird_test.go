package fleet

import (
	"fmt"
	"net/netip"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// bird is BIRD 2.
type bird struct {
	*fleet
	dir string
	cmd *exec.Cmd
}

const birdHead = `
router id 192.0.2.1;
protocol device { scan time 1; }
protocol kernel { merge paths; ipv4 { import none; export where source = RTS_BGP; }; }
protocol kernel { merge paths; ipv6 { import none; export where source = RTS_BGP; }; }
filter vips { if (65535, 0) ~ bgp_community then bgp_local_pref = 0; accept; }
template bgp node {
	connect delay time 1; connect retry time 1; error wait time 1, 1; startup hold time 3;
	ipv4 { import filter vips; export none; };
	ipv6 { import filter vips; export none; };
`

func newBird(f *fleet, p peering) router {
	f.t.Helper()
	text := birdHead + fmt.Sprintf("\tlocal as %d;\n", routerAS)
	if p.password {
		text += fmt.Sprintf("\tpassword %q;\n", password)
	}
	if p.bfd {
		text += "\tbfd on;\n"
	}
	text += fmt.Sprintf("}\nprotocol bfd { interface \"*\" { interval 300 ms; multiplier %d; }; }\n", bfdMultiplier)
	for i, node := range p.nodes {
		text += fmt.Sprintf("protocol bgp %s from node { neighbor %s as %d; }\n", nodeName(i), node, nodeAS)
	}
	b := &bird{fleet: f, dir: f.routerFiles(text)}
	b.start()
	return b
}

func (b *bird) start() {
	b.t.Helper()
	b.cmd = b.routerDaemon([]string{"birdc", "-s", b.dir + "/ctl", "show", "status"},
		"bird", "-f", "-c", b.dir+"/conf", "-s", b.dir+"/ctl", "-P", b.dir+"/pid")
}

func (b *bird) end(s syscall.Signal) { finish(b.cmd, s) }

func (b *bird) route(vip netip.Addr, node int) (a attributes) {
	b.t.Helper()
	prefix := netip.PrefixFrom(vip, vip.BitLen()).String()
	// That there is no such route is an error to birdc.
	out, _ := exec.Command("birdc", "-s", filepath.Join(b.dir, "ctl"), "show", "route", prefix, "protocol", nodeName(node), "all").CombinedOutput()
	for line := range strings.Lines(string(out)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch name {
		case "BGP.as_path":
			a.Path = value
		case "BGP.next_hop":
			a.NextHop = strings.Fields(value)[0] // the link-local one follows
		case "BGP.med":
			a.MED = value
		case "BGP.community":
			a.Communities = words(strings.NewReplacer("(", "", ")", "", ",", ":").Replace(value))
		case "BGP.large_community":
			a.Large = words(strings.NewReplacer("(", "", ")", "", ", ", ":").Replace(value))
		}
	}
	return a
}

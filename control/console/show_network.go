package console

import (
	"fmt"
	"net/netip"
	"strings"
)

func showPorts() *command {
	return &command{
		name: "show ports", args: "[NAME]", watched: true,
		short: "ports: link, address, traffic and losses; with a name also the driver's counters",
		long: `MISSED is what the device dropped because the cores were late, NO FRAME what it
dropped because the memory for packets was full.`,
		example: "show ports wan",
		complete: then(func(n Node) (names []string) {
			for _, p := range n.Ports() {
				names = append(names, p.Info.Name)
			}
			return names
		}),
		run: func(c *call) (answer, error) {
			if err := showPorts().most(1, c.args); err != nil {
				return nil, err
			}
			a, names := &portList{Ports: []portRow{}}, []string(nil)
			for _, port := range c.node.Ports() {
				names = append(names, port.Info.Name)
				if len(c.args) == 0 || c.args[0] == port.Info.Name {
					a.Ports = append(a.Ports, newPortRow(port, len(c.args) == 1))
				}
			}
			if len(c.args) == 1 && len(a.Ports) == 0 {
				return nil, noSuch("port", c.args[0], names)
			}
			return a, nil
		},
	}
}

type portRow struct {
	Name      string  `json:"name"`
	Device    string  `json:"device"`
	Driver    string  `json:"driver"`
	MAC       string  `json:"mac"`
	MTU       int     `json:"mtu"`
	Queues    int     `json:"queues"`
	RxQueues  int     `json:"rx_queues"`
	RSS       bool    `json:"rss"` // the device says how it spreads
	Up        bool    `json:"up"`
	SpeedMbps uint32  `json:"speed_mbps"` // 0: not known
	RxPackets uint64  `json:"rx_packets"`
	RxBytes   uint64  `json:"rx_bytes"`
	TxPackets uint64  `json:"tx_packets"`
	TxBytes   uint64  `json:"tx_bytes"`
	Missed    uint64  `json:"rx_missed"`
	NoFrame   uint64  `json:"rx_no_frame"`
	RxErrors  uint64  `json:"rx_errors"`
	TxErrors  uint64  `json:"tx_errors"`
	Error     string  `json:"error"` // why the counters are not known
	XStats    []xstat `json:"xstats,omitempty"`
}

type xstat struct {
	Name  string `json:"name"`
	Value uint64 `json:"value"`
}

func newPortRow(p Port, whole bool) portRow {
	r := portRow{
		Name: p.Info.Name, Device: p.Info.Device, Driver: p.Info.Driver, MAC: macText(p.Info.MAC), MTU: p.Info.MTU,
		Queues: p.Info.Queues, RxQueues: p.Info.RxQueues, RSS: p.Info.RSS != nil, Up: p.Link.Up, SpeedMbps: p.Link.SpeedMbps,
		RxPackets: p.Stats.RxPackets, RxBytes: p.Stats.RxBytes, TxPackets: p.Stats.TxPackets, TxBytes: p.Stats.TxBytes,
		Missed: p.Stats.RxMissed, NoFrame: p.Stats.RxNoFrame, RxErrors: p.Stats.RxErrors, TxErrors: p.Stats.TxErrors, Error: p.Error,
	}
	if whole {
		for _, x := range p.XStats {
			r.XStats = append(r.XStats, xstat(x))
		}
	}
	return r
}

func macText(m [6]byte) string {
	return fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5])
}

type portList struct {
	Ports []portRow `json:"ports"`
}

func (a *portList) text(p *page) {
	t := newTable("NAME", "LINK", ">SPEED", "MAC", ">MTU", ">RX PACKETS", ">RX BYTES", ">TX PACKETS", ">TX BYTES", ">MISSED", ">NO FRAME", ">RX ERRORS", ">TX ERRORS")
	about := newTable("NAME", "DEVICE", "DRIVER", ">QUEUES", ">RECEIVING", "RSS", "ERROR")
	for _, r := range a.Ports {
		t.row(r.Name, upDown(r.Up), speed(r.SpeedMbps), r.MAC, r.MTU, count(r.RxPackets), size(r.RxBytes), count(r.TxPackets), size(r.TxBytes),
			count(r.Missed), count(r.NoFrame), count(r.RxErrors), count(r.TxErrors))
		about.row(r.Name, r.Device, r.Driver, r.Queues, r.RxQueues, yesNo(r.RSS), r.Error)
	}
	p.table(t, "there is no port")
	p.line("")
	p.table(about, "there is no port")
	for _, r := range a.Ports {
		if len(r.XStats) > 0 {
			p.line("")
			x := newTable("COUNTER OF THE DRIVER", ">VALUE")
			for _, one := range r.XStats {
				x.row(one.Name, count(one.Value))
			}
			p.table(x, "")
		}
	}
}

func speed(mbps uint32) string {
	switch {
	case mbps == 0:
		return "unknown"
	case mbps%1000 == 0:
		return fmt.Sprint(mbps/1000, " Gbit/s")
	}
	return fmt.Sprint(mbps, " Mbit/s")
}

func showBGP() *command {
	return &command{
		name: "show bgp", watched: true,
		short:   "sessions with routers, and the routes that they are sent",
		long:    "Nothing that routers send is used: RECEIVED should be 0. A route of several VIPs\nstays as long as one of them does.",
		example: "show bgp",
		run: func(c *call) (answer, error) {
			if err := showBGP().most(0, c.args); err != nil {
				return nil, err
			}
			s := c.node.Status()
			return &bgpAnswer{BGP: c.node.BGP(), Draining: s.Draining, Unhealthy: s.Unhealthy}, nil
		},
	}
}

type bgpAnswer struct {
	BGP
	Draining  bool   `json:"draining"`  // an operator has everything withdrawn
	Unhealthy string `json:"unhealthy"` // why the watchdog has
}

func (a *bgpAnswer) text(p *page) {
	if a.ASN == 0 {
		p.line("there is no [bgp]: routes to this node come by other means")
		return
	}
	p.pairs("as", fmt.Sprint(a.ASN), "router id", addr(a.RouterID))
	if a.Draining {
		p.line("the node is drained: every route is withdrawn (undrain node)")
	}
	if a.Unhealthy != "" {
		p.line("every route is withdrawn: %s", a.Unhealthy)
	}
	p.line("")
	t := newTable("PEER", ">AS", "STATE", ">FOR", "FAMILIES", ">SENT", ">RECEIVED", "BFD", "LAST ERROR")
	for _, r := range a.Peers {
		t.row(r.Address, r.ASN, r.State, p.age(r.Since), strings.Join(r.Families, ","), r.Sent, r.Received, r.BFD, r.LastError)
	}
	p.table(t, "there is no peer")
	p.line("")
	routes := newTable("ROUTE", "VIPS", "COMMUNITIES")
	for _, r := range a.Routes {
		routes.row(r.Prefix, strings.Join(r.VIPs, ","), strings.Join(r.Communities, " "))
	}
	p.table(routes, "nothing is announced")
}

// addr writes an address; nothing if it is none.
func addr(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

func showNodes() *command {
	return &command{
		name: "show nodes", watched: true,
		short:   "the other load balancers: whether they answer, and whose fragments they take",
		long:    "SHARE is of the datagrams that come in fragments, which the node owns now. A node\nthat is down owns none: the rest takes them.",
		example: "show nodes",
		run: func(c *call) (answer, error) {
			if err := showNodes().most(0, c.args); err != nil {
				return nil, err
			}
			return &nodeList{Nodes: append([]FleetNode{}, c.node.Nodes()...)}, nil
		},
	}
}

type nodeList struct {
	Nodes []FleetNode `json:"nodes"`
}

func (a *nodeList) text(p *page) {
	t := newTable("NAME", "ADDRESS", "STATE", ">FOR", ">LATENCY", ">SHARE", "LAST ERROR")
	for _, n := range a.Nodes {
		state := n.State
		if n.Self {
			state = "this node"
		}
		t.row(n.Name, n.Address, state, p.age(n.Since), n.Latency, percent(n.Share), n.Error)
	}
	p.table(t, "[fragments].nodes is empty: this node is on its own")
}

func showKernel() *command {
	return &command{
		name: "show kernel", watched: true,
		short:   "the kernel's interfaces, and the next hop to every backend and node",
		long:    "Packets go to the MAC address of a next hop. One that is failed or incomplete\nnobody answers for: what is for its destination is dropped (no_next_hop).",
		example: "show kernel",
		run: func(c *call) (answer, error) {
			if err := showKernel().most(0, c.args); err != nil {
				return nil, err
			}
			k := c.node.Kernel()
			return &kernelAnswer{Kernel{append([]Interface{}, k.Interfaces...), append([]NextHop{}, k.NextHops...)}}, nil
		},
	}
}

type kernelAnswer struct{ Kernel }

func (a *kernelAnswer) text(p *page) {
	t := newTable("INTERFACE", "PORT", "STATE", "MAC", ">MTU", "ADDRESSES")
	for _, i := range a.Interfaces {
		state := upDown(i.Up)
		if i.Up && !i.Carrier {
			state = "up, no carrier"
		}
		var list []string
		for _, one := range i.Addresses {
			list = append(list, one.String())
		}
		t.row(i.Name, i.Port, state, i.MAC, i.MTU, strings.Join(list, " "))
	}
	p.table(t, "no port has a kernel interface")
	p.line("")
	hops := newTable("DESTINATION", "ROUTE", "INTERFACE", "VIA", "MAC", "STATE", ">WEIGHT")
	for _, h := range a.NextHops {
		if h.Interface == "" && h.MAC == "" {
			hops.row(h.Destination, h.Route, "", "", "", "no next hop", "")
			continue
		}
		hops.row(h.Destination, h.Route, h.Interface, addr(h.Via), h.MAC, h.State, h.Weight)
	}
	p.table(hops, "nothing is sent anywhere")
}

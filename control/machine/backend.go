package machine

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Backend is what a backend of load balancers is.
type Backend struct {
	Kernel    string             `json:"kernel"`
	Tunnels   []Tunnel           `json:"tunnels"`
	Addresses []Address          `json:"addresses"`          // global ones, of all interfaces
	Settings  map[string]string  `json:"settings"`           // below net, of interfaces: "ipv4/conf/all/rp_filter"
	Ways      map[netip.Addr]Way `json:"ways"`               // to each load balancer that there is one to
	MSS       map[string]int     `json:"advmss"`             // family -> the smallest advmss of its default routes; 0: one has none
	Listening []netip.AddrPort   `json:"listening"`          // TCP
	Firewall  []string           `json:"firewall,omitempty"` // input chains that drop by default
	LetsGRE   bool               `json:"firewall_names_gre"` // a rule speaks of protocol 47
	Modules   map[string]bool    `json:"modules"`            // of GRE: whether the kernel has it, or may load it
	Unknown   []string           `json:"unknown,omitempty"`
}

// A Tunnel is an interface that takes GRE.
type Tunnel struct {
	Name    string     `json:"name"`
	Kind    string     `json:"kind"`            // "gre", "ip6gre", "gretap" ...
	Remote  netip.Addr `json:"remote,omitzero"` // not valid: any
	Local   netip.Addr `json:"local,omitzero"`  // likewise
	Key     string     `json:"key"`
	Up      bool       `json:"up"`
	IPv4    bool       `json:"has_ipv4"` // an address of any scope
	Packets uint64     `json:"received"`
	Errors  uint64     `json:"errors"`
	Dropped uint64     `json:"dropped"`
}

// An Address is one of an interface.
type Address struct {
	IP        netip.Addr `json:"address"`
	Interface string     `json:"interface"`
	Up        bool       `json:"up"`
}

// A Way is how a load balancer is reached, and so where its tunnels come from.
type Way struct {
	Interface string `json:"interface"`
	MTU       int    `json:"mtu"`
}

// LookBackend reads what a backend is, which has its packets from load balancers
// at these addresses.
func LookBackend(s Source, from []netip.Addr) *Backend {
	t := tree{s.Files}
	b := &Backend{Kernel: t.text("proc/sys/kernel/osrelease"), Settings: map[string]string{}, Ways: map[netip.Addr]Way{}, MSS: map[string]int{}, Modules: map[string]bool{}}
	unknown := func(err error) {
		if err != nil {
			b.Unknown = append(b.Unknown, err.Error())
		}
	}
	all, err := links(s)
	unknown(err)
	mtu := map[string]int{}
	for _, l := range all {
		mtu[l.Name] = l.MTU
		if strings.Contains(l.Info.Kind, "gre") {
			b.Tunnels = append(b.Tunnels, tunnel(l))
		}
		for _, a := range l.Addresses {
			if a.Scope == "global" {
				b.Addresses = append(b.Addresses, Address{a.Local, l.Name, l.up()})
			}
		}
	}
	for _, node := range from {
		ways, _ := ask[route](s, "-j", "route", "get", node.String()) // ip fails where there is none
		for _, w := range ways {
			b.Ways[node] = Way{w.Dev, mtu[w.Dev]}
		}
	}
	for family, option := range map[string]string{"IPv4": "-4", "IPv6": "-6"} {
		routes, err := ask[route](s, option, "-j", "route", "show", "default")
		unknown(err)
		for i, r := range routes {
			if i == 0 || r.mss() < b.MSS[family] {
				b.MSS[family] = r.mss()
			}
		}
	}
	b.lookSettings(t)
	b.Listening = listening(t)
	b.lookFirewall(s)
	release := "lib/modules/" + b.Kernel + "/"
	modules := t.text(release+"modules.dep") + t.text(release+"modules.builtin")
	for _, name := range []string{"ip_gre", "ip6_gre"} {
		b.Modules[name] = t.has("sys/module/"+name) || strings.Contains(modules, "/"+name+".ko") ||
			slices.ContainsFunc(b.Tunnels, func(t Tunnel) bool { return strings.HasPrefix(t.Kind, "ip6") == (name == "ip6_gre") })
	}
	slices.Sort(b.Unknown)
	return b
}

func tunnel(l link) Tunnel {
	t := Tunnel{Name: l.Name, Kind: l.Info.Kind, Key: l.Info.Data.Key, Up: l.up(), Packets: l.Stats.Rx.Packets, Errors: l.Stats.Rx.Errors, Dropped: l.Stats.Rx.Dropped}
	t.Remote, _ = netip.ParseAddr(l.Info.Data.Remote) // "any" is not valid, as is meant
	t.Local, _ = netip.ParseAddr(l.Info.Data.Local)
	for _, a := range []*netip.Addr{&t.Remote, &t.Local} {
		if a.IsUnspecified() {
			*a = netip.Addr{}
		}
	}
	for _, a := range l.Addresses {
		t.IPv4 = t.IPv4 || a.Local.Is4()
	}
	if t.Key == "0.0.0.0" {
		t.Key = ""
	}
	return t
}

// lookSettings reads what decides about packets out of a tunnel, of every interface.
func (b *Backend) lookSettings(t tree) {
	for family, names := range map[string][]string{"ipv4": {"rp_filter", "arp_ignore", "arp_announce"}, "ipv6": {"disable_ipv6"}} {
		dir := "proc/sys/net/" + family + "/conf"
		for _, in := range t.names(dir) {
			for _, name := range names {
				if v := t.text(dir + "/" + in + "/" + name); v != "" {
					b.Settings[family+"/conf/"+in+"/"+name] = v
				}
			}
		}
	}
}

// effective is what counts for an interface: the larger of its own value and
// that of all.
func (b *Backend) effective(in, name string) int {
	own, _ := strconv.Atoi(b.Settings["ipv4/conf/"+in+"/"+name])
	all, _ := strconv.Atoi(b.Settings["ipv4/conf/all/"+name])
	return max(own, all)
}

// listening are the TCP sockets that wait for clients.
func listening(t tree) (list []netip.AddrPort) {
	for _, file := range []string{"proc/net/tcp", "proc/net/tcp6"} {
		for line := range strings.Lines(t.text(file)) {
			const listen = "0A"
			if w := strings.Fields(line); len(w) > 3 && w[3] == listen {
				if end := socketEnd(w[1]); end.IsValid() {
					list = append(list, end)
				}
			}
		}
	}
	slices.SortFunc(list, netip.AddrPort.Compare)
	return slices.Compact(list)
}

// lookFirewall sees what can be seen of it: that there is one which drops what no
// rule lets in, and whether a rule speaks of GRE. No nft, no judgement: it is not
// everywhere, and neither are firewalls.
func (b *Backend) lookFirewall(s Source) {
	out, err := s.Run("nft", "list", "ruleset")
	if err != nil {
		return
	}
	chain := ""
	for line := range strings.Lines(string(out)) {
		w := strings.Fields(line)
		switch {
		case len(w) > 2 && w[0] == "chain":
			chain = w[1]
		case strings.Contains(line, "hook input") && strings.Contains(line, "policy drop"):
			b.Firewall = append(b.Firewall, chain)
		case strings.Contains(line, "accept") && (slices.Contains(w, "gre") || slices.Contains(w, "47")):
			b.LetsGRE = true
		}
	}
}

package machine

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// A link is an interface as `ip -j` writes it.
type link struct {
	Name      string   `json:"ifname"`
	Flags     []string `json:"flags"`
	MTU       int      `json:"mtu"`
	Addresses []struct {
		Local  netip.Addr `json:"local"`
		Length int        `json:"prefixlen"`
		Scope  string     `json:"scope"`
	} `json:"addr_info"`
	Info struct {
		Kind string `json:"info_kind"`
		Data struct {
			Remote string `json:"remote"`
			Local  string `json:"local"`
			Key    string `json:"ikey"`
		} `json:"info_data"`
	} `json:"linkinfo"`
	Stats struct {
		Rx struct {
			Packets uint64 `json:"packets"`
			Errors  uint64 `json:"errors"`
			Dropped uint64 `json:"dropped"`
		} `json:"rx"`
	} `json:"stats64"`
}

func (l *link) up() bool { return slices.Contains(l.Flags, "UP") }

// A route is one as `ip -j` writes it.
type route struct {
	Type string `json:"type"`
	To   string `json:"dst"`
	Dev  string `json:"dev"`
	Ways []struct {
		Dev string `json:"dev"`
	} `json:"nexthops"`
	Metrics []struct {
		MSS int `json:"advmss"`
	} `json:"metrics"`
}

// mss is the segment size that clients are asked for; 0: as the interface has it.
func (r *route) mss() int {
	for _, m := range r.Metrics {
		if m.MSS > 0 {
			return m.MSS
		}
	}
	return 0
}

// devices that it leads out by.
func (r *route) devices() []string {
	devices := []string{r.Dev}
	for _, w := range r.Ways {
		devices = append(devices, w.Dev)
	}
	return devices
}

// ask runs ip, whose answer is JSON.
func ask[T any](s Source, args ...string) (list []T, err error) {
	args = append([]string{"ip"}, args...)
	out, err := s.Run(args...)
	if err == nil && len(out) > 0 {
		err = json.Unmarshal(out, &list)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", strings.Join(args, " "), err)
	}
	return list, nil
}

func links(s Source) ([]link, error) { return ask[link](s, "-d", "-s", "-j", "addr", "show") }

// lookNetwork says who uses the NICs' interfaces.
func (f *Facts) lookNetwork(s Source) {
	all, err := links(s)
	if err != nil {
		f.Unknown = append(f.Unknown, err.Error())
	}
	byName := map[string]link{}
	for _, l := range all {
		byName[l.Name] = l
	}
	defaults := map[string][]string{} // interface -> families
	for family, option := range map[string]string{"IPv4": "-4", "IPv6": "-6"} {
		routes, err := ask[route](s, option, "-j", "route", "show", "table", "all")
		if err != nil {
			f.Unknown = append(f.Unknown, err.Error())
		}
		for _, r := range routes {
			if r.To != "default" || r.Type != "" && r.Type != "unicast" {
				continue
			}
			for _, dev := range r.devices() {
				defaults[dev] = append(defaults[dev], family)
			}
		}
	}
	sessions := f.sessions(s, all)
	for i := range f.NICs {
		for j := range f.NICs[i].Interfaces {
			in := &f.NICs[i].Interfaces[j]
			l := byName[in.Name]
			in.Up, in.Carrier, in.MTU = l.up(), slices.Contains(l.Flags, "LOWER_UP"), l.MTU
			for _, name := range append([]string{in.Name}, in.Upper...) {
				for _, a := range byName[name].Addresses {
					if a.Scope == "global" {
						in.Addresses = append(in.Addresses, netip.PrefixFrom(a.Local, a.Length))
					}
				}
				in.Default = append(in.Default, defaults[name]...)
				in.Sessions = append(in.Sessions, sessions[name]...)
			}
			slices.Sort(in.Default)
			in.Default = slices.Compact(in.Default)
			slices.SortFunc(in.Sessions, netip.Addr.Compare)
			in.Sessions = slices.Compact(in.Sessions)
		}
	}
	slices.Sort(f.Unknown)
}

// sessions are those of SSH, by the interfaces that they need: that which has
// the address at this end, and that which leads to the other.
func (f *Facts) sessions(s Source, all []link) map[string][]netip.Addr {
	t := tree{s.Files}
	ports, sockets := sshPorts(t), sshSockets(t)
	found := map[string][]netip.Addr{}
	seen := map[[2]netip.Addr]bool{}
	note := func(local, peer netip.Addr) {
		if local.IsLoopback() || seen[[2]netip.Addr{local, peer}] {
			return
		}
		seen[[2]netip.Addr{local, peer}] = true
		for _, l := range all {
			for _, a := range l.Addresses {
				if a.Local == local {
					found[l.Name] = append(found[l.Name], peer)
				}
			}
		}
		way, _ := ask[route](s, "-j", "route", "get", peer.String()) // no way: none is needed
		for _, r := range way {
			found[r.Dev] = append(found[r.Dev], peer)
		}
	}
	for _, file := range []string{"proc/net/tcp", "proc/net/tcp6"} {
		for line := range strings.Lines(t.text(file)) {
			const established = "01"
			w := strings.Fields(line)
			if len(w) < 4 || w[3] != established {
				continue
			}
			const inode = 9
			local, peer := socketEnd(w[1]), socketEnd(w[2])
			if local.IsValid() && peer.IsValid() && (slices.Contains(ports, local.Port()) || len(w) > inode && sockets[w[inode]]) {
				note(local.Addr(), peer.Addr())
			}
		}
	}
	// Of who asks, whatever sshd is: "CLIENT PORT SERVER PORT".
	if w := strings.Fields(s.SSH); len(w) == 4 {
		peer, err1 := netip.ParseAddr(w[0])
		local, err2 := netip.ParseAddr(w[2])
		if err1 == nil && err2 == nil {
			note(local, peer)
		}
	}
	return found
}

// sshSockets are the inodes of the sockets that sshd has, on whatever port; it
// takes root to see them. The ports are for all others.
func sshSockets(t tree) map[string]bool {
	sockets := map[string]bool{}
	for _, entry := range t.names("proc") {
		if _, err := strconv.Atoi(entry); err != nil || !strings.HasPrefix(t.text("proc/"+entry+"/comm"), "sshd") {
			continue
		}
		for _, fd := range t.names("proc/" + entry + "/fd") {
			if inode, ok := strings.CutPrefix(t.link("proc/"+entry+"/fd/"+fd), "socket:["); ok {
				sockets[strings.TrimSuffix(inode, "]")] = true
			}
		}
	}
	return sockets
}

// sshPorts are those that sshd is told to listen on: 22, if nothing else.
func sshPorts(t tree) (ports []uint16) {
	lines := append(uncommented(t.text("etc/ssh/sshd_config")), t.lines(".conf", "etc/ssh/sshd_config.d")...)
	for _, line := range lines {
		w := strings.Fields(line)
		if len(w) == 2 && strings.EqualFold(w[0], "port") {
			if n, err := strconv.ParseUint(w[1], 10, 16); err == nil {
				ports = append(ports, uint16(n))
			}
		}
	}
	if len(ports) == 0 {
		return []uint16{22}
	}
	return ports
}

// socketEnd reads "0100007F:0016" of /proc/net/tcp: 32-bit words in the order
// of this machine, which is little-endian, and the port.
func socketEnd(s string) netip.AddrPort {
	host, port, _ := strings.Cut(s, ":")
	b, err := hex.DecodeString(host)
	n, err2 := strconv.ParseUint(port, 16, 16)
	if err != nil || err2 != nil || len(b)%4 != 0 {
		return netip.AddrPort{}
	}
	for i := 0; i < len(b); i += 4 {
		binary.BigEndian.PutUint32(b[i:], binary.LittleEndian.Uint32(b[i:]))
	}
	a, ok := netip.AddrFromSlice(b)
	if !ok {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(a.Unmap(), uint16(n))
}

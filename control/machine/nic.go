package machine

import (
	"slices"
	"strconv"
	"strings"
)

// vendors by their number, as people know them.
var vendors = map[string]string{
	"8086": "Intel", "15b3": "Mellanox", "14e4": "Broadcom", "1af4": "virtio", "15ad": "VMware", "1d0f": "Amazon", "10ec": "Realtek",
	"1077": "QLogic", "19e5": "Huawei", "1dd8": "Pensando", "1425": "Chelsio", "1ae0": "Google",
}

const (
	pciDevices  = "sys/bus/pci/devices/"
	vfio        = "vfio-pci"
	networkUnit = "0x02" // base class of the PCI bus
	bridgeUnit  = "0x06"
)

func (f *Facts) lookNICs(t tree) {
	for _, address := range t.names("sys/bus/pci/devices") {
		dir := pciDevices + address + "/"
		if !strings.HasPrefix(t.text(dir+"class"), networkUnit) {
			continue
		}
		vendor := strings.TrimPrefix(t.text(dir+"vendor"), "0x")
		n := NIC{
			Address: address,
			ID:      vendor + ":" + strings.TrimPrefix(t.text(dir+"device"), "0x"),
			Vendor:  vendors[vendor],
			Driver:  t.link(dir + "driver"),
			Node:    max(0, t.number(dir+"numa_node", 0)), // -1: the machine has one
			Group:   -1,
		}
		if o := t.text(dir + "driver_override"); o != "(null)" {
			n.Override = o
		}
		if g, err := strconv.Atoi(t.link(dir + "iommu_group")); err == nil {
			n.Group = g
			n.Mates = mates(t, g, address)
		}
		for _, name := range interfaces(t, dir) {
			n.Interfaces = append(n.Interfaces, Interface{Name: name, Upper: upper(t, name)})
		}
		f.NICs = append(f.NICs, n)
	}
}

// interfaces are a device's: of its own, or of the virtio device on it.
func interfaces(t tree, dir string) []string {
	names := t.names(dir + "net")
	for _, child := range t.names(dir[:len(dir)-1]) {
		if strings.HasPrefix(child, "virtio") {
			names = append(names, t.names(dir+child+"/net")...)
		}
	}
	return names
}

// upper lists what stands on an interface, and on that: bonds, bridges, VLANs.
func upper(t tree, name string) (all []string) {
	for _, entry := range t.names("sys/class/net/" + name) {
		if above, ok := strings.CutPrefix(entry, "upper_"); ok && len(all) < 100 {
			for _, u := range append([]string{above}, upper(t, above)...) {
				if !slices.Contains(all, u) {
					all = append(all, u)
				}
			}
		}
	}
	return all
}

// mates are the other devices of a group.
func mates(t tree, group int, but string) (m []Mate) {
	for _, address := range t.names("sys/kernel/iommu_groups/" + strconv.Itoa(group) + "/devices") {
		if address != but && !strings.HasPrefix(t.text(pciDevices+address+"/class"), bridgeUnit) {
			m = append(m, Mate{address, t.link(pciDevices + address + "/driver")})
		}
	}
	return m
}

// Bifurcated tells whether DPDK drives the card through the kernel's own driver,
// which therefore stays.
func (n *NIC) Bifurcated() bool {
	return strings.HasPrefix(n.ID, "15b3:") && (n.Driver == "mlx5_core" || n.Driver == "mlx4_core" || n.Driver == "")
}

// Uses says what would be cut if the kernel lost the card; nil: nothing that
// somebody would miss at once.
func (n *NIC) Uses() (uses []string) {
	for _, i := range n.Interfaces {
		for _, family := range i.Default {
			uses = append(uses, "the "+family+" default route")
		}
		for _, client := range i.Sessions {
			uses = append(uses, "an SSH session from "+client.String())
		}
	}
	return uses
}

// addresses are those of its interfaces and of what stands on them.
func (n *NIC) addresses() string {
	var all []string
	for _, i := range n.Interfaces {
		for _, a := range i.Addresses {
			all = append(all, a.String())
		}
	}
	return strings.Join(all, ", ")
}

// names are the NIC's interfaces with what stands on them.
func (n *NIC) names() string {
	var names []string
	for _, i := range n.Interfaces {
		name := i.Name
		if len(i.Upper) > 0 {
			name += " in " + strings.Join(i.Upper, ", ")
		}
		names = append(names, name)
	}
	return strings.Join(names, ", ")
}

package machine

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

const modulesText = `# By guideway setup: hands network cards to guidewayd.
vfio-pci
`

// beforeLine is how the pages file remembers what there was before: for undo.
var beforeLine = regexp.MustCompile(`^# before: (\d+) in (/sys/\S+)$`)

// pagesText is the file that reserves pages, of one size and for what each node
// is to have, at boot. tmpfiles runs early, and knows nodes, which sysctl does not.
func pagesText(f *Facts, size uint64, boot map[int]int) string {
	var b strings.Builder
	b.WriteString("# By guideway setup: hugepages of each NUMA node, reserved at boot.\n")
	old := f.Boot.Ours[pagesFile]
	for _, node := range f.Nodes {
		if boot[node] == 0 {
			continue
		}
		file := poolFile(node, size)
		before := pool(f.Hugepages, node, size).Total
		for line := range strings.Lines(old) {
			if m := beforeLine.FindStringSubmatch(strings.TrimSpace(line)); m != nil && m[2] == file {
				fmt.Sscan(m[1], &before)
			}
		}
		fmt.Fprintf(&b, "# before: %d in %s\nw %s - - - - %d\n", before, file, file, boot[node])
	}
	return b.String()
}

// rulesText is the file of udev's that gives cards to vfio-pci. A driver that
// was loaded before udev read it, from the initial RAM disk, is taken off again.
func rulesText(cards []string) string {
	var b strings.Builder
	b.WriteString("# By guideway setup: cards that vfio-pci gets, whatever driver would fit.\n")
	for _, address := range cards {
		fmt.Fprintf(&b, `ACTION=="add", SUBSYSTEM=="pci", KERNEL=="%s", ATTR{driver_override}="vfio-pci", `+
			`RUN+="/bin/sh -c 'cd /sys/bus/pci/devices/$kernel && { [ driver -ef /sys/bus/pci/drivers/vfio-pci ] || [ ! -e driver ] || echo $kernel >driver/unbind; echo $kernel >/sys/bus/pci/drivers_probe; }'"`+"\n", address)
	}
	return b.String()
}

// Undo is what takes away all that setup has made, as its files tell. Cards go
// back to the kernel's driver.
func Undo(f *Facts) (steps []Step) {
	for _, address := range ourCards(f) {
		n := f.NIC(address)
		if n == nil {
			continue
		}
		steps = append(steps, set("/"+pciDevices+address+"/driver_override", ""))
		if n.Driver == vfio {
			steps = append(steps, set("/"+pciDevices+address+"/driver/unbind", address), set("/sys/bus/pci/drivers_probe", address))
		}
	}
	for line := range strings.Lines(f.Boot.Ours[pagesFile]) {
		if m := beforeLine.FindStringSubmatch(strings.TrimSpace(line)); m != nil {
			steps = append(steps, set(m[2], m[1]))
		}
	}
	for _, name := range []string{rulesFile, pagesFile, modulesFile} {
		if _, there := f.Boot.Ours[name]; there {
			steps = append(steps, Step{Remove: name})
		}
	}
	if slices.ContainsFunc(steps, func(s Step) bool { return s.Remove == rulesFile }) {
		steps = append(steps, command("udevadm", "control", "--reload"))
	}
	return steps
}

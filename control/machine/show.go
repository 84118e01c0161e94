package machine

import (
	"cmp"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
)

// telling are the words of the kernel's command line that matter here.
var telling = regexp.MustCompile(`iommu|^(isolcpus|nohz|nohz_full|rcu_nocbs|irqaffinity|(default_)?hugepages.*|vfio.*|intel_idle\..*|processor\..*|mitigations|nomodule)\b`)

// WriteFacts writes what a machine is, for people.
func WriteFacts(w io.Writer, f *Facts) {
	line := func(what, text string, args ...any) {
		fmt.Fprintf(w, "  %-10s %s\n", what, strings.TrimSpace(fmt.Sprintf(text, args...)))
	}
	guest := ""
	if f.CPUs.Guest {
		guest = ", a virtual machine"
	}
	line("CPUs", "%s: %s%s; isolated: %s", FormatCPUs(f.CPUs.Online), cmp.Or(f.CPUs.Model, "unknown"), guest, cmp.Or(FormatCPUs(f.CPUs.Isolated), "none"))
	if len(f.Nodes) > 1 {
		for _, node := range f.Nodes {
			var of []int
			for _, c := range f.CPUs.Each {
				if c.Node == node {
					of = append(of, c.ID)
				}
			}
			line("", "NUMA node %d: %s", node, FormatCPUs(of))
		}
	}
	for i, h := range f.Hugepages {
		what := ""
		if i == 0 {
			what = "hugepages"
		}
		line(what, "node %d: %d of %s, %d free; at boot %d", h.Node, h.Total, inBytes(h.Size), h.Free, pool(f.Boot.Hugepages, h.Node, h.Size).Total)
	}
	line("kernel", "%s %s", f.Kernel, strings.Join(slices.DeleteFunc(slices.Clone(f.Command), func(word string) bool { return !telling.MatchString(word) }), " "))
	line("IOMMU", "%s, %s", cmp.Or(f.IOMMU.Kind, "none"), groups(f.IOMMU.Groups))
	if len(f.NICs) == 0 {
		line("cards", "none on the PCI bus")
	}
	for i := range f.NICs {
		what := ""
		if i == 0 {
			what = "cards"
		}
		line(what, "%s", f.NICs[i].describe())
	}
}

// describe is one line on a card.
func (n *NIC) describe() string {
	text := fmt.Sprintf("%s %s driver %s, node %d", n.Address, strings.TrimSpace(n.Vendor+" "+n.ID)+",", cmp.Or(n.Driver, "none"), n.Node)
	for _, i := range n.Interfaces {
		state := "down"
		switch {
		case i.Carrier:
			state = "up"
		case i.Up:
			state = "no link"
		}
		text += fmt.Sprintf("; %s %s", i.Name, state)
		if len(i.Upper) > 0 {
			text += " in " + strings.Join(i.Upper, ", ")
		}
		for _, a := range i.Addresses {
			text += " " + a.String()
		}
	}
	if uses := n.Uses(); len(uses) > 0 {
		text += "; carries " + strings.Join(uses, ", ")
	}
	return text
}

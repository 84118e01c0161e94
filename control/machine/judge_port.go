package machine

import (
	"fmt"
	"slices"
	"strings"
)

func judgePorts(f *Facts, w Want) (findings []Finding) {
	var take []string // cards that vfio is to have at the next start
	var cards []Finding
	for _, p := range w.Ports {
		topic := fmt.Sprintf("port %q", p.Name)
		if p.Name == p.Device {
			topic = p.Name
		}
		if !p.PCI {
			cards = append(cards, fine(topic, "%s is no card on the PCI bus: nothing to set up", p.Device))
			continue
		}
		n := f.NIC(p.Device)
		if n == nil {
			cards = append(cards, missing(topic, "there is no network card %s", p.Device).advise("%s", here(f)))
			continue
		}
		if n.Bifurcated() {
			cards = append(cards, fine(topic, "%s (%s %s) stays with its driver, %s, which DPDK works by", n.Address, n.Vendor, n.ID, n.Driver))
			continue
		}
		found := judgeCard(f, w, n, topic)
		cards = append(cards, found)
		if found.Severity < Missing || found.Steps != nil {
			take = append(take, n.Address)
		}
	}
	if !slices.ContainsFunc(w.Ports, func(p Port) bool { n := f.NIC(p.Device); return n != nil && !n.Bifurcated() }) {
		return cards // no card needs vfio
	}
	findings = append(findings, judgeIOMMU(f), judgeVFIO(f))
	findings = append(findings, cards...)
	return append(findings, judgeBootCards(f, take)...)
}

// here lists what cards there are.
func here(f *Facts) string {
	if len(f.NICs) == 0 {
		return "this machine has none on the PCI bus"
	}
	var list []string
	for _, n := range f.NICs {
		one := n.Address
		if names := n.names(); names != "" {
			one += " (" + names + ")"
		}
		list = append(list, one)
	}
	return "here are " + strings.Join(list, ", ")
}

func judgeIOMMU(f *Facts) Finding {
	const topic = "IOMMU"
	switch {
	case f.IOMMU.Groups > 0:
		found := fine(topic, "%s, with %s", strings.TrimSpace(f.IOMMU.Kind+" is on"), groups(f.IOMMU.Groups))
		if !f.CPUs.Guest && !slices.Contains(f.Command, "iommu=pt") {
			found.Severity = Note
			found = found.advise("on the kernel's command line, iommu=pt spares the kernel's own devices the translation")
		}
		return found
	case f.IOMMU.Unsafe:
		return note(topic, "there is none, and vfio does without: the card can write to any memory of this machine, and so can who controls it").
			advise("guidewayd then needs more capabilities: docs/install.md")
	}
	found := missing(topic, "there is none at work, so the kernel hands no card to a process")
	switch {
	case f.CPUs.Guest:
		return found.advise(`this is a virtual machine: have the hypervisor give it an IOMMU (libvirt: <iommu model='intel'>; QEMU: -device intel-iommu,
intremap=on with -machine q35,kernel-irqchip=split), and add intel_iommu=on to the kernel's command line. Without one, at your own risk:
echo 'options vfio enable_unsafe_noiommu_mode=1' > /etc/modprobe.d/vfio-noiommu.conf (docs/setup.md)`)
	case f.CPUs.AMD:
		return found.advise("switch on AMD-Vi (IOMMU, SVM) in the firmware: the kernel then uses it by itself, unless amd_iommu=off is on its command line. Add iommu=pt")
	}
	return found.advise("switch on VT-d in the firmware, and add to the kernel's command line: intel_iommu=on iommu=pt")
}

func groups(n int) string {
	if n == 1 {
		return "1 group of devices"
	}
	return fmt.Sprintf("%d groups of devices", n)
}

func judgeVFIO(f *Facts) Finding {
	const topic = vfio
	boot := slices.Contains(f.Boot.Modules, vfio) || f.VFIO.BuiltIn
	switch load, atBoot := command("modprobe", vfio), write(modulesFile, modulesText); {
	case !f.VFIO.Available:
		return missing(topic, "this kernel (%s) has no such driver", f.Kernel).advise("use the distribution's kernel: Debian's linux-image-amd64 has it; linux-image-cloud-amd64 may not")
	case !f.VFIO.Ready && !boot:
		return missing(topic, "not loaded, now or at boot").mend(load, atBoot)
	case !f.VFIO.Ready:
		return missing(topic, "not loaded").mend(load)
	case !boot:
		return missing(topic, "loaded, but not at boot").mend(atBoot)
	case f.VFIO.BuiltIn:
		return fine(topic, "built in")
	}
	return fine(topic, "loaded, and at boot")
}

// judgeCard says whether vfio has a card now, and what it takes.
func judgeCard(f *Facts, w Want, n *NIC, topic string) Finding {
	what := n.Address + " (" + strings.TrimSpace(n.Vendor+" "+n.ID)
	if names := n.names(); names != "" {
		what += ", " + names
	}
	what += ")"
	var others []string // of the same IOMMU group
	for _, m := range n.Mates {
		wanted := slices.ContainsFunc(w.Ports, func(p Port) bool { return p.Device == m.Address })
		if m.Driver != "" && m.Driver != vfio && !wanted {
			others = append(others, m.Address+" ("+m.Driver+")")
		}
	}
	uses := n.Uses()
	switch {
	case n.Driver == vfio && len(others) > 0:
		return missing(topic, "%s has vfio-pci, but shares its IOMMU group with %s: the kernel hands over groups as a whole", what, strings.Join(others, ", ")).
			advise("give these to vfio-pci as well (--nic), or put the card into another slot")
	case n.Driver == vfio:
		return fine(topic, "%s has vfio-pci, on NUMA node %d", what, n.Node)
	case len(uses) > 0 && !w.Force:
		return missing(topic, "%s carries %s: it is not taken away", what, strings.Join(uses, ", ")).
			advise("use another card; or come in by another way, a serial console or a management port, and say --force")
	case len(f.Unknown) > 0 && !w.Force:
		return missing(topic, "%s is with the kernel (%s), and who uses it could not be seen: it is not taken away", what, driverOf(n)).
			advise("see above for what could not be read; --force takes it all the same")
	case len(others) > 0:
		return missing(topic, "%s is with the kernel (%s), and shares its IOMMU group with %s: the kernel hands over groups as a whole", what, driverOf(n), strings.Join(others, ", ")).
			advise("give these to vfio-pci as well (--nic), or put the card into another slot")
	case !f.VFIO.Available || n.Group < 0 && !f.IOMMU.Unsafe:
		return missing(topic, "%s is with the kernel (%s), and stays so until there is an IOMMU and vfio-pci to give it to", what, driverOf(n))
	}
	found := missing(topic, "%s is with the kernel (%s)", what, driverOf(n))
	if len(uses) > 0 {
		found.Text += "; it carries " + strings.Join(uses, ", ") + ", and is taken by force"
	}
	if addresses := n.addresses(); addresses != "" {
		found.Text += "; " + addresses + " go with it"
	}
	var steps []Step
	if !f.VFIO.Ready {
		steps = append(steps, command("modprobe", vfio))
	}
	steps = append(steps, set("/"+pciDevices+n.Address+"/driver_override", vfio))
	if n.Driver != "" {
		steps = append(steps, set("/"+pciDevices+n.Address+"/driver/unbind", n.Address))
	}
	return found.mend(append(steps, set("/sys/bus/pci/drivers_probe", n.Address))...)
}

func driverOf(n *NIC) string {
	if n.Driver == "" {
		return "no driver"
	}
	return n.Driver
}

// judgeBootCards says whether vfio will have the cards after the next start.
func judgeBootCards(f *Facts, take []string) []Finding {
	const topic = "cards at boot"
	var lost []string
	for _, address := range take {
		if f.Boot.Overrides[address] != vfio {
			lost = append(lost, address)
		}
	}
	switch {
	case len(take) == 0:
		return nil
	case len(lost) == 0:
		return []Finding{fine(topic, "vfio-pci gets %s", strings.Join(take, ", "))}
	}
	all := append(ourCards(f), lost...)
	slices.Sort(all)
	return []Finding{missing(topic, "the next start gives %s back to the kernel's driver", strings.Join(lost, ", ")).
		mend(write(rulesFile, rulesText(slices.Compact(all))), command("udevadm", "control", "--reload"))}
}

// ourCards are those that our rules name.
func ourCards(f *Facts) (cards []string) {
	for line := range strings.Lines(f.Boot.Ours[rulesFile]) {
		if m := ruleLine.FindStringSubmatch(line); m != nil {
			cards = append(cards, m[1])
		}
	}
	return cards
}

package config

import (
	"fmt"
	"regexp"
	"strings"
)

var (
	pciDevice  = regexp.MustCompile(`^(?:([0-9a-fA-F]{4,8}):)?([0-9a-fA-F]{2}):([01][0-9a-fA-F])\.([0-7])$`)
	vdevDevice = regexp.MustCompile(`^net_[a-z0-9_]+$`)
	kernelName = regexp.MustCompile(`^(eth|en|wl|veth|bond|br|tap|tun|lo)[a-z0-9.-]*$`)
	deviceArg  = regexp.MustCompile(`^[A-Za-z0-9_-]+=\S+$`)
)

const maxDeviceName = 63 // RTE_DEV_NAME_MAX_LEN less the final zero

// device accepts what EAL takes as one device: a PCI address or the name of a
// virtual device, with the driver's arguments behind it. A PCI address comes
// out in full and in lower case, so that one device has one spelling.
func device(v *value) (string, error) {
	s, err := text(v)
	if err != nil {
		return "", err
	}
	name, args, _ := strings.Cut(s, ",")
	canonical, isPCI := PCIAddress(name)
	switch {
	case strings.ContainsAny(s, " \t\n"):
		return "", fmt.Errorf("%q has a space in it: write device and arguments with commas only", s)
	case isPCI:
	case len(name) > maxDeviceName:
		return "", fmt.Errorf("the device's name has %d characters: at most %d", len(name), maxDeviceName)
	case vdevDevice.MatchString(name):
		canonical = name
	case kernelName.MatchString(name):
		return "", fmt.Errorf("%q is the kernel's name of an interface: write its PCI address (ethtool -i %s shows it as bus-info), or \"net_af_xdp0,iface=%s\" to leave it with the kernel", s, name, name)
	default:
		return "", fmt.Errorf("%q is neither a PCI address, as in \"0000:3b:00.0\", nor a DPDK virtual device, as in \"net_af_xdp0,iface=veth0\"", s)
	}
	if err := driverNeeds(name, args); err != nil {
		return "", err
	}
	if args == "" && !strings.Contains(s, ",") {
		return canonical, nil
	}
	for arg := range strings.SplitSeq(args, ",") {
		if !deviceArg.MatchString(arg) {
			return "", fmt.Errorf("%q has the argument %q: write key=value", s, arg)
		}
	}
	return canonical + "," + args, nil
}

// driverNeeds names the argument without which the two drivers on top of
// kernel interfaces fail in EAL, with a message that does not name the port.
func driverNeeds(name, args string) error {
	for _, driver := range []string{"net_af_xdp", "net_af_packet"} {
		if strings.HasPrefix(name, driver) && !strings.Contains(","+args, ",iface=") {
			return fmt.Errorf("%q needs an interface: write \"%s,iface=NAME\"", name, name)
		}
	}
	return nil
}

// deviceName is the part of a device that must be its own: one PCI device is
// one port, and EAL takes each virtual name once.
func deviceName(device string) string {
	name, _, _ := strings.Cut(device, ",")
	return name
}

// PCIAddress reads a PCI address as people write it, and returns its one
// spelling, in full and in lower case.
func PCIAddress(s string) (address string, ok bool) {
	m := pciDevice.FindStringSubmatch(s)
	if m == nil {
		return "", false
	}
	if m[1] == "" {
		m[1] = "0000"
	}
	return strings.ToLower(m[1] + ":" + m[2] + ":" + m[3] + "." + m[4]), true
}

// PCI is the name of the port's device, and whether that is an address on the
// PCI bus.
func (p Port) PCI() (name string, pci bool) {
	name = deviceName(p.Device)
	return name, pciDevice.MatchString(name)
}

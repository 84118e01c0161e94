package dpdk

import (
	"cmp"
	"regexp"
	"strconv"
	"strings"
)

// Config says how to start EAL.
type Config struct {
	// ControlCPUs are the CPUs of EAL's own threads: its main lcore and the
	// threads that serve interrupts and drivers. Empty: the CPUs that the
	// process may use.
	ControlCPUs []int

	// Memory is the number of bytes to take at the start, rounded up to
	// whole MiB; 0 leaves it to EAL. With Huge, more is taken as needed;
	// without, this is all there is.
	Memory uint64

	// Huge takes memory from hugepages; false from ordinary pages, which
	// devices that do DMA without an IOMMU cannot use.
	Huge bool

	// Devices are the devices that ports will name. PCI addresses are
	// probed by Start, and no PCI device but these; virtual devices are
	// made by [EAL.Open].
	Devices []string

	// ExtraArgs are passed on to EAL behind our own.
	ExtraArgs []string

	// FilePrefix names EAL's runtime directory: "guideway". Processes may
	// share it, because we have EAL put nothing there; they need their own
	// where ExtraArgs change that, as --telemetry does.
	FilePrefix string

	// Log receives what DPDK logs, line by line, one call at a time. It
	// must not call back into this package. nil discards the log.
	Log func(level Level, line string)
}

var pciAddress = regexp.MustCompile(`(?i)^([0-9a-f]{4,8}:)?[0-9a-f]{2}:[0-9a-f]{2}\.[0-7](,|$)`)

// IsPCI tells whether device names a PCI device, as in "0000:3b:00.0", and
// not a virtual one.
func IsPCI(device string) bool { return pciAddress.MatchString(device) }

// deviceName returns device without its arguments.
func deviceName(device string) string {
	name, _, _ := strings.Cut(device, ",")
	return name
}

// deviceArgument returns the value of one of device's arguments; "" where it is
// not there.
func deviceArgument(device, key string) string {
	for _, arg := range strings.Split(device, ",")[1:] {
		if value, found := strings.CutPrefix(arg, key+"="); found {
			return value
		}
	}
	return ""
}

// args returns EAL's command line. cpus must not be empty.
func (c *Config) args(cpus []int) []string {
	list := make([]string, len(cpus))
	for i, cpu := range cpus {
		list[i] = strconv.Itoa(cpu)
	}
	args := []string{
		"guideway",
		// One lcore, number 0, for the control plane. Poll threads
		// register and take the numbers behind it.
		"--lcores=0@(" + strings.Join(list, ",") + ")",
		"--file-prefix=" + cmp.Or(c.FilePrefix, "guideway"),
		"--no-telemetry", // we have our own; and it starts threads
	}
	// No files: nothing is left behind by a kill -9, and several processes
	// run side by side. Both options also turn multi-process support off,
	// which registering threads demands. A single segment is one file
	// descriptor where there were one for each page, and few enough for
	// virtio-user and memif to pass on to their peers.
	if c.Huge {
		args = append(args, "--in-memory", "--single-file-segments")
	} else {
		args = append(args, "--no-huge", "--no-shconf")
	}
	if c.Memory != 0 {
		const mib = 1 << 20
		args = append(args, "-m", strconv.FormatUint((c.Memory+mib-1)/mib, 10))
	}
	pci := false
	for _, d := range c.Devices {
		if IsPCI(d) {
			args = append(args, "-a", d)
			pci = true
		}
	}
	if !pci {
		args = append(args, "--no-pci")
	}
	return append(args, c.ExtraArgs...)
}

// Package machine knows what a load balancer or a backend stands on: CPUs,
// memory, IOMMU, network cards, tunnels, settings of the kernel.
//
// [Look] reads facts and judges nothing. [Judge], [JudgeBackend] and [JudgeProcess]
// are pure: facts and what is wanted come to findings in plain words, some of which
// carry the steps that mend them. A [Doer] takes steps.
package machine

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"os/exec"
)

// A Source is where facts come from. Nothing in it changes the machine.
type Source struct {
	Files fs.FS                                // the machine's /, with symbolic links
	Run   func(argv ...string) ([]byte, error) // a command's standard output
	SSH   string                               // $SSH_CONNECTION of who asks; "": none
}

// Here is this machine.
func Here() Source {
	return Source{
		Files: os.DirFS("/"),
		Run:   output,
		SSH:   os.Getenv("SSH_CONNECTION"),
	}
}

// output runs a command; what it complains of is in the error.
func output(argv ...string) ([]byte, error) {
	out, err := exec.Command(argv[0], argv[1:]...).Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && len(exit.Stderr) > 0 {
		err = fmt.Errorf("%w: %s", err, bytes.TrimSpace(exit.Stderr))
	}
	return out, err
}

// Facts is what a machine is. What could not be read is empty, and named in
// Unknown if that is not as usual.
type Facts struct {
	Kernel      string      `json:"kernel"` // release
	Command     []string    `json:"command_line"`
	CPUs        CPUs        `json:"cpus"`
	Nodes       []int       `json:"numa_nodes"`
	Hugepages   []Hugepages `json:"hugepages"`
	DefaultPage uint64      `json:"default_hugepage_bytes"`
	Mounts      []Mount     `json:"hugetlbfs"`
	IOMMU       IOMMU       `json:"iommu"`
	VFIO        VFIO        `json:"vfio"`
	NICs        []NIC       `json:"nics"`
	Boot        Boot        `json:"at_boot"`
	Locked      uint64      `json:"memlock_bytes"` // limit of this process; [Unlimited]
	Running     []int       `json:"guidewayd"`     // process ids
	Unknown     []string    `json:"unknown,omitempty"`
}

// Unlimited is no limit.
const Unlimited = ^uint64(0)

// CPUs is the processors.
type CPUs struct {
	Model    string `json:"model"`
	AMD      bool   `json:"amd"`
	Guest    bool   `json:"guest"` // there is a hypervisor below
	Online   []int  `json:"online"`
	Isolated []int  `json:"isolated"`
	Each     []CPU  `json:"each"` // online, by number
}

// A CPU is one that threads run on.
type CPU struct {
	ID       int   `json:"id"`
	Node     int   `json:"numa_node"`
	Siblings []int `json:"siblings"` // on the same core, itself too
}

// Hugepages is the pages of one size on one NUMA node.
type Hugepages struct {
	Node  int    `json:"numa_node"`
	Size  uint64 `json:"bytes"` // of a page
	Total int    `json:"total"`
	Free  int    `json:"free"`
}

// A Mount is one of hugetlbfs.
type Mount struct {
	Path string `json:"path"`
	Size uint64 `json:"page_bytes"`
}

// IOMMU is what lets a process have a device to itself.
type IOMMU struct {
	Kind   string `json:"kind"` // "Intel VT-d", "AMD-Vi" ...; "": none is at work
	Groups int    `json:"groups"`
	Unsafe bool   `json:"unsafe_noiommu"` // vfio goes without
}

// VFIO is the driver that hands devices to processes.
type VFIO struct {
	Ready     bool `json:"ready"`     // loaded, or built in
	Available bool `json:"available"` // ready, or there is a module
	BuiltIn   bool `json:"built_in"`
}

// A NIC is a network card, or one port of it, on the PCI bus.
type NIC struct {
	Address    string      `json:"pci_address"`
	ID         string      `json:"id"` // vendor:device
	Vendor     string      `json:"vendor"`
	Driver     string      `json:"driver"`   // "": none
	Override   string      `json:"override"` // the only driver that may have it; "": any
	Node       int         `json:"numa_node"`
	Group      int         `json:"iommu_group"` // -1: none
	Mates      []Mate      `json:"group_mates,omitempty"`
	Interfaces []Interface `json:"interfaces"`
}

// A Mate is another device of the same IOMMU group, which comes and goes with it.
// Bridges do not count.
type Mate struct {
	Address string `json:"pci_address"`
	Driver  string `json:"driver"`
}

// An Interface is the kernel's, of a NIC. What stands on it (a bond, a bridge, a
// VLAN) is Upper, and its addresses and uses count as the NIC's own.
type Interface struct {
	Name      string         `json:"name"`
	Up        bool           `json:"up"`
	Carrier   bool           `json:"carrier"`
	MTU       int            `json:"mtu"`
	Upper     []string       `json:"upper,omitempty"`
	Addresses []netip.Prefix `json:"addresses"`
	Default   []string       `json:"default_routes,omitempty"` // "IPv4", "IPv6"
	Sessions  []netip.Addr   `json:"ssh_sessions,omitempty"`   // their clients
}

// Boot is what the files of the machine say of its next start.
type Boot struct {
	Hugepages []Hugepages       `json:"hugepages"` // Total alone
	Modules   []string          `json:"modules"`   // that are loaded
	Overrides map[string]string `json:"overrides"` // PCI address -> driver
	Ours      map[string]string `json:"-"`         // files of guideway setup -> content
}

// node is the NUMA node of a CPU, -1 of one that is not there.
func (f *Facts) node(cpu int) int {
	for _, c := range f.CPUs.Each {
		if c.ID == cpu {
			return c.Node
		}
	}
	return -1
}

// NIC finds one by its address, nil if there is none.
func (f *Facts) NIC(address string) *NIC {
	for i := range f.NICs {
		if f.NICs[i].Address == address {
			return &f.NICs[i]
		}
	}
	return nil
}

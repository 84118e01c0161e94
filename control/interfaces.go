package control

import (
	"guideway/control/config"
	"guideway/control/kernel"
	"guideway/control/plan"
	"guideway/pmd"
)

// keepInterfaces brings the kernel's interface of each port to the state that
// the port has. What is not as it should be is mended, and logged.
func (m *Manager) keepInterfaces(c *config.Config) {
	if m.o.Kernel == nil {
		return
	}
	for i, p := range c.Ports {
		if p.Kernel == "" {
			continue
		}
		info := m.o.Ports[i].Info()
		changes, err := m.o.Kernel.Reconcile(kernel.Interface{
			Name: p.Kernel, MAC: info.MAC, MTU: p.KernelMTU(), Addresses: p.Addresses, Link: m.o.Ports[i].Link().Up,
		})
		for _, change := range changes {
			m.o.Log.Info("kernel interface set", "interface", p.Kernel, "change", change.String())
		}
		m.logOnce("interface "+p.Kernel, err, "a kernel interface is not as it should be", "interface", p.Kernel)
	}
}

// facts are what the planner needs to know of the open ports.
func facts(ports []pmd.Port) (facts []plan.Port) {
	for _, p := range ports {
		info := p.Info()
		facts = append(facts, plan.Port{MAC: info.MAC, MTU: info.MTU})
	}
	return facts
}

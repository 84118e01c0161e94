package main

import (
	"errors"
	"fmt"
	"net"
	"slices"

	"guideway/control/config"
	"guideway/control/kernel"
	"guideway/lcore"
	"guideway/pmd"
	"guideway/pmd/dpdk"
)

// ringFrames bounds how many frames of one port wait in a transmit ring of
// another.
const ringFrames = 1024

func (n *node) openPorts() error {
	var errs []error
	lcores := len(n.cfg.DPDK.Lcores)
	for _, c := range n.cfg.Ports {
		p, err := n.eal.Open(dpdk.PortConfig{
			Name: c.Name, Device: c.Device, MTU: c.MTU,
			Lcores: lcores, RxQueues: c.RxQueues, Multicast: c.Kernel != "",
			Extra: lcores*(ringFrames*(len(n.cfg.Ports)-1)+lcore.RingFrames+n.cfg.Fragments.Held) + ringFrames,
		})
		if err != nil {
			errs = append(errs, err)
			continue
		}
		info, link := p.Info(), p.Link()
		n.log.Info("port open", "port", info.Name, "device", info.Device, "driver", info.Driver,
			"mac", net.HardwareAddr(info.MAC[:]).String(), "mtu", info.MTU, "queues", info.RxQueues, "link", link.Up)
		n.ports = append(n.ports, p)
	}
	return errors.Join(errs...)
}

// openKernels opens the kernel interfaces of those ports that have one: TAPs,
// with one queue for the one lcore that serves them. (virtio-user over
// /dev/vhost-net would carry more, where the kernel has that.)
func (n *node) openKernels() error {
	n.kernels = make([]pmd.Port, len(n.ports))
	var errs []error
	for i, c := range n.cfg.Ports {
		if c.Kernel == "" {
			continue
		}
		mac := n.ports[i].Info().MAC
		p, err := n.eal.Open(dpdk.PortConfig{
			Name: c.Name + ".kernel", Device: fmt.Sprintf("net_tap%d,iface=%s,mac=%s", i, c.Kernel, net.HardwareAddr(mac[:])),
			MTU: c.KernelMTU(), Lcores: 1, Extra: ringFrames,
		})
		if err != nil {
			errs = append(errs, fmt.Errorf("port %q: kernel interface: %w", c.Name, err))
			continue
		}
		n.log.Info("kernel interface open", "port", c.Name, "interface", c.Kernel)
		n.kernels[i] = p
	}
	return errors.Join(errs...)
}

// followKernel begins to follow what the kernel knows of the ways that lead
// through its interfaces, if there are any.
func (n *node) followKernel() (err error) {
	var names []string
	for _, c := range n.cfg.Ports {
		if c.Kernel != "" {
			names = append(names, c.Kernel)
		}
	}
	if len(names) > 0 {
		n.kernel, err = kernel.New(kernel.Config{Interfaces: names, Log: n.log})
	}
	return err
}

// spread says how a port's packets come to the lcores: by the device, where it
// tells how it spreads them and has a queue for each; else by us.
func (n *node) spread(port int) (rss *pmd.RSS, steer bool) {
	info, lcores := n.ports[port].Info(), len(n.cfg.DPDK.Lcores)
	switch {
	case lcores == 1:
		return nil, false
	case info.RxQueues < lcores || n.cfg.DPDK.Steering == config.SteeringSoftware:
		return nil, true
	case n.cfg.DPDK.Steering == config.SteeringDevice:
		return info.RSS, false
	}
	return info.RSS, info.RSS == nil
}

// allPorts are the ports and their kernel interfaces.
func (n *node) allPorts() []pmd.Port {
	all := slices.Clone(n.ports)
	for _, k := range n.kernels {
		if k != nil {
			all = append(all, k)
		}
	}
	return all
}

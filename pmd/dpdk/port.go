package dpdk

// #include "shim.h"
import "C"

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"guideway/pmd"
)

// txRetries is how often [pmd.Queue.Tx] offers again what a device did not
// take. A device at line rate frees a slot within tens of nanoseconds, which
// is about what one attempt takes; one that has stalled must not stall us.
const txRetries = 8

// tapOverhead is what net_tap allows a frame beside the MTU: an Ethernet
// header, a VLAN tag, and a checksum, which is never there.
const tapOverhead = 14 + 4 + 4

// PortConfig says how to open a port.
type PortConfig struct {
	Name   string // the operator's name
	Device string // PCI address or vdev with arguments

	// Lcores is the number of poll loops, each of which gets a queue pair.
	Lcores int

	// RxQueues is how many of them receive; 0: as many as the device can
	// give. The queues behind them only send.
	RxQueues int

	MTU int // largest L3 packet, in bytes; 0: 1500

	RxDescriptors, TxDescriptors int // a ring's length; 0: the driver's default

	// Extra is the number of frames, beyond the port's own rings, that may
	// be out of its pool at once: held fragments of all cores, frames in
	// rings between cores, and other ports' transmit rings; and where more
	// poll loops free the port's frames than Lcores, 384 for each of these,
	// which it keeps in its cache.
	Extra int

	Promiscuous bool // receive frames for other stations
	Multicast   bool // and for all groups: a kernel interface needs those of neighbour discovery
}

// Port implements [pmd.Port].
type Port struct {
	eal    *EAL
	id     C.uint16_t
	info   pmd.Info
	queues []*queue
	pool   *pool
	xstats xstats

	// keeps is the number of frames that the driver holds from start to
	// end and then forgets. net_af_xdp does that with its fill ring: what it
	// takes when it is set up it replaces one by one, and Close leaves it
	// with the kernel.
	keeps int

	closed bool // main thread only
}

// Open opens a port and starts it. A virtual device is made by it, and
// removed by [Port.Close].
func (e *EAL) Open(cfg PortConfig) (port *Port, err error) {
	if !e.do(func() { port, err = e.open(cfg) }) {
		return nil, ErrClosed
	}
	if err != nil {
		return nil, fmt.Errorf("dpdk: port %q, device %q: %w", cfg.Name, cfg.Device, err)
	}
	return port, nil
}

func (e *EAL) open(cfg PortConfig) (_ *Port, err error) {
	if cfg.MTU == 0 {
		cfg.MTU = 1500
	}
	if cfg.Lcores < 1 || cfg.RxQueues < 0 || cfg.RxQueues > cfg.Lcores {
		return nil, fmt.Errorf("%d receive queues for %d lcores", cfg.RxQueues, cfg.Lcores)
	}
	if slices.ContainsFunc(e.ports, func(p *Port) bool { return deviceName(p.info.Device) == deviceName(cfg.Device) }) {
		return nil, fmt.Errorf("the device is open already")
	}
	p := &Port{eal: e}
	if err := p.find(cfg.Device); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = p.close() // the first error is the one to tell
		}
	}()
	if err := p.setup(cfg); err != nil {
		return nil, err
	}
	e.ports = append(e.ports, p)
	return p, nil
}

func (p *Port) find(device string) error {
	name, args := cString(deviceName(device)), cString(device)
	defer name.free()
	defer args.free()
	if strings.HasPrefix(device, "net_tap") {
		if err := freeInterface(deviceArgument(device, "iface")); err != nil {
			return err
		}
	}
	if err := errno(C.gw_port_find(name.c, args.c, &p.id)); err != nil {
		return fmt.Errorf("no such device, or its driver refuses it and tells the log why: %w", err)
	}
	return nil
}

// freeInterface checks that net_tap can make an interface of that name. Over
// one that is there it would fail without saying so; or, where it is a TAP too,
// share it with its owner.
func freeInterface(name string) error {
	const longest = 15 // IFNAMSIZ, less the final zero
	if len(name) > longest {
		return fmt.Errorf("the kernel takes interface names of %d bytes, and %q has %d", longest, name, len(name))
	}
	c := cString(name)
	defer c.free()
	if C.gw_interface_exists(c.c) != 0 {
		return fmt.Errorf("the kernel has an interface %q already, and net_tap makes its own", name)
	}
	return nil
}

func (p *Port) setup(cfg PortConfig) error {
	var dev C.struct_gw_port_info
	if err := errno(C.gw_port_info(p.id, &dev)); err != nil {
		return fmt.Errorf("rte_eth_dev_info_get: %w", err)
	}
	rx, err := queues(cfg, int(dev.max_rx_queues), int(dev.max_tx_queues))
	if err != nil {
		return err
	}
	if lo, hi := int(dev.min_mtu), int(dev.max_mtu); cfg.MTU < lo || cfg.MTU > hi {
		return fmt.Errorf("MTU %d: the device takes %d to %d", cfg.MTU, lo, hi)
	}
	setup := C.struct_gw_port_setup{
		rx_queues:      C.uint32_t(rx),
		tx_queues:      C.uint32_t(cfg.Lcores),
		rx_descriptors: C.uint32_t(cfg.RxDescriptors),
		tx_descriptors: C.uint32_t(cfg.TxDescriptors),
		mtu:            C.uint32_t(cfg.MTU),
	}
	if cfg.Promiscuous {
		setup.promiscuous = 1
	}
	if cfg.Multicast {
		setup.multicast = 1
	}
	if err := errno(C.gw_port_configure(p.id, &setup)); err != nil {
		return fmt.Errorf("%s with %d receive and %d transmit queues, MTU %d: %w",
			C.GoString(setup.step), rx, cfg.Lcores, cfg.MTU, err)
	}
	rings := rx*int(setup.rx_descriptors) + cfg.Lcores*int(setup.tx_descriptors)
	driver, longest := C.GoString(&dev.driver[0]), 0
	p.pool, err = p.eal.newPool(cfg.Name, driver, poolSize(rings, cfg.Lcores, cfg.Extra), cfg.MTU, int(dev.socket))
	if err != nil {
		return err
	}
	if err := errno(C.gw_port_start(p.id, &setup, p.pool.c)); err != nil {
		return fmt.Errorf("%s: %w", C.GoString(setup.step), err)
	}
	if driver == "net_tap" {
		// A longer frame stops the driver, and all that are behind it in
		// the burst.
		longest = cfg.MTU + tapOverhead
	}
	direct := !slices.Contains(inKernel, driver)
	for i := range cfg.Lcores {
		q, err := newQueue(p.id, i, i < rx, p.pool.c, longest, int(dev.socket), direct)
		if err != nil {
			return err
		}
		p.queues = append(p.queues, q)
	}
	p.info = pmd.Info{
		Name:     cfg.Name,
		Device:   cfg.Device,
		Driver:   driver,
		MTU:      cfg.MTU,
		Queues:   cfg.Lcores,
		RxQueues: rx,
		RSS:      readRSS(p.id, rx),
		Socket:   int(dev.socket),
	}
	for i := range p.info.MAC {
		p.info.MAC[i] = byte(dev.mac[i])
	}
	if p.info.Driver == "net_af_xdp" {
		p.keeps = p.pool.size - p.pool.free()
	}
	return p.xstats.names(p.id)
}

// started tells whether setup came to its end.
func (p *Port) started() bool { return p.info.Queues > 0 }

// queues returns how many receive queues a port gets.
func queues(cfg PortConfig, maxRx, maxTx int) (rx int, err error) {
	if cfg.Lcores > maxTx {
		return 0, fmt.Errorf("%d lcores need as many transmit queues, and the device has %d", cfg.Lcores, maxTx)
	}
	if cfg.RxQueues == 0 {
		return min(cfg.Lcores, maxRx), nil
	}
	if cfg.RxQueues > maxRx {
		return 0, fmt.Errorf("%d receive queues are configured, and the device has %d", cfg.RxQueues, maxRx)
	}
	return cfg.RxQueues, nil
}

// Info implements [pmd.Port].
func (p *Port) Info() pmd.Info { return p.info }

// Queue implements [pmd.Port].
func (p *Port) Queue(i int) pmd.Queue { return p.queues[i] }

// Close implements [pmd.Port]. Frames that the packet path or other ports
// still hold come back to the port's pool later: see [EAL.Close].
func (p *Port) Close() (err error) {
	p.eal.do(func() {
		if p.closed {
			return
		}
		p.eal.ports = slices.DeleteFunc(p.eal.ports, func(q *Port) bool { return q == p })
		if err = p.close(); err != nil {
			err = fmt.Errorf("dpdk: close port %q: %w", p.info.Name, err)
		}
	})
	return err
}

func (p *Port) close() error {
	p.closed = true
	err := errno(C.gw_port_close(p.id, C.uint32_t(p.info.RxQueues), C.uint32_t(p.info.Queues)))
	for _, q := range p.queues {
		err = errors.Join(err, q.delete())
	}
	if p.pool != nil {
		p.pool.idle = true
		p.pool.kept = p.keeps
		if !p.started() {
			// Nobody but the driver has had a frame.
			p.pool.kept = p.pool.size - p.pool.free()
		}
	}
	return err
}

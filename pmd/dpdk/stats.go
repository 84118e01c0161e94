package dpdk

// #include "shim.h"
import "C"

import (
	"fmt"

	"guideway/pmd"
)

// query runs f on EAL's main lcore if the port is open.
func (p *Port) query(what string, f func() C.int) error {
	err := ErrClosed
	p.eal.do(func() {
		if !p.closed {
			err = errno(f())
		}
	})
	if err != nil {
		return fmt.Errorf("dpdk: %s of port %q: %w", what, p.info.Name, err)
	}
	return nil
}

// Link implements [pmd.Port]. A closed port's link is down.
func (p *Port) Link() pmd.Link {
	var c C.struct_gw_link
	if p.query("link", func() C.int { return C.gw_port_link(p.id, &c) }) != nil {
		return pmd.Link{}
	}
	return pmd.Link{Up: c.up != 0, FullDuplex: c.full_duplex != 0, SpeedMbps: uint32(c.speed_mbps)}
}

// Stats implements [pmd.Port].
func (p *Port) Stats() (pmd.Stats, error) {
	var c C.struct_gw_stats
	if err := p.query("statistics", func() C.int { return C.gw_port_stats(p.id, &c) }); err != nil {
		return pmd.Stats{}, err
	}
	return pmd.Stats{
		RxPackets: uint64(c.rx_packets),
		TxPackets: uint64(c.tx_packets),
		RxBytes:   uint64(c.rx_bytes),
		TxBytes:   uint64(c.tx_bytes),
		RxMissed:  uint64(c.rx_missed),
		RxErrors:  uint64(c.rx_errors),
		TxErrors:  uint64(c.tx_errors),
		RxNoFrame: uint64(c.rx_no_frame),
	}, nil
}

// xstats holds the names of a port's extended counters, which stay the same
// while it is open.
type xstats []string

func (x *xstats) names(port C.uint16_t) error {
	n := C.gw_port_xstat_names(port, nil, 0)
	if n <= 0 {
		return nil // the driver has none
	}
	buf := make([]C.char, int(n)*C.GW_XSTAT_NAME)
	if got := C.gw_port_xstat_names(port, &buf[0], C.uint32_t(n)); got != n {
		return fmt.Errorf("rte_eth_xstats_get_names: %d names, then %d", n, got)
	}
	for i := range int(n) {
		*x = append(*x, C.GoString(&buf[i*C.GW_XSTAT_NAME]))
	}
	return nil
}

// XStats implements [pmd.Port].
func (p *Port) XStats() ([]pmd.XStat, error) {
	if len(p.xstats) == 0 {
		return nil, nil
	}
	values := make([]C.uint64_t, len(p.xstats))
	err := p.query("extended statistics", func() C.int {
		return C.gw_port_xstats(p.id, &values[0], C.uint32_t(len(values)))
	})
	if err != nil {
		return nil, err
	}
	list := make([]pmd.XStat, len(values))
	for i, v := range values {
		list[i] = pmd.XStat{Name: p.xstats[i], Value: uint64(v)}
	}
	return list, nil
}

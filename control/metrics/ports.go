package metrics

import (
	"strings"

	"guideway/pmd"
)

var (
	portInfo  = gauge("port_info", "A port's device and driver; always 1.", "port", "device", "driver")
	portUp    = gauge("port_link_up", "Whether a port's link is up.", "port")
	portSpeed = gauge("port_speed_bytes_per_second", "Speed of a port's link; 0: unknown.", "port")
	portNUMA  = gauge("port_numa_node", "NUMA node of a port's device; -1: unknown, or none.", "port")
	portQueue = gauge("port_rx_queues", "Queues by which a port receives.", "port")
	portMTU   = gauge("port_mtu_bytes", "Longest IP packet that a port sends.", "port")

	portXStats        = counter("port_xstat_total", "A driver's own counter, by the driver's name for it.", "port", "xstat")
	portXStatsOmitted = gauge("port_xstats_omitted", "Counters of the driver that are not shown: too many, or two of one name.", "port")
)

// portStats are the counters that every driver has.
var portStats = []struct {
	metric
	value func(*pmd.Stats) uint64
}{
	{counter("port_rx_packets_total", "Frames that a port received.", "port"), func(s *pmd.Stats) uint64 { return s.RxPackets }},
	{counter("port_tx_packets_total", "Frames that a port sent.", "port"), func(s *pmd.Stats) uint64 { return s.TxPackets }},
	{counter("port_rx_bytes_total", "Bytes that a port received.", "port"), func(s *pmd.Stats) uint64 { return s.RxBytes }},
	{counter("port_tx_bytes_total", "Bytes that a port sent.", "port"), func(s *pmd.Stats) uint64 { return s.TxBytes }},
	{counter("port_rx_missed_total", "Frames that a port dropped because its ring was full.", "port"), func(s *pmd.Stats) uint64 { return s.RxMissed }},
	{counter("port_rx_errors_total", "Frames that a port received with errors.", "port"), func(s *pmd.Stats) uint64 { return s.RxErrors }},
	{counter("port_tx_errors_total", "Frames that a port failed to send.", "port"), func(s *pmd.Stats) uint64 { return s.TxErrors }},
	{counter("port_rx_no_buffer_total", "Frames that a port dropped because its pool was empty.", "port"), func(s *pmd.Stats) uint64 { return s.RxNoFrame }},
}

// port shows the device's own counters, and its driver's under their names.
func (c *collector) port(s sender, p pmd.Port) {
	info, link := p.Info(), p.Link()
	s.send(portInfo, 1, info.Name, info.Device, info.Driver)
	s.send(portUp, truth(link.Up), info.Name)
	s.send(portSpeed, float64(link.SpeedMbps)*1e6/8, info.Name)
	s.send(portNUMA, float64(info.Socket), info.Name)
	s.send(portQueue, float64(info.RxQueues), info.Name)
	s.send(portMTU, float64(info.MTU), info.Name)
	stats, err := p.Stats()
	if err != nil {
		c.Log.Warn("no statistics of a port", "port", info.Name, "error", err)
		return
	}
	for _, m := range portStats {
		s.send(m.metric, float64(m.value(&stats)), info.Name)
	}
	xstats, err := p.XStats()
	if err != nil {
		c.Log.Warn("no extended statistics of a port", "port", info.Name, "error", err)
		return
	}
	s.xstats(info.Name, xstats)
}

// A driver with many queues can have thousands of counters, and names them as
// it likes.
const (
	maxXStats    = 2048
	maxXStatName = 64 // RTE_ETH_XSTATS_NAME_SIZE
)

func (s sender) xstats(port string, xstats []pmd.XStat) {
	shown := map[string]bool{}
	for _, x := range xstats {
		name := xstatName(x.Name)
		if len(shown) == maxXStats || shown[name] {
			continue
		}
		shown[name] = true
		s.send(portXStats, float64(x.Value), port, name)
	}
	s.send(portXStatsOmitted, float64(len(xstats)-len(shown)), port)
}

// xstatName makes a driver's name printable ASCII without spaces.
func xstatName(name string) string {
	name = strings.Map(func(r rune) rune {
		if r <= ' ' || r > '~' {
			return '_'
		}
		return r
	}, name)
	return name[:min(len(name), maxXStatName)]
}

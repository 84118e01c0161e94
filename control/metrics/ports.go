package metrics

import "guideway/pmd"

// port shows the device's own counters, and its driver's under their names.
func (c collector) port(s sender, p pmd.Port) {
	info, link := p.Info(), p.Link()
	name := info.Name
	s.gauge("port_info", "A port's device and driver; always 1.", 1, "port", name, "device", info.Device, "driver", info.Driver)
	s.gauge("port_link_up", "Whether a port's link is up.", truth(link.Up), "port", name)
	s.gauge("port_speed_bytes_per_second", "Speed of a port's link; 0: unknown.", float64(link.SpeedMbps)*1e6/8, "port", name)
	s.gauge("port_mtu_bytes", "Longest IP packet that a port sends.", float64(info.MTU), "port", name)
	st, err := p.Stats()
	if err != nil {
		c.Log.Warn("no statistics of a port", "port", name, "error", err)
		return
	}
	for _, m := range []struct {
		name, help string
		value      uint64
	}{
		{"port_rx_packets_total", "Frames that a port received.", st.RxPackets},
		{"port_tx_packets_total", "Frames that a port sent.", st.TxPackets},
		{"port_rx_bytes_total", "Bytes that a port received.", st.RxBytes},
		{"port_tx_bytes_total", "Bytes that a port sent.", st.TxBytes},
		{"port_rx_missed_total", "Frames that a port dropped because its ring was full.", st.RxMissed},
		{"port_rx_errors_total", "Frames that a port received with errors.", st.RxErrors},
		{"port_tx_errors_total", "Frames that a port failed to send.", st.TxErrors},
		{"port_rx_no_buffer_total", "Frames that a port dropped because its pool was empty.", st.RxNoFrame},
	} {
		s.counter(m.name, m.help, float64(m.value), "port", name)
	}
	xstats, err := p.XStats()
	if err != nil {
		c.Log.Warn("no extended statistics of a port", "port", name, "error", err)
		return
	}
	for _, x := range xstats {
		s.counter("port_xstat_total", "A driver's own counter, by the driver's name for it.", float64(x.Value), "port", name, "xstat", x.Name)
	}
}

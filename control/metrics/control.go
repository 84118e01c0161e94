package metrics

// control shows what is in effect and how the last change went.
func (s sender) control(st Status) {
	s.gauge("config_generation", "Snapshot that is in effect.", float64(st.Plan.Snapshot.Generation))
	s.gauge("config_last_reload_success", "Whether the configuration file was taken when it was last read.", truth(st.LastSuccessful))
	for result, n := range st.Reloads {
		s.counter("config_reload_total", "Reloads by how they ended.", float64(n), "result", result)
	}
	s.gauge("config_vips", "VIPs served.", float64(len(st.Plan.VIPs)))
}

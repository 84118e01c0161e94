package metrics

import (
	"guideway/lcore"
)

// cores shows what each core did. A core that has never answered is left out.
func (s sender) cores(reports []*lcore.Report) {
	for _, r := range reports {
		if r == nil {
			continue
		}
		core := cpu(r.CPU)
		s.counter("received_packets_total", "Frames received by a core; the sum of its packets_total.", float64(r.Received), "core", core)
		s.counter("bytes_total", "Bytes received by a core, Ethernet headers included.", float64(r.ReceivedBytes), "core", core)
		for v := range lcore.Verdicts {
			s.counter("packets_total", "Frames by how they ended.", float64(r.Verdicts[v]), "core", core, "verdict", v.String())
		}
		s.counter("core_turns_total", "Turns of the poll loop that found frames, and that did not.", float64(r.Turns-r.EmptyTurns), "core", core, "found", "frames")
		s.counter("core_turns_total", "Turns of the poll loop that found frames, and that did not.", float64(r.EmptyTurns), "core", core, "found", "nothing")
		s.counter("core_busy_seconds_total", "Time in turns that found frames.", r.Busy.Seconds(), "core", core)
		s.counter("core_free_seconds_total", "Time in turns that found nothing, rests included.", r.Free.Seconds(), "core", core)
		if all := r.Busy + r.Free; all > 0 {
			s.gauge("core_busy_ratio", "Share of the time since the start in turns that found frames.", float64(r.Busy)/float64(all), "core", core)
		}
		s.gauge("core_poll_gap_seconds", "Longest time between two polls since the last scrape.", r.Gap.Seconds(), "core", core)
		s.gauge("core_generation", "Snapshot that the core works by.", float64(r.Generation), "core", core)
		s.conntrack(core, r)
	}
}

func (s sender) conntrack(core string, r *lcore.Report) {
	st := r.Conntrack
	s.gauge("conntrack_entries", "Flows in a core's connection table.", float64(st.Entries), "core", core)
	for _, e := range []struct {
		event string
		n     uint64
	}{
		{"insert", st.Inserts}, {"expire", st.Expiries}, {"evict", st.Evictions}, {"full", st.Full},
	} {
		s.counter("conntrack_events_total", "What happened to entries of a core's connection table: full counts new flows that found no room and go by the lookup table alone.",
			float64(e.n), "core", core, "event", e.event)
	}
}

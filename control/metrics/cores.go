package metrics

import "guideway/lcore"

var (
	coreAnswering  = gauge("core_answering", "Whether a core answered this scrape; if not, its counters are old.", "core")
	received       = counter("received_packets_total", "Frames that a core received from ports and from the kernel.", "core")
	taken          = counter("taken_packets_total", "Frames that other cores handed over to a core.", "core")
	made           = counter("made_packets_total", "Frames that a core made: fragments of packets that were too big, copies of ICMP errors for other nodes.", "core")
	packets        = counter("packets_total", "Frames by how they ended.", "core", "verdict")
	spreadChecked  = counter("spread_checked_packets_total", "Packets that were looked at for whether they arrived on the core that the device's word for its RSS says.", "core", "arrived")
	receivedBytes  = counter("bytes_total", "Bytes received by a core, Ethernet headers included.", "core")
	coreTurns      = counter("core_turns_total", "Turns of the poll loop, by whether they found frames or nothing.", "core", "found")
	coreBusy       = counter("core_busy_seconds_total", "Time in turns that found frames.", "core")
	coreFree       = counter("core_free_seconds_total", "Time in turns that found nothing, rests included.", "core")
	coreBusyRatio  = gauge("core_busy_ratio", "Share of the time since the last scrape in turns that found frames.", "core")
	corePollGap    = gauge("core_poll_gap_seconds", "Longest time between two polls since the last scrape.", "core")
	coreGeneration = gauge("core_generation", "Snapshot that a core works by.", "core")

	conntrackEntries = gauge("conntrack_entries", "Flows in a core's connection table.", "core")
	conntrackRoom    = gauge("conntrack_capacity", "Flows of one family that a core's connection table is made for.", "core")
	conntrackEvents  = counter("conntrack_events_total", "What happened to the entries of a core's connection table.", "core", "event")

	conntrackKept            = gauge("conntrack_kept", "Whether the next process will find the connection tables.")
	conntrackTakeover        = counter("conntrack_takeover_total", "Connection tables by how they came to be when the process started.", "result")
	conntrackTakeoverEntries = counter("conntrack_takeover_entries_total", "Entries of the tables that were taken over from the process before, by what became of them.", "result")

	fragmentsDatagrams     = gauge("fragments_datagrams", "Datagrams whose backend a core remembers.", "core")
	fragmentsWaiting       = gauge("fragments_waiting_datagrams", "Datagrams whose first fragment a core waits for.", "core")
	fragmentsHeld          = gauge("fragments_held", "Fragments that a core holds until their first comes.", "core")
	fragmentsHeldBytes     = gauge("fragments_held_bytes", "Bytes of the fragments that a core holds.", "core")
	fragmentsDatagramsRoom = gauge("fragments_datagrams_capacity", "Datagrams whose backend a core can remember.", "core")
	fragmentsHeldRoom      = gauge("fragments_held_capacity", "Fragments that a core can hold.", "core")
	fragmentsBytesRoom     = gauge("fragments_held_capacity_bytes", "Bytes of fragments that a core can hold.", "core")
	fragmentsEvents        = counter("fragments_events_total", "What happened to fragments in a core's fragment table.", "core", "event")
)

// cores shows what each core did. A core that has never answered has nothing
// to show; of one that is silent, what is measured from scrape to scrape is
// left out.
func (s sender) cores(all []core, room Limits) {
	for _, c := range all {
		s.send(coreAnswering, truth(c.answered), c.name)
		s.send(conntrackRoom, float64(room.Flows), c.name)
		s.send(fragmentsDatagramsRoom, float64(room.Datagrams), c.name)
		s.send(fragmentsHeldRoom, float64(room.Held), c.name)
		s.send(fragmentsBytesRoom, float64(room.HeldBytes), c.name)
		if c.report == nil {
			continue
		}
		s.counters(c.name, c.report)
		s.conntrack(c.name, c.report)
		s.fragments(c.name, c.report)
		if !c.answered {
			continue
		}
		s.send(corePollGap, c.report.Gap.Seconds(), c.name)
		busy, free := c.report.Busy, c.report.Free
		if c.previous != nil {
			busy, free = busy-c.previous.Busy, free-c.previous.Free
		}
		if all := busy + free; all > 0 {
			s.send(coreBusyRatio, float64(busy)/float64(all), c.name)
		}
	}
}

func (s sender) counters(core string, r *lcore.Report) {
	s.send(received, float64(r.Received), core)
	s.send(taken, float64(r.Taken), core)
	s.send(made, float64(r.Made), core)
	s.send(receivedBytes, float64(r.ReceivedBytes), core)
	s.send(spreadChecked, float64(r.SpreadChecks-r.SpreadMisses), core, "as_told")
	s.send(spreadChecked, float64(r.SpreadMisses), core, "elsewhere")
	for v := range lcore.Verdicts {
		s.send(packets, float64(r.Verdicts[v]), core, v.String())
	}
	s.send(coreTurns, float64(r.Turns-r.EmptyTurns), core, "frames")
	s.send(coreTurns, float64(r.EmptyTurns), core, "nothing")
	s.send(coreBusy, r.Busy.Seconds(), core)
	s.send(coreFree, r.Free.Seconds(), core)
	s.send(coreGeneration, float64(r.Generation), core)
}

func (s sender) conntrack(core string, r *lcore.Report) {
	st := r.Conntrack
	s.send(conntrackEntries, float64(st.Entries), core)
	for _, e := range []struct {
		event string
		n     uint64
	}{
		{"insert", st.Inserts}, {"move", st.Moves}, {"expire", st.Expiries}, {"evict", st.Evictions}, {"full", st.Full},
	} {
		s.send(conntrackEvents, float64(e.n), core, e.event)
	}
}

func (s sender) takeover(t Takeover) {
	s.send(conntrackKept, truth(t.Kept))
	for result, n := range t.Tables {
		s.send(conntrackTakeover, float64(n), result)
	}
	for result, n := range t.Entries {
		s.send(conntrackTakeoverEntries, float64(n), result)
	}
}

func (s sender) fragments(core string, r *lcore.Report) {
	st := r.Fragments
	s.send(fragmentsDatagrams, float64(st.Datagrams), core)
	s.send(fragmentsWaiting, float64(st.Waiting), core)
	s.send(fragmentsHeld, float64(st.Held), core)
	s.send(fragmentsHeldBytes, float64(st.HeldBytes), core)
	for _, e := range []struct {
		event string
		n     uint64
	}{
		{"first", st.Firsts}, {"followed", st.Followed}, {"kept", st.Kept}, {"released", st.Released}, {"spoiled", st.Spoiled},
		{"expired", st.Expired}, {"pushed_out", st.PushedOut}, {"drained", st.Drained}, {"refused", st.Refused},
		{"overlapped", st.Overlapped}, {"forgotten", st.Forgotten},
	} {
		s.send(fragmentsEvents, float64(e.n), core, e.event)
	}
}

package monitoring

// healthy is the series of one node of a fleet where all is well: every metric
// that an alert looks at, so that silence says something.
var healthy = map[string]course{
	`up`:                                              always(1),
	`process_start_time_seconds`:                      always(1_700_000_000),
	`guideway_node_up{node="lb9"}`:                    always(1),
	`guideway_vip_table_digest{vip="www"}`:            always(4_000_000_000_000_007),
	`guideway_config_generation`:                      steps(1, 15),
	`guideway_config_last_reload_success`:             always(1),
	`guideway_announcements_held`:                     always(0),
	`guideway_destinations_unreachable`:               always(0),
	`guideway_config_reload_total{result="success"}`:  steps(0, 15),
	`guideway_config_reload_total{result="rejected"}`: always(0),
	`guideway_config_reload_total{result="late"}`:     always(0),

	// Two cores. What they received is what forwarded, not_vip, to_kernel and
	// all other verdicts add up to.
	`guideway_core_answering{core="2"}`:                                   always(1),
	`guideway_core_answering{core="3"}`:                                   always(1),
	`guideway_core_generation{core="2"}`:                                  steps(1, 15),
	`guideway_core_generation{core="3"}`:                                  steps(1, 15),
	`guideway_core_pinned{core="2"}`:                                      always(1),
	`guideway_core_poll_gap_seconds{core="2"}`:                            always(0.0002),
	`guideway_core_poll_gap_seconds{core="3"}`:                            spike(0.02, 12), // once is no reason
	`guideway_core_busy_seconds_total{core="2"}`:                          grows(12),
	`guideway_core_free_seconds_total{core="2"}`:                          grows(3),
	`guideway_core_busy_seconds_total{core="3"}`:                          always(0),
	`guideway_core_free_seconds_total{core="3"}`:                          grows(15),
	`guideway_received_packets_total{core="2"}`:                           grows(15000),
	`guideway_taken_packets_total{core="2"}`:                              grows(50),
	`guideway_made_packets_total{core="2"}`:                               grows(3),
	`guideway_fragments_held{core="2"}`:                                   always(0),
	`guideway_packets_total{core="2",verdict="forwarded"}`:                grows(14953),
	`guideway_packets_total{core="2",verdict="not_vip"}`:                  grows(10),
	`guideway_packets_total{core="2",verdict="to_kernel"}`:                grows(90),
	`guideway_packets_total{core="2",verdict="unset"}`:                    always(0),
	`guideway_packets_total{core="2",verdict="no_backend"}`:               always(0),
	`guideway_packets_total{core="2",verdict="no_next_hop"}`:              always(0),
	`guideway_packets_total{core="2",verdict="tx_full"}`:                  always(0),
	`guideway_packets_total{core="2",verdict="handover_full"}`:            always(0),
	`guideway_packets_total{core="2",verdict="kernel_limited"}`:           always(0),
	`guideway_packets_total{core="2",verdict="kernel_full"}`:              always(0),
	`guideway_packets_total{core="2",verdict="too_big"}`:                  always(0),
	`guideway_packets_total{core="2",verdict="stranger"}`:                 always(0),
	`guideway_packets_total{core="2",verdict="bad_redirect"}`:             always(0),
	`guideway_spread_checked_packets_total{core="2",arrived="as_told"}`:   grows(15),
	`guideway_spread_checked_packets_total{core="2",arrived="elsewhere"}`: always(0),
	`guideway_conntrack_events_total{core="2",event="insert"}`:            grows(300),
	`guideway_conntrack_events_total{core="2",event="full"}`:              always(0),
	`guideway_conntrack_events_total{core="2",event="evict"}`:             always(0),
	`guideway_conntrack_kept`:                                             always(1),
	`guideway_conntrack_takeover_total{result="taken"}`:                   always(2),
	`guideway_conntrack_takeover_total{result="off"}`:                     always(0),
	`guideway_fragments_events_total{core="2",event="first"}`:             grows(20),
	`guideway_fragments_events_total{core="2",event="followed"}`:          grows(40),
	`guideway_fragments_events_total{core="2",event="kept"}`:              grows(5),
	`guideway_fragments_events_total{core="2",event="expired"}`:           grows(0.1), // a first one is lost now and then
	`guideway_fragments_events_total{core="2",event="pushed_out"}`:        always(0),
	`guideway_fragments_events_total{core="2",event="refused"}`:           always(0),
	`guideway_fragments_events_total{core="2",event="forgotten"}`:         always(0),

	`guideway_vip_condition{vip="www",condition="serving"}`: always(1),
	`guideway_vip_announced{vip="www"}`:                     always(1),
	`guideway_vip_healthy_backends{vip="www"}`:              always(4),
	`guideway_vip_wanted_backends{vip="www"}`:               always(4),
	`guideway_vip_needed_backends{vip="www"}`:               always(1),
	`guideway_backend_up{backend="10.0.0.1",check="web"}`:   always(1),
	`guideway_backend_up{backend="10.0.0.2",check="web"}`:   always(1),

	`guideway_bgp_peer_up{peer="192.0.2.1"}`:            always(1),
	`guideway_bgp_peer_up{peer="192.0.2.2"}`:            always(1),
	`guideway_bfd_up{peer="192.0.2.1"}`:                 always(1),
	`guideway_bgp_peer_routes{peer="192.0.2.1"}`:        always(2),
	`guideway_bgp_peer_routes{peer="192.0.2.2"}`:        always(1),
	`guideway_bgp_peer_routes_wanted{peer="192.0.2.1"}`: always(2),
	`guideway_bgp_peer_routes_wanted{peer="192.0.2.2"}`: always(1),

	`guideway_port_link_up{port="wan"}`:            always(1),
	`guideway_port_rx_missed_total{port="wan"}`:    always(17), // of yesterday
	`guideway_port_rx_errors_total{port="wan"}`:    always(0),
	`guideway_port_tx_errors_total{port="wan"}`:    always(0),
	`guideway_port_rx_no_buffer_total{port="wan"}`: always(0),
	`guideway_mempool_free{pool="wan"}`:            always(15000),
	`guideway_mempool_size{pool="wan"}`:            always(16384),
}

// A provoked case changes series, of lb1 alone or of both nodes, and says which
// alerts fire then.
type provoked struct {
	name       string
	changes    map[string]course
	everywhere bool
	gone       bool // nothing is scraped any more
	at         int  // minute; 0: the last
	alerts     []string
}

func one(series string, c course) map[string]course { return map[string]course{series: c} }

// verdict has a tenth of the frames end otherwise than forwarded.
func verdict(v string) map[string]course {
	return map[string]course{
		`guideway_packets_total{core="2",verdict="forwarded"}`: speeds(14953, 13453),
		`guideway_packets_total{core="2",verdict="` + v + `"}`: speeds(0, 1500),
	}
}

// condition has www change from serving to another condition.
func condition(to string, healthyLeft, announced float64) map[string]course {
	return map[string]course{
		`guideway_vip_condition{vip="www",condition="serving"}`:    ends(1),
		`guideway_vip_condition{vip="www",condition="` + to + `"}`: comes(1),
		`guideway_vip_healthy_backends{vip="www"}`:                 turns(4, healthyLeft),
		`guideway_vip_announced{vip="www"}`:                        turns(1, announced),
	}
}

func fires(alerts ...string) []string { return alerts }

var cases = []provoked{
	{name: "a node does not answer", changes: one(`up`, turns(1, 0)), alerts: fires("GuidewayNodeSilent")},
	{name: "nothing is scraped", gone: true, alerts: fires("GuidewayNotScraped")},
	{name: "a restart", changes: one(`process_start_time_seconds`, steps(1_700_000_000, 21)), at: 15, alerts: fires("GuidewayRestarted")},
	{name: "many restarts", changes: one(`process_start_time_seconds`, steps(1_700_000_000, 21, 30, 40)), at: 21, alerts: fires("GuidewayRestarted", "GuidewayRestartsAgainAndAgain")},
	{name: "a node is not heard", changes: one(`guideway_node_up{node="lb9"}`, turns(1, 0)), alerts: fires("GuidewayFleetNodeDown")},
	{name: "tables differ in the last bit", changes: one(`guideway_vip_table_digest{vip="www"}`, turns(4_000_000_000_000_007, 4_000_000_000_000_006)), alerts: fires("GuidewayTablesDiffer")},

	{name: "a core is silent", changes: one(`guideway_core_answering{core="3"}`, turns(1, 0)), alerts: fires("GuidewayCoreStalled")},
	{name: "a core is behind", changes: map[string]course{
		`guideway_config_generation`:         steps(1, 15, 21),
		`guideway_core_generation{core="2"}`: steps(1, 15, 21),
	}, alerts: fires("GuidewayCoreBehind")},
	{name: "a core is free", changes: one(`guideway_core_pinned{core="2"}`, turns(1, 0)), alerts: fires("GuidewayCoreNotPinned")},
	{name: "gaps all the time", changes: one(`guideway_core_poll_gap_seconds{core="2"}`, turns(0.0002, 0.003)), alerts: fires("GuidewayPollGap")},
	{name: "a long gap", changes: one(`guideway_core_poll_gap_seconds{core="2"}`, spike(0.3, 45)), alerts: fires("GuidewayPollGap")},
	{name: "a core is full", changes: map[string]course{
		`guideway_core_busy_seconds_total{core="2"}`: speeds(12, 14.7),
		`guideway_core_free_seconds_total{core="2"}`: speeds(3, 0.3),
	}, alerts: fires("GuidewayCoreSaturated")},
	{name: "the card spreads otherwise", changes: one(`guideway_spread_checked_packets_total{core="2",arrived="elsewhere"}`, speeds(0, 5)), alerts: fires("GuidewayWrongSpread")},
	{name: "a frame has no end", changes: one(`guideway_received_packets_total{core="2"}`, draw(func(i int) (float64, bool) {
		return 15000*float64(i) + float64(min(max(i-change, 0), 1)), true
	})), alerts: fires("GuidewayFramesUnaccounted")},
	{name: "unset", changes: verdict("unset"), alerts: fires("GuidewayUnsetVerdict")},

	{name: "everything is withdrawn", changes: map[string]course{
		`guideway_announcements_held`:       turns(0, 1),
		`guideway_vip_announced{vip="www"}`: turns(1, 0),
	}, alerts: fires("GuidewayNothingAnnounced")},
	{name: "withdrawn", changes: condition("withdrawn", 0, 0), alerts: fires("GuidewayVIPDown", "GuidewayVIPShort")},
	{name: "fail-open", changes: condition("fail-open", 4, 1), alerts: fires("GuidewayVIPDown")},
	{name: "unreachable", changes: condition("unreachable", 0, 1), alerts: fires("GuidewayVIPDown", "GuidewayVIPShort")},
	{name: "waiting", changes: condition("waiting", 4, 0), alerts: fires("GuidewayVIPWaiting")},
	{name: "half of the backends", changes: one(`guideway_vip_healthy_backends{vip="www"}`, turns(4, 2)), alerts: fires("GuidewayVIPShort")},
	{name: "no route", changes: one(`guideway_vip_announced{vip="www"}`, turns(1, 0)), alerts: fires("GuidewayVIPNotAnnounced")},
	{name: "a backend is down", changes: one(`guideway_backend_up{backend="10.0.0.2",check="web"}`, turns(1, 0)), everywhere: true, alerts: fires("GuidewayBackendDown")},
	{name: "one node thinks so", changes: one(`guideway_backend_up{backend="10.0.0.2",check="web"}`, turns(1, 0)), alerts: fires("GuidewayBackendDisputed")},
	{name: "a backend comes and goes", changes: one(`guideway_backend_up{backend="10.0.0.2",check="web"}`, draw(func(i int) (float64, bool) { return float64(1 - max(i-change, 0)/2%2), true })), everywhere: true, alerts: fires("GuidewayBackendFlaps")},
	{name: "no next hop", changes: one(`guideway_destinations_unreachable`, turns(0, 2)), alerts: fires("GuidewayNextHopsMissing")},
	{name: "packets to nobody", changes: verdict("no_backend"), alerts: fires("GuidewayPacketsWithoutBackend")},
	{name: "packets to nowhere", changes: verdict("no_next_hop"), alerts: fires("GuidewayPacketsWithoutBackend")},

	{name: "a session is down", changes: one(`guideway_bgp_peer_up{peer="192.0.2.2"}`, turns(1, 0)), alerts: fires("GuidewayBGPPeerDown")},
	{name: "all sessions are down", changes: map[string]course{
		`guideway_bgp_peer_up{peer="192.0.2.1"}`: turns(1, 0),
		`guideway_bgp_peer_up{peer="192.0.2.2"}`: turns(1, 0),
	}, alerts: fires("GuidewayBGPPeerDown", "GuidewayNoRouter")},
	{name: "a router takes one family", changes: one(`guideway_bgp_peer_routes{peer="192.0.2.1"}`, turns(2, 1)), alerts: fires("GuidewayRoutesNotSent")},
	{name: "BFD is down", changes: one(`guideway_bfd_up{peer="192.0.2.1"}`, turns(1, 0)), alerts: fires("GuidewayBFDDown")},

	{name: "a bad file", changes: map[string]course{
		`guideway_config_reload_total{result="rejected"}`: steps(0, 21),
		`guideway_config_last_reload_success`:             turns(1, 0),
	}, at: 15, alerts: fires("GuidewayFileNotInEffect", "GuidewayReloadRejected")},
	{name: "a late reload", changes: map[string]course{
		`guideway_config_reload_total{result="late"}`: steps(0, 21),
		`guideway_config_last_reload_success`:         turns(1, 0),
	}, at: 15, alerts: fires("GuidewayFileNotInEffect", "GuidewayReloadLate")},

	{name: "no link", changes: one(`guideway_port_link_up{port="wan"}`, turns(1, 0)), alerts: fires("GuidewayPortDown")},
	{name: "missed", changes: one(`guideway_port_rx_missed_total{port="wan"}`, speeds(0, 4)), alerts: fires("GuidewayRxMissed")},
	{name: "broken frames", changes: one(`guideway_port_rx_errors_total{port="wan"}`, speeds(0, 4)), alerts: fires("GuidewayPortErrors")},
	{name: "frames not sent", changes: one(`guideway_port_tx_errors_total{port="wan"}`, speeds(0, 4)), alerts: fires("GuidewayPortErrors")},
	{name: "the line is full", changes: verdict("tx_full"), alerts: fires("GuidewayTransmitFull")},
	{name: "a core takes no more", changes: verdict("handover_full"), alerts: fires("GuidewayTransmitFull")},
	{name: "few frames left", changes: one(`guideway_mempool_free{pool="wan"}`, turns(15000, 900)), alerts: fires("GuidewayPoolLow")},
	{name: "no frames left", changes: one(`guideway_port_rx_no_buffer_total{port="wan"}`, speeds(0, 4)), alerts: fires("GuidewayNoBuffer")},
	{name: "a flood for the kernel", changes: verdict("kernel_limited"), alerts: fires("GuidewayKernelLimited")},
	{name: "the kernel takes no more", changes: verdict("kernel_full"), alerts: fires("GuidewayKernelLimited")},

	{name: "too big", changes: verdict("too_big"), alerts: fires("GuidewayTooBig")},
	{name: "first fragments are lost", changes: one(`guideway_fragments_events_total{core="2",event="expired"}`, speeds(0.1, 4)), alerts: fires("GuidewayFragmentsExpire")},
	{name: "the waiting room is full", changes: one(`guideway_fragments_events_total{core="2",event="pushed_out"}`, speeds(0, 4)), alerts: fires("GuidewayFragmentsPushedOut")},
	{name: "too many pieces", changes: one(`guideway_fragments_events_total{core="2",event="refused"}`, speeds(0, 4)), alerts: fires("GuidewayFragmentsPushedOut")},
	{name: "too many datagrams", changes: one(`guideway_fragments_events_total{core="2",event="forgotten"}`, speeds(0, 4)), alerts: fires("GuidewayFragmentsPushedOut")},
	{name: "a stranger", changes: verdict("stranger"), alerts: fires("GuidewayStrangeRedirects")},
	{name: "an odd redirect", changes: verdict("bad_redirect"), alerts: fires("GuidewayStrangeRedirects")},
	{name: "no room for flows", changes: one(`guideway_conntrack_events_total{core="2",event="full"}`, speeds(0, 4)), alerts: fires("GuidewayConntrackFull")},
	{name: "tables are not kept", changes: one(`guideway_conntrack_kept`, turns(1, 0)), alerts: fires("GuidewayConnectionsNotKept")},
	{name: "and nobody wants it", changes: map[string]course{
		`guideway_conntrack_kept`:                           turns(1, 0),
		`guideway_conntrack_takeover_total{result="taken"}`: turns(2, 0),
		`guideway_conntrack_takeover_total{result="off"}`:   turns(0, 2),
	}},
	{name: "a SYN flood", changes: one(`guideway_conntrack_events_total{core="2",event="evict"}`, speeds(0, 4)), alerts: fires("GuidewayConntrackEvicts")},
}

package main

import (
	"context"
	"log/slog"
	"strings"

	"guideway/pmd/dpdk"
)

// harmless is in lines that drivers log as errors or warnings where nothing
// that we use is wrong. They are shown with debug messages only.
var harmless = []string{
	// net_tap makes a queueing discipline for flow rules, asks secondary
	// processes to join, and would like a signal for each queue.
	"tap_nl_dump_ext_ack(): Specified qdisc kind is unknown",
	"qdisc_create_multiq(): Could not add multiq qdisc",
	"failed to create multiq qdisc",
	"Disabling rte flow support",
	"tap_mp_req_on_rxtx(): Failed to send start req to secondary",
	"tun_alloc(): All rt-signals are in use",
	"tun_alloc(): No Rx trigger signal available",
	// net_af_xdp's libraries look for what newer kernels and systemd have.
	"libbpf: elf: skipping unrecognized data section",
	"libxdp: No bpffs found",
	"libxdp: Can't use dispatcher without a working bpffs",
	"libxdp: Falling back to loading single prog without dispatcher",
}

// dpdkLog passes a line of DPDK's log on.
func (n *node) dpdkLog(level dpdk.Level, line string) {
	l := slog.LevelDebug
	switch {
	case level <= dpdk.LevelError:
		l = slog.LevelError
	case level == dpdk.LevelWarning:
		l = slog.LevelWarn
	case level == dpdk.LevelNotice:
		l = slog.LevelInfo
	}
	for _, part := range harmless {
		if strings.Contains(line, part) {
			l = slog.LevelDebug
		}
	}
	n.log.Log(context.Background(), l, line, "from", "dpdk")
}

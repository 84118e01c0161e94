package replay

import (
	"bytes"
	"encoding/binary"
	"path/filepath"
	"strings"
	"testing"

	"guideway/test/daemon"
)

// Two ports: packets arrive tagged on one and leave untagged by the other, in
// whose subnet the backends are; tunnels to the rest go back tagged. Frames
// cross from one port's pool to the other's rings, and all come back.
func TestTwoPortsAndAVLAN(t *testing.T) {
	dir := t.TempDir()
	var list []shape
	for _, s := range shapes() {
		if s.verdict == "forwarded" {
			tag := []byte{0x81, 0x00, 0x60, 42} // priority 3, VLAN 42
			list = append(list, shape{s.name, bytes.Join([][]byte{s.frame[:12], tag, s.frame[12:]}, nil), s.verdict})
		}
	}
	untagged := shape{"untagged on a tagged port", shapes()[0].frame, "foreign_vlan"}
	writeCapture(t, filepath.Join(dir, "in.pcap"), append(list, untagged))
	writeCapture(t, filepath.Join(dir, "none.pcap"), nil)
	d := daemon.Start(t, dir, strings.NewReplacer(
		"mtu = 1600", `mtu = 1600
vlan = 42
[[port]]
name = "lan"
device = "net_pcap1,rx_pcap=none.pcap,tx_pcap=lan.pcap"
addresses = ["10.255.0.1/8"]
next_hop_mac = "02:00:00:00:00:02"
mtu = 1600`,
	).Replace(config))
	var metrics map[string]float64
	d.WaitFor("all frames received", func() bool {
		metrics = d.Metrics()
		return int(daemon.Sum(metrics, "guideway_received_packets_total")) == len(list)+1
	})
	if v := daemon.Verdicts(metrics); v["forwarded"] != len(list) || v["foreign_vlan"] != 1 {
		t.Errorf("verdicts %v", v)
	}
	d.Stop()

	wan, lan := readCapture(t, filepath.Join(dir, "out.pcap")), readCapture(t, filepath.Join(dir, "lan.pcap"))
	if len(wan) == 0 || len(lan) == 0 || len(wan)+len(lan) != len(list) {
		t.Fatalf("%d frames left by wan, %d by lan, want %d in all and some by each", len(wan), len(lan), len(list))
	}
	for _, f := range lan {
		if f[5] != 2 || binary.BigEndian.Uint16(f[12:]) != 0x0800 || f[14+16] != 10 {
			t.Fatalf("by lan left %x", f[:40])
		}
	}
	for _, f := range wan {
		if f[5] != 1 || binary.BigEndian.Uint16(f[12:]) != 0x8100 || binary.BigEndian.Uint16(f[14:]) != 42 || binary.BigEndian.Uint16(f[16:]) != 0x86dd {
			t.Fatalf("by wan left %x", f[:40])
		}
	}
}

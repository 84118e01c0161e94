// Package monitoring holds what deploy/ has for Prometheus and Grafana to the
// code: a real guidewayd is scraped by a real Prometheus with the shipped
// configuration and rules, every alert is provoked, and the dashboard asks for
// nothing that is not there.
//
// It needs what third_party/install.sh installs: Prometheus and promtool.
package monitoring

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"guideway/test/daemon"
)

func TestMain(m *testing.M) { os.Exit(daemon.Main(m)) }

const (
	rulesFile     = "../../deploy/prometheus/guideway.rules.yml"
	scrapeFile    = "../../deploy/prometheus/prometheus.yml"
	dashboardFile = "../../deploy/grafana/guideway.json"
	metricsFile   = "../../docs/metrics.md"
)

// node is a guidewayd that reads a capture and then has nothing to do.
const node = `
[node]
name   = "lb1"
source = ["192.0.2.11"]
[dpdk]
lcores       = [1]
control_cpus = [0]
memory       = "128MiB"
huge         = false
idle         = "sleep"
[[port]]
name         = "wan"
device       = "net_pcap0,rx_pcap=in.pcap,tx_pcap=out.pcap"
addresses    = ["192.0.2.11/24"]
next_hop_mac = "02:00:00:00:00:01"
mtu          = 1524
[conntrack]
flows_per_core = 16384
[metrics]
listen = "127.0.0.1:0"
[[pool]]
name     = "web"
backends = [{ address = "10.0.0.1" }, { address = "10.0.0.2" }]
[[vip]]
name     = "www"
address  = "203.0.113.10"
protocol = "tcp"
ports    = ["80"]
pools    = ["web"]
`

const flows = 200 // in the capture, a SYN each

// start runs the node and waits until it has forwarded what it read.
func start(t *testing.T) *daemon.Daemon {
	t.Helper()
	dir := t.TempDir()
	if err := capture(filepath.Join(dir, "in.pcap")); err != nil {
		t.Fatal(err)
	}
	d := daemon.Start(t, dir, node)
	d.WaitFor("all frames", func() bool { return d.Metrics()[`guideway_packets_total{core="1",verdict="forwarded"}`] == flows })
	return d
}

func capture(file string) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	defer f.Close()
	w := pcapgo.NewWriter(f)
	err = w.WriteFileHeader(65535, layers.LinkTypeEthernet)
	client, vip := netip.MustParseAddr("198.51.100.7"), netip.MustParseAddr("203.0.113.10")
	for i := range flows {
		ip := &layers.IPv4{Version: 4, TTL: 64, Protocol: layers.IPProtocolTCP, SrcIP: client.AsSlice(), DstIP: vip.AsSlice()}
		tcp := &layers.TCP{SrcPort: layers.TCPPort(10000 + i), DstPort: 80, SYN: true, Window: 65535}
		b := gopacket.NewSerializeBuffer()
		err = errors.Join(err, tcp.SetNetworkLayerForChecksum(ip), gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true},
			&layers.Ethernet{SrcMAC: []byte{2, 0, 0, 0, 0, 1}, DstMAC: []byte{2, 0, 0, 0, 0, 2}, EthernetType: layers.EthernetTypeIPv4}, ip, tcp))
		err = errors.Join(err, w.WritePacket(gopacket.CaptureInfo{CaptureLength: len(b.Bytes()), Length: len(b.Bytes())}, b.Bytes()))
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", file, err)
	}
	return f.Close()
}

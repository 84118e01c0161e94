// Package replay runs captures through the real guidewayd by DPDK's net_pcap
// device and reads what comes out, as a person would who checks it offline.
package replay

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"guideway/maglev/packet"
	"guideway/test/daemon"
)

func TestMain(m *testing.M) { os.Exit(daemon.Main(m)) }

const (
	source4, source6 = "192.0.2.11", "2001:db8::11"
	nextHop          = "02:00:00:00:00:01"
	big              = 1600 - 24 // the largest packet that fits GRE over IPv4
)

const config = `
[node]
name   = "replay"
source = ["192.0.2.11", "2001:db8::11"]
[dpdk]
lcores = [1]
control_cpus = [0]
memory = "128MiB"
huge = false
idle = "sleep"
[[port]]
name = "wan"
device = "net_pcap0,rx_pcap=in.pcap,tx_pcap=out.pcap"
addresses = ["192.0.2.11/24", "2001:db8::11/64"]
next_hop_mac = "02:00:00:00:00:01"
mtu = 1600
[conntrack]
flows_per_core = 65536
[[pool]]
name = "four"
backends = [{ address = "10.0.0.1" }, { address = "10.0.0.2" }, { address = "10.0.0.3" }]
[[pool]]
name = "six"
backends = [{ address = "2001:db8:b::1" }, { address = "2001:db8:b::2" }]
[[pool]]
name = "none"
backends = [{ address = "10.0.9.9", state = "drain" }]
[[vip]]
name = "v44"
address = "203.0.113.10"
protocol = "tcp"
ports = ["80", "8000-8010"]
pools = ["four"]
[[vip]]
name = "v66"
address = "2001:db8:cafe::10"
protocol = "tcp"
ports = ["80"]
pools = ["six"]
[[vip]]
name = "v46"
address = "203.0.113.20"
protocol = "udp"
ports = ["any"]
pools = ["six"]
[[vip]]
name = "v64"
address = "2001:db8:cafe:1::/64"
protocol = "any"
ports = ["any"]
pools = ["four"]
[[vip]]
name = "empty"
address = "203.0.113.30"
protocol = "tcp"
ports = ["80"]
pools = ["none"]
[metrics]
listen = "127.0.0.1:0"
`

// shapes is every kind of frame that ends somewhere of its own today.
func shapes() (list []shape) {
	add := func(verdict, name string, frame []byte) { list = append(list, shape{name, frame, verdict}) }
	forward := func(name string, frame []byte) { add("forwarded", name, frame) }
	for i := range 60 {
		c4, c6 := fmt.Sprintf("198.51.100.%d", i+1), fmt.Sprintf("2001:db8:1::%x", i+1)
		forward("SYN, padded", padded(tcp(c4, 1000+i, "203.0.113.10", 80, "S", 0)))
		forward("ACK, odd payload", tcp(c4, 1000+i, "203.0.113.10", 80, "A", 2*i+1))
		forward("port of a range", tcp(c4, 1000+i, "203.0.113.10", 8005, "A", 100))
		forward("IPv6", tcp(c6, 1000+i, "2001:db8:cafe::10", 80, "S", i))
		forward("UDP to IPv6 backends", udp(c4, 50000+i, "203.0.113.20", 40000+i, i))
		forward("prefix VIP", udp(c6, 50000+i, "2001:db8:cafe:1::77", 40000, i))
	}
	forward("largest", tcp("198.51.100.1", 9, "203.0.113.10", 80, "A", big-40))
	forward("ICMP error", icmp(3, tcp("203.0.113.10", 80, "198.51.100.1", 1000, "A", 0)[14:]))
	forward("FIN", tcp("198.51.100.1", 1000, "203.0.113.10", 80, "F", 0))

	good := tcp("198.51.100.1", 9, "203.0.113.10", 80, "A", 50)
	good6 := tcp("2001:db8:1::1", 9, "2001:db8:cafe::10", 80, "A", 50)
	add("too_big", "one byte beyond the egress MTU", tcp("198.51.100.1", 9, "203.0.113.10", 80, "A", big-40+1))
	add("no_backend", "all backends drain", tcp("198.51.100.1", 9, "203.0.113.30", 80, "S", 0))
	add("no_service", "closed port", tcp("198.51.100.1", 9, "203.0.113.10", 81, "S", 0))
	add("no_service", "wrong protocol", udp("198.51.100.1", 9, "203.0.113.10", 80, 0))
	add("not_vip", "not ours", tcp("198.51.100.1", 9, "203.0.113.99", 80, "S", 0))
	add("not_vip", "not ours, IPv6", tcp("2001:db8:1::1", 9, "2001:db8:cafe::99", 80, "S", 0))
	add("truncated_frame", "ten bytes", good[:10])
	add("not_ip", "ARP", padded(patched(patched(good[:42], 12, 0x08), 13, 0x06)))
	add("not_ip", "unknown EtherType", patched(good, 12, 0x99))
	add("group_address", "broadcast", patched(good, 0, 0xff))
	add("foreign_vlan", "tagged", append(append(append([]byte(nil), good[:12]...), 0x81, 0, 0, 5), good[12:]...))
	add("bad_version", "version 5", patched(good, 14, 0x55))
	add("bad_version", "version 4 as IPv6", patched(good6, 14, 0x40))
	add("truncated_header", "cut in IPv4", good[:14+19])
	add("truncated_header", "cut in IPv6", good6[:14+39])
	add("bad_header_length", "ihl 4", patched(good, 14, 0x44))
	add("bad_length", "longer than the frame", patched(good, 16, 0x7f))
	add("bad_length", "shorter than its header", patched(patched(good, 16, 0), 17, 19))
	add("bad_length", "ihl beyond the length", patched(patched(good, 14, 0x4f), 17, 40))
	add("bad_length", "IPv6 longer than the frame", patched(good6, 18, 0x7f))
	add("truncated_transport", "TCP of 19 bytes", patched(good[:14+20+19], 17, 39)[:14+39])
	add("fragment_dropped", "first fragment", patched(good, 20, 0x20))
	add("fragment_dropped", "later fragment", patched(good, 21, 0x10))
	add("icmp_dropped", "echo reply", icmp(0, []byte("abcdefgh")))
	add("echo_answered", "echo request", icmp(8, []byte("abcdefgh")))
	add("icmp_unreadable", "error that quotes seven bytes of TCP", icmp(3, tcp("203.0.113.10", 80, "198.51.100.1", 1000, "A", 0)[14:14+27]))
	add("icmp_mismatch", "error about another address", icmp(3, tcp("203.0.113.20", 80, "198.51.100.1", 1000, "A", 0)[14:]))
	add("tunnelled", "GRE to a VIP", patched(good, 23, 47))
	add("too_many_extensions", "a chain of hop-by-hop headers", extensionChain(good6, 9))
	return list
}

// extensionChain puts n hop-by-hop headers in front of a packet's payload.
func extensionChain(frame []byte, n int) []byte {
	out := append([]byte(nil), frame[:54]...)
	for range n {
		out = append(out, 0, 0, 1, 4, 0, 0, 0, 0) // next: hop-by-hop; PadN
	}
	out = append(out, frame[54:]...)
	out[20] = 0
	binary.BigEndian.PutUint16(out[18:], uint16(len(out)-54))
	return out
}

func TestCaptureThroughTheDaemon(t *testing.T) {
	dir := t.TempDir()
	list := shapes()
	writeCapture(t, filepath.Join(dir, "in.pcap"), list)
	d := daemon.Start(t, dir, config)

	var metrics map[string]float64
	d.WaitFor("all frames received", func() bool {
		metrics = d.Metrics()
		return int(daemon.Sum(metrics, "guideway_received_packets_total")) == len(list)
	})
	want := map[string]int{}
	for _, s := range list {
		want[s.verdict]++
	}
	if diff := cmp.Diff(want, daemon.Verdicts(metrics)); diff != "" {
		t.Errorf("verdicts (-want +got):\n%s", diff)
	}
	if sum := int(daemon.Sum(metrics, "guideway_packets_total")); sum != len(list) {
		t.Errorf("the sum over verdicts is %d, received were %d", sum, len(list))
	}
	d.Stop()

	mustExist(t, dir, "out.pcap")
	var out, answers [][]byte
	for _, f := range readCapture(t, filepath.Join(dir, "out.pcap")) {
		if bytes.Equal(f[:6], client) { // to the next hop go the tunnels only
			answers = append(answers, f)
		} else {
			out = append(out, f)
		}
	}
	if len(answers) != want["echo_answered"] || answers[0][34] != 0 {
		t.Errorf("echo requests were answered by %x", answers)
	}
	var forwarded []shape
	for _, s := range list {
		if s.verdict == "forwarded" {
			forwarded = append(forwarded, s)
		}
	}
	if len(out) != len(forwarded) {
		t.Fatalf("%d frames came out, want %d", len(out), len(forwarded))
	}
	backends := map[string]string{}
	used := map[string]int{}
	for i, s := range forwarded {
		flow, backend := checkTunnel(t, s, out[i])
		if was, known := backends[flow]; known && was != backend {
			t.Errorf("%s: flow %s went to %s and to %s", s.name, flow, was, backend)
		}
		backends[flow] = backend
		used[backend]++
	}
	if len(used) != 5 {
		t.Errorf("backends used: %v, want all five", used)
	}
	checkWithTshark(t, filepath.Join(dir, "out.pcap"), len(out)+len(answers))
}

// checkTunnel takes a frame that came out apart, byte by byte, and returns the
// flow inside and the backend.
func checkTunnel(t *testing.T, s shape, out []byte) (flow, backend string) {
	t.Helper()
	fail := func(format string, args ...any) {
		t.Helper()
		t.Fatalf("%s: %s\nin  %x\nout %x", s.name, fmt.Sprintf(format, args...), s.frame, out)
	}
	// The inner packet as it came: without Ethernet header and padding.
	inner := s.frame[14:]
	ipv6 := s.frame[12] == 0x86
	if ipv6 {
		inner = inner[:40+binary.BigEndian.Uint16(inner[4:])]
	} else {
		inner = inner[:binary.BigEndian.Uint16(inner[2:])]
	}
	if got := fmt.Sprintf("%x", out[:6]); got != strings.ReplaceAll(nextHop, ":", "") {
		fail("sent to %s, not to the next hop", got)
	}
	var gre []byte
	switch outer := out[14:]; binary.BigEndian.Uint16(out[12:]) {
	case 0x0800:
		if n := int(binary.BigEndian.Uint16(outer[2:])); n != len(outer) || n != 24+len(inner) {
			fail("outer length %d, frame has %d, inner is %d", n, len(outer), len(inner))
		}
		if packet.Fold(packet.Sum(outer[:20])) != 0xffff {
			fail("outer checksum is wrong")
		}
		if a := netip.AddrFrom4([4]byte(outer[12:])); a.String() != source4 {
			fail("outer source %v", a)
		}
		if outer[9] != 47 || outer[8] != 64 || outer[6] != 0x40 {
			fail("protocol %d, TTL %d, flags %#x", outer[9], outer[8], outer[6])
		}
		backend, gre = netip.AddrFrom4([4]byte(outer[16:])).String(), outer[20:]
	case 0x86dd:
		if n := int(binary.BigEndian.Uint16(outer[4:])); n != len(outer)-40 || n != 4+len(inner) {
			fail("outer payload length %d, frame has %d, inner is %d", n, len(outer)-40, len(inner))
		}
		if a := netip.AddrFrom16([16]byte(outer[8:])); a.String() != source6 {
			fail("outer source %v", a)
		}
		if outer[6] != 47 || outer[7] != 64 {
			fail("next header %d, hop limit %d", outer[6], outer[7])
		}
		backend, gre = netip.AddrFrom16([16]byte(outer[24:])).String(), outer[40:]
	default:
		fail("outer EtherType %x", out[12:14])
	}
	protocol := []byte{0, 0, 0x08, 0x00}
	if ipv6 {
		protocol = []byte{0, 0, 0x86, 0xdd}
	}
	if !bytes.Equal(gre[:4], protocol) {
		fail("GRE header %x, want %x", gre[:4], protocol)
	}
	if !bytes.Equal(gre[4:], inner) {
		fail("the inner packet has changed")
	}
	l4, addresses, proto := inner[20:], inner[12:20], inner[9]
	if ipv6 {
		l4, addresses, proto = inner[40:], inner[8:40], inner[6]
	}
	return fmt.Sprintf("%d %x %x", proto, addresses, l4[:4]), backend
}

// checkWithTshark has an independent decoder look at all frames. The UDP ports
// of the capture are such that it does not try to read the payload.
func checkWithTshark(t *testing.T, file string, frames int) {
	t.Helper()
	args := []string{"-r", file, "-o", "ip.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE",
		"-Y", "(gre || icmp.type == 0) && !_ws.malformed && !(ip.checksum.status == \"Bad\") && !(tcp.checksum.status == \"Bad\") && !(udp.checksum.status == \"Bad\")",
		"-T", "fields", "-e", "frame.number"}
	out, err := exec.Command("tshark", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("tshark: %v\n%s", err, out)
	}
	n := 0
	for line := range strings.Lines(string(out)) {
		if strings.TrimSpace(line) != "" && !strings.Contains(line, "Running as user") {
			n++
		}
	}
	if n != frames {
		t.Errorf("tshark decodes %d of %d frames as sound GRE", n, frames)
	}
}

func TestBrokenConfigDoesNotStart(t *testing.T) {
	dir := t.TempDir()
	broken := strings.NewReplacer(`ports = ["80"]`, `ports = ["80000"]`, `pools = ["six"]`, `pools = ["sex"]`, "mtu = 1600", "mtuu = 1600").Replace(config)
	code, log := daemon.Run(t, dir, broken)
	if code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	for _, want := range []string{"80000", "sex", "mtuu"} {
		if !strings.Contains(log, want) {
			t.Errorf("nothing about %q in:\n%s", want, log)
		}
	}
	if strings.Contains(log, "port open") {
		t.Error("a port was opened for a configuration with faults")
	}
}

func TestReload(t *testing.T) {
	dir := t.TempDir()
	writeCapture(t, filepath.Join(dir, "in.pcap"), shapes()[:1])
	d := daemon.Start(t, dir, config)

	d.Write(strings.Replace(config, `{ address = "10.0.0.3" }`, `{ address = "10.0.0.3" }, { address = "10.0.0.4" }`, 1))
	d.Signal(syscall.SIGHUP)
	d.WaitLog(`msg=reloaded generation=2`)
	if _, there := d.Metrics()[`guideway_backend_share{backend="10.0.0.4",vip="v44"}`]; !there {
		t.Error("the added backend is not in the metrics")
	}

	d.Write(strings.Replace(config, `table_size`, `x`, 1) + "\n[[vip]]\nname = \"bad\"\n")
	d.Signal(syscall.SIGHUP)
	d.WaitLog(`reload rejected: nothing has changed`)
	d.Write(strings.Replace(config, `mtu = 1600`, `mtu = 1500`, 1))
	d.Signal(syscall.SIGHUP)
	d.WaitLog(`(?s)reload rejected.*reload rejected: nothing has changed`)
	m := d.Metrics()
	for name, want := range map[string]float64{
		"guideway_config_generation":                             2,
		"guideway_config_last_reload_success":                    0,
		`guideway_config_reload_total{result="success"}`:         1,
		`guideway_config_reload_total{result="rejected"}`:        2,
		`guideway_core_generation{core="1"}`:                     2,
		`guideway_backend_serving{backend="10.0.0.4",vip="v44"}`: 1,
	} {
		if got, there := m[name]; !there || got != want {
			t.Errorf("%s is %v (there: %v), want %v", name, got, there, want)
		}
	}
	d.Stop()
}

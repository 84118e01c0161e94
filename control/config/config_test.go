package config

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// head is what every file needs that is about something else.
const head = `
[node]
name   = "lb1"
source = ["192.0.2.11", "2001:db8::11"]
[dpdk]
lcores = [2, 3]
[[port]]
name   = "wan"
device = "net_null0"
`

func parse(t testing.TB, data string) *Config {
	t.Helper()
	cfg, _, err := Parse("test.toml", []byte(data))
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

var (
	addr   = netip.MustParseAddr
	prefix = netip.MustParsePrefix
	plainC = cmp.Options{cmpopts.IgnoreUnexported(Config{}), cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{})}
)

// TestDefaults pins what holds where a file says nothing.
func TestDefaults(t *testing.T) {
	got := parse(t, head+`
[[pool]]
name = "p"
backends = [{ address = "10.0.0.1" }]
[[check]]
name = "c"
type = "https"
[[vip]]
name = "v"
address = "203.0.113.10"
ports = ["any"]
pools = ["p"]
[bgp]
asn = 64512
[[bgp.peer]]
address = "192.0.2.1"
asn = 64500
`)
	want := &Config{
		Node:  Node{Name: "lb1", Source4: addr("192.0.2.11"), Source6: addr("2001:db8::11")},
		DPDK:  DPDK{Lcores: []int{2, 3}, Memory: 1 << 30, Huge: true, Idle: IdlePoll},
		Ports: []Port{{Name: "wan", Device: "net_null0", MTU: 1500, KernelRate: 20_000}},
		Conntrack: Conntrack{1 << 20, Timeouts{TCPNew: 30 * time.Second, TCPEstablished: 15 * time.Minute,
			TCPClosing: 30 * time.Second, UDP: time.Minute, Other: time.Minute}, "/dev/hugepages/guideway"},
		Fragments: Fragments{Datagrams: 65536, Held: 4096, Bytes: 8 << 20, Timeout: time.Second, Probe: 200 * time.Millisecond},
		ICMP:      ICMP{Rate: 1000, Relay: true},
		Checks: []Check{{Name: "c", Type: CheckHTTPS, Port: 443, TLS: true, Method: "GET", Path: "/", Expect: []int{200},
			Interval: time.Second, Timeout: 500 * time.Millisecond, Rise: 2, Fall: 3}},
		Pools: []Pool{{Name: "p", Backends: []Backend{{addr("10.0.0.1"), 100, StateUp}}}},
		VIPs: []VIP{{Name: "v", Prefix: prefix("203.0.113.10/32"), Protocol: ProtocolTCP, Pools: []string{"p"},
			TableSize: 65537, MinHealthy: MinHealthy{N: 1}}},
		BGP: BGP{ASN: 64512, RouterID: addr("192.0.2.11"), GracefulShutdown: 5 * time.Second,
			Peers: []Peer{{Address: addr("192.0.2.1"), ASN: 64500, Port: 179, HoldTime: 9 * time.Second, Keepalive: 3 * time.Second,
				ConnectRetry: 5 * time.Second, BFDInterval: 300 * time.Millisecond, BFDMultiplier: 3, IPv4: true, IPv6: true}}},
		Console: Console{Sessions: 16, IdleTimeout: 10 * time.Minute},
		Metrics: Metrics{Listen{"tcp", "127.0.0.1:9150"}},
		Trace:   Trace{Rate: 200},
		Reload:  Reload{Settle: time.Second, MaxRemoved: 50},
	}
	if diff := cmp.Diff(want, got, plainC); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// TestValues sets every key away from its default and pins what comes out.
func TestValues(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	got := parse(t, strings.ReplaceAll(`
node = { name = "lb2", source = ["2001:db8::12"], source_pool = ["2001:db8::2:2/127", "2001:db8::1:1"], shard = "edge" }
conntrack.flows_per_core = 0x1000
conntrack.keep = "/dev/shm//flows/"
conntrack.timeout = { tcp_new = "1s", tcp_established = "1h30m", tcp_closing = "2s", udp = "3s", other = "4s" }
[dpdk]
lcores = [5]
control_cpus = [0, 1]
memory = "512MiB"
huge = false
idle = "sleep"
steering = "software"
eal_args = ["--log-level", "8"]
[[port]]
name = "wan"
device = "3B:00.1,representor=0"
addresses = ["192.0.2.11/24", "2001:db8::11/64"]
gateways = ["192.0.2.1", "2001:db8::1", "192.0.2.2"]
next_hop_mac = "02:00:5E:10:00:01"
mtu = 9000
vlan = 4094
rx_queues = 1
kernel = "gw-wan"
kernel_rate = 100
[fragments]
nodes = [{ name = "lb2", address = "2001:db8::12" }]
datagrams = 128
held = 32
bytes = "1MiB"
timeout = "250ms"
probe = "50ms"
[icmp]
source = "vip"
rate = 1
relay = false
closed_port = "drop"
[[check]]
name = "c"
type = "http"
path = "/up?deep=1"
expect = [200, 204]
interval = "5s"
timeout = "2s"
rise = 1
fall = 10
via = "tunnel"
[[pool]]
name = "p"
check = "c"
include = ["q"]
backends = [{ address = "2001:db8:1::1", weight = 7, state = "drain" }]
[[pool]]
name = "q"
[[pool.backends]]
address = "2001:db8:1::2"
state = "off"
[[vip]]
name = "v"
address = "203.0.113.0/24"
protocol = "sctp"
ports = ["8000-8010", 443, "80"]
pools = ["p"]
table_size = 655373
hash = "source"
encap = "gre"
fragments = true
too_big = "drop"
mss = 1396
icmp_echo = "forward"
shard = "edge"
min_healthy = "50%"
when_down = "unreachable"
communities = ["64512:100", "4200000000:1:2", "no-export"]
[[vip]]
name = "elsewhere"
address = "203.0.113.0/24"
protocol = "any"
pools = ["p"]
[bgp]
asn = 4200000000
router_id = "10.9.8.7"
[[bgp.peer]]
address = "2001:db8::1"
asn = 64500
password_file = "SECRET"
hold_time = "30s"
bfd = true
families = ["ipv6"]
[console]
listen = "0.0.0.0:2323"
password_file = "SECRET"
[metrics]
listen = ":9151"
[trace]
key_file = "SECRET"
rate = 7
`, "SECRET", secret))
	want := &Config{
		Node: Node{Name: "lb2", Source6: addr("2001:db8::12"),
			SourcePool6: []netip.Addr{addr("2001:db8::1:1"), addr("2001:db8::2:2"), addr("2001:db8::2:3")}, Shard: "edge"},
		DPDK: DPDK{Lcores: []int{5}, ControlCPUs: []int{0, 1}, Memory: 512 << 20, Idle: IdleSleep,
			Steering: SteeringSoftware, EALArgs: []string{"--log-level", "8"}},
		Ports: []Port{{Name: "wan", Device: "0000:3b:00.1,representor=0",
			Addresses: []netip.Prefix{prefix("192.0.2.11/24"), prefix("2001:db8::11/64")},
			Gateways:  []netip.Addr{addr("192.0.2.1"), addr("2001:db8::1"), addr("192.0.2.2")}, NextHopMAC: [6]byte{2, 0, 0x5e, 0x10, 0, 1}, HasNextHop: true,
			MTU: 9000, VLAN: 4094, RxQueues: 1, Kernel: "gw-wan", KernelRate: 100}},
		Conntrack: Conntrack{4096, Timeouts{time.Second, 90 * time.Minute, 2 * time.Second, 3 * time.Second, 4 * time.Second}, "/dev/shm/flows"},
		Fragments: Fragments{[]FragmentNode{{"lb2", addr("2001:db8::12")}}, 128, 32, 1 << 20, 250 * time.Millisecond, 50 * time.Millisecond},
		ICMP:      ICMP{ICMPSourceVIP, 1, false, ClosedPortDrop},
		Checks: []Check{{Name: "c", Type: CheckHTTP, Port: 80, Method: "GET", Path: "/up?deep=1", Expect: []int{200, 204}, Interval: 5 * time.Second,
			Timeout: 2 * time.Second, Rise: 1, Fall: 10, Via: ViaTunnel}},
		Pools: []Pool{{Name: "p", Check: "c", Include: []string{"q"}, Backends: []Backend{{addr("2001:db8:1::1"), 7, StateDrain}}},
			{Name: "q", Backends: []Backend{{addr("2001:db8:1::2"), 100, StateOff}}}},
		VIPs: []VIP{{Name: "v", Prefix: prefix("203.0.113.0/24"), Protocol: ProtocolSCTP,
			Ports: []PortRange{{80, 80}, {443, 443}, {8000, 8010}}, Pools: []string{"p"}, TableSize: 655373, Hash: HashSource,
			Fragments: true, TooBig: TooBigDrop, MSS: 1396, ICMPEcho: EchoForward, Shard: "edge", MinHealthy: MinHealthy{50, true}, WhenDown: DownUnreachable,
			Communities: []Community{{Parts: [3]uint32{64512, 100}}, {true, [3]uint32{4200000000, 1, 2}}, {Parts: [3]uint32{65535, 65281}}}}},
		VIPsElsewhere: 1,
		BGP: BGP{ASN: 4200000000, RouterID: addr("10.9.8.7"), GracefulShutdown: 5 * time.Second,
			Peers: []Peer{{Address: addr("2001:db8::1"), ASN: 64500, Port: 179, PasswordFile: secret, HoldTime: 30 * time.Second,
				Keepalive: 10 * time.Second, ConnectRetry: 5 * time.Second, BFD: true, BFDInterval: 300 * time.Millisecond,
				BFDMultiplier: 3, IPv6: true}}},
		Console: Console{Listen{"tcp", "0.0.0.0:2323"}, secret, 16, 10 * time.Minute},
		Metrics: Metrics{Listen{"tcp", ":9151"}},
		Trace:   Trace{secret, 7},
		Reload:  Reload{Settle: time.Second, MaxRemoved: 50},
	}
	if diff := cmp.Diff(want, got, plainC); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	missing := filepath.Join(dir, "missing.toml")
	if _, _, err := Load(missing); err == nil || err.Error() != missing+": no such file or directory" {
		t.Errorf("a file that is not there: %v", err)
	}
	if _, _, err := Load(dir); err == nil || err.Error() != dir+": is a directory" {
		t.Errorf("a directory: %v", err)
	}
	huge := filepath.Join(dir, "huge.toml")
	if err := os.WriteFile(huge, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(huge, 1<<40); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Load(huge); err == nil || err.Error() != huge+": over 64 MiB: this is no configuration" {
		t.Errorf("a terabyte: %v", err)
	}
	good := filepath.Join(dir, "good.toml")
	if err := os.WriteFile(good, []byte(head), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, warnings, err := Load(good)
	if err != nil || cfg.Node.Name != "lb1" || len(warnings) == 0 || warnings[0].File != good {
		t.Errorf("a good file: %v, %v", warnings, err)
	}
}

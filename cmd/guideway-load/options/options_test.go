package options

import (
	"bytes"
	"errors"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"guideway/cmd/guideway-load/traffic"
	"guideway/maglev/packet"
)

const least = "-port net_null0 -mac 02:00:00:00:00:01 -vip 203.0.113.10:80/tcp"

func parse(line string) (*Options, error) {
	return Parse(strings.Fields(line), new(bytes.Buffer))
}

// The least that can be said, and what stands for the rest.
func TestDefaults(t *testing.T) {
	got, err := parse(least)
	if err != nil {
		t.Fatal(err)
	}
	want := &Options{
		Devices: []string{"net_null0"}, MTU: 1600, Send: 1, Receive: -1, Memory: 256 << 20, Huge: true,
		Check: CheckFlows, Quiet: 200 * time.Millisecond, Link: 10 * time.Second, Interval: time.Second,
		Spec: traffic.Spec{
			DstMAC:   [6]byte{2, 0, 0, 0, 0, 1},
			Services: []traffic.Service{{Addr: netip.MustParseAddr("203.0.113.10"), Port: 80, Proto: packet.ProtoTCP}},
			Sources4: netip.MustParsePrefix("10.0.0.0/8"), Sources6: netip.MustParsePrefix("2001:db8:a::/64"),
			LowPort: 1024, TopPort: 65535, Flows: 1000, Sizes: []int{64},
		},
	}
	if diff := diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func diff(want, got *Options) string {
	return cmp.Diff(want, got, cmpopts.IgnoreUnexported(Options{}), cmp.Comparer(func(a, b netip.Addr) bool { return a == b }), cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }))
}

func TestAll(t *testing.T) {
	got, err := parse(`-port 0000:3b:00.0 -port net_ring0 -mtu 9k -lcores 2,3 -control-cpus 0,1 -memory 1024 -no-huge -link 3s
		-vip 203.0.113.10:80/tcp -vip [2001:db8::10]:53/udp -mac 02:00:00:00:00:09 -vlan 7 -flows 64k -life 10 -clients 10.1.0.0/16
		-clients6 2001:db8:b::/48 -client-ports 2000-3000 -size 64:2,1500 -cut 1400 -rate 1.5M -flood syn -flood-rate 10k -flood-size 70
		-flood-clients 198.18.0.0/16 -flood-clients6 2001:db8:f::/64 -packets 1G -time 1m -warmup 2s -quiet 1s -check packets
		-fail lost,moved -fail late -interval 0s -json -hold`)
	if err != nil {
		t.Fatal(err)
	}
	want := &Options{
		Devices: []string{"0000:3b:00.0", "net_ring0"}, MTU: 9000, Send: 2, Receive: 3, ControlCPUs: []int{0, 1}, Memory: 1 << 30,
		Check: CheckPackets, Packets: 1e9, Time: time.Minute, Warmup: 2 * time.Second, Quiet: time.Second, Link: 3 * time.Second,
		Rate: 1.5e6, FloodRate: 10e3, JSON: true, Hold: true, Fail: []string{"lost", "moved", "late"},
		Spec: traffic.Spec{
			DstMAC: [6]byte{2, 0, 0, 0, 0, 9}, VLAN: 7,
			Services: []traffic.Service{
				{Addr: netip.MustParseAddr("203.0.113.10"), Port: 80, Proto: packet.ProtoTCP},
				{Addr: netip.MustParseAddr("2001:db8::10"), Port: 53, Proto: packet.ProtoUDP},
			},
			Sources4: netip.MustParsePrefix("10.1.0.0/16"), Sources6: netip.MustParsePrefix("2001:db8:b::/48"),
			LowPort: 2000, TopPort: 3000, Flows: 64000, Life: 10, Sizes: []int{64, 64, 1500}, Cut: 1400,
		},
		Flood: &traffic.FloodSpec{
			Kind: traffic.FloodSYN, Sources4: netip.MustParsePrefix("198.18.0.0/16"), Sources6: netip.MustParsePrefix("2001:db8:f::/64"),
			LowPort: 2000, TopPort: 3000, Size: 70, Seed: 64000,
		},
	}
	if diff := diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// A line with many faults names them all.
func TestFaults(t *testing.T) {
	_, err := parse("-mtu 12 -lcores 1,2,3 -vip 203.0.113.10:80 -vip 203.0.113.10:80/sctp -mac 02:00 -flows 0 -flows 1.5 -rate 0.5 -clients 10.0.0.1/8 " +
		"-clients6 10.0.0.0/8 -client-ports 9-8 -size 64:0 -flood fire -flood-size 10 -time -3s -check all -fail lots -json=false -memory= stray")
	if err == nil {
		t.Fatal("it is in order")
	}
	for _, want := range []string{
		"-port is missing", "-mtu 12: want", "-lcores 1,2,3: one CPU", "-vip 203.0.113.10:80: not an address", "-vip 203.0.113.10:80/sctp: not",
		"-mac 02:00: not an address", "-flows 0: want a whole number from 1 to 100000000", "-flows is there twice", "-rate 0.5: want 1 to 1G",
		"-clients 10.0.0.1/8: not an IPv4 prefix", "-clients6 10.0.0.0/8: not an IPv6 prefix", "-client-ports 9-8: not ports", "-size 64:0: not sizes",
		"-flood fire: want syn", "-flood and -flood-rate go together", "-time -3s: not a time", "-check all: want", "-fail lots: want some of",
		"-json takes no value", "-memory: no value", `unexpected argument "stray"`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in:\n%v", want, err)
		}
	}
}

// Flags that do not go together, or do not make traffic.
func TestCombinations(t *testing.T) {
	for line, want := range map[string]string{
		"-receive-only -rate 5":                            "-rate with -receive-only",
		"-receive-only -lcores 1,2":                        "-lcores: two of them",
		"-lcores 1,1":                                      "CPU 1 is there twice",
		"-control-cpus 0,1":                                "CPU 1 polls",
		"-check none -fail lost":                           "-fail with -check none",
		"-flood-size 70":                                   "-flood-size without -flood",
		"-flood laters -flood-rate 1":                      "no service that it can be for",
		"-size 1700":                                       "frames of 1700 bytes, and -mtu 1600",
		"-vip 203.0.113.10:80/tcp":                         "is there twice",
		"-flows 2k -clients 10.0.0.0/30 -client-ports 1-2": "addresses and ports make 8",
		"-port net_null0,size=64":                          "the device is there twice",
		"-nonsense":                                        "not defined: -nonsense",
	} {
		if _, err := parse(least + " " + line); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", line, err, want)
		}
	}
}

// Help names every flag, and is no fault.
func TestHelp(t *testing.T) {
	var out bytes.Buffer
	if _, err := Parse([]string{"-h"}, &out); !errors.Is(err, ErrHelp) {
		t.Fatal(err)
	}
	for _, g := range groups {
		for _, f := range g.flags {
			if !strings.Contains(out.String(), "\n  -"+f.name+" ") {
				t.Errorf("no -%s in:\n%s", f.name, &out)
			}
		}
	}
	if o, err := parse("-version"); err != nil || !o.Version {
		t.Errorf("version: %v", err)
	}
}

// Every command line that docs/load.md shows is in order.
func TestDocs(t *testing.T) {
	text, err := os.ReadFile("../../../docs/load.md")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(text)) {
		args, found := strings.CutPrefix(line, "guideway-load -")
		if !found {
			continue
		}
		n++
		if _, err := parse("-" + args); err != nil {
			t.Errorf("%v\nin: %s", err, line)
		}
	}
	if n < 7 {
		t.Errorf("%d command lines in docs/load.md", n)
	}
}

package dpdk

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestVersion(t *testing.T) {
	if v := Version(); !strings.HasPrefix(v, "DPDK ") {
		t.Errorf("version %q", v)
	}
}

func TestStartOnce(t *testing.T) {
	if _, err := Start(Config{}); err == nil {
		t.Error("EAL started again")
	}
}

func TestArgs(t *testing.T) {
	for _, c := range []struct {
		cfg  Config
		want string
	}{
		{Config{},
			"guideway --lcores=0@(0,1) --file-prefix=guideway --no-telemetry --no-huge --no-shconf --no-pci"},
		{Config{FilePrefix: "p", Huge: true, Memory: 1<<30 + 1, ExtraArgs: []string{"--log-level=8"}},
			"guideway --lcores=0@(0,1) --file-prefix=p --no-telemetry --in-memory --single-file-segments -m 1025 --no-pci --log-level=8"},
		{Config{FilePrefix: "p", Huge: true, Devices: []string{"0000:3B:00.0,arg=1", "net_tap0", "04:00.1"}},
			"guideway --lcores=0@(0,1) --file-prefix=p --no-telemetry --in-memory --single-file-segments -a 0000:3B:00.0,arg=1 -a 04:00.1"},
	} {
		if got := strings.Join(c.cfg.args([]int{0, 1}), " "); got != c.want {
			t.Errorf("%+v:\n got %s\nwant %s", c.cfg, got, c.want)
		}
	}
	for device, want := range map[string]bool{
		"0000:3b:00.0": true, "10000:01:00.0": true, "3b:00.7": true, "net_null0": false, "3b:00.8": false, "net_pcap0,rx_pcap=3b:00.0": false,
	} {
		if IsPCI(device) != want {
			t.Errorf("IsPCI(%q) = %v", device, !want)
		}
	}
}

func TestMemory(t *testing.T) {
	const size = 3<<20 + 5
	m, err := eal.Alloc(size, -1)
	if err != nil {
		t.Fatal(err)
	}
	if len(m) != size || !bytes.Equal(m, make([]byte, size)) {
		t.Errorf("%d bytes, zero: %v", len(m), bytes.Equal(m, make([]byte, len(m))))
	}
	if addr := fmt.Sprintf("%p", m); !slices.Contains([]byte("048c"), addr[len(addr)-2]) || addr[len(addr)-1] != '0' {
		t.Errorf("the memory at %s is not aligned to 64 bytes", addr)
	}
	if _, err := eal.Alloc(1<<40, -1); err == nil || !strings.Contains(err.Error(), "1048576 MiB") {
		t.Errorf("a TiB: %v", err)
	}
	if _, err := eal.Alloc(0, -1); err == nil {
		t.Error("nothing was allocated")
	}
}

func TestOpenErrors(t *testing.T) {
	open(t, PortConfig{Name: "taken", Device: "net_null7"})
	for _, c := range []struct {
		cfg  PortConfig
		want string
	}{
		{PortConfig{Device: "net_nosuch0", Lcores: 1}, "no such device"},
		{PortConfig{Device: "net_null7,size=70", Lcores: 1}, "open already"},
		{PortConfig{Device: "net_null0"}, "0 lcores"},
		{PortConfig{Device: "net_null0", Lcores: 2, RxQueues: 3}, "3 receive queues for 2 lcores"},
		{PortConfig{Device: "net_null0", Lcores: 1, MTU: 1 << 17}, "MTU 131072: the device takes"},
		{PortConfig{Device: "net_tap0", Lcores: 1, MTU: 1600}, "MTU 1600: the device takes 46 to 1504"},
		{PortConfig{Device: "net_null0", Lcores: 1, Extra: 1 << 24}, "MiB"},
		{PortConfig{Device: "net_pcap0,tx_pcap=/dev/null", Lcores: 2}, "2 lcores need as many transmit queues, and the device has 1"},
		{PortConfig{Device: "net_pcap0,rx_pcap=/nonexistent", Lcores: 1}, "no such device"},
		{PortConfig{Device: "net_af_xdp0,iface=lo", Lcores: 3}, "3 lcores need as many transmit queues, and the device has 1"},
	} {
		c.cfg.Name = "faulty"
		p, err := eal.Open(c.cfg)
		if err == nil {
			_ = p.Close()
		}
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), `port "faulty"`) {
			t.Errorf("%+v:\n got %v\nwant %s", c.cfg, err, c.want)
		}
	}
	// None of them has left its device behind.
	open(t, PortConfig{Name: "good", Device: "net_null0"})
}

// A device with one receive queue serves two cores: the second only sends.
func TestFewerReceiveQueues(t *testing.T) {
	if rx, err := queues(PortConfig{Lcores: 4}, 3, 8); rx != 3 || err != nil {
		t.Errorf("%d receive queues, %v", rx, err)
	}
	if _, err := queues(PortConfig{Lcores: 4, RxQueues: 4}, 3, 8); err == nil || !strings.Contains(err.Error(), "4 receive queues are configured, and the device has 3") {
		t.Error(err)
	}
	p := open(t, PortConfig{Name: "null", Device: "net_null0", Lcores: 2, RxQueues: 1})
	if info := p.Info(); info.Queues != 2 || info.RxQueues != 1 {
		t.Errorf("info %+v", info)
	}
	// net_null forgives being asked for a queue that it has not; others do not.
	if p.queues[0].c.receives != 1 || p.queues[1].c.receives != 0 {
		t.Error("the second queue receives")
	}
	poll(t, func() {
		b := blank(p.Queue(1), 32)
		if b.N != 0 || b.Now == 0 {
			t.Errorf("%d frames at %d from a queue that only sends", b.N, b.Now)
		}
		b = blank(p.Queue(0), 32)
		if n := p.Queue(1).Tx(b); n != 32 {
			t.Errorf("sent %d", n)
		}
	})
	whole(t, p)
}

func TestLog(t *testing.T) {
	if _, err := eal.Open(PortConfig{Name: "x", Device: "net_nosuch1", Lcores: 1}); err == nil {
		t.Fatal("opened")
	}
	if !until(func() bool {
		return strings.Contains(journal.String(), "<4>EAL: failed to parse device \"net_nosuch1\"")
	}) {
		t.Errorf("the log says nothing of it:\n%s", journal.String())
	}
}

// What EAL prints past its log comes to the log all the same.
func TestNothingIsPrinted(t *testing.T) {
	out, err := command("usage").CombinedOutput()
	if err != nil || string(out) != "done\n" {
		t.Errorf("%v\n%s", err, out)
	}
}

func usageRole([]string) error {
	var log lines
	_, err := Start(Config{ExtraArgs: []string{"--no-such-option"}, Log: log.add})
	if err == nil {
		return fmt.Errorf("EAL took --no-such-option")
	}
	for _, want := range []string{"--lcores COREMAP", "<4>EAL: Invalid 'command line' arguments."} {
		if !strings.Contains(log.String(), want) {
			return fmt.Errorf("the log lacks %q:\n%s", want, log.String())
		}
	}
	fmt.Println("done")
	return nil
}

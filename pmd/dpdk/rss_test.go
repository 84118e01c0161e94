package dpdk

import (
	"encoding/hex"
	"testing"

	"guideway/pmd"
)

// net_null claims to hash everything that it can be asked for, and keeps a
// table. Its own table is all zeroes until we write ours.
func TestRSS(t *testing.T) {
	p := open(t, PortConfig{Name: "null", Device: "net_null0", Lcores: 4, RxQueues: 3})
	rss := p.Info().RSS
	if rss == nil {
		t.Fatal("the device does not say how it spreads packets")
	}
	if got := hex.EncodeToString(rss.Key); got != "6d5a56da255b0ec24167253d43a38fb0d0ca2bcbae7b30b477cb2da38030f20c6a42b73bbeac01fa" {
		t.Errorf("key %s", got)
	}
	if len(rss.Table) != 128 {
		t.Fatalf("a table of %d", len(rss.Table))
	}
	for i, queue := range rss.Table {
		if int(queue) != i%3 {
			t.Errorf("place %d of the table has queue %d", i, queue)
		}
	}
	if want := ^pmd.RSSKind(0); rss.Kinds != want {
		t.Errorf("kinds %08b, want %08b", rss.Kinds, want)
	}
}

// net_tap offers RSS and keeps no table, net_ring offers none; with one queue
// there is nothing to spread.
func TestNoRSS(t *testing.T) {
	for _, cfg := range []PortConfig{
		{Device: "net_tap0,iface=gw-rss", Lcores: 2},
		{Device: "net_ring0", Lcores: 2},
		{Device: "net_null0", Lcores: 2, RxQueues: 1},
	} {
		cfg.Name = "silent"
		p := open(t, cfg)
		if rss := p.Info().RSS; rss != nil {
			t.Errorf("%s: %+v", cfg.Device, rss)
		}
		closePort(t, p)
	}
}

package bench

import (
	"net/netip"
	"testing"
)

// TestBooks has guideway-load and guidewayd, two processes with memif between
// them, agree on what became of every packet: all shapes, with connections that begin
// and end, fragments, and a flood beside them.
func TestBooks(t *testing.T) {
	var memif port
	for _, p := range ports(t.TempDir(), true) {
		if p.name == "memif" {
			memif = p.with(socket(t))
		}
	}
	d := startDaemon(t, "", config(memif.device, contender{}, false))
	g := generate(t, memif.generator, false, "-link 30s -vip %s -vip %s -vip %s/udp -vip %s/udp -flows 2k -life 7 -size 64,590,1400,1590:2 -cut 1400 "+
		"-packets 20k -rate 20k -flood syn -flood-rate 5k -quiet 1s -interval 0s -hold", vip(false), vip(true), netip.AddrPortFrom(vip4, vipPort), netip.AddrPortFrom(vip6, vipPort))
	r := g.awaitReport(t)
	n := d.count(t)
	verdicts := d.Verdicts()
	d.stop(t)
	g.close(t)

	if r.Sent.Packets != 20_000 || r.Sent.Frames < 22_000 || r.Sent.Flood == 0 {
		t.Errorf("sent %+v", r.Sent)
	}
	if sent := r.Sent.Frames + r.Sent.Flood; n.received != sent {
		t.Errorf("guideway-load has sent %d frames, and guidewayd received %d", sent, n.received)
	}
	if came := r.Received.Frames + r.Received.Flood; n.sent != came {
		t.Errorf("guidewayd has forwarded %d frames, and guideway-load received %d", n.sent, came)
	}
	if dropped := r.Sent.Frames + r.Sent.Flood - n.sent; dropped != uint64(verdicts["tx_full"]) {
		t.Errorf("%d frames were not forwarded, and not for want of room: %v", dropped, verdicts)
	}
	v := r.Received
	if v.Moved != 0 || v.Repeated != 0 || v.Late != 0 || v.Foreign != 0 || v.Reversed != 0 {
		t.Errorf("received %+v", v)
	}
	if *r.Lost != 0 && verdicts["tx_full"] == 0 {
		t.Errorf("%d lost", *r.Lost)
	}
	if r.Flows.Seen != 2000 || r.Flows.Moved != 0 {
		t.Errorf("flows %+v", r.Flows)
	}
	if len(r.Backends) != 100 {
		t.Errorf("%d backends of 100", len(r.Backends))
	}
}

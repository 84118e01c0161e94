package fleet

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Where the tunnels have no more room than the clients, a packet of 1500 bytes
// that must not be cut is answered: with what fits into GRE over IPv4 (24 bytes
// less) or over IPv6 (44 less). The client's kernel believes it.
func TestDFAnswered(t *testing.T) {
	f := start(t, shape{nodes: 2, fabric: 1500})
	body := filepath.Join(f.dir, "body")
	if err := os.WriteFile(body, bigBytes()[:1<<20], 0o644); err != nil {
		t.Fatal(err)
	}
	for _, v := range vips {
		t.Run(v.name, func(t *testing.T) {
			want := 1476
			if v.over6 {
				want = 1456
			}
			if route := f.clientRoute(v.addr); strings.Contains(route, "mtu") {
				t.Fatalf("before any packet: %s", route)
			}
			// TCP sends segments of 1500 bytes that must not be cut, until told.
			f.curl(v, "/upload/"+v.name, "-T", body)
			if route := f.clientRoute(v.addr); !strings.Contains(route, fmt.Sprintf("mtu %d", want)) {
				t.Errorf("want mtu %d: %s", want, route)
			}
		})
	}
	verdicts := f.verdicts()
	if verdicts["too_big_answered"] == 0 {
		t.Errorf("nobody was told: %v", verdicts)
	}
	if verdicts["too_big"] > 0 {
		t.Errorf("some were not told: %v", verdicts)
	}
	f.stop()
}

func (f *fleet) clientRoute(to netip.Addr) string {
	f.t.Helper()
	return f.run("client", "ip", "route", "get", to.String())
}

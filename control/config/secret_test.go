package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Whoever else can read a secret, or put another in its place, is warned of,
// wherever the file is named.
func TestSecretModes(t *testing.T) {
	const rest = `
[node]
source = ["192.0.2.11"]
[dpdk]
lcores = [1]
[[port]]
name         = "wan"
device       = "net_ring0"
next_hop_mac = "02:00:00:00:00:01"
mtu          = 1524
[[pool]]
name     = "web"
backends = [{ address = "10.0.0.1" }]
[[vip]]
name    = "www"
address = "203.0.113.10"
ports   = ["80"]
pools   = ["web"]
`
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(strings.Repeat("0f", 32)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	places := map[string]string{
		"console.password_file":  fmt.Sprintf("[console]\nlisten = \"127.0.0.1:2323\"\npassword_file = %q\n", path),
		"trace.key_file":         fmt.Sprintf("[trace]\nkey_file = %q\n", path),
		"bgp.peer.password_file": fmt.Sprintf("[bgp]\nasn = 64512\n[[bgp.peer]]\naddress = \"192.0.2.1\"\nasn = 64500\npassword_file = %q\n", path),
	}
	for mode, wrong := range map[os.FileMode]bool{0o600: false, 0o400: false, 0o640: false, 0o644: true, 0o604: true, 0o602: true, 0o620: true} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		for key, text := range places {
			_, warnings, err := Parse("guideway.toml", []byte(rest+text))
			if err != nil {
				t.Fatal(err)
			}
			said := warnings.String()
			if strings.Contains(said, "others on this machine") != wrong || wrong && !strings.Contains(said, fmt.Sprintf("%#o", mode)) {
				t.Errorf("%s with mode %#o: %q", key, mode, said)
			}
		}
	}
}

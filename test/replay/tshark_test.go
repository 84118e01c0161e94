package replay

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// checkWithTshark has an independent decoder look at frames: it must find none
// malformed and no checksum wrong. It does not try to read what is in UDP and
// TCP.
func checkWithTshark(t *testing.T, frames [][]byte) {
	t.Helper()
	if len(frames) == 0 {
		return
	}
	file := filepath.Join(t.TempDir(), "out.pcap")
	writeCapture(t, file, frames)
	args := []string{"-r", file, "-Y", "_ws.malformed || ip.checksum.status == 0 || tcp.checksum.status == 0 || udp.checksum.status == 0" +
		" || icmp.checksum.status == 0 || icmpv6.checksum.status == 0"}
	for _, protocol := range []string{"ip", "tcp", "udp"} {
		args = append(args, "-o", protocol+".check_checksum:TRUE")
	}
	for _, port := range []string{"tcp", "udp"} {
		args = append(args, "-d", port+".port==0-65535,data")
	}
	out, err := exec.Command("tshark", args...).Output()
	if err != nil {
		t.Fatalf("tshark: %v\n%s", err, out)
	}
	if bad := strings.TrimSpace(string(out)); bad != "" {
		t.Errorf("tshark says that these are wrong:\n%s", bad)
	}
}

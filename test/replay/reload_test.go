package replay

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"guideway/test/daemon"
)

// baseConfig is the configuration that most captures run with.
func baseConfig(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("captures/base.toml")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestBrokenConfigDoesNotStart(t *testing.T) {
	broken := strings.NewReplacer(`ports    = ["80"]`, `ports = ["80000"]`, `pools    = ["six"]`, `pools = ["sex"]`, "huge  ", "hugee  ").Replace(baseConfig(t))
	code, log := daemon.Run(t, t.TempDir(), broken)
	if code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	for _, want := range []string{"80000", "sex", "hugee"} {
		if !strings.Contains(log, want) {
			t.Errorf("nothing about %q in:\n%s", want, log)
		}
	}
	if strings.Contains(log, "port open") {
		t.Error("a port was opened for a configuration with faults")
	}
}

func TestReload(t *testing.T) {
	dir, config := t.TempDir(), baseConfig(t)
	writeCapture(t, filepath.Join(dir, "in.pcap"), nil)
	d := daemon.Start(t, dir, config)

	d.Write(strings.Replace(config, `{ address = "10.0.0.3" }`, `{ address = "10.0.0.3" }, { address = "10.0.0.4" }`, 1))
	d.Signal(syscall.SIGHUP)
	d.WaitLog(`msg=reloaded generation=2`)
	if _, there := d.Metrics()[`guideway_backend_share{backend="10.0.0.4",vip="v44"}`]; !there {
		t.Error("the added backend is not in the metrics")
	}

	d.Write(config + "\n[[vip]]\nname = \"bad\"\n")
	d.Signal(syscall.SIGHUP)
	d.WaitLog(`reload rejected: nothing has changed`)
	d.Write(strings.Replace(config, "[conntrack]\nflows_per_core = 16384", "[conntrack]\nflows_per_core = 32768", 1))
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

package service

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"guideway/test/daemon"
)

// Connection tables outlive the process that had them, however it ends, and are
// begun anew for one that they do not fit.
func TestKept(t *testing.T) {
	dir, memory := t.TempDir(), memoryFolder(t)
	config := strings.Replace(settings, "flows_per_core = 1024", "flows_per_core = 1024\nkeep = \""+filepath.Join(memory, "flows")+"\"", 1)
	config = strings.Replace(config, `"7s"`, `"0s"`, 1)
	begin := func(config, result string, kept float64) *daemon.Daemon {
		t.Helper()
		d := daemon.Start(t, dir, config)
		m := d.Metrics()
		if got := m[`guideway_conntrack_takeover_total{result="`+result+`"}`]; got != 1 || daemon.Sum(m, "guideway_conntrack_takeover_total") != 1 || m["guideway_conntrack_kept"] != kept {
			t.Errorf("want %s, kept %v:\n%s", result, kept, d.Log())
		}
		return d
	}
	begin(config, "none", 1).Stop()
	begin(config, "taken", 1).Kill()
	first := begin(config, "taken", 1)
	other := daemon.Start(t, t.TempDir(), strings.Replace(strings.Replace(config, "lcores       = [1]", "lcores       = [0]", 1), "control_cpus = [0]", "control_cpus = [1]", 1))
	if other.Metrics()[`guideway_conntrack_takeover_total{result="busy"}`] != 1 {
		t.Errorf("two have one folder:\n%s", other.Log())
	}
	other.Stop()
	first.Kill()
	larger := strings.Replace(config, "flows_per_core = 1024", "flows_per_core = 2048", 1)
	begin(larger, "flows", 1).Kill()
	begin(larger, "taken", 1).Stop()
	begin(strings.Replace(larger, "/flows\"", "/no/flows\"", 1), "unusable", 0).Stop()
	begin(strings.Replace(config, filepath.Join(memory, "flows"), "", 1), "off", 0).Kill()
	begin(strings.Replace(config, "keep =", "#keep =", 1), "off", 0).Kill() // the usual folder is not there
}

// memoryFolder makes a folder on tmpfs that goes with the test.
func memoryFolder(t *testing.T) string {
	t.Helper()
	memory, err := os.MkdirTemp("/dev/shm", "guideway-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(memory) })
	return memory
}

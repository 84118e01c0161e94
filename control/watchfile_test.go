package control

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// A file that changes is loaded once it is left alone, in whatever way editors
// and configuration managers write it; one that is only touched is not.
func TestWatchFile(t *testing.T) {
	r := newRig(t, oneVIP)
	r.run()
	if err := r.manager.WatchFile(t.Context(), time.Second); err != nil {
		t.Fatal(err)
	}
	reloads := func() uint64 { return r.manager.Status().Reloads.Success }
	until := func(want uint64) {
		t.Helper()
		for end := time.Now().Add(20 * time.Second); reloads() < want; time.Sleep(5 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%d reloads, want %d", reloads(), want)
			}
		}
	}
	r.write(oneVIP + vipText("two", 2, backend(1)))
	until(1)
	replacement := filepath.Join(filepath.Dir(r.path), "new.toml")
	if err := os.WriteFile(replacement, []byte(oneVIP+vipText("three", 3, backend(1))), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(replacement, r.path); err != nil {
		t.Fatal(err)
	}
	until(2)
	if err := os.Chtimes(r.path, time.Now(), time.Now()); err != nil {
		t.Fatal(err)
	}
	for i := range 20 { // half-written files that nobody must see, in far less than the time to settle
		if err := os.WriteFile(r.path, []byte("[[vip"), 0o600); err != nil {
			t.Fatal(err)
		}
		if i == 19 {
			r.write(oneVIP)
		}
	}
	until(3)
	if st := r.manager.Status(); st.Reloads != (Results{Success: 3}) || len(st.Plan.VIPs) != 1 {
		t.Errorf("%+v, %d VIPs: want three reloads and one VIP", st.Reloads, len(st.Plan.VIPs))
	}
}

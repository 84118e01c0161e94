package control

import (
	"os"
	"path/filepath"
	"testing"
)

func TestLastGood(t *testing.T) {
	l := LastGood{Dir: filepath.Join(t.TempDir(), "state"), Path: "/etc/guideway/guideway.toml"}
	for _, text := range []string{"one", "two"} {
		if err := l.save([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(l.File()); err != nil || string(got) != text {
			t.Errorf("kept %q (%v), want %q", got, err, text)
		}
	}
	other := LastGood{Dir: l.Dir, Path: "/etc/guideway/other.toml"}
	if other.File() == l.File() {
		t.Error("two files share a copy")
	}
	if files, _ := os.ReadDir(l.Dir); len(files) != 1 {
		t.Errorf("%d files, want one", len(files))
	}
	if err := (LastGood{}).save([]byte("x")); err != nil {
		t.Errorf("without a directory: %v", err)
	}
}

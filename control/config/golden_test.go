package config

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew: read the difference before you keep it")

// TestBroken holds the faults of each broken file, all of them, against the
// list beside it.
func TestBroken(t *testing.T) {
	golden(t, "testdata/broken", ".faults", func(t *testing.T, name string, data []byte) string {
		cfg, warnings, err := Parse(name, data)
		faults, ok := err.(Faults)
		if !ok || len(faults) == 0 || cfg != nil || warnings != nil {
			t.Fatalf("config %v, warnings %v, error %#v: want faults and nothing else", cfg, warnings, err)
		}
		return faults.Error()
	})
}

// TestHurts does the same for files that load with warnings.
func TestHurts(t *testing.T) {
	golden(t, "testdata/hurts", ".warnings", func(t *testing.T, name string, data []byte) string {
		cfg, warnings, err := Parse(name, data)
		if err != nil || cfg == nil {
			t.Fatalf("does not load: %v", err)
		}
		return warnings.String()
	})
}

func golden(t *testing.T, dir, suffix string, text func(*testing.T, string, []byte) string) {
	files, err := filepath.Glob(dir + "/*.toml")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files in %s: %v", len(files), dir, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			got := text(t, filepath.Base(file), readTestFile(t, file)) + "\n"
			want := strings.TrimSuffix(file, ".toml") + suffix
			if *update {
				if err := os.WriteFile(want, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(string(readTestFile(t, want)), got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func readTestFile(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

package laws

import (
	"os"
	"strings"
	"testing"

	"guideway/control/config"
)

// TestReadmeConfigs: a configuration that README.md shows is one that loads,
// with no warning of keys that are not in effect.
func TestReadmeConfigs(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(text), "```toml\n")[1:]
	if len(blocks) < 2 {
		t.Fatalf("%d TOML blocks in README.md, want the minimal one and the replay", len(blocks))
	}
	for _, block := range blocks {
		block, _, _ = strings.Cut(block, "```")
		_, warnings, err := config.Parse("README.md", []byte(block))
		if err != nil {
			t.Errorf("%v\nin:\n%s", err, block)
		}
		for _, w := range warnings {
			t.Errorf("%v\nin:\n%s", w, block)
		}
	}
}

package config

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const (
	docs    = "../../docs/config.md"
	example = "../../deploy/guideway.toml"
)

// TestExample loads the example as it ships and with every switched-off
// setting switched on.
func TestExample(t *testing.T) {
	data := readTestFile(t, example)
	_, warnings, err := Parse("guideway.toml", data)
	if err != nil || len(warnings) > 0 {
		t.Errorf("as it ships: %v\n%v", err, warnings)
	}
	all := regexp.MustCompile(`(?m)^#([a-z_\[])`).ReplaceAll(data, []byte("$1"))
	cfg, warnings, err := Parse("guideway.toml", withSecret(t, all))
	if err != nil {
		t.Fatalf("with everything switched on:\n%v", err)
	}
	if len(cfg.VIPs) != 3 || cfg.BGP.ASN == 0 || len(warnings) > 0 {
		t.Errorf("with everything switched on: %d VIPs, AS %d, warnings %v", len(cfg.VIPs), cfg.BGP.ASN, warnings)
	}
}

// TestDocBlocks loads the examples of docs/config.md: the first by itself, the
// others as one file.
func TestDocBlocks(t *testing.T) {
	blocks := regexp.MustCompile("(?s)```toml\n(.*?)```").FindAllSubmatch(readTestFile(t, docs), -1)
	if len(blocks) < 2 {
		t.Fatalf("%d blocks", len(blocks))
	}
	var rest []byte
	for _, b := range blocks[1:] {
		rest = append(rest, b[1]...)
	}
	cfg, warnings, err := Parse("smallest", blocks[0][1])
	if err != nil || len(warnings) > 0 || len(cfg.VIPs) != 1 {
		t.Errorf("the smallest file: %v\n%v", err, warnings)
	}
	cfg, _, err = Parse("blocks", withSecret(t, rest))
	if err != nil || len(cfg.VIPs) != 1 || len(cfg.BGP.Peers) != 1 {
		t.Errorf("the other blocks together: %v", err)
	}
}

// withSecret puts a file that is there in the place of each secret of the
// examples.
func withSecret(t *testing.T, data []byte) []byte {
	path := filepath.Join(t.TempDir(), "bgp.secret")
	if err := os.WriteFile(path, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return regexp.MustCompile(`/etc/guideway/(bgp\.secret|trace\.key)`).ReplaceAll(data, []byte(path))
}

// row is a line of a table in docs/config.md.
type row struct {
	section, key string
	reload       bool
}

// TestDocRows holds the tables of docs/config.md against what the code knows:
// every key, and whether a reload may change it.
func TestDocRows(t *testing.T) {
	rows := docRows(t)
	restart := map[string]bool{}
	c := &Config{Ports: make([]Port, 1)}
	for _, s := range c.settings() {
		restart[strings.ReplaceAll(s.id, "[0]", "")] = true
	}
	for _, s := range schema() {
		for _, key := range s.keys {
			path := (&section{name: s.name}).path(key)
			i := slices.IndexFunc(rows, func(r row) bool { return r.section == s.name && r.key == key })
			if i < 0 {
				if s.name != "" && path != "conntrack.timeout" {
					t.Errorf("%s has no row", path)
				}
				continue
			}
			if rows[i].reload == restart[path] {
				t.Errorf("%s: reload %v, needs a restart %v", path, rows[i].reload, restart[path])
			}
			rows = slices.Delete(rows, i, i+1)
		}
	}
	for _, r := range rows {
		t.Errorf("%s.%s has a row, but is no key", r.section, r.key)
	}
}

// docRows reads the tables: a heading or a line that starts with a section's
// name in backquotes opens a section.
func docRows(t *testing.T) []row {
	opens := regexp.MustCompile("^(?:## |Each |)(?:of )?`\\[*([a-z.]+)\\]*`")
	cells := regexp.MustCompile("^\\| `([a-z0-9_]+)` \\|")
	names := map[string]string{"nodes": "fragments.nodes", "backends": "pool.backends"}
	var rows []row
	section := ""
	for line := range strings.Lines(string(readTestFile(t, docs))) {
		if m := opens.FindStringSubmatch(line); m != nil {
			section = m[1]
			if full := names[section]; full != "" {
				section = full
			}
		} else if m := cells.FindStringSubmatch(line); m != nil {
			fields := strings.Split(strings.TrimSuffix(strings.TrimSpace(line), "|"), "|")
			reload := strings.TrimSpace(fields[len(fields)-1])
			if reload != "yes" && reload != "restart" {
				t.Errorf("%s.%s: reload is %q", section, m[1], reload)
			}
			rows = append(rows, row{section, m[1], reload == "yes"})
		}
	}
	return rows
}

package laws

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestSecurityPage holds two tables of docs/security.md against the tree: the
// fuzz targets, each with its package, and the versions of modules.
func TestSecurityPage(t *testing.T) {
	page := readPage(t, "../../docs/security.md")
	tree, err := Load(os.DirFS("../.."))
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z/-]+)` \\| `(Fuzz[A-Za-z0-9]+)` \\|").FindAllStringSubmatch(page, -1) {
		listed[m[1]+" "+m[2]] = true
	}
	target := regexp.MustCompile(`^func (Fuzz\w+)\(f \*testing\.F\)`)
	for _, f := range tree.Files {
		for _, line := range f.Lines {
			m := target.FindStringSubmatch(line)
			if m == nil {
				continue
			}
			name := f.Path[:strings.LastIndex(f.Path, "/")] + " " + m[1]
			if !listed[name] {
				t.Errorf("%s is not in the page's table", name)
			}
			delete(listed, name)
		}
	}
	for name := range listed {
		t.Errorf("%s is in the page's table, and not in the tree", name)
	}

	required := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^\t(\S+) (v\S+)`).FindAllStringSubmatch(readPage(t, "../../go.mod"), -1) {
		required[m[1]] = m[2]
	}
	modules := 0
	for _, row := range regexp.MustCompile("(?m)^\\| (`[a-z]+\\.[^|]+) \\| (v[^|]+) \\|").FindAllStringSubmatch(page, -1) {
		versions := strings.Split(row[2], ", ")
		for i, m := range strings.Split(row[1], ", ") {
			modules++
			if m = strings.Trim(m, "`"); required[m] != versions[min(i, len(versions)-1)] {
				t.Errorf("%s is %s in go.mod, and %s in the page", m, required[m], row[2])
			}
		}
	}
	if modules < 10 {
		t.Errorf("the page has %d modules", modules)
	}
}

func readPage(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

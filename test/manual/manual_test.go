package manual

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"guideway/control/config"
)

const docs = "../../docs"

// blocks are those of all pages that are of a kind; of any, if it is empty.
func blocks(t *testing.T, kind string) (all []Block) {
	t.Helper()
	for _, page := range Pages {
		found, err := Blocks(docs, page)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range found {
			if kind == "" || b.Kind == kind {
				all = append(all, b)
			}
		}
	}
	if len(all) == 0 {
		t.Fatalf("there are no blocks %q", kind)
	}
	return all
}

// Every block is of a kind that some test performs, or says that none does.
func TestBlocks(t *testing.T) {
	performed := map[string]bool{"toml": true, "sh": true, "bird": true, "frr": true, "console": true} // console: in control/console
	for _, b := range blocks(t, "") {
		if !performed[b.Kind] && !NotTestable(b.Above) {
			t.Errorf("%v: no test performs it, and the line above does not say \"not testable here\"", b)
		}
	}
}

// Configurations load without a warning: a whole one by itself, a part behind the
// whole one of its page.
func TestConfigurations(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	whole := map[string]string{}
	for _, b := range blocks(t, "toml") {
		text := regexp.MustCompile(`"/etc/guideway/[a-z.]+"`).ReplaceAllString(b.Text, `"`+secret+`"`)
		if strings.Contains(text, "[node]") {
			whole[b.Page] = text
		} else {
			text = whole[b.Page] + text
		}
		_, warnings, err := config.Parse(b.String(), []byte(text))
		if err != nil || len(warnings) > 0 {
			t.Errorf("%v:\n%v\n%v", b, err, warnings)
		}
	}
}

// performed are the commands of a shell that tests run, and where.
var performed = []struct{ command, file, words string }{
	{"apt install ./guideway_*.deb", "test/deb.sh", "apt install --no-install-recommends /tmp/guideway.deb"},
	{"apt install ./guideway_NEWER.deb", "test/deb.sh", "install --no-install-recommends /tmp/newer.deb"},
	{"guideway check /etc/guideway/guideway.toml", "test/deb.sh", "guideway check /etc/guideway/guideway.toml"},
	{"guideway setup", "control/machine/setup_test.go", "func Test"},
	{"guideway setup --apply", "control/machine/apply_test.go", "func Test"},
	{"guideway-backend up --vip 203.0.113.10 --from 192.0.2.11", "test/backend/backend_test.go", `"up", "--vip"`},
	{"systemctl enable --now guidewayd", "test/deb.sh", "systemctl enable --now guidewayd"},
	{"systemctl reload guidewayd", "test/deb.sh", "systemctl reload guidewayd"},
	{"systemctl restart guidewayd", "test/deb.sh", "systemctl restart guidewayd"},
	{"systemctl start guidewayd", "test/deb.sh", "systemctl start guidewayd"},
	{"systemctl stop guidewayd", "test/deb.sh", "systemctl stop guidewayd"},
	{"systemctl kill -s KILL guidewayd", "test/deb.sh", "systemctl kill -s KILL guidewayd"},
}

// TestCommands: what a person is told to type in a shell is typed by a test, too.
func TestCommands(t *testing.T) {
	run := map[string]bool{}
	for _, p := range performed {
		text, err := os.ReadFile(filepath.Join("../..", p.file))
		if err != nil {
			t.Fatal(err)
		}
		run[p.command] = strings.Contains(string(text), p.words)
		if !run[p.command] {
			t.Errorf("%s does not run %s: it has no %q", p.file, p.command, p.words)
		}
	}
	for _, b := range blocks(t, "sh") {
		for line := range strings.Lines(b.Text) {
			if line = strings.TrimSpace(line); line != "" && !NotTestable(line) && !run[line] {
				t.Errorf("%v: no test is known to run %q, and it is not marked", b, line)
			}
		}
	}
	page, err := os.ReadFile(filepath.Join(docs, "drills.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile("`(systemctl [^`]+)`").FindAllStringSubmatch(string(page), -1) {
		if !run[m[1]] && !strings.Contains(m[1], "-s STOP") { // of systemctl's signals one is enough
			t.Errorf("drills.md: no test is known to run %q", m[1])
		}
	}
}

// TestDrills: the tests that drills name are there.
func TestDrills(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(docs, "drills.md"))
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("../fleet/*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	var source strings.Builder
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		source.Write(text)
	}
	named := regexp.MustCompile("`(Test\\w+)`").FindAllStringSubmatch(string(page), -1)
	if len(named) < 10 {
		t.Errorf("drills.md names %d tests", len(named))
	}
	for _, m := range named {
		if !strings.Contains(source.String(), "func "+m[1]+"(") {
			t.Errorf("drills.md: test/fleet has no %s", m[1])
		}
	}
}

// Routers' configurations are judged by the routers' own programs.
func TestRouters(t *testing.T) {
	for kind, judge := range map[string][]string{"bird": {"bird", "-p", "-c"}, "frr": {"vtysh", "-C", "-f"}} {
		for _, b := range blocks(t, kind) {
			file := filepath.Join(t.TempDir(), kind)
			for name, text := range map[string]string{"": b.Text, "broken ": b.Text + "\nnot a line of any router\n"} {
				if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
				out, err := exec.Command(judge[0], append(judge[1:], file)...).CombinedOutput()
				if (err != nil) != (name != "") {
					t.Errorf("%s%v: %v\n%s", name, b, err, out)
				}
			}
		}
	}
}

// TestContents: docs/README.md leads to every page.
func TestContents(t *testing.T) {
	contents, err := os.ReadFile(filepath.Join(docs, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	pages, err := filepath.Glob(filepath.Join(docs, "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range pages {
		if name := filepath.Base(p); name != "README.md" && !strings.Contains(string(contents), "["+name+"]("+name+")") {
			t.Errorf("docs/README.md does not lead to %s", name)
		}
	}
	links := regexp.MustCompile(`\]\(([a-z-]+\.md)(?:#[a-z0-9-]+)?\)`)
	for _, p := range pages {
		text, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range links.FindAllStringSubmatch(string(text), -1) {
			if _, err := os.Stat(filepath.Join(docs, m[1])); err != nil {
				t.Errorf("%s leads to %s, which is not there", filepath.Base(p), m[1])
			}
		}
	}
}

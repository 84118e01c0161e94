package service

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// run runs a command and returns its standard output. What it says on standard
// error fails the test.
func run(t *testing.T, argv ...string) string {
	t.Helper()
	var out, complaints strings.Builder
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stdout, cmd.Stderr = &out, &complaints
	if err := cmd.Run(); err != nil || complaints.Len() > 0 {
		t.Errorf("%s: %v\n%s%s", strings.Join(argv, " "), err, &out, &complaints)
	}
	return out.String()
}

// TestPackage builds the package and looks into it. That it can be installed,
// upgraded and purged is for `make test-deb` to show.
func TestPackage(t *testing.T) {
	dir := t.TempDir()
	out, err := exec.Command("make", "-s", "-C", "../..", "deb", "DEB="+dir, "DEB_VERSION=1.2.3").CombinedOutput()
	if err != nil {
		t.Fatalf("make deb: %v\n%s", err, out)
	}
	found, err := filepath.Glob(filepath.Join(dir, "guideway_1.2.3_*.deb"))
	if err != nil || len(found) != 1 {
		t.Fatalf("%v, %v after:\n%s", found, err, out)
	}
	deb, root, scripts := found[0], filepath.Join(dir, "root"), filepath.Join(dir, "control")
	run(t, "dpkg-deb", "-x", deb, root)
	run(t, "dpkg-deb", "-e", deb, scripts)

	t.Run("files", func(t *testing.T) {
		list := run(t, "dpkg-deb", "-c", deb)
		for name, mode := range map[string]string{
			"/usr/sbin/guidewayd":                                 "-rwxr-xr-x",
			"/usr/bin/guideway":                                   "-rwxr-xr-x",
			"/usr/bin/guideway-load":                              "-rwxr-xr-x",
			"/usr/share/man/man1/guideway-load.1.gz":              "-rw-r--r--",
			"/etc/guideway/guideway.toml":                         "-rw-r--r--",
			"/lib/systemd/system/guidewayd.service":               "-rw-r--r--",
			"/usr/share/man/man8/guidewayd.8.gz":                  "-rw-r--r--",
			"/usr/share/man/man1/guideway.1.gz":                   "-rw-r--r--",
			"/usr/share/man/man5/guideway.toml.5.gz":              "-rw-r--r--",
			"/usr/share/bash-completion/completions/guideway":     "-rw-r--r--",
			"/usr/share/guideway/grafana/guideway.json":           "-rw-r--r--",
			"/usr/share/guideway/prometheus/guideway.rules.yml":   "-rw-r--r--",
			"/usr/share/guideway/backend/guideway-backend":        "-rwxr-xr-x",
			"/usr/lib/sysusers.d/guideway.conf":                   "-rw-r--r--",
			"/usr/share/doc/guideway/copyright":                   "-rw-r--r--",
			"/usr/share/doc/guideway/third-party-licenses.txt.gz": "-rw-r--r--",
			"/usr/share/doc/guideway/install.md.gz":               "-rw-r--r--",
		} {
			if !regexp.MustCompile(`(?m)^` + mode + ` root/root .* \.` + regexp.QuoteMeta(name) + `$`).MatchString(list) {
				t.Errorf("no %s with %s of root", name, mode)
			}
		}
		if got := run(t, "cat", filepath.Join(scripts, "conffiles")); got != "/etc/guideway/guideway.toml\n" {
			t.Errorf("conffiles: %q", got)
		}
	})

	// The linker knows libraries, but not drivers, which DPDK loads by itself.
	t.Run("depends", func(t *testing.T) {
		depends := run(t, "dpkg-deb", "-f", deb, "Depends")
		abi := regexp.MustCompile(`\blibrte-eal(\d+) `).FindStringSubmatch(depends)
		if abi == nil {
			t.Fatal(depends)
		}
		for _, p := range []string{"librte-bus-pci", "librte-bus-vdev", "librte-mempool-ring", "librte-net-tap"} {
			run(t, "dpkg-query", "-W", p+abi[1]) // such a package is known here
			if !strings.Contains(depends, ", "+p+abi[1]) {
				t.Errorf("does not depend on %s: %s", p+abi[1], depends)
			}
		}
		for _, p := range []string{"libpcap0.8", "procps"} { // the unit's ExecReload is kill
			if !strings.Contains(depends, p) {
				t.Errorf("does not depend on %s: %s", p, depends)
			}
		}
	})

	t.Run("programs", func(t *testing.T) {
		run(t, filepath.Join(root, "usr/sbin/guidewayd"), "--version")
		guideway := filepath.Join(root, "usr/bin/guideway")
		run(t, guideway, "version")
		run(t, guideway, "check", filepath.Join(root, "etc/guideway/guideway.toml")) // warnings too would be errors
	})

	t.Run("manual", func(t *testing.T) {
		t.Setenv("MANWIDTH", "120") // long words leave gaps in narrow lines, and are warned of
		pages := map[string]string{}
		for _, name := range []string{"man8/guidewayd.8.gz", "man1/guideway.1.gz", "man1/guideway-load.1.gz", "man5/guideway.toml.5.gz"} {
			pages[name] = run(t, "man", "--warnings", "-E", "UTF-8", "-l", filepath.Join(root, "usr/share/man", name))
		}
		docs, err := os.ReadFile("../../docs/config.md")
		if err != nil {
			t.Fatal(err)
		}
		keys := regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\|").FindAllStringSubmatch(string(docs), -1)
		if len(keys) < 50 {
			t.Fatalf("docs/config.md has %d keys", len(keys))
		}
		for _, key := range keys {
			if !regexp.MustCompile(`(?m)^ +` + key[1] + `( |$)`).MatchString(pages["man5/guideway.toml.5.gz"]) {
				t.Errorf("guideway.toml(5) has no entry for %s", key[1])
			}
		}
		if !strings.Contains(pages["man8/guidewayd.8.gz"], "-state") || !strings.Contains(pages["man1/guideway.1.gz"], "console [-c COMMAND]") || !strings.Contains(pages["man1/guideway-load.1.gz"], "-vip") {
			t.Error("options and verbs are not in the pages of the programs")
		}
	})

	t.Run("lintian", func(t *testing.T) {
		if said := run(t, "lintian", "--allow-root", "--fail-on", "error,warning", deb); said != "" {
			t.Error(said)
		}
	})

	// As exposed as docs/security.md says, by systemd's own reckoning in tenths.
	t.Run("unit", func(t *testing.T) {
		unit := run(t, "cat", filepath.Join(root, "lib/systemd/system/guidewayd.service"))
		unit = strings.ReplaceAll(unit, "=/usr/", "="+root+"/usr/")
		file := filepath.Join(dir, "guidewayd.service")
		if err := os.WriteFile(file, []byte(unit), 0o600); err != nil {
			t.Fatal(err)
		}
		run(t, "systemd-analyze", "verify", "--man=no", file)
		run(t, "systemd-analyze", "security", "--offline=true", "--threshold=24", file)
	})
}

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// do runs the command as a shell would.
func do(args ...string) (code int, out, errs string) {
	var o, e bytes.Buffer
	code = run(env{strings.NewReader(""), &o, &e}, args)
	return code, o.String(), e.String()
}

func write(t *testing.T, name, data string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const (
	good = `[node]
source = ["192.0.2.11"]
[dpdk]
lcores = [2, 3]
[[port]]
name = "wan"
device = "net_null0"
mtu = 1524
next_hop_mac = "02:00:5e:10:00:01"
[[pool]]
name = "web"
backends = [{ address = "10.0.0.1" }, { address = "10.0.0.2" }]
[[vip]]
name = "www"
address = "203.0.113.10"
ports = ["80"]
pools = ["web"]
`
	shaky = good + "[[pool]]\nname = \"idle\"\nbackends = [{ address = \"10.0.0.9\" }]\n"
	bad   = "[dpdk]\nlcores = 2\n"
)

func TestCheck(t *testing.T) {
	g, s, b := write(t, "good.toml", good), write(t, "shaky.toml", shaky), write(t, "bad.toml", bad)
	ok := ": ok: 1 VIP, 2 backends, 1 port, 2 lcores"
	warning := s + ":19:8: warning: pool \"idle\" is used by no VIP\n"
	faults := b + ": there is no [[port]]: packets need one to come and go by, with a name and a device\n" +
		b + ":2:10: dpdk.lcores: this is an integer: write an array, [ ... ]\n"
	for _, c := range []struct {
		args string
		code int
		out  string
		errs string
	}{
		{"check " + g, 0, g + ok + "\n", ""},
		{"check " + s, 0, s + ok + ", 1 warning\n", warning},
		{"check " + b, 1, "", faults},
		{"check -q " + s, 0, "", ""},
		{"check -q " + b, 1, "", faults},
		{"check " + g + " " + b + " " + s, 1, g + ok + "\n" + s + ok + ", 1 warning\n", faults + warning},
		{"check /nonexistent.toml", 1, "", "/nonexistent.toml: no such file or directory\n"},
	} {
		code, out, errs := do(strings.Fields(c.args)...)
		if code != c.code || out != c.out || errs != c.errs {
			t.Errorf("%s: exit %d\n%s\n%s\nwant %d\n%s\n%s", c.args, code, out, errs, c.code, c.out, c.errs)
		}
	}
}

// TestUsage pins exit codes and what is pointed at, not the words.
func TestUsage(t *testing.T) {
	for _, c := range []struct {
		args      string
		code      int
		out, errs string // parts of what is said there; "": nothing is
	}{
		{"", 2, "", "check"},
		{"help", 0, "version", ""},
		{"--help", 0, "version", ""},
		{"help check", 0, "-q", ""},
		{"help chekc", 2, "", `did you mean "check"?`},
		{"check", 2, "", "which file?"},
		{"check -x f", 2, "", "-x"},
		{"check -h", 0, "", "-q"},
		{"version", 0, "guideway " + version, ""},
		{"--version", 0, "guideway " + version, ""},
		{"chck f", 2, "", `did you mean "check"?`},
		{"versions", 2, "", `did you mean "version"?`},
		{"frobnicate", 2, "", `there is no verb "frobnicate" (`},
	} {
		code, out, errs := do(strings.Fields(c.args)...)
		if code != c.code || !says(out, c.out) || !says(errs, c.errs) {
			t.Errorf("guideway %s: exit %d\n%s\n%s\nwant %d, %q, %q", c.args, code, out, errs, c.code, c.out, c.errs)
		}
	}
}

func says(got, part string) bool {
	return part == "" && got == "" || part != "" && strings.Contains(got, part)
}

// TestVerbs sees to it that no verb lacks what help shows.
func TestVerbs(t *testing.T) {
	seen := map[string]bool{}
	for _, v := range verbs() {
		if v.name == "" || v.short == "" || v.run == nil || seen[v.name] {
			t.Errorf("%+v", v)
		}
		seen[v.name] = true
	}
}

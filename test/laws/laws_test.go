package laws

import (
	"maps"
	"os"
	"strings"
	"testing"
	"testing/fstest"
)

var laws = map[string]func(*Tree) []string{
	"imports only floors below":          importsBelow,
	"the packet path is quiet":           quietPath,
	"the packet path reads no clock":     noClock,
	"each big library has one home":      oneHome,
	"cgo in one place":                   cgoInOnePlace,
	"unsafe is named and explained":      unsafeIsNamed,
	"nothing is left unfinished":         finished,
	"packages and exports have comments": documented,
	"few things at the root":             fewAtTheRoot,
	"files are short":                    shortFiles,
	"folders have a line each":           foldersAreNamed,
}

// TestHouse holds the repository to its laws.
func TestHouse(t *testing.T) {
	tree, err := Load(os.DirFS("../.."))
	if err != nil {
		t.Fatal(err)
	}
	if len(tree.Packages) < 5 {
		t.Fatalf("%d packages: is this the root of the repository?", len(tree.Packages))
	}
	for name, law := range laws {
		t.Run(name, func(t *testing.T) {
			for _, finding := range law(tree) {
				t.Error(finding)
			}
		})
	}
	t.Log(Sizes(tree))
}

// house is a small tree that keeps every law.
var house = map[string]string{
	"go.mod":                "module house\n\ngo 1.26\n",
	"README.md":             "`pmd` contract\n`maglev` tables, `maglev/flow` keys\n`lcore/` loop\n`control` all of `control/config`, see there, `control/metrics` and so on\n`cmd` with `cmd/guidewayd`, `cmd/guideway`, and so on\n`test`, `test/lab` and others\n",
	"ARCHITECTURE.md":       "`pmd/dpdk` binds\n`docs` essays\n",
	"Makefile":              "all:\n",
	"docs/idea.md":          "# An idea\n",
	"pmd/pmd_unsafe.go":     "// Package pmd is the contract.\npackage pmd\n\nimport \"unsafe\"\n\n// Max is the largest burst.\nconst Max = 64\n\n// Size is of a word.\nconst Size = unsafe.Sizeof(0)\n\n// Null is nil.\nvar Null = unsafe.Pointer(nil) // points nowhere\n",
	"pmd/dpdk/dpdk.go":      "// Package dpdk binds DPDK.\npackage dpdk\n\n// #include \"shim.h\"\nimport \"C\"\n",
	"pmd/dpdk/shim.c":       strings.Repeat("\n", usualFile+1),
	"maglev/flow/f.go":      "// Package flow has keys.\npackage flow\n\nimport (\n\t\"net/netip\"\n\t\"house/pmd\"\n)\n\n// A Key is a key.\ntype Key struct{ a netip.Addr }\n\n// The kinds.\nconst (\n\tTCP = pmd.Max\n\tUDP = 2\n)\n",
	"maglev/a.go":           "// Package maglev has tables.\npackage maglev\n",
	"maglev/z.go":           "package maglev\n",
	"lcore/lcore.go":        "// Package lcore is the loop.\npackage lcore\n\nimport \"time\"\n\n// Idle is short.\nconst Idle = time.Microsecond\n",
	"lcore/x_test.go":       "package lcore\n\nimport (\n\t\"log\"\n\t\"testing\"\n\t\"time\"\n\t\"pgregory.net/rapid\"\n)\n\nfunc TestX(t *testing.T) {\n\tlog.Print(time.Now())\n\trapid.Check(t, func(t *rapid.T) { t.Skip() })\n}\n",
	"control/config/c.go":   "// Package config reads TOML.\npackage config\n\nimport \"github.com/pelletier/go-toml/v2\"\n\nfunc Load() { toml.Marshal(nil) }\n",
	"control/metrics/m.go":  "// Package metrics counts.\npackage metrics\n\nimport \"github.com/prometheus/client_golang/prometheus\"\n\nvar _ prometheus.Metric\n",
	"cmd/guidewayd/main.go": "// Command guidewayd runs.\npackage main\n\nimport \"house/pmd/dpdk\"\n\nfunc main() {}\n",
	"test/lab/lab_test.go":  "package lab\n\nimport _ \"house/pmd/dpdk\"\n",
}

// broken lists, for each law, files that break it and a part of what it says.
var broken = map[string][]struct{ path, text, says string }{
	"imports only floors below": {
		{"pmd/up.go", "package pmd\n\nimport _ \"house/lcore\"\n", "floor 0 imports lcore of floor 3"},
		{"control/config/side.go", "package config\n\nimport _ \"house/control/health\"\n", "floor 4 imports control/health of floor 4"},
		{"control/attic/a.go", "// Package attic is new.\npackage attic\n", "control/attic: on no floor"},
	},
	"the packet path is quiet": {
		{"lcore/log.go", "package lcore\n\nimport _ \"log/slog\"\n", "imports log/slog"},
		{"lcore/net.go", "package lcore\n\nimport _ \"net\"\n", "imports net"},
		{"maglev/flow/net.go", "package flow\n\nimport _ \"net/http\"\n", "imports net/http"},
	},
	"the packet path reads no clock": {
		{"lcore/now.go", "package lcore\n\nimport clock \"time\"\n\nvar _ = clock.Now()\n", "clock.Now"},
		{"lcore/dot.go", "package lcore\n\nimport . \"time\"\n\nvar _ = Now()\n", "by dot"},
		{"pmd/unix.go", "package pmd\n\nimport \"golang.org/x/sys/unix\"\n\nvar _ = unix.ClockGettime\n", "unix.ClockGettime"},
		{"pmd/link_unsafe.go", "package pmd\n\nimport _ \"unsafe\"\n\n//go:linkname nanotime runtime.nanotime\nfunc nanotime() int64\n", "runtime.nanotime"},
	},
	"each big library has one home": {
		{"control/metrics/t.go", "package metrics\n\nimport _ \"github.com/pelletier/go-toml/v2/unstable\"\n", "control/config, control/metrics"},
	},
	"cgo in one place": {
		{"cmd/guidewayd/c.go", "package main\n\nimport \"C\"\n", "cgo outside"},
		{"pmd/dpdk/more.go", "package dpdk\n\n/*\n#include <rte_mbuf.h>\n*/\nimport \"C\"\n", "includes only"},
		{"cmd/guideway/main_test.go", "package main\n\nimport _ \"house/pmd/dpdk\"\n", "import pmd/dpdk"},
	},
	"unsafe is named and explained": {
		{"pmd/cast.go", "package pmd\n\nimport \"unsafe\"\n\n// P is p.\nvar P unsafe.Pointer // nil\n", "named *_unsafe.go"},
		{"pmd/cast_unsafe.go", "package pmd\n\nimport \"unsafe\"\n\nfunc f(p *int) int {\n\tx := unsafe.Pointer(p)\n\treturn *(*int)(x)\n}\n", "unsafe.Pointer without"},
	},
	"nothing is left unfinished": {
		{"pmd/later.go", "package pmd\n\n// TO" + "DO: the rest.\n", "pmd/later.go:3"},
		{"pmd/dpdk/shim.c", "int x; /* FIX" + "ME */\n", "pmd/dpdk/shim.c:1"},
		{"pmd/skip_test.go", "package pmd\n\nimport \"testing\"\n\nfunc TestX(t *testing.T) {\n\tt.Run(\"\", func(u *testing.T) { u.Skipf(\"%d\", 1) })\n}\n", "u.Skipf"},
		{"pmd/help_test.go", "package pmd\n\nimport \"testing\"\n\nfunc need(tb testing.TB) { func() { tb.SkipNow() }() }\n", "tb.SkipNow"},
	},
	"packages and exports have comments": {
		{"pmd/two.go", "// Package pmd says it twice.\npackage pmd\n", "2 package comments"},
		{"pmd/prefetch/none.go", "package prefetch\n", "0 package comments"},
		{"cmd/guideway/main.go", "// Does things.\npackage main\n", `"Command guideway"`},
		{"pmd/bare.go", "package pmd\n\nfunc Bare() {}\n", "Bare has no comment"},
		{"pmd/method.go", "package pmd\n\n// T is one.\ntype T[P any] struct{}\n\nfunc (*T[P]) Bare() {}\n", "Bare has no comment"},
		{"pmd/group.go", "package pmd\n\nvar (\n\tA int // said\n\tB int\n)\n", "B has no comment"},
		{"pmd/type.go", "package pmd\n\ntype Bare int\n", "Bare has no comment"},
	},
	"few things at the root": {
		{"notes.txt", "remember\n", "notes.txt: does not belong"},
		{"util/u.go", "// Package util is a drawer.\npackage util\n", "util: does not belong"},
	},
	"files are short": {
		{"pmd/long.go", "package pmd\n" + strings.Repeat("\n", longestFile), "601 lines, at most 600"},
		{"lcore/x_test.go", "package lcore\n" + strings.Repeat("\n", usualFile), "2 of 12 files"},
	},
	"folders have a line each": {
		{"deploy/guideway.service", "[Unit]\n", "deploy: neither"},
		{"maglev/fib/f.go", "// Package fib is new.\npackage fib\n", "maglev/fib: neither"},
	},
}

// TestLawsBite shows that each law passes the small house and fails it once a
// file that breaks the law is added.
func TestLawsBite(t *testing.T) {
	for name, law := range laws {
		t.Run(name, func(t *testing.T) {
			if found := law(build(t, house)); len(found) > 0 {
				t.Fatalf("the house keeps this law, yet: %q", found)
			}
			if len(broken[name]) == 0 {
				t.Fatal("no example breaks this law")
			}
			for _, b := range broken[name] {
				files := maps.Clone(house)
				files[b.path] = b.text
				found := law(build(t, files))
				if !strings.Contains(strings.Join(found, "\n"), b.says) {
					t.Errorf("with %s the law says %q, want %q", b.path, found, b.says)
				}
			}
		})
	}
}

// TestLoadLeavesOut: generated files, test data and what the Makefile builds
// are nobody's handwriting.
func TestLoadLeavesOut(t *testing.T) {
	files := maps.Clone(house)
	long := strings.Repeat("\n", longestFile+1)
	files["pmd/gen.go"] = "// Code generated by hand; DO NOT EDIT.\n\npackage pmd\n" + long
	files["pmd/testdata/x.c"] = long
	files["bin/x.sh"] = long
	tree := build(t, files)
	if got, want := len(tree.Files), len(build(t, house).Files); got != want {
		t.Errorf("%d files, want %d", got, want)
	}
	if found := fewAtTheRoot(tree); len(found) > 0 {
		t.Error(found)
	}
}

func build(t *testing.T, files map[string]string) *Tree {
	t.Helper()
	fsys := fstest.MapFS{}
	for name, text := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	tree, err := Load(fsys)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

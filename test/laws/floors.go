package laws

import (
	"slices"
	"strings"
)

// floors places every package: it imports only floors below its own. A new
// package is placed here first. What is under test/ stands above everything.
var floors = map[string]int{
	"pmd":           0, // the contract
	"pmd/prefetch":  0,
	"pmd/foreign":   0,
	"pmd/timeslice": 0,
	"maglev/packet": 0,

	"pmd/dpdk":    1,
	"pmd/memport": 1,
	"maglev":      1,
	"maglev/flow": 1,

	"maglev/conntrack": 2,
	"maglev/fib":       2,
	"fragments":        2,

	"lcore": 3,

	// The traffic generator's own packet path keeps the same rules.
	"cmd/guideway-load/traffic": 2,
	"cmd/guideway-load/engine":  3,

	"control/config":  4,
	"control/health":  4,
	"control/bgp":     4,
	"control/kernel":  4,
	"control/capture": 4,
	"control/trace":   4,
	"control/machine": 4,

	"cmd/guideway-load/options": 4,

	"control/plan": 5,

	"control/console": 6,
	"control/keep":    6,
	"control/metrics": 6,

	"control": 7,

	"cmd/guidewayd":     8,
	"cmd/guideway":      8,
	"cmd/guideway-lab":  8,
	"cmd/guideway-load": 8,
	"deploy/grafana":    8,
	"test/plot":         8, // programs under test/ draw by it
}

const (
	topOfPath = 3 // floors up to here are the packet path
	testFloor = 9
)

// dpdkImporters are the programs that link DPDK; all else is pure Go.
var dpdkImporters = []string{"cmd/guidewayd", "cmd/guideway-load"}

// homes are the libraries that live in one package each.
var homes = []string{
	"github.com/pelletier/go-toml",
	"github.com/prometheus/client_golang",
	"github.com/vishvananda/netlink",
	"github.com/osrg/gobgp",
	"github.com/HdrHistogram/hdrhistogram-go",
	"github.com/coreos/go-systemd",
}

func floor(dir string) (int, bool) {
	if n, ok := floors[dir]; ok {
		return n, true
	}
	return testFloor, strings.HasPrefix(dir, "test/")
}

func onPath(p *Package) bool {
	n, ok := floor(p.Dir)
	return ok && n <= topOfPath
}

// importsBelow: a package imports only floors below its own. In particular
// the packages of one floor, such as config, health, bgp and kernel, do not
// know each other.
func importsBelow(t *Tree) (found []string) {
	for _, p := range t.Packages {
		if _, ok := floor(p.Dir); !ok {
			found = append(found, p.Dir+": on no floor: place it in test/laws/floors.go")
		}
	}
	for p, f := range t.library {
		own, placed := floor(p.Dir)
		for spec, imported := range f.Imports {
			dir, ours := strings.CutPrefix(imported, t.Module+"/")
			if !ours || !placed {
				continue
			}
			if other, ok := floor(dir); ok && other >= own {
				found = append(found, t.at(spec, "floor %d imports %s of floor %d", own, dir, other))
			}
		}
	}
	return found
}

// quietPath: the packet path imports no logger, no metrics library and no
// sockets: it counts and answers, and others speak.
func quietPath(t *Tree) (found []string) {
	loud := func(imported string) bool {
		return imported == "log" || strings.HasPrefix(imported, "log/") ||
			imported == "net" || strings.HasPrefix(imported, "net/") && imported != "net/netip" ||
			strings.HasPrefix(imported, "github.com/prometheus/")
	}
	for p, f := range t.library {
		for spec, imported := range f.Imports {
			if onPath(p) && loud(imported) {
				found = append(found, t.at(spec, "the packet path imports %s", imported))
			}
		}
	}
	return found
}

// oneHome: each of the libraries that shape a program is known to one package.
func oneHome(t *Tree) (found []string) {
	for _, library := range homes {
		var dirs []string
		for p, f := range t.library {
			for _, imported := range f.Imports {
				if imported == library || strings.HasPrefix(imported, library+"/") {
					dirs = append(dirs, p.Dir)
				}
			}
		}
		if dirs = slices.Compact(dirs); len(dirs) > 1 {
			found = append(found, library+" has more than one home: "+strings.Join(dirs, ", "))
		}
	}
	return found
}

// cgoInOnePlace: C is in pmd/dpdk alone, behind shim.h, and only the programs
// that drive ports link it, so that all else builds and tests without a C
// compiler. Tests count too; those under test/ may use DPDK.
func cgoInOnePlace(t *Tree) (found []string) {
	for _, p := range t.Packages {
		may := slices.Contains(dpdkImporters, p.Dir) || p.Dir == "pmd/dpdk" || strings.HasPrefix(p.Dir, "test/")
		for _, f := range p.Files {
			for spec, imported := range f.Imports {
				switch {
				case imported == "C" && p.Dir != "pmd/dpdk":
					found = append(found, t.at(spec, "cgo outside pmd/dpdk"))
				case imported == t.Module+"/pmd/dpdk" && !may:
					found = append(found, t.at(spec, "only %s import pmd/dpdk", strings.Join(dpdkImporters, " and ")))
				}
			}
			found = append(found, preamble(t, f)...)
		}
	}
	return found
}

// preamble checks that a cgo preamble includes nothing but shim.h.
func preamble(t *Tree, f *File) (found []string) {
	if f.name("C") == "" {
		return nil
	}
	for _, group := range f.AST.Comments {
		for _, c := range group.List {
			for line := range strings.Lines(strings.TrimPrefix(c.Text, "/*")) {
				line = strings.TrimSpace(strings.TrimPrefix(line, "//"))
				if strings.HasPrefix(line, "#include") && line != `#include "shim.h"` {
					found = append(found, t.at(c, `%s: a preamble includes only "shim.h"`, line))
				}
			}
		}
	}
	return found
}

package replay

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"testing"

	"guideway/lcore"
)

// elsewhere are the verdicts that no capture can reach by net_pcap, with why,
// and the test that reaches them.
var elsewhere = map[lcore.Verdict]struct{ why, dir, test string }{
	lcore.Unset:       {"is a bug: the fuzz target finds whoever returns it", "../../lcore", "TestHostileFrames"},
	lcore.BadChecksum: {"net_pcap checks no checksums, as a NIC does", "../../lcore", "TestVerdictsOfTheTail"},
	lcore.NoHeadroom:  {"net_pcap leaves the headroom that every tunnel fits in", "../../lcore", "TestVerdictsOfTheTail"},
}

// TestEveryVerdictIsReached holds the captures against the closed set of
// verdicts: at least one frame ends by each. TestCaptures sees to it that they
// do. A new verdict lacks a capture until it has one.
func TestEveryVerdictIsReached(t *testing.T) {
	names, err := scenes()
	if err != nil {
		t.Fatal(err)
	}
	reached := map[string]string{}
	for _, name := range names {
		e, err := readExpectation(name)
		if err != nil {
			t.Fatal(err)
		}
		certain, _ := e.ends()
		for v := range certain {
			reached[v] = name
		}
	}
	for v := range lcore.Verdicts {
		name, here := reached[v.String()]
		other, there := elsewhere[v]
		switch {
		case here && there:
			t.Errorf("%s is reached by capture %s, and %q says why not", v, name, other.why)
		case !here && !there:
			t.Errorf("no capture reaches %s", v)
		case there && !hasTest(t, other.dir, other.test):
			t.Errorf("%s: there is no %s in %s", v, other.test, other.dir)
		}
		delete(reached, v.String())
	}
	for v, name := range reached {
		t.Errorf("%s.expect: there is no verdict %q", name, v)
	}
}

// hasTest tells whether a package has a test of that name.
func hasTest(t *testing.T, dir, name string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		if slices.ContainsFunc(f.Decls, func(d ast.Decl) bool {
			fn, ok := d.(*ast.FuncDecl)
			return ok && fn.Recv == nil && fn.Name.Name == name
		}) {
			return true
		}
	}
	return false
}

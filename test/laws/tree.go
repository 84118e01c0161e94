// Package laws holds the rules of the house (ARCHITECTURE.md) as checks on the
// source tree. They read files and parse Go; they build nothing, so they hold
// on any machine and with CGO_ENABLED=0.
package laws

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// A Tree is a module's source, parsed.
type Tree struct {
	Module   string // its path, from go.mod
	Root     []fs.DirEntry
	Files    []*File    // all hand-written source files, by path
	Packages []*Package // one for each folder with Go files
	Prose    string     // README.md and ARCHITECTURE.md
	fset     *token.FileSet
}

// A Package is the Go files of one folder, tests included.
type Package struct {
	Dir   string // relative to the root: "maglev/flow"
	Files []*File
}

// A File is one source file; AST is nil unless it is Go.
type File struct {
	Path  string
	Lines []string
	AST   *ast.File
}

// sources are the kinds of files that people write code in here.
var sources = []string{".go", ".c", ".h", ".s", ".sh", ".py"}

// outside are the folders at the root that the tree does not hold: git's own
// and what the Makefile builds (.gitignore).
var outside = []string{".git", "bin", "bench"}

// Load reads the module at the root of fsys. Files that say they are generated
// and folders named testdata are left out.
func Load(fsys fs.FS) (*Tree, error) {
	t := &Tree{fset: token.NewFileSet()}
	mod, err := fs.ReadFile(fsys, "go.mod")
	if err != nil {
		return nil, err
	}
	t.Module, _, _ = strings.Cut(strings.TrimPrefix(string(mod), "module "), "\n")
	for _, name := range []string{"README.md", "ARCHITECTURE.md"} {
		text, err := fs.ReadFile(fsys, name)
		if err != nil {
			return nil, err
		}
		t.Prose += string(text) + "\n"
	}
	entries, err := fs.ReadDir(fsys, ".")
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if !slices.Contains(outside, e.Name()) {
			t.Root = append(t.Root, e)
		}
	}
	return t, fs.WalkDir(fsys, ".", func(name string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case e.IsDir() && (slices.Contains(outside, name) || e.Name() == "testdata"):
			return fs.SkipDir
		case e.IsDir() || !slices.Contains(sources, path.Ext(name)):
			return nil
		}
		return t.add(fsys, name)
	})
}

func (t *Tree) add(fsys fs.FS, name string) error {
	text, err := fs.ReadFile(fsys, name)
	if err != nil {
		return err
	}
	f := &File{Path: name, Lines: strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")}
	if path.Ext(name) == ".go" {
		if f.AST, err = parser.ParseFile(t.fset, name, text, parser.ParseComments|parser.SkipObjectResolution); err != nil {
			return err
		}
		if ast.IsGenerated(f.AST) {
			return nil
		}
		dir := path.Dir(name)
		// Not always the last one: a folder's files and its folders mix in a walk.
		i := slices.IndexFunc(t.Packages, func(p *Package) bool { return p.Dir == dir })
		if i < 0 {
			i = len(t.Packages)
			t.Packages = append(t.Packages, &Package{Dir: dir})
		}
		t.Packages[i].Files = append(t.Packages[i].Files, f)
	}
	t.Files = append(t.Files, f)
	return nil
}

// Test reports whether f is only compiled into tests.
func (f *File) Test() bool { return strings.HasSuffix(f.Path, "_test.go") }

// Imports yields the import specs of f with their paths unquoted.
func (f *File) Imports(yield func(*ast.ImportSpec, string) bool) {
	for _, spec := range f.AST.Imports {
		if p, err := strconv.Unquote(spec.Path.Value); err != nil || !yield(spec, p) {
			return
		}
	}
}

// name returns what f calls the package that it imports as p, "" if it does
// not import it.
func (f *File) name(p string) string {
	for spec, imported := range f.Imports {
		switch {
		case imported != p:
		case spec.Name != nil:
			return spec.Name.Name
		default:
			return path.Base(p)
		}
	}
	return ""
}

// at is a finding: a place, and what is wrong there.
func (t *Tree) at(n ast.Node, format string, args ...any) string {
	pos := t.fset.Position(n.Pos())
	return fmt.Sprintf("%s:%d: %s", pos.Filename, pos.Line, fmt.Sprintf(format, args...))
}

// library yields every package with its files that are not tests.
func (t *Tree) library(yield func(*Package, *File) bool) {
	for _, p := range t.Packages {
		for _, f := range p.Files {
			if !f.Test() && !yield(p, f) {
				return
			}
		}
	}
}

package laws

import (
	"fmt"
	"go/ast"
	"go/token"
	"path"
	"slices"
	"strings"
)

// clocks are the ways to learn what time it is.
var clocks = map[string][]string{
	"time":                  {"Now", "Since", "Until"},
	"syscall":               {"Gettimeofday", "Time"},
	"golang.org/x/sys/unix": {"ClockGettime", "Gettimeofday", "Time"},
}

// noClock: on the packet path time is an argument. Durations are no readings,
// and neither is waiting: a core that rests, the control plane's end of lcore.
func noClock(t *Tree) (found []string) {
	for p, f := range t.library {
		if !onPath(p) {
			continue
		}
		for clock, readings := range clocks {
			name := f.name(clock)
			if name == "." {
				found = append(found, fmt.Sprintf("%s: imports %s by dot, so that its readings cannot be told", f.Path, clock))
			}
			ast.Inspect(f.AST, func(n ast.Node) bool {
				if s, ok := n.(*ast.SelectorExpr); ok && isName(s.X, name) && slices.Contains(readings, s.Sel.Name) {
					found = append(found, t.at(s, "the packet path reads the clock: %s.%s", name, s.Sel.Name))
				}
				return true
			})
		}
		for _, c := range comments(f) {
			if strings.HasPrefix(c.Text, "//go:linkname") && (strings.Contains(c.Text, "nanotime") || strings.Contains(c.Text, "walltime")) {
				found = append(found, t.at(c, "the packet path reads the clock: %s", c.Text))
			}
		}
	}
	return found
}

// sizes are the parts of unsafe that are constants: they touch no memory.
var sizes = []string{"Sizeof", "Offsetof", "Alignof"}

// unsafeIsNamed: unsafe is in *_unsafe.go files only, and whoever uses it says
// on the line or just above it why the memory is there as long as needed.
func unsafeIsNamed(t *Tree) (found []string) {
	for _, f := range t.library {
		name := f.name("unsafe")
		if name == "" {
			continue
		}
		if !strings.HasSuffix(f.Path, "_unsafe.go") {
			found = append(found, f.Path+": imports unsafe; such a file is named *_unsafe.go")
		}
		said := map[int]bool{} // lines that have a comment, or one ending just above
		for _, c := range comments(f) {
			line := t.fset.Position(c.Pos()).Line
			end := t.fset.Position(c.End()).Line
			said[line], said[end], said[end+1] = true, true, true
		}
		ast.Inspect(f.AST, func(n ast.Node) bool {
			s, ok := n.(*ast.SelectorExpr)
			if ok && isName(s.X, name) && !slices.Contains(sizes, s.Sel.Name) && !said[t.fset.Position(s.Pos()).Line] {
				found = append(found, t.at(s, "unsafe.%s without a word on why it is safe", s.Sel.Name))
			}
			return true
		})
	}
	return found
}

// unfinished are the words of work left for later.
var unfinished = []string{"TO" + "DO", "FIX" + "ME"}

// finished: nothing is marked as left for later, and no test skips itself: it
// passes, or it fails and says what it lacks.
func finished(t *Tree) (found []string) {
	for _, f := range t.Files {
		for i, line := range f.Lines {
			for _, word := range unfinished {
				if strings.Contains(line, word) {
					found = append(found, fmt.Sprintf("%s:%d: %s", f.Path, i+1, word))
				}
			}
		}
		if f.AST != nil && f.Test() {
			found = append(found, skips(t, f)...)
		}
	}
	return found
}

// skips finds calls of Skip, Skipf and SkipNow on parameters of package
// testing's types. (A generator of rapid may discard a case.)
func skips(t *Tree, f *File) (found []string) {
	var inspect func(node ast.Node, testers []string)
	inspect = func(node ast.Node, testers []string) {
		ast.Inspect(node, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				if n.Body != nil {
					inspect(n.Body, scope(n.Type, testers))
				}
				return false
			case *ast.FuncLit:
				inspect(n.Body, scope(n.Type, testers))
				return false
			case *ast.SelectorExpr:
				x, ok := n.X.(*ast.Ident)
				if ok && strings.HasPrefix(n.Sel.Name, "Skip") && n.Sel.Name != "Skipped" && slices.Contains(testers, x.Name) {
					found = append(found, t.at(n, "a test that skips itself: %s.%s", x.Name, n.Sel.Name))
				}
			}
			return true
		})
	}
	inspect(f.AST, nil)
	return found
}

// scope returns the names that hold a *testing.T, B, F or TB inside a function
// of type fn, given those outside it.
func scope(fn *ast.FuncType, outer []string) []string {
	names := slices.Clone(outer)
	for _, field := range fn.Params.List {
		typ := field.Type
		if star, ok := typ.(*ast.StarExpr); ok {
			typ = star.X
		}
		s, ok := typ.(*ast.SelectorExpr)
		tester := ok && isName(s.X, "testing")
		for _, id := range field.Names {
			names = slices.DeleteFunc(names, func(n string) bool { return n == id.Name })
			if tester {
				names = append(names, id.Name)
			}
		}
	}
	return names
}

// documented: a package has one package comment, and the packet path says what
// each exported name is.
func documented(t *Tree) (found []string) {
	for _, p := range t.Packages {
		var docs []string
		library := false
		for _, f := range p.Files {
			library = library || !f.Test()
			if f.AST.Doc == nil {
				continue
			}
			docs = append(docs, path.Base(f.Path))
			forms := []string{"Package " + f.AST.Name.Name}
			if name := path.Base(p.Dir); f.AST.Name.Name == "main" {
				forms = []string{"Command " + name, strings.ToUpper(name[:1]) + name[1:]}
			}
			opens := func(form string) bool { return strings.HasPrefix(f.AST.Doc.Text(), form+" ") }
			if !slices.ContainsFunc(forms, opens) {
				found = append(found, t.at(f.AST, "the package comment begins with %q", forms[0]))
			}
		}
		if library && len(docs) != 1 {
			found = append(found, fmt.Sprintf("%s: %d package comments, want one %v", p.Dir, len(docs), docs))
		}
	}
	for p, f := range t.library {
		if onPath(p) {
			for _, d := range f.AST.Decls {
				found = append(found, bare(t, d)...)
			}
		}
	}
	return found
}

// bare returns the exported names of d that have no comment: neither their own
// nor, in a group of constants or variables, the group's.
func bare(t *Tree, d ast.Decl) (found []string) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Doc == nil && d.Name.IsExported() && (d.Recv == nil || receiver(d).IsExported()) {
			found = append(found, t.at(d, "%s has no comment", d.Name.Name))
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch s := spec.(type) {
			case *ast.TypeSpec:
				if s.Name.IsExported() && s.Doc == nil && d.Doc == nil {
					found = append(found, t.at(s, "%s has no comment", s.Name.Name))
				}
			case *ast.ValueSpec:
				if s.Doc != nil || s.Comment != nil || d.Doc != nil && (d.Tok == token.CONST || d.Tok == token.VAR) {
					continue
				}
				for _, id := range s.Names {
					if id.IsExported() {
						found = append(found, t.at(id, "%s has no comment", id.Name))
					}
				}
			}
		}
	}
	return found
}

// receiver returns the name of the type that a method belongs to.
func receiver(d *ast.FuncDecl) *ast.Ident {
	var id *ast.Ident
	ast.Inspect(d.Recv.List[0].Type, func(n ast.Node) bool {
		if i, ok := n.(*ast.Ident); ok && id == nil {
			id = i // the first: type parameters come after the type
		}
		return id == nil
	})
	return id
}

func isName(e ast.Expr, name string) bool {
	id, ok := e.(*ast.Ident)
	return ok && name != "" && id.Name == name
}

func comments(f *File) (all []*ast.Comment) {
	for _, group := range f.AST.Comments {
		all = append(all, group.List...)
	}
	return all
}

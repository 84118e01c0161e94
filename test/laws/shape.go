package laws

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
)

// What a file may measure, in lines.
const (
	longestFile = 600
	usualFile   = 350 // nine in ten are shorter
)

// rootHolds lists all that may stand at the root of the repository.
var rootHolds = []string{
	".ci", ".gitignore", "ARCHITECTURE.md", "CONTRIBUTING.md", "LICENSE", "Makefile", "README.md", "go.mod", "go.sum",
	"cmd", "control", "deploy", "docs", "fragments", "lcore", "maglev", "pmd", "test", "third_party",
}

// fewAtTheRoot: the root is a table of contents, not a drawer.
func fewAtTheRoot(t *Tree) (found []string) {
	for _, e := range t.Root {
		if !slices.Contains(rootHolds, e.Name()) {
			found = append(found, e.Name()+": does not belong at the root")
		}
	}
	return found
}

// shortFiles: a file is read in one sitting.
func shortFiles(t *Tree) (found []string) {
	var long []string
	for _, f := range t.Files {
		if n := len(f.Lines); n > longestFile {
			found = append(found, fmt.Sprintf("%s: %d lines, at most %d", f.Path, n, longestFile))
		} else if n > usualFile {
			long = append(long, fmt.Sprintf("%s (%d)", f.Path, n))
		}
	}
	if 10*len(long) > len(t.Files) {
		found = append(found, fmt.Sprintf("%d of %d files are over %d lines, at most one in ten: %s",
			len(long), len(t.Files), usualFile, strings.Join(long, ", ")))
	}
	return found
}

// foldersAreNamed: README.md or ARCHITECTURE.md has a line for every folder at
// the root and every package.
func foldersAreNamed(t *Tree) (found []string) {
	var dirs []string
	for _, e := range t.Root {
		if e.IsDir() && !strings.HasPrefix(e.Name(), ".") {
			dirs = append(dirs, e.Name())
		}
	}
	for _, p := range t.Packages {
		dirs = append(dirs, path.Clean(p.Dir))
	}
	slices.Sort(dirs)
	for _, dir := range slices.Compact(dirs) {
		// The path in backquotes, and words after it.
		line := regexp.MustCompile("(?m)`" + regexp.QuoteMeta(dir) + "/?`.*\\w.*$")
		if !line.MatchString(t.Prose) {
			found = append(found, dir+": neither README.md nor ARCHITECTURE.md has a line for it")
		}
	}
	return found
}

// Sizes sums up the lengths of the tree's files.
func Sizes(t *Tree) string {
	lengths := make([]int, len(t.Files))
	for i, f := range t.Files {
		lengths[i] = len(f.Lines)
	}
	slices.Sort(lengths)
	n := len(lengths)
	return fmt.Sprintf("%d files; lines: median %d, nine in ten at most %d, longest %d", n, lengths[n/2], lengths[(n*9)/10], lengths[n-1])
}

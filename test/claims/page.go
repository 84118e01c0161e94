package main

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// page is the text that the tables are parts of; figures lie in a folder
// beside it.
const (
	page    = "claims.md"
	figures = "claims"
)

// Each table of a page stands between two such lines, with its name.
func begin(name string) string { return "<!-- made by make claims: " + name + " -->\n" }

const end = "<!-- until here -->\n"

// fill puts tables in their places in a page. Every table has a place, and
// every place a table.
func fill(text []byte, tables map[string]*table) ([]byte, error) {
	for _, name := range slices.Sorted(maps.Keys(tables)) {
		before, rest, found := bytes.Cut(text, []byte(begin(name)))
		_, after, closed := bytes.Cut(rest, []byte(end))
		if !found || !closed {
			return nil, fmt.Errorf("%s has no place for table %q: want %q, then %q", page, name, strings.TrimSpace(begin(name)), strings.TrimSpace(end))
		}
		text = slices.Concat(before, []byte(begin(name)+"\n"+tables[name].String()+"\n"+end), after)
	}
	if places := bytes.Count(text, []byte(end)); places != len(tables) {
		return nil, fmt.Errorf("%s has places for %d tables, there are %d", page, places, len(tables))
	}
	return text, nil
}

// write puts what the report has into a folder of documents.
func (r *report) write(docs string) error {
	path := filepath.Join(docs, page)
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if text, err = fill(text, r.tables); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(docs, figures), 0o755); err != nil {
		return err
	}
	for name, f := range r.figures {
		if err := os.WriteFile(filepath.Join(docs, figures, name+".svg"), f.SVG(), 0o644); err != nil {
			return err
		}
	}
	return os.WriteFile(path, text, 0o644)
}

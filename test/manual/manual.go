// Package manual reads the operator's manual, docs/*.md, for the tests that
// perform what stands there.
package manual

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Pages are those whose blocks are all performed, or say that they are not.
var Pages = []string{"dashboard.md", "drills.md", "manual.md", "routers.md", "security.md"}

// A Block is what stands between two fences, without the indent of a list.
type Block struct {
	Page  string
	Line  int    // of the first fence, from 1
	Kind  string // the word behind the first fence
	Text  string
	Above string // the last line before it that is not empty
}

func (b Block) String() string { return fmt.Sprintf("%s:%d (%s)", b.Page, b.Line, b.Kind) }

// NotTestable tells whether a text says of itself that it is not performed.
func NotTestable(text string) bool { return strings.Contains(text, "not testable here") }

// Blocks reads the blocks of a page in docs, in their order.
func Blocks(docs, page string) (all []Block, err error) {
	text, err := os.ReadFile(filepath.Join(docs, page))
	if err != nil {
		return nil, err
	}
	var (
		open   *Block
		indent string
		above  string
	)
	n := 0
	for line := range strings.Lines(string(text)) {
		n++
		line = strings.TrimSuffix(line, "\n")
		kind, fence := strings.CutPrefix(strings.TrimLeft(line, " "), "```")
		switch {
		case fence && open == nil:
			indent = line[:strings.IndexByte(line, '`')]
			open = &Block{Page: page, Line: n, Kind: kind, Above: above}
		case fence:
			all = append(all, *open)
			open = nil
		case open != nil:
			open.Text += strings.TrimPrefix(line, indent) + "\n"
		case strings.TrimSpace(line) != "":
			above = line
		}
	}
	if open != nil {
		return nil, fmt.Errorf("%v is not closed", open)
	}
	return all, nil
}

package config

import (
	"bytes"
	"errors"
	"sort"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// A File is a TOML document as a person typed it: its keys and values with
// their places, before anything in it has been judged. [File.Config] judges it.
type File struct {
	name   string
	root   *table
	faults Faults // keys set twice: found while the tree is built
}

// parseFile reads the document. The error is a [Faults] with the first syntax
// error; after one of these nothing further is reported, since what follows
// may be misread.
func parseFile(name string, data []byte) (*File, error) {
	// The parser tells where a slice lies in its input by capacities, so the
	// input must end where its memory does.
	b := &builder{report: report{file: name}, data: data[:len(data):len(data)]}
	b.parser.Reset(b.data)
	b.index()
	root := newTable(byImplied, pos{1, 1})
	current := root
	for b.parser.NextExpression() {
		switch e := b.parser.Expression(); e.Kind {
		case unstable.Table:
			current = root.open(&b.report, b.key(e))
		case unstable.ArrayTable:
			current = root.extend(&b.report, b.key(e))
		case unstable.KeyValue:
			current.set(&b.report, b.key(e), b.keyed(e))
		}
	}
	if err := b.parser.Error(); err != nil {
		return nil, b.syntax(err)
	}
	return &File{name, root, b.faults}, nil
}

// builder copies the parser's passing nodes into a tree that lasts.
type builder struct {
	report
	parser unstable.Parser
	data   []byte
	starts []int // offset of each line's first byte
}

func (b *builder) index() {
	b.starts = append(b.starts, 0)
	for i, c := range b.data {
		if c == '\n' {
			b.starts = append(b.starts, i+1)
		}
	}
}

func (b *builder) pos(offset int) pos {
	line := sort.SearchInts(b.starts, offset+1)
	return pos{line, offset - b.starts[line-1] + 1}
}

func (b *builder) key(n *unstable.Node) []part {
	var parts []part
	for it := n.Key(); it.Next(); {
		k := it.Node()
		parts = append(parts, part{string(k.Data), b.pos(int(k.Raw.Offset))})
	}
	return parts
}

// keyed builds the value of a key. The parser gives arrays no place of their
// own, so it is found behind the last part of the key and the equals sign.
func (b *builder) keyed(n *unstable.Node) *value {
	end := 0
	for it := n.Key(); it.Next(); {
		end = int(it.Node().Raw.Offset + it.Node().Raw.Length)
	}
	for end < len(b.data) && strings.IndexByte(" \t=", b.data[end]) >= 0 {
		end++
	}
	return b.value(n.Value(), b.pos(end))
}

func (b *builder) value(n *unstable.Node, at pos) *value {
	switch n.Kind {
	case unstable.Array:
		v := &value{kind: kindArray, at: at}
		for it := n.Children(); it.Next(); {
			item := it.Node()
			itemAt := at // an array in an array has no place of its own
			if item.Kind != unstable.Array {
				itemAt = b.pos(int(item.Raw.Offset))
			}
			v.items = append(v.items, b.value(item, itemAt))
		}
		return v
	case unstable.InlineTable:
		t := newTable(byImplied, at)
		for it := n.Children(); it.Next(); {
			t.set(&b.report, b.key(it.Node()), b.keyed(it.Node()))
		}
		t.origin = byInline
		return &value{kind: kindTable, at: at, table: t}
	}
	return &value{kind: scalarKind(n.Kind), at: at, text: string(n.Data)}
}

func scalarKind(k unstable.Kind) kind {
	switch k {
	case unstable.String:
		return kindString
	case unstable.Integer:
		return kindInteger
	case unstable.Float:
		return kindFloat
	case unstable.Bool:
		return kindBool
	}
	return kindTime
}

// syntax places the parser's error and adds what is most likely meant.
func (b *builder) syntax(err error) error {
	f := Fault{File: b.file, Line: 1, Col: 1, Text: "TOML syntax: " + err.Error()}
	var perr *unstable.ParserError
	if errors.As(err, &perr) {
		at := b.pos(int(b.parser.Range(perr.Highlight).Offset))
		f.Line, f.Col = at.line, at.col
	}
	if hint := b.hint(pos{f.Line, f.Col}); hint != "" {
		f.Text += " (" + hint + ")"
	}
	return Faults{f}
}

// hint knows the two slips that people make most.
func (b *builder) hint(at pos) string {
	if bytes.HasPrefix(b.data, []byte("\xef\xbb\xbf")) {
		return "the file starts with a byte order mark: save it as UTF-8 without one"
	}
	line, _, _ := bytes.Cut(b.data[b.starts[at.line-1]:], []byte("\n"))
	if bytes.HasPrefix(bytes.TrimSpace(line), []byte("[")) || at.col > len(line) || !bare(rune(line[at.col-1])) {
		return ""
	}
	unlike := func(c rune) bool { return !bare(c) }
	from := bytes.LastIndexFunc(line[:at.col-1], unlike) + 1
	word := line[from:]
	if to := bytes.IndexFunc(word, unlike); to >= 0 {
		word = word[:to]
	}
	if !bytes.ContainsAny(line[:from], "=[,") && bytes.Contains(line, []byte("=")) {
		return "" // the key, not the value
	}
	return "a string needs quotes: \"" + string(word) + "\""
}

// bare tells whether c may stand in an address, a name, a number or a path.
func bare(c rune) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c < 0x80 && bytes.IndexByte([]byte("._:/%-"), byte(c)) >= 0
}

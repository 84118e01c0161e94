package config

// The tree is the document: tables, arrays and scalars, each with its place.

type kind uint8

const (
	kindString kind = iota
	kindInteger
	kindFloat
	kindBool
	kindTime
	kindArray
	kindTable
)

func (k kind) String() string {
	return [...]string{"a string", "an integer", "a float", "a boolean", "a date or time", "an array", "a table"}[k]
}

// value is a scalar, an array or a table.
type value struct {
	kind  kind
	at    pos
	text  string   // of a string its content, of another scalar its spelling
	items []*value // of an array
	table *table   // of a table

	// headers is true for an array made by [[headers]], which may grow; one
	// written with brackets may not.
	headers bool
}

// origin says how a table came to be, which decides who may add to it
// (TOML 1.0, sections "Table" and "Inline Table").
type origin uint8

const (
	byHeader  origin = iota // [a]: stands once
	byImplied               // [a.b] made a: [a] may still follow
	byDotted                // a.b = 1 made a: only more dotted keys may add
	byInline                // a = { }: closed
)

type table struct {
	origin  origin
	at      pos
	entries []*entry // in the order of the file
	index   map[string]*entry
}

type entry struct {
	key   string
	at    pos // of the key
	value *value
}

func newTable(o origin, at pos) *table {
	return &table{origin: o, at: at, index: make(map[string]*entry)}
}

func (t *table) put(e *entry) {
	t.entries = append(t.entries, e)
	t.index[e.key] = e
}

// part is one part of a dotted key.
type part struct {
	key string
	at  pos
}

// descend follows the parts from t, making tables of the given origin where
// there are none. It returns nil after reporting a fault when something that
// is not a table is in the way.
func (t *table) descend(r *report, parts []part, o origin) *table {
	for _, p := range parts {
		e := t.index[p.key]
		if e == nil {
			next := newTable(o, p.at)
			t.put(&entry{p.key, p.at, &value{kind: kindTable, at: p.at, table: next}})
			t = next
			continue
		}
		next := e.value.table
		if e.value.headers {
			next = e.value.items[len(e.value.items)-1].table
		}
		closed := next == nil || next.origin == byInline || (o == byDotted && next.origin != byDotted)
		if closed {
			r.fault(p.at, "%q is already set on line %d and cannot be added to here", p.key, e.at.line)
			return nil
		}
		t = next
	}
	return t
}

// open gives the table that a [header] starts.
func (t *table) open(r *report, parts []part) *table {
	last := parts[len(parts)-1]
	up := t.descend(r, parts[:len(parts)-1], byImplied)
	if up == nil {
		return newTable(byHeader, last.at) // a place for its keys to go
	}
	e := up.index[last.key]
	switch {
	case e == nil:
		return up.descend(r, parts[len(parts)-1:], byHeader)
	case e.value.headers:
		r.fault(last.at, "write [[%s]]: it is a list since line %d", dotted(parts), e.at.line)
	case e.value.table == nil || e.value.table.origin == byInline || e.value.table.origin == byDotted:
		r.fault(last.at, "%q is already set on line %d", dotted(parts), e.at.line)
	case e.value.table.origin == byHeader:
		r.fault(last.at, "[%s] is already on line %d: merge the two", dotted(parts), e.value.table.at.line)
		return e.value.table // so that its keys are still judged
	default:
		e.value.table.origin, e.value.table.at, e.value.at = byHeader, last.at, last.at
		return e.value.table
	}
	return newTable(byHeader, last.at)
}

// extend gives the new table that a [[header]] adds to its list.
func (t *table) extend(r *report, parts []part) *table {
	last := parts[len(parts)-1]
	added := newTable(byHeader, last.at)
	up := t.descend(r, parts[:len(parts)-1], byImplied)
	if up == nil {
		return added
	}
	e := up.index[last.key]
	if e == nil {
		e = &entry{last.key, last.at, &value{kind: kindArray, at: last.at, headers: true}}
		up.put(e)
	}
	switch {
	case e.value.headers:
		e.value.items = append(e.value.items, &value{kind: kindTable, at: last.at, table: added})
	case e.value.table != nil:
		r.fault(last.at, "%q is a list here and a single table on line %d: write the same brackets in both places", dotted(parts), e.at.line)
	default:
		r.fault(last.at, "%q is already set on line %d", dotted(parts), e.at.line)
	}
	return added
}

// set puts a value under a possibly dotted key.
func (t *table) set(r *report, parts []part, v *value) {
	last := parts[len(parts)-1]
	up := t.descend(r, parts[:len(parts)-1], byDotted)
	if up == nil {
		return
	}
	if e := up.index[last.key]; e != nil {
		r.fault(last.at, "%q is already set on line %d", dotted(parts), e.at.line)
		return
	}
	up.put(&entry{last.key, last.at, v})
}

func dotted(parts []part) string {
	s := ""
	for i, p := range parts {
		if i > 0 {
			s += "."
		}
		s += p.key
	}
	return s
}

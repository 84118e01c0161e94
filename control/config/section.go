package config

import (
	"slices"
	"strings"
)

// reader goes through a File section by section.
type reader struct {
	report
	sections []*section
	where    map[string]pos // places of what a reload may not change: restart.go

	// learning makes every list of sections show one empty element, so that a
	// pass over an empty file asks for every key there is: see schema.
	learning bool
}

// A section is one table of the file. What is asked of it is what it may
// hold: a key that nobody asked for is unknown. So the code that reads a key
// is the one place that says that it exists.
type section struct {
	r     *reader
	name  string // dotted, without list positions: "port", "pool.backends"
	id    string // the same with them: "port[0]"
	list  bool   // one of several
	t     *table // nil when the file has no such table
	at    pos    // of the header; of the file as a whole when there is none
	asked []string
}

// located is a value with its place.
type located[T any] struct {
	v  T
	at pos
}

func plain[T any](list []located[T]) []T {
	if list == nil {
		return nil
	}
	out := make([]T, len(list))
	for i, l := range list {
		out[i] = l.v
	}
	return out
}

func (r *reader) newSection(name, id string, list bool, t *table, at pos) *section {
	s := &section{r: r, name: name, id: id, list: list, t: t, at: at}
	r.sections = append(r.sections, s)
	return s
}

// title is how people write the section.
func (s *section) title() string {
	switch {
	case s.name == "":
		return "the file"
	case s.name == "pool.backends":
		return "a backend"
	case s.name == "fragments.nodes":
		return "a node of [fragments]"
	case s.list:
		return "[[" + s.name + "]]"
	}
	return "[" + s.name + "]"
}

func (s *section) path(key string) string {
	if s.name == "" {
		return key
	}
	return s.name + "." + key
}

// find asks for a key: nil when the file does not set it.
func (s *section) find(key string) *value {
	s.asked = append(s.asked, key)
	if s.t == nil {
		return nil
	}
	e := s.t.index[key]
	if e == nil {
		return nil
	}
	if restartOnly(s.name) {
		s.r.where[s.id+"."+key] = e.at
	}
	return e.value
}

// has tells whether the file sets a key that was asked for.
func (s *section) has(key string) bool { return s.t != nil && s.t.index[key] != nil }

// place gives where a key's value is, or the section when it is not set.
func (s *section) place(key string) pos {
	if s.has(key) {
		return s.t.index[key].value.at
	}
	return s.at
}

func (s *section) fault(at pos, key, text string) {
	s.r.fault(at, "%s: %s", s.path(key), text)
}

// parser judges one value; the error is for the person who typed it.
type parser[T any] func(*value) (T, error)

// read gives the value of a key, or def when the file does not set it or sets
// it wrongly.
func read[T any](s *section, key string, def T, p parser[T]) T {
	v := s.find(key)
	if v == nil {
		return def
	}
	got, err := p(v)
	if err != nil {
		s.fault(v.at, key, err.Error())
		return def
	}
	return got
}

// must is read for a key that has no default. why follows "is missing" in the
// fault.
func must[T any](s *section, key, why string, p parser[T]) T {
	var zero T
	if !s.r.learning && !s.has(key) {
		s.r.fault(s.at, "%s is missing %q: %s", s.title(), key, why)
	}
	return read(s, key, zero, p)
}

// list gives the elements of an array, each judged by itself, without those
// that are wrong; clean tells that there were none of these.
func list[T any](s *section, key string, p parser[T]) (got []located[T], clean bool) {
	v := s.find(key)
	if v == nil {
		return nil, true
	}
	if v.kind != kindArray {
		s.fault(v.at, key, "this is "+v.kind.String()+": write an array, [ ... ]")
		return nil, false
	}
	clean = true
	for _, item := range v.items {
		one, err := p(item)
		if err != nil {
			s.fault(item.at, key, err.Error())
			clean = false
			continue
		}
		got = append(got, located[T]{one, item.at})
	}
	return got, clean
}

// section gives the table [key] below s.
func (s *section) section(key string) *section {
	name, id := s.path(key), key
	if s.name != "" {
		id = s.id + "." + key
	}
	v := s.find(key)
	if v == nil {
		return s.r.newSection(name, id, false, nil, pos{})
	}
	if v.kind != kindTable {
		write := "write [" + name + "] and its keys on the lines below"
		if v.headers {
			write = "there is only one: write [" + name + "]"
		}
		s.r.fault(v.at, "%s: %s", name, write)
		return s.r.newSection(name, id, false, nil, pos{})
	}
	return s.r.newSection(name, id, false, v.table, v.at)
}

// each calls do for every table of the list [[key]], which may also be written
// as an array of inline tables.
func (s *section) each(key string, do func(*section)) (clean bool) {
	name := s.path(key)
	if s.r.learning {
		s.find(key)
		do(s.r.newSection(name, name, true, nil, pos{}))
		return true
	}
	v := s.find(key)
	if v == nil {
		return true
	}
	if v.kind != kindArray {
		s.r.fault(v.at, "%s: there may be several: write [[%s]]", name, name)
		return false
	}
	before := len(s.r.faults)
	for i, item := range v.items {
		if item.kind != kindTable {
			s.fault(item.at, key, "this is "+item.kind.String()+": write a table, { key = value, ... }")
			continue
		}
		do(s.r.newSection(name, name+index(i), true, item.table, item.at))
	}
	return len(s.r.faults) == before
}

// unknown reports every key that nobody asked for.
func (r *reader) unknown() {
	for _, s := range r.sections {
		if s.t == nil {
			continue
		}
		for _, e := range s.t.entries {
			if !slices.Contains(s.asked, e.key) {
				r.fault(e.at, "unknown key %q in %s%s", e.key, s.title(), s.advice(e))
			}
		}
	}
}

// advice says what may have been meant by an unknown key.
func (s *section) advice(e *entry) string {
	if c := nearest(e.key, s.asked); c != "" {
		return ": did you mean \"" + c + "\"?"
	}
	for _, other := range schema() {
		if other.name != s.name && slices.Contains(other.keys, e.key) {
			return ": it belongs in " + other.title
		}
	}
	return ": known are " + strings.Join(s.asked, ", ")
}

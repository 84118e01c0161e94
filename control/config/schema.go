package config

import (
	"slices"
	"strconv"
	"sync"
)

// keysOf names the keys that a section may hold.
type keysOf struct {
	name  string
	title string
	keys  []string
}

// schema lists every section with every key, learnt by reading an empty file.
var schema = sync.OnceValue(func() []keysOf {
	r := &reader{where: map[string]pos{}, learning: true}
	r.read(&File{root: newTable(byImplied, pos{})}, "")
	var out []keysOf
	for _, s := range r.sections {
		if !slices.ContainsFunc(out, func(k keysOf) bool { return k.name == s.name }) {
			out = append(out, keysOf{s.name, s.title(), s.asked})
		}
	}
	return out
})

func index(i int) string { return "[" + strconv.Itoa(i) + "]" }

package plan

import (
	"fmt"
	"reflect"
	"strings"
	"time"
	"unicode"

	"guideway/control/config"
)

// A Setting is one value of a configuration by its dotted key, with the name of
// a list's element in brackets: "vip[www].table_size".
type Setting struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// Settings lists every setting in effect, defaults included, in the order of the
// configuration's sections. What a configuration holds is found by reflection, so
// that no setting can be forgotten here. Secrets are not among them: a
// configuration knows the names of their files only.
func Settings(c *config.Config) []Setting { return flatten(nil, "", reflect.ValueOf(*c)) }

// fileNames are the keys that are not called as the fields that hold them.
var fileNames = map[string]string{
	"DPDK": "dpdk", "BGP": "bgp", "ICMP": "icmp", "VIPs": "vip", "VIPsElsewhere": "vips_elsewhere",
	"ControlCPUs": "control_cpus", "IPv4": "ipv4", "IPv6": "ipv6", "Prefix": "address",
}

// tables are the lists that the file writes as tables, by one element's name.
var tables = map[string]string{"Ports": "port", "Checks": "check", "Pools": "pool", "VIPs": "vip", "Peers": "peer"}

// flatten appends the settings below a value.
func flatten(out []Setting, key string, v reflect.Value) []Setting {
	if text, ok := plainText(v); ok {
		return append(out, Setting{key, text})
	}
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return append(out, Setting{Key: key})
		}
		return flatten(out, key, v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if !f.IsExported() {
				continue
			}
			name := keyOf(f.Name)
			if list := tables[f.Name]; list != "" && elementName(f.Type) != "" {
				name = list
			}
			out = flatten(out, strings.TrimPrefix(key+"."+name, "."), v.Field(i))
		}
		return out
	case reflect.Slice:
		if field := elementName(v.Type()); field != "" {
			for i := range v.Len() {
				out = flatten(out, fmt.Sprintf("%s[%v]", key, v.Index(i).FieldByName(field)), v.Index(i))
			}
			return out
		}
	}
	return append(out, Setting{key, fmt.Sprint(v.Interface())})
}

// elementName is the field that names the elements of a list of structs; empty
// for a list of something else.
func elementName(list reflect.Type) string {
	if list.Kind() != reflect.Slice || list.Elem().Kind() != reflect.Struct {
		return ""
	}
	for _, name := range []string{"Name", "Address"} {
		if _, ok := list.Elem().FieldByName(name); ok {
			return name
		}
	}
	return ""
}

// plainText writes what the file has as one value; a zero address is empty.
func plainText(v reflect.Value) (text string, ok bool) {
	switch x := v.Interface().(type) {
	case time.Duration:
		text = x.String()
		if strings.HasSuffix(text, "m0s") {
			text = strings.TrimSuffix(text, "0s")
		}
		if strings.HasSuffix(text, "h0m") {
			text = strings.TrimSuffix(text, "0m")
		}
		return text, true
	case [6]byte:
		if x == [6]byte{} {
			return "", true
		}
		return fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", x[0], x[1], x[2], x[3], x[4], x[5]), true
	case interface{ IsValid() bool }:
		if !x.IsValid() {
			return "", true
		}
	}
	if s, ok := v.Interface().(fmt.Stringer); ok && v.Kind() != reflect.Pointer {
		return s.String(), true
	}
	return "", false
}

// keyOf writes a field's name as the file does: RouterID is router_id.
func keyOf(field string) string {
	if name := fileNames[field]; name != "" {
		return name
	}
	var b strings.Builder
	letters := []rune(field)
	for i, r := range letters {
		begins := i > 0 && unicode.IsUpper(r) &&
			(!unicode.IsUpper(letters[i-1]) || i+1 < len(letters) && unicode.IsLower(letters[i+1]))
		if begins {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// A SettingChange is a setting that two configurations have differently. An
// element of a list that only one of them has is one change, from or to "present";
// the other side is empty.
type SettingChange struct {
	Key    string `json:"key"`
	Before string `json:"before"`
	After  string `json:"after"`
}

// compareSettings lists what differs, in order of before, then what is only in
// after.
func compareSettings(before, after []Setting) []SettingChange {
	was, is := valuesOf(before), valuesOf(after)
	var changes []SettingChange
	told := map[string]bool{}
	add := func(c SettingChange) {
		if c.Before != c.After && !told[c.Key] {
			told[c.Key] = true
			changes = append(changes, c)
		}
	}
	for _, s := range before {
		if e := element(s.Key); e != "" && is[e] == "" {
			add(SettingChange{e, was[e], ""})
			continue
		}
		add(SettingChange{s.Key, s.Value, is[s.Key]})
	}
	for _, s := range after {
		if e := element(s.Key); e != "" && was[e] == "" {
			add(SettingChange{e, "", is[e]})
			continue
		}
		add(SettingChange{s.Key, was[s.Key], s.Value})
	}
	return changes
}

// valuesOf finds settings by key, and the elements that they are of.
func valuesOf(settings []Setting) map[string]string {
	values := make(map[string]string, len(settings))
	for _, s := range settings {
		values[s.Key] = s.Value
		if e := element(s.Key); e != "" {
			values[e] = "present"
		}
	}
	return values
}

// element is the part of a key that names an element of a list; empty if there is
// none.
func element(key string) string { return key[:strings.LastIndexByte(key, ']')+1] }

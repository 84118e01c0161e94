package replay

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// An expectation is a capture's .expect file. Behind comments come settings,
// then a line for each frame, in the capture's order:
//
//	frame | how it ends | what comes out of it | what it is
//
//	1 | forwarded              | to four            | a SYN
//	2 | forwarded              | as 1               | the next segment: to the same backend
//	3 | forwarded*2            | as 1 pieces 2      | too long: cut
//	4 | too_big_answered       | error 3/4 mtu 1476 | must not be cut
//	5 | to_kernel or not_ip    | up                 | chance: "up" if it is the first
//	6-9 | not_vip              | -                  | four of a kind
//
// Frames "k1", "k2" are those of NAME.kernel.pcap, which the kernel sends.
//
// Settings:
//
//	config NAME        the configuration is NAME.toml; else that of the capture's own name
//	set NAME ADDR...   backends that a frame may go "to"
//	spread NAME        all of these are used
//	sources ADDR...    of tunnels; all are used
//	tag PORT VLAN      what leaves by the port is tagged
//	mtu N              no packet that leaves is longer; 1500
//	some VERDICT...    at least one more frame ends so than the lines say
//	entries N          of the connection tables, in the end
//	busy N             so many lcores forward something
//	hog CPU            others take most of the CPU meanwhile; repeated until some VERDICT has come about
//	odd                tshark is not asked: what came in was not sound
type expectation struct {
	name    string
	config  string
	sets    map[string][]netip.Addr
	spread  []string
	sources []netip.Addr
	tags    map[string]uint16
	mtu     int
	some    []string
	entries int // -1: any
	busy    int
	hog     int // -1: none
	odd     bool

	frames []*line // of the capture
	kernel []*line // of the kernel
}

// A line tells what becomes of one frame.
type line struct {
	number   string
	verdicts [][]string // any one of each list
	sent     []clause
	what     string
}

// chance tells whether it is up to chance what becomes of the frame.
func (l *line) chance() bool {
	return slices.ContainsFunc(l.verdicts, func(v []string) bool { return len(v) > 1 })
}

// A clause is one packet that comes out, or its pieces.
type clause struct {
	kind   string // "to", "as", "node", "error", "echo", "up", "out"
	to     string // a set or address; of "as" a frame's number; of "error" type/code
	as     string // of "to", too
	from   string
	by     string
	tos    int // -1: any, but as inside
	mtu    int
	mss    int
	pieces int
	inside bool // what came in a tunnel of another node
}

var defaultSources = []netip.Addr{netip.MustParseAddr("192.0.2.11"), netip.MustParseAddr("2001:db8::11")}

// readExpectation reads captures/NAME.expect.
func readExpectation(name string) (*expectation, error) {
	text, err := os.ReadFile(filepath.Join("captures", name+".expect"))
	if err != nil {
		return nil, err
	}
	e := &expectation{name: name, config: name, sets: map[string][]netip.Addr{}, tags: map[string]uint16{}, mtu: 1500, entries: -1, hog: -1}
	n := 0
	for row := range strings.Lines(string(text)) {
		n++
		row = strings.TrimSpace(row)
		switch {
		case row == "" || row[0] == '#':
		case strings.Contains(row, "|"):
			err = e.readLine(row)
		default:
			err = e.readSetting(strings.Fields(row))
		}
		if err != nil {
			return nil, fmt.Errorf("%s.expect:%d: %w", name, n, err)
		}
	}
	return e, nil
}

func (e *expectation) readSetting(words []string) (err error) {
	args := words[1:]
	addresses := func(words []string) (list []netip.Addr) {
		for _, w := range words {
			a, bad := netip.ParseAddr(w)
			if bad != nil {
				err = bad
			}
			list = append(list, a)
		}
		return list
	}
	number := func() (v int) {
		if len(args) == 0 {
			err = fmt.Errorf("%s of what?", words[0])
			return 0
		}
		v, err = strconv.Atoi(args[len(args)-1])
		return v
	}
	switch words[0] {
	case "config":
		e.config = args[0]
	case "set":
		e.sets[args[0]] = addresses(args[1:])
	case "spread":
		e.spread = append(e.spread, args...)
	case "sources":
		e.sources = addresses(args)
	case "tag":
		e.tags[args[0]] = uint16(number())
	case "mtu":
		e.mtu = number()
	case "some":
		e.some = append(e.some, args...)
	case "entries":
		e.entries = number()
	case "busy":
		e.busy = number()
	case "hog":
		e.hog = number()
	case "odd":
		e.odd = true
	default:
		return fmt.Errorf("unknown setting %q", words[0])
	}
	return err
}

func (e *expectation) readLine(row string) error {
	columns := strings.SplitN(row, "|", 4)
	if len(columns) != 4 {
		return fmt.Errorf("%d columns, want 4", len(columns))
	}
	for i := range columns {
		columns[i] = strings.TrimSpace(columns[i])
	}
	l := &line{number: columns[0], what: columns[3]}
	for one := range strings.SplitSeq(columns[1], " + ") {
		one, times, many := strings.Cut(one, "*")
		count := 1
		if many {
			var err error
			if count, err = strconv.Atoi(times); err != nil {
				return err
			}
		}
		for range count {
			l.verdicts = append(l.verdicts, strings.Split(one, " or "))
		}
	}
	if columns[2] != "-" {
		for text := range strings.SplitSeq(columns[2], "; ") {
			c, err := readClause(strings.Fields(text))
			if err != nil {
				return err
			}
			l.sent = append(l.sent, c)
		}
	}
	list, prefix := &e.frames, ""
	if strings.HasPrefix(l.number, "k") {
		list, prefix = &e.kernel, "k"
	}
	first, last, run := strings.Cut(l.number, "-")
	if want := fmt.Sprint(prefix, len(*list)+1); first != want {
		return fmt.Errorf("frame %s, want %s", first, want)
	}
	until := len(*list) + 1
	if run {
		var err error
		if until, err = strconv.Atoi(last); err != nil {
			return err
		}
	}
	for len(*list) < until {
		one := *l
		one.number = fmt.Sprint(prefix, len(*list)+1)
		*list = append(*list, &one)
	}
	return nil
}

func readClause(words []string) (c clause, err error) {
	c = clause{kind: words[0], tos: -1}
	rest := words[1:]
	switch c.kind {
	case "to", "as", "node", "error":
		if len(rest) == 0 {
			return c, fmt.Errorf("%q lacks a word", c.kind)
		}
		c.to, rest = rest[0], rest[1:]
	case "echo", "up", "out":
	default:
		return c, fmt.Errorf("what comes out is %q?", c.kind)
	}
	for len(rest) > 0 {
		if rest[0] == "inside" {
			c.inside, rest = true, rest[1:]
			continue
		}
		if len(rest) == 1 {
			return c, fmt.Errorf("%q lacks a value", rest[0])
		}
		key, value := rest[0], rest[1]
		rest = rest[2:]
		number, bad := strconv.ParseInt(value, 0, 32)
		switch key {
		case "as":
			c.as, bad = value, nil
		case "from":
			c.from, bad = value, nil
		case "by":
			c.by, bad = value, nil
		case "tos":
			c.tos = int(number)
		case "mtu":
			c.mtu = int(number)
		case "mss":
			c.mss = int(number)
		case "pieces":
			c.pieces = int(number)
		default:
			bad = fmt.Errorf("unknown word %q", key)
		}
		if bad != nil {
			return c, bad
		}
	}
	return c, nil
}

// scenes are the names of all captures.
func scenes() (names []string, err error) {
	files, err := filepath.Glob("captures/*.expect")
	for _, f := range files {
		names = append(names, strings.TrimSuffix(filepath.Base(f), ".expect"))
	}
	if len(names) == 0 {
		err = fmt.Errorf("no captures")
	}
	return names, err
}

// ends are the verdicts that frames of this capture certainly have, with how
// many at least, and those that they may have besides.
func (e *expectation) ends() (least, beyond map[string]int) {
	least, beyond = map[string]int{}, map[string]int{}
	for _, l := range append(e.frames[:len(e.frames):len(e.frames)], e.kernel...) {
		for _, v := range l.verdicts {
			if len(v) == 1 {
				least[v[0]]++
				continue
			}
			for _, one := range v {
				beyond[one]++
			}
		}
	}
	for _, v := range e.some {
		least[v]++
		beyond[v] += 1 << 30
	}
	return least, beyond
}

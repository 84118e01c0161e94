package console

import (
	"context"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew: read the difference before you keep it")

// asked is every command that answers, in order; those that change something
// change what comes after them.
var asked = []string{
	"help", "help show", "help explain", "show vips", "show vips www", "show pools", "show pools web", "show backends", "show backends 10.0.0.1",
	"show backends vip dns", "show checks", "show checks 10.0.0.3", "show conntrack", "show fragments", "show ports", "show ports wan", "show cores",
	"show counters", "show counters all", "show bgp", "show nodes", "show kernel", "show config dpdk", "show version",
	"explain tcp 198.51.100.7:4711 > 203.0.113.10:80", "explain tcp 198.51.100.7:4712 > 203.0.113.10:80 syn size 1500",
	"explain tcp 198.51.100.7:4711 > 203.0.113.10:81", "explain udp 198.51.100.7:4711 > 203.0.113.53:53 size 2000",
	"explain udp 198.51.100.7 > 203.0.113.10 fragment id 7 offset 1480", "explain udp 198.51.100.9 > 203.0.113.10 fragment id 7 offset 1480",
	"explain icmp 198.51.100.7 > 203.0.113.53", "explain icmp 198.51.100.7 > 203.0.113.10", "explain 47 198.51.100.7 > 203.0.113.10",
	"explain tcp 198.51.100.7:1 > 192.0.2.99:80", "explain sctp 198.51.100.7:1 > 203.0.113.10:80",
	"plan", "drain 10.0.0.1", "drain 10.0.0.2 vip www", "kill 10.0.0.2 vip www", "undrain 10.0.0.2 vip www", "drain node", "show bgp", "explain tcp 198.51.100.7:4711 > 203.0.113.10:80", "undrain node", "reload", "plan",
	"capture tcp port 80 after count 12 seconds 5 /tmp/x.pcapng", "trace tcp 198.51.100.7:4711 > 203.0.113.10:80",
	"trace udp 198.51.100.7:4711 203.0.113.10:80 fragments count 2", ".complete show",
}

// ask gives a command to a node as a session does.
func ask(n Node, line string) (answer, error) {
	list, err := words(line)
	if err != nil {
		return nil, err
	}
	list, f := split(list)
	cmd, rest, err := find(list)
	if err != nil {
		return nil, err
	}
	return cmd.run(&call{ctx: context.Background(), node: n, args: rest, flags: f})
}

// TestAnswers pins the text of every answer, and that its JSON says everything
// that the text does: the text can be made from the JSON alone.
func TestAnswers(t *testing.T) {
	f := newFake(t)
	covered := map[string]bool{}
	var all strings.Builder
	for _, line := range asked {
		a, err := ask(f, line)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		cmd, _, _ := find(strings.Fields(line))
		covered[cmd.name] = true
		text, err := render(a, false, now)
		if err != nil {
			t.Fatal(err)
		}
		shown := printable(text)
		if line == "show vips www" { // which settings there are is not ours to pin
			shown, _, _ = strings.Cut(shown, "\n\n")
		}
		all.WriteString("lb1> " + line + "\n" + shown + "\n")

		data, err := render(a, true, now)
		if err != nil {
			t.Fatalf("%s -json: %v", line, err)
		}
		again := reflect.New(reflect.TypeOf(a).Elem())
		fill(again.Elem())
		if err := json.Unmarshal([]byte(data), again.Interface()); err != nil {
			t.Fatalf("%s -json: %v", line, err)
		}
		if second, _ := render(again.Interface().(answer), false, now); second != text {
			t.Errorf("%s: the JSON lacks what the text says (-text +from JSON)\n%s", line, cmp.Diff(text, second))
		}
		if upper := regexp.MustCompile(`"[A-Z][A-Za-z]*":`).FindString(data); upper != "" {
			t.Errorf("%s -json: a field without a name for JSON: %s", line, upper)
		}
		if strings.Contains(data, ": null") && !strings.HasPrefix(line, "explain") && !strings.Contains(data, `"diff"`) && line != "plan" {
			t.Errorf("%s -json has null, where a list or an object is:\n%s", line, data)
		}
	}
	for _, c := range spoken() {
		if !covered[c.name] && c.name != "watch" && c.name != "quit" {
			t.Errorf("%s is not tried here", c.name)
		}
	}
	path := filepath.Join("testdata", "answers.txt")
	if *update {
		if err := os.WriteFile(path, []byte(all.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), all.String()); diff != "" {
		t.Errorf("(-want +got; -update takes it)\n%s", diff)
	}
}

// fill gives embedded pointers something to unmarshal into.
func fill(v reflect.Value) {
	for i := range v.NumField() {
		if f := v.Field(i); v.Type().Field(i).Anonymous && f.Kind() == reflect.Pointer {
			f.Set(reflect.New(f.Type().Elem()))
		}
	}
}

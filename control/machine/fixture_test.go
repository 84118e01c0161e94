package machine

import (
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew: read the difference before you keep it")

// A fixture is a made-up machine, from a text of lines:
//
//	# a comment
//	want KEY=VALUE...             what is asked of it
//	PATH = TEXT                   a file; TEXT may go on in lines that begin with a tab
//	PATH -> TARGET                a symbolic link
//	$ COMMAND = TEXT              what a command answers; all others are not installed
type fixture struct {
	files    fstest.MapFS
	commands map[string]string
	want     map[string]string
}

func readFixture(t *testing.T, file string) fixture {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	f := fixture{fstest.MapFS{}, map[string]string{}, map[string]string{}}
	text := strings.ReplaceAll(string(data), "\n\t", "\x00")
	for line := range strings.Lines(text) {
		line = strings.ReplaceAll(strings.TrimSuffix(line, "\n"), "\x00", "\n")
		name, value, isFile := strings.Cut(line, " = ")
		from, to, isLink := strings.Cut(line, " -> ")
		switch {
		case line == "" || line[0] == '#':
		case strings.HasPrefix(line, "want"):
			for _, w := range strings.Fields(line)[1:] {
				key, value, _ := strings.Cut(w, "=")
				f.want[key] = value
			}
		case isLink && !isFile:
			f.files[from] = &fstest.MapFile{Data: []byte(to), Mode: fs.ModeSymlink | 0o777}
		case !isFile:
			t.Fatalf("%s: what is %q?", file, line)
		case strings.HasPrefix(name, "$ "):
			f.commands[name[2:]] = value
		default:
			f.files[name] = &fstest.MapFile{Data: []byte(value + "\n")}
		}
	}
	return f
}

func (f fixture) source() Source {
	return Source{Files: f.files, SSH: strings.ReplaceAll(f.want["ssh"], ",", " "), Run: func(argv ...string) ([]byte, error) {
		out, ok := f.commands[strings.Join(argv, " ")]
		if !ok {
			return nil, fmt.Errorf("%s: not installed", argv[0])
		}
		return []byte(out), nil
	}}
}

// wanted is what the fixture asks of the machine.
func (f fixture) wanted() Want {
	w := Want{Lcores: ParseCPUs(f.want["lcores"]), Memory: parseSize(f.want["memory"]), PageSize: parseSize(f.want["page"])}
	_, w.Force = f.want["force"]
	for p := range strings.SplitSeq(f.want["ports"], ",") {
		if name, device, ok := strings.Cut(p, "@"); ok {
			w.Ports = append(w.Ports, Port{name, device, !strings.HasPrefix(device, "net_")})
		}
	}
	return w
}

// golden holds what is said of every fixture of a folder against the file beside it.
func golden(t *testing.T, dir string, say func(*testing.T, fixture) string) {
	files, err := filepath.Glob(dir + "/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files in %s: %v", len(files), dir, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			got := say(t, readFixture(t, file))
			name := strings.TrimSuffix(file, ".txt") + ".golden"
			if *update {
				if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("(-want +got; -update takes it)\n%s", diff)
			}
		})
	}
}

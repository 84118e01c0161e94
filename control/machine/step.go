package machine

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// A Step changes one thing on the machine. It has one of four shapes: a value for
// a file of the kernel's, a file with its content, a file to take away, a command.
type Step struct {
	Kernel string   `json:"kernel_file,omitempty"` // a path below /sys
	Value  string   `json:"value,omitempty"`       // for it
	File   string   `json:"file,omitempty"`
	Text   string   `json:"text,omitempty"` // for it
	Remove string   `json:"remove,omitempty"`
	Run    []string `json:"run,omitempty"`
}

func set(file, value string) Step  { return Step{Kernel: file, Value: value} }
func write(file, text string) Step { return Step{File: file, Text: text} }
func command(argv ...string) Step  { return Step{Run: argv} }

func (s Step) equal(o Step) bool {
	return s.Kernel == o.Kernel && s.Value == o.Value && s.File == o.File && s.Text == o.Text && s.Remove == o.Remove && slices.Equal(s.Run, o.Run)
}

// String is the step as one would type it into a shell.
func (s Step) String() string {
	switch {
	case s.Kernel != "":
		value := cmp.Or(s.Value, "''")
		return "echo " + value + " > " + s.Kernel
	case s.File != "":
		return "cat > " + s.File + " <<'END'\n" + s.Text + "END"
	case s.Remove != "":
		return "rm " + s.Remove
	}
	return strings.Join(s.Run, " ")
}

// A Doer takes steps.
type Doer struct {
	Root string                                        // the machine's /
	Run  func(argv ...string) (said []byte, err error) // with what a command wrote, for its error
}

// Do takes one step. A file that is as it should be is left alone.
func (d Doer) Do(s Step) error {
	switch {
	case s.Kernel != "":
		// Never made: what the kernel does not have it does not know.
		f, err := os.OpenFile(filepath.Join(d.Root, s.Kernel), os.O_WRONLY|os.O_TRUNC, 0)
		if err != nil {
			return err
		}
		_, err = f.WriteString(s.Value + "\n")
		return errors.Join(err, f.Close())
	case s.File != "":
		return replace(filepath.Join(d.Root, s.File), s.Text)
	case s.Remove != "":
		if err := os.Remove(filepath.Join(d.Root, s.Remove)); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	said, err := d.Run(s.Run...)
	if err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(s.Run, " "), err, strings.TrimSpace(string(said)))
	}
	return nil
}

// replace writes a file whole or not at all.
func replace(path, text string) error {
	if old, err := os.ReadFile(path); err == nil && string(old) == text {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".guideway-*") // no suffix that somebody reads
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}

package main

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const captures = "../captures"

// The files are what this program writes, and nothing else lies beside them but
// configurations, each of which a capture uses. Of a compressed capture the
// content counts: compressors differ.
func TestFilesAreUpToDate(t *testing.T) {
	want, configs, total := map[string][]byte{}, map[string]bool{}, 0
	for _, s := range scenes() {
		for name, content := range s.files() {
			want[name] = content
		}
		config := s.name
		for _, line := range s.lines {
			if name, found := strings.CutPrefix(line, "config "); found {
				config = name
			}
		}
		configs[config+".toml"] = true
	}
	files, err := os.ReadDir(captures)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		name := f.Name()
		content, err := os.ReadFile(filepath.Join(captures, name))
		if err != nil {
			t.Fatal(err)
		}
		total += len(content)
		if strings.HasSuffix(name, ".toml") {
			if !configs[name] {
				t.Errorf("%s: no capture uses it", name)
			}
			delete(configs, name)
			continue
		}
		made, ours := want[name]
		switch {
		case !ours:
			t.Errorf("%s: nobody makes it", name)
		case !bytes.Equal(plainly(t, name, content), plainly(t, name, made)):
			t.Errorf("%s is not what is made now: go generate ./test/replay", name)
		}
		delete(want, name)
	}
	for name := range want {
		t.Errorf("%s is missing: go generate ./test/replay", name)
	}
	for name := range configs {
		t.Errorf("%s is missing", name)
	}
	if most := 500_000; total > most {
		t.Errorf("the captures take %d bytes, more than %d", total, most)
	}
}

// plainly returns what a file holds.
func plainly(t *testing.T, name string, content []byte) []byte {
	if !strings.HasSuffix(name, ".gz") {
		return content
	}
	z, err := gzip.NewReader(bytes.NewReader(content))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	plain, err := io.ReadAll(z)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return plain
}

// No two frames of a capture are alike, unless both end alike: else nobody could
// tell which of them came out.
func TestFramesAreTold(t *testing.T) {
	for _, s := range scenes() {
		seen := map[string]shape{}
		for i, p := range s.shapes {
			if q, twice := seen[string(p.frame)]; twice && (q.verdict != p.verdict || q.sent != p.sent && q.sent != "-") {
				t.Errorf("%s: frame %d, %s, is the same as one that %s", s.name, i+1, p.what, q.what)
			}
			seen[string(p.frame)] = p
		}
	}
}

package control

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// LastGood keeps the last configuration that was in effect, for a start at
// which the file is broken. There is one for each configuration file that was
// ever used with a directory.
type LastGood struct {
	Dir  string // empty: none is kept
	Path string // of the configuration file
}

// File is where the copy is.
func (l LastGood) File() string {
	path, err := filepath.Abs(l.Path)
	if err != nil {
		path = l.Path
	}
	return filepath.Join(l.Dir, fmt.Sprintf("last-good-%x.toml", sha256.Sum256([]byte(path)))[:len("last-good-")+16]+".toml")
}

// save keeps data, whole or not at all: a machine that loses power has the old
// copy or the new one.
func (l LastGood) save(data []byte) error {
	if l.Dir == "" {
		return nil
	}
	if err := os.MkdirAll(l.Dir, 0o750); err != nil {
		return err
	}
	f, err := os.CreateTemp(l.Dir, ".last-good-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), l.File())
}

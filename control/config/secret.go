package config

import (
	"fmt"
	"os"
	"path/filepath"
)

// othersMay are the permissions that no secret needs: the group may read, which
// is how two services share one.
const othersMay = 0o027

// secret gives the path of a file that holds a secret. The secret itself is read
// by who uses it. That others can read or change the file is warned of, not
// refused: a node that starts is better than one that does not.
func secret(s *section, key string) string {
	path := read(s, key, "", optional(readable))
	if path == "" {
		return ""
	}
	if info, err := os.Stat(path); err == nil && info.Mode()&othersMay != 0 {
		s.r.warn(s.place(key), "%s: %s has mode %#o: others on this machine can read or change it (chmod g-w,o= %[2]s)", s.path(key), path, info.Mode().Perm())
	}
	return path
}

// readable accepts the absolute path of a file that can be read now.
func readable(v *value) (string, error) {
	path, err := text(v)
	if err != nil {
		return "", err
	}
	if !filepath.IsAbs(path) {
		return "", fmt.Errorf("%q is relative: a daemon has no directory of its own, write the path from /", path)
	}
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		return "", fmt.Errorf("%q is not a file", path)
	}
	if err == nil {
		var f *os.File
		if f, err = os.Open(path); err == nil {
			err = f.Close()
		}
	}
	if pe, ok := err.(*os.PathError); ok {
		return "", fmt.Errorf("%q cannot be read: %v", path, pe.Err)
	}
	return path, err
}

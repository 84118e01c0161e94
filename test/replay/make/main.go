// Make writes the captures that the replay test runs, and the text beside each
// that says what must become of every frame:
//
//	go generate ./test/replay
//
// The frames are put together here byte by byte, by nothing that guidewayd
// itself reads or writes with.
package main

import (
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: make DIRECTORY")
		os.Exit(2)
	}
	for _, s := range scenes() {
		for name, content := range s.files() {
			if err := os.WriteFile(filepath.Join(os.Args[1], name), content, 0o644); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
		}
	}
}

// scenes are all captures.
func scenes() (all []*scene) {
	for _, theme := range []func() []*scene{
		plain, services, vlans, extensions, icmps, sizes, pieces, floods, redirects, malformed, kernels, cores, limits,
	} {
		all = append(all, theme()...)
	}
	return all
}

package main

import (
	"fmt"
	"runtime"
)

// version is set by the linker (make build).
var version = "unknown"

func versionVerb() verb {
	return verb{
		name:  "version",
		short: "say which build this is",
		run: func(e env, _ []string) int {
			fmt.Fprintf(e.out, "guideway %s (%s, %s/%s)\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return exitOK
		},
	}
}

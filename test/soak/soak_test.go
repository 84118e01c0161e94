// Package soak sends millions of hostile frames through what forwards them: a
// fleet of nodes in memory, and the real guidewayd by a DPDK port. A short form
// of it belongs to every run of the tests; `make soak` takes the full one.
package soak

import (
	"os"
	"testing"

	"guideway/test/daemon"
)

// full tells whether this is the full form.
var full = os.Getenv("SOAK_FULL") != ""

// fleetFrames is how many frames the fleet in memory gets.
func fleetFrames() int {
	if full {
		return 10_000_000
	}
	return 200_000
}

func TestMain(m *testing.M) { os.Exit(daemon.Main(m)) }

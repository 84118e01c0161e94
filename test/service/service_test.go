// Package service has guidewayd run as a service: what it tells systemd, and
// what the Debian package puts where.
package service

import (
	"os"
	"testing"

	"guideway/test/daemon"
)

func TestMain(m *testing.M) { os.Exit(daemon.Main(m)) }

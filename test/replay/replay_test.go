// Package replay runs the captures in captures/ through the real guidewayd by
// DPDK's net_pcap device, and judges what comes out as a person would who reads
// it offline: with no code of the packet path. The captures are made by make/;
// beside each stands, in NAME.expect, what must become of every frame of it
// (expect_test.go says how to read that), and for most, in NAME.toml, the
// configuration.
//
// It needs root, for the network namespaces of captures with a kernel
// interface, and what third_party/install.sh installs.
package replay

//go:generate go run ./make captures

import (
	"os"
	"testing"

	"guideway/test/daemon"
)

func TestMain(m *testing.M) { os.Exit(daemon.Main(m)) }

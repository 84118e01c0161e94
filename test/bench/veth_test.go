package bench

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// The veth pair of AF_XDP is in a namespace of its own.
const (
	namespace     = "gwbench"
	deviceLink    = "gwb-device"
	generatorLink = "gwb-load"
)

// network makes the namespace. One that a killed run has left goes first, and
// another run on this machine waits.
func network(t *testing.T) {
	t.Helper()
	lock, err := os.Create("/run/" + namespace + ".lock")
	if err == nil {
		err = unix.Flock(int(lock.Fd()), unix.LOCK_EX)
	}
	if err != nil {
		t.Fatalf("AF_XDP needs root: %v", err)
	}
	remove := func() { exec.Command("ip", "netns", "del", namespace).Run() } // it may not be there
	remove()
	t.Cleanup(func() {
		remove()
		lock.Close()
	})
	for _, args := range []string{
		"netns add NS", "-n NS link set lo up",
		"-n NS link add " + deviceLink + " type veth peer name " + generatorLink,
		"-n NS link set " + deviceLink + " mtu 1600 up", "-n NS link set " + generatorLink + " mtu 1600 up",
	} {
		args = strings.ReplaceAll(args, "NS", namespace)
		if out, err := exec.Command("ip", strings.Fields(args)...).CombinedOutput(); err != nil {
			t.Fatalf("ip %s: %v\n%s", args, err, out)
		}
	}
}

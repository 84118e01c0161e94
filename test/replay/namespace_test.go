package replay

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"guideway/test/daemon"
)

// A namespace is a network namespace for one daemon whose port has a kernel
// interface, with an ear at all interfaces.
type namespace struct {
	t      *testing.T
	name   string
	socket int // AF_PACKET, of all interfaces
}

const (
	netnsName = "gwreplay"
	tapName   = "gw-wan"
	loopback  = 1 // index of lo in any namespace
)

// newNamespace makes the namespace anew: one that a killed run has left goes
// first. Another run on this machine waits.
func newNamespace(t *testing.T) *namespace {
	t.Helper()
	lock, err := os.Create("/run/" + netnsName + ".lock")
	if err == nil {
		err = unix.Flock(int(lock.Fd()), unix.LOCK_EX)
	}
	if err != nil {
		t.Fatalf("kernel captures need root: %v", err)
	}
	remove := func() { exec.Command("ip", "netns", "del", netnsName).Run() } // it may not be there
	remove()
	n := &namespace{t: t, name: netnsName}
	t.Cleanup(func() {
		if n.socket > 0 {
			unix.Close(n.socket)
		}
		remove()
		lock.Close()
	})
	for _, args := range []string{"netns add " + netnsName, "-n " + netnsName + " link set lo up"} {
		if out, err := exec.Command("ip", strings.Fields(args)...).CombinedOutput(); err != nil {
			t.Fatalf("ip %s: %v\n%s", args, err, out)
		}
	}
	// Before the interface is there, so that nothing that comes up is missed.
	err = daemon.Inside(n.name, func() (err error) {
		everything := int(htons(unix.ETH_P_ALL))
		n.socket, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, everything)
		if err == nil {
			err = unix.SetsockoptInt(n.socket, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 8<<20)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func htons(v uint16) uint16 { return v<<8 | v>>8 } // the machines that DPDK runs on here are little-endian

// send has the kernel send frames by the port's interface.
func (n *namespace) send(frames [][]byte) {
	n.t.Helper()
	err := daemon.Inside(n.name, func() error {
		ifi, err := net.InterfaceByName(tapName)
		if err != nil {
			return err
		}
		for _, f := range frames {
			if err := unix.Sendto(n.socket, f, 0, &unix.SockaddrLinklayer{Ifindex: ifi.Index, Halen: 6, Protocol: htons(unix.ETH_P_IP)}); err != nil {
				return fmt.Errorf("a frame of %d bytes: %w", len(f), err)
			}
		}
		return nil
	})
	if err != nil {
		n.t.Fatal(err)
	}
}

// received returns the frames that have come up to the kernel.
func (n *namespace) received() (frames [][]byte) {
	buffer := make([]byte, 1<<16)
	for deadline := time.Now().Add(100 * time.Millisecond); time.Now().Before(deadline); {
		size, from, err := unix.Recvfrom(n.socket, buffer, 0)
		if err == unix.EAGAIN {
			time.Sleep(5 * time.Millisecond)
			continue
		}
		if err != nil {
			n.t.Fatal(err)
		}
		a, ok := from.(*unix.SockaddrLinklayer)
		if ok && a.Ifindex != loopback && a.Pkttype != unix.PACKET_OUTGOING {
			frames = append(frames, bytes.Clone(buffer[:size]))
		}
	}
	return frames
}

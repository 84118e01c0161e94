package daemon

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// LaunchIn starts guidewayd in dir and in a network namespace, given by its name
// in /run/netns, and does not wait until it forwards.
func LaunchIn(t testing.TB, netns, dir, config string) *Daemon {
	t.Helper()
	return launch(t, netns, nil, dir, config)
}

// LaunchBy is LaunchIn by a command that takes rights away and then becomes the
// one that is behind it, as setpriv does.
func LaunchBy(t testing.TB, by []string, netns, dir, config string) *Daemon {
	t.Helper()
	return launch(t, netns, by, dir, config)
}

// Inside calls do on a thread that is inside a network namespace meanwhile.
// Sockets that do opens stay there, and may be used from anywhere; goroutines
// that it starts are outside.
func Inside(netns string, do func() error) error {
	there, err := os.Open("/run/netns/" + netns)
	if err != nil {
		return err
	}
	defer there.Close()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	here, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return err
	}
	defer here.Close()
	if err := unix.Setns(int(there.Fd()), unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("setns %s: %w", netns, err)
	}
	defer func() {
		if err := unix.Setns(int(here.Fd()), unix.CLONE_NEWNET); err != nil {
			// The thread is lost where it is, and so is all that it would run.
			panic(fmt.Sprintf("setns back from %s: %v", netns, err))
		}
	}()
	return do()
}

// client makes HTTP requests from inside the daemon's namespace.
func (d *Daemon) client() *http.Client {
	dial := func(ctx context.Context, network, address string) (c net.Conn, err error) {
		if d.netns == "" {
			return new(net.Dialer).DialContext(ctx, network, address)
		}
		err = Inside(d.netns, func() (err error) {
			c, err = new(net.Dialer).DialContext(ctx, network, address)
			return err
		})
		return c, err
	}
	return &http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}, Timeout: 10 * time.Second}
}

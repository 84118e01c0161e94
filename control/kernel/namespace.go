package kernel

import (
	"fmt"
	"runtime"

	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// A namespace is the network namespace to work in: that of the process, or one
// named by a path such as /run/netns/lab. Only the latter needs CAP_SYS_ADMIN.
type namespace struct{ handle netns.NsHandle }

func openNamespace(path string) (namespace, error) {
	if path == "" {
		return namespace{netns.None()}, nil
	}
	h, err := netns.GetFromPath(path)
	if err != nil {
		return namespace{}, fmt.Errorf("network namespace %s: %w", path, err)
	}
	return namespace{h}, nil
}

// do runs f in the namespace.
func (n namespace) do(f func() error) error {
	if !n.handle.IsOpen() {
		return f()
	}
	done := make(chan error, 1)
	go func() {
		// Never unlocked: the thread ends with the goroutine, and nothing else
		// runs in the wrong namespace.
		runtime.LockOSThread()
		if err := unix.Setns(int(n.handle), unix.CLONE_NEWNET); err != nil {
			done <- fmt.Errorf("enter network namespace: %w", err)
			return
		}
		done <- f()
	}()
	return <-done
}

func (n namespace) close() {
	if n.handle.IsOpen() {
		n.handle.Close()
	}
}

package main

import (
	"context"
	"os"
	"time"
)

// leaveLimit bounds a goodbye to routers beyond the time that they are given to
// move traffic elsewhere.
const leaveLimit = 5 * time.Second

// leave tells routers that this node goes, and returns when they have had their
// time to send traffic elsewhere ([bgp].graceful_shutdown), while what still
// comes is forwarded. Another signal cuts that short.
func (n *node) leave(signals <-chan os.Signal, graceful time.Duration, systemd *supervisor) {
	systemd.stopping(graceful + leaveLimit + 2*stopLimit) // once for the loops, once for the ports
	ctx, cancel := context.WithTimeout(context.Background(), graceful+leaveLimit)
	defer cancel()
	go func() {
		select {
		case <-signals:
			cancel()
		case <-ctx.Done():
		}
	}()
	if err := n.routers.Shutdown(ctx); err != nil {
		n.log.Warn("routers were not told goodbye as they should be", "error", err)
	}
}

// silence ends the sessions with routers at once, if leave has not.
func (n *node) silence() error {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return n.routers.Shutdown(ctx)
}

package dpdk

// #include "shim.h"
import "C"

import (
	"errors"
	"fmt"
	"sync/atomic"
	"syscall"
)

// EAL is DPDK's environment: one for a process, once in its life. Its methods
// may be called from any goroutine.
type EAL struct {
	calls   chan func()   // run by the main thread, in order
	ended   chan struct{} // closed when it has ended
	log     *logPump
	polling atomic.Int64 // poll loops that run

	// Only the main thread touches these.
	ports  []*Port // open
	pools  []*pool // of open ports, and of closed ones whose frames are still out
	serial int     // pools made so far
	closed bool
}

var started atomic.Bool

// ErrClosed is returned by the methods of an EAL or Port that has been closed.
var ErrClosed = errors.New("dpdk: closed")

// errno makes an error of what the shim returns.
func errno(rc C.int) error {
	if rc >= 0 {
		return nil
	}
	return syscall.Errno(-rc)
}

// Start initialises EAL on a thread of its own. It can be called only once in
// the life of a process, because EAL cannot be started again. Everything that
// DPDK logs from then on goes to cfg.Log.
func Start(cfg Config) (*EAL, error) {
	if !started.CompareAndSwap(false, true) {
		return nil, errors.New("dpdk: EAL starts only once in a process")
	}
	log, err := openLog(cfg.Log)
	if err != nil {
		return nil, fmt.Errorf("dpdk: log: %w", err)
	}
	e := &EAL{calls: make(chan func()), ended: make(chan struct{}), log: log}
	ready := make(chan error)
	ownThread(func() { e.main(cfg, ready) })
	if err := <-ready; err != nil {
		log.close()
		return nil, err
	}
	return e, nil
}

// main is EAL's main lcore, on a thread of its own.
func (e *EAL) main(cfg Config, ready chan<- error) {
	if err := initialise(cfg); err != nil {
		ready <- err
		return
	}
	ready <- nil
	for !e.closed {
		call := <-e.calls
		call()
	}
	close(e.ended)
}

func initialise(cfg Config) error {
	cpus := cfg.ControlCPUs
	if len(cpus) == 0 {
		var err error
		if cpus, err = affinity(); err != nil {
			return fmt.Errorf("dpdk: affinity: %w", err)
		}
	}
	// The threads that EAL makes inherit this.
	if err := pin(cpus...); err != nil {
		return fmt.Errorf("dpdk: control CPUs %v: %w", cpus, err)
	}
	nameThread("gw-eal")
	args := cfg.args(cpus)
	if err := errno(C.gw_eal_init(C.int(len(args)), cStrings(args))); err != nil {
		return fmt.Errorf("dpdk: rte_eal_init %q: %w", args[1:], err)
	}
	return nil
}

// do runs f on EAL's main lcore. It reports false where EAL has been closed.
func (e *EAL) do(f func()) bool {
	done := make(chan struct{})
	call := func() {
		defer close(done)
		f()
	}
	select {
	case e.calls <- call:
		<-done
		return true
	case <-e.ended:
		return false
	}
}

// Close ends EAL. All ports must have been closed and all poll loops have
// returned; no frame, queue or memory from [EAL.Alloc] may be touched again.
// It returns how many frames have not come back to their pools; the log names
// the pools. Calling it twice is harmless.
func (e *EAL) Close() (leaked int, err error) {
	e.do(func() { leaked, err = e.close() })
	if err == nil {
		<-e.ended
	}
	return leaked, err
}

func (e *EAL) close() (leaked int, err error) {
	if n := len(e.ports); n > 0 {
		return 0, fmt.Errorf("dpdk: %d ports are still open, the first is %q", n, e.ports[0].info.Name)
	}
	if n := e.polling.Load(); n > 0 {
		return 0, fmt.Errorf("dpdk: %d poll loops still run", n)
	}
	for _, p := range e.pools {
		if n := p.missing(); n != 0 {
			leaked += n
			e.log.emit(LevelWarning, fmt.Sprintf("pool %s: %d of %d frames have not come back", p.name, n, p.size))
		}
		p.delete()
	}
	if rc := C.gw_eal_cleanup(); rc != 0 {
		e.log.emit(LevelError, fmt.Sprintf("rte_eal_cleanup: %v", errno(rc)))
	}
	e.pools = nil
	e.closed = true
	e.log.close()
	return leaked, nil
}

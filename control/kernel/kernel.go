package kernel

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// The pace of the loop.
const (
	settle       = 5 * time.Millisecond   // from a change that matters to its View: more may belong to it
	linger       = 100 * time.Millisecond // from a change of state alone, such as reachable to stale
	afterthought = 200 * time.Millisecond // routes are read once more after a link or an address changed
	rest         = 10                     // times as long as a View took to make, until the next one
	audit        = time.Minute            // everything is read again
	reconnect    = time.Second            // between attempts at a lost subscription
	dumpLimit    = 10 * time.Second       // for the kernel to answer a request
)

// Config says what a Kernel is for.
type Config struct {
	Interfaces []string     // the followed ones, by name: the ports' exception-path interfaces. They may come later
	Namespace  string       // path of the network namespace to work in; empty: the process's own
	Log        *slog.Logger // nil: none

	receiveBuffer int                                 // bytes; 0: usualBuffer
	use           func(*netlink.Handle, target) error // nil: askKernel
}

// A Kernel follows the kernel's links, neighbours and routes, and keeps the
// exception-path interfaces in shape. Its methods may be called from any
// goroutine.
type Kernel struct {
	ns      namespace
	log     *slog.Logger
	c       Config
	writer  *rtnl // of Reconcile and Release; under setup, nil once closed
	setup   sync.Mutex
	past    map[string]*history // of interfaces, by name; under setup
	changes chan struct{}
	view    atomic.Pointer[View] // writer: the loop
	stats   counters

	wantMu sync.Mutex
	want   []netip.Addr
	wanted chan struct{} // capacity 1: want was set

	stop   chan struct{}
	closed sync.Once
	done   chan struct{}
}

// Stats counts what the loop did since New.
type Stats struct {
	Notifications uint64 // taken from the kernel
	Overruns      uint64 // times that notifications were lost and all was read again
	Views         uint64 // published
	Asks          uint64 // requests to resolve or confirm a neighbour
	AskFailures   uint64 // of these, those that could not even be made
	Reconnects    uint64 // subscriptions opened after the first
	Errors        uint64 // failed reads of a table
}

type counters struct {
	notifications, overruns, views, asks, askFailures, reconnects, errors atomic.Uint64
}

// New reads the kernel's tables and begins to follow them: View is good from
// the start. The caller closes it.
func New(c Config) (*Kernel, error) {
	l, err := prepare(c)
	if err != nil {
		return nil, err
	}
	go l.run()
	return l.Kernel, nil
}

func prepare(c Config) (*loop, error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.receiveBuffer == 0 {
		c.receiveBuffer = usualBuffer
	}
	ns, err := openNamespace(c.Namespace)
	if err != nil {
		return nil, err
	}
	k := &Kernel{
		ns: ns, log: c.Log, c: c, past: map[string]*history{},
		changes: make(chan struct{}, 1), wanted: make(chan struct{}, 1),
		stop: make(chan struct{}), done: make(chan struct{}),
	}
	l, err := k.open()
	if err != nil {
		ns.close()
	}
	return l, err
}

// open makes the sockets and the first View.
func (k *Kernel) open() (l *loop, err error) {
	var reader *netlink.Handle
	if k.writer, err = newRtnl(k.ns); err != nil {
		return nil, err
	}
	if reader, err = newHandle(k.ns); err != nil {
		k.writer.close()
		return nil, err
	}
	l = &loop{Kernel: k, mirror: newMirror(reader, k.c.Interfaces), resolver: newResolver(rand.Float64)}
	// Listen first, then read: what changes in between is heard of.
	if l.sub, err = subscribe(k.ns, k.c.receiveBuffer); err == nil {
		for err = l.mirror.refresh(); errors.Is(err, netlink.ErrDumpInterrupted); {
			err = l.mirror.refresh()
		}
		if err != nil {
			l.sub.close()
		}
	}
	if err != nil {
		reader.Close()
		k.writer.close()
		return nil, err
	}
	l.publish()
	return l, nil
}

func newHandle(ns namespace) (*netlink.Handle, error) {
	h, err := netlink.NewHandleAt(ns.handle, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("netlink: %w", err)
	}
	if err := h.SetSocketTimeout(dumpLimit); err != nil {
		h.Close()
		return nil, fmt.Errorf("netlink: %w", err)
	}
	return h, nil
}

// View is the kernel's network as last published.
func (k *Kernel) View() *View { return k.view.Load() }

// Changes is sent to when [Kernel.View] may answer differently for a wanted
// address: a route, a link, its addresses, or a next hop's link address
// changed. Changes not yet received are one. It is never closed.
//
// A neighbour that is merely confirmed or goes stale shows in the View, within
// a tenth of a second, without a word here.
func (k *Kernel) Changes() <-chan struct{} { return k.changes }

// Want sets the destinations, backends and gateways, whose next hops are to be
// resolved and kept so. Addresses may be given more than once, and be any
// number: what is asked for are next hops. It returns at once.
func (k *Kernel) Want(destinations []netip.Addr) {
	k.wantMu.Lock()
	k.want = destinations
	k.wantMu.Unlock()
	poke(k.wanted)
}

// Stats counts what was done so far.
func (k *Kernel) Stats() Stats {
	c := &k.stats
	return Stats{
		Notifications: c.notifications.Load(), Overruns: c.overruns.Load(), Views: c.views.Load(),
		Asks: c.asks.Load(), AskFailures: c.askFailures.Load(), Reconnects: c.reconnects.Load(), Errors: c.errors.Load(),
	}
}

// Close ends following; the last View stays. It changes nothing in the kernel:
// see [Kernel.Release]. Closing again does nothing.
func (k *Kernel) Close() {
	k.closed.Do(func() {
		close(k.stop)
		<-k.done
		k.setup.Lock()
		defer k.setup.Unlock()
		k.writer.close()
		k.writer = nil
		k.ns.close()
	})
}

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

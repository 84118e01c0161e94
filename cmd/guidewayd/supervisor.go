package main

import (
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sys/unix"

	"guideway/control"
)

// A supervisor tells systemd how the process is, by the protocol of
// sd_notify(3). Without systemd nothing is told.
type supervisor struct {
	patience time.Duration // WatchdogSec; 0: systemd does not watch
	sent     chan struct{} // closed when the last message is sent

	mu       sync.Mutex
	messages chan string // nil: there will be no more
	doing    string      // in words
	stalled  []int       // poll loops that give no sign of life
	fed      time.Time   // when systemd was last told that all do
}

// goodbye is how long the last message may wait for systemd.
const goodbye = time.Second

func newSupervisor(log *slog.Logger) *supervisor {
	patience, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		log.Warn("systemd does not get the signs of life that it may want", "error", err)
	}
	messages := make(chan string, 64)
	s := &supervisor{patience: patience, messages: messages, sent: make(chan struct{})}
	go func() {
		defer close(s.sent)
		for m := range messages {
			if _, err := daemon.SdNotify(false, m); err != nil {
				log.Warn("systemd is not told", "message", m, "error", err)
			}
		}
	}()
	s.tell("STATUS=Opening ports")
	return s
}

// tell sends a message without waiting: who calls must not depend on systemd. A
// message that would be the 65th to wait is lost. The caller holds mu.
func (s *supervisor) tell(message string) {
	select {
	case s.messages <- message:
	default:
	}
}

// Reloading is of [control.Supervisor].
func (s *supervisor) Reloading() {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return // without the time systemd does not take it
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tell(fmt.Sprintf("RELOADING=1\nMONOTONIC_USEC=%d\nSTATUS=Reloading", now.Nano()/1000))
}

// Settled is of [control.Supervisor]. The first time it means that packets are
// forwarded.
func (s *supervisor) Settled(now *control.Status) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.doing = fmt.Sprintf("Forwarding, VIPs: %d", len(now.Plan.VIPs))
	if !now.LastSuccessful {
		s.doing += "; the last reload failed, see the log"
	}
	s.tell("READY=1\n" + s.status())
}

// Watched is of [control.Supervisor]: systemd gets a sign of life while every
// poll loop gives one.
func (s *supervisor) Watched(stalled []int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Equal(stalled, s.stalled) {
		s.stalled = slices.Clone(stalled)
		s.tell(s.status())
	}
	if now := time.Now(); s.patience > 0 && len(stalled) == 0 && now.Sub(s.fed) >= s.patience/4 {
		s.fed = now
		s.tell("WATCHDOG=1")
	}
}

func (s *supervisor) status() string {
	if len(s.stalled) > 0 {
		return fmt.Sprintf("STATUS=Stalled: the poll loops on CPUs %v give no sign of life", s.stalled)
	}
	return "STATUS=" + s.doing
}

// stopping says how long an orderly stop may take. Nothing is told after it.
func (s *supervisor) stopping(longest time.Duration) {
	s.mu.Lock()
	s.tell(fmt.Sprintf("STOPPING=1\nEXTEND_TIMEOUT_USEC=%d\nSTATUS=Stopping", longest.Microseconds()))
	close(s.messages)
	s.messages = nil
	s.mu.Unlock()
	select {
	case <-s.sent:
	case <-time.After(goodbye):
	}
}

package dpdk

// #include "shim.h"
import "C"

import (
	"bytes"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// Level is the severity of a line in DPDK's log; the smaller the worse. The
// values are those of RTE_LOG_*.
type Level int

// The levels that DPDK uses.
const (
	LevelEmergency Level = 1 + iota
	LevelAlert
	LevelCritical
	LevelError
	LevelWarning
	LevelNotice
	LevelInfo
	LevelDebug
)

// A logPump carries DPDK's log from C to a Go function. C writes datagrams
// into a socket and never calls Go: whichever thread logs, a poll loop
// included, neither waits nor re-enters the Go runtime.
type logPump struct {
	sink   func(Level, string)
	mu     sync.Mutex // serialises sink
	file   *os.File   // our end
	fd     int        // C's end; -1 when closed
	closed chan struct{}
}

func openLog(sink func(Level, string)) (*logPump, error) {
	if sink == nil {
		sink = func(Level, string) {}
	}
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	if err := unix.SetNonblock(fds[0], true); err != nil {
		return nil, err
	}
	l := &logPump{sink: sink, file: os.NewFile(uintptr(fds[0]), "dpdk log"), fd: fds[1], closed: make(chan struct{})}
	if err := errno(C.gw_log_open(C.int(l.fd))); err != nil {
		return nil, err
	}
	go l.run()
	return l, nil
}

func (l *logPump) emit(level Level, line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sink(level, line)
}

// run cuts the datagrams into lines. A message may come in several parts; the
// level is that of its first.
func (l *logPump) run() {
	defer close(l.closed)
	var line []byte
	var level Level
	buf := make([]byte, 4096)
	for {
		n, err := l.file.Read(buf)
		if err != nil || n == 0 {
			break
		}
		part := buf[1:n]
		for len(part) > 0 {
			if len(line) == 0 {
				level = Level(buf[0])
			}
			head, rest, whole := bytes.Cut(part, []byte{'\n'})
			line = append(line, head...)
			part = rest
			if whole && len(line) > 0 {
				l.emit(level, string(line))
				line = line[:0]
			}
		}
	}
	if len(line) > 0 {
		l.emit(level, string(line))
	}
}

// close delivers what has been logged so far and ends the pump. What DPDK
// still logs afterwards goes nowhere.
func (l *logPump) close() {
	// Not Close: C still has the number, and it must not come to mean
	// another file.
	_ = unix.Shutdown(l.fd, unix.SHUT_RDWR)
	<-l.closed
	_ = l.file.Close()
}

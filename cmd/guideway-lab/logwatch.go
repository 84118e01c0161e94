package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// A logWatch takes a program's log lines, keeps them, copies them to a file and
// lets others wait for one of them.
type logWatch struct {
	file io.Writer

	mu    sync.Mutex
	part  string        // of a line whose end has not come
	lines []string      // a lab's daemon writes hundreds, not millions
	more  chan struct{} // closed and made anew with every new line
}

func newLogWatch(file io.Writer) *logWatch {
	return &logWatch{file: file, more: make(chan struct{})}
}

// Write takes output as it comes, in whatever pieces.
func (w *logWatch) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	rest := w.part + string(p)
	for {
		line, after, ok := strings.Cut(rest, "\n")
		if !ok {
			break
		}
		w.lines = append(w.lines, line)
		close(w.more)
		w.more = make(chan struct{})
		rest = after
	}
	w.part = rest
	return w.file.Write(p)
}

// mark is the place in the log to wait from.
func (w *logWatch) mark() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.lines)
}

// await waits for a line after mark that holds one of want, and returns it. It
// gives up when p ends or the time is over, and then tells the log's last lines.
func (w *logWatch) await(ctx context.Context, p *process, mark int, within time.Duration, want ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	for {
		w.mu.Lock()
		fresh, more := w.lines[mark:], w.more
		w.mu.Unlock()
		for _, line := range fresh {
			for _, s := range want {
				if strings.Contains(line, s) {
					return line, nil
				}
			}
		}
		mark += len(fresh)
		select {
		case <-more:
		case <-p.done:
			return "", fmt.Errorf("%s ended (%v); its last words:\n%s", p.name, p.err, w.tail(20))
		case <-ctx.Done():
			return "", fmt.Errorf("%s did not log %q within %v: %w; its last words:\n%s",
				p.name, want, within, ctx.Err(), w.tail(20))
		}
	}
}

// tail is the last n lines, indented.
func (w *logWatch) tail(n int) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return "    " + strings.Join(w.lines[max(0, len(w.lines)-n):], "\n    ")
}

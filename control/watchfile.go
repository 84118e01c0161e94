package control

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
)

// WatchFile asks for a reload when the configuration file has changed and then
// been left alone for the time to settle, until ctx ends. It watches the file's
// directory: editors and configuration managers put a new file in the old one's
// place.
func (m *Manager) WatchFile(ctx context.Context, settle time.Duration) error {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return err
	}
	if err := w.Add(filepath.Dir(m.o.Path)); err != nil {
		w.Close()
		return err
	}
	last := contentOf(m.o.Path)
	go func() {
		defer w.Close()
		m.watchFile(ctx, w, settle, last)
	}()
	return nil
}

func (m *Manager) watchFile(ctx context.Context, w *fsnotify.Watcher, settle time.Duration, last string) {
	quiet := time.NewTimer(settle)
	quiet.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case err := <-w.Errors:
			m.o.Log.Warn("the configuration file is not watched as it should be", "error", err)
			quiet.Reset(settle) // something may have been missed
		case <-w.Events:
			// Of whatever in the directory: the file may be a link to what changes.
			quiet.Reset(settle)
		case <-quiet.C:
			if now := contentOf(m.o.Path); now != last {
				last = now
				m.o.Log.Info("the configuration file has changed", "file", m.o.Path)
				m.Reload()
			}
		}
	}
}

// contentOf is what the file holds, or nothing.
func contentOf(path string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return string(data)
}

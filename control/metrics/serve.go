package metrics

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"time"

	"guideway/control/config"
)

// What a client may cost. Any that can connect is served, and a scrape asks every
// core for a report.
const (
	maxScrapes = 8                // at a time; more are told to come again (503)
	readLimit  = 5 * time.Second  // for a request to be said
	writeLimit = 30 * time.Second // for an answer to be made and taken
	maxHeader  = 16 << 10         // bytes
)

// A Server serves /metrics.
type Server struct {
	http     *http.Server
	listener net.Listener
}

// Serve listens where the configuration says and serves in the background. A
// zero Listen makes a Server that serves nothing.
func Serve(at config.Listen, s Source) (*Server, error) {
	if at == (config.Listen{}) {
		return &Server{}, nil
	}
	listener, err := listen(at)
	if err != nil {
		return nil, fmt.Errorf("[metrics].listen: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", Handler(s))
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "guidewayd "+s.Version+": the metrics are at /metrics")
	})
	server := &Server{listener: listener, http: &http.Server{
		Handler: mux, ReadTimeout: readLimit, WriteTimeout: writeLimit, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: maxHeader,
	}}
	go func() {
		if err := server.http.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			s.Log.Error("metrics are not served any more", "error", err)
		}
	}()
	return server, nil
}

// listen takes the place of a process that was killed and left its Unix
// socket behind, but not of one that still answers there, nor of any other
// kind of file.
func listen(at config.Listen) (net.Listener, error) {
	if at.Network == "unix" {
		if info, err := os.Lstat(at.Address); err == nil && info.Mode().Type() == fs.ModeSocket {
			if c, err := net.Dial("unix", at.Address); err == nil {
				c.Close()
				return nil, fmt.Errorf("another process serves at %s", at.Address)
			}
			os.Remove(at.Address) // if this fails, so does Listen, and says why
		}
	}
	return net.Listen(at.Network, at.Address)
}

// URL returns where the metrics are.
func (s *Server) URL() string {
	switch {
	case s.listener == nil:
		return "none"
	case s.listener.Addr().Network() == "unix":
		return "unix:" + s.listener.Addr().String()
	}
	return "http://" + s.listener.Addr().String() + "/metrics"
}

// closeLimit is how long Close waits: longer than a scrape takes whose cores
// do not answer.
const closeLimit = 2 * answerLimit

// Close stops serving and waits for the scrapes under way, because what they
// read, ports and pools, is closed next. It may be called twice.
func (s *Server) Close() error {
	if s.http == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeLimit)
	defer cancel()
	if s.http.Shutdown(ctx) == nil {
		return nil
	}
	return s.http.Close()
}

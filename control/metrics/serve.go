package metrics

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"guideway/control/config"
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
	if at.Network == "unix" {
		os.Remove(at.Address) // of a process that was killed
	}
	listener, err := net.Listen(at.Network, at.Address)
	if err != nil {
		return nil, fmt.Errorf("[metrics].listen: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", Handler(s))
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "guidewayd "+s.Version+": the metrics are at /metrics")
	})
	server := &Server{listener: listener, http: &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 2 * time.Minute}}
	go func() {
		if err := server.http.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			s.Log.Error("metrics are not served any more", "error", err)
		}
	}()
	return server, nil
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

// Close stops serving.
func (s *Server) Close() error {
	if s.http == nil {
		return nil
	}
	return s.http.Close()
}

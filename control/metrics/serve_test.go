package metrics

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"guideway/control/config"
	"guideway/lcore"
)

// get reads a page of a server, over whatever it listens on.
func get(t *testing.T, at config.Listen, path string) (status int, body string) {
	t.Helper()
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, at.Network, at.Address)
		},
	}}
	resp, err := client.Get("http://guidewayd" + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

func serve(t *testing.T, at config.Listen, s Source) *Server {
	t.Helper()
	server, err := Serve(at, s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	return server
}

func TestServeTCP(t *testing.T) {
	r := newRig(t, vipText("www", 1, 2))
	server := serve(t, config.Listen{Network: "tcp", Address: "127.0.0.1:0"}, r.source)
	url := server.URL()
	address, found := strings.CutSuffix(strings.TrimPrefix(url, "http://"), "/metrics")
	if !found || !strings.HasPrefix(url, "http://127.0.0.1:") || strings.HasSuffix(address, ":0") {
		t.Fatalf("URL %q", url)
	}
	at := config.Listen{Network: "tcp", Address: address}
	for path, want := range map[string]struct {
		status int
		text   string
	}{
		"/metrics": {200, "\nguideway_vip_packets_total{vip=\"www\"} 0\n"},
		"/":        {200, "guidewayd v1.2.3: the metrics are at /metrics"},
		"/other":   {404, ""},
	} {
		if status, body := get(t, at, path); status != want.status || !strings.Contains(body, want.text) {
			t.Errorf("%s: status %d, %q ...", path, status, body[:min(len(body), 200)])
		}
	}
	if _, err := Serve(at, r.source); err == nil || !strings.HasPrefix(err.Error(), "[metrics].listen: ") {
		t.Errorf("a second server at the same address: %v", err)
	}
	for range 2 {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	}
	if c, err := net.Dial("tcp", address); err == nil {
		c.Close()
		t.Error("somebody still listens after Close")
	}
}

func TestServeNowhere(t *testing.T) {
	server := serve(t, config.Listen{}, Source{})
	if url := server.URL(); url != "none" {
		t.Errorf("URL %q", url)
	}
	if err := server.Close(); err != nil {
		t.Error(err)
	}
}

func TestServeUnix(t *testing.T) {
	r := newRig(t, vipText("www", 1, 2))
	path := filepath.Join(t.TempDir(), "metrics.sock")
	at := config.Listen{Network: "unix", Address: path}

	server := serve(t, at, r.source)
	if url := server.URL(); url != "unix:"+path {
		t.Errorf("URL %q", url)
	}
	if status, body := get(t, at, "/metrics"); status != 200 || !strings.Contains(body, "guideway_config_generation 1") {
		t.Errorf("status %d", status)
	}
	if _, err := Serve(at, r.source); err == nil || !strings.Contains(err.Error(), "another process serves") {
		t.Errorf("a second server at the same socket: %v", err)
	}
	server.Close()
	if _, err := os.Lstat(path); err == nil {
		t.Error("the socket is still there after Close")
	}

	// What a killed process leaves behind.
	stale, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	stale.(*net.UnixListener).SetUnlinkOnClose(false)
	stale.Close()
	serve(t, at, r.source)
	if status, _ := get(t, at, "/metrics"); status != 200 {
		t.Errorf("in the place of a dead process: status %d", status)
	}

	file := filepath.Join(t.TempDir(), "precious")
	if err := os.WriteFile(file, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Serve(config.Listen{Network: "unix", Address: file}, r.source); err == nil {
		t.Error("a file made room for a socket")
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != "text" {
		t.Errorf("the file that was in the way: %q, %v", text, err)
	}
}

// Close waits for a scrape, whose ports and pools may be closed after it.
func TestCloseWaitsForScrapes(t *testing.T) {
	r := newRig(t, vipText("www", 1, 2))
	began, release := make(chan struct{}), make(chan struct{})
	source := r.source
	source.Reports = func(ctx context.Context) ([]*lcore.Report, error) {
		close(began)
		<-release
		return r.source.Reports(ctx)
	}
	path := filepath.Join(t.TempDir(), "metrics.sock")
	at := config.Listen{Network: "unix", Address: path}
	server := serve(t, at, source)

	var scrape sync.WaitGroup
	scrape.Go(func() {
		if status, body := get(t, at, "/metrics"); status != 200 || !strings.Contains(body, "guideway_mempool_free") {
			t.Errorf("the scrape: status %d", status)
		}
	})
	<-began
	closed := make(chan struct{})
	go func() {
		server.Close()
		close(closed)
	}()
	select {
	case <-closed:
		t.Error("Close does not wait for the scrape")
	case <-time.After(50 * time.Millisecond):
	}
	close(release)
	scrape.Wait()
	select {
	case <-closed:
	case <-time.After(5 * time.Second):
		t.Error("Close does not return")
	}
}

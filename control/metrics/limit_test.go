package metrics

import (
	"context"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"guideway/control/config"
	"guideway/lcore"
)

// However many ask at a time, a few are answered, and the others are told to come
// again.
func TestScrapeLimit(t *testing.T) {
	r := newRig(t, vipText("www", 1, 2))
	reports, release := r.source.Reports, make(chan struct{})
	r.source.Reports = func(ctx context.Context) ([]*lcore.Report, error) {
		<-release
		return reports(ctx)
	}
	address := strings.TrimSuffix(strings.TrimPrefix(serve(t, config.Listen{Network: "tcp", Address: "127.0.0.1:0"}, r.source).URL(), "http://"), "/metrics")
	at := config.Listen{Network: "tcp", Address: address}

	const asked = maxScrapes + 5
	statuses := make(chan int, asked)
	var clients sync.WaitGroup
	for range asked {
		clients.Go(func() {
			resp, err := http.Get("http://" + address + "/metrics")
			if err != nil {
				t.Error(err)
				return
			}
			resp.Body.Close()
			statuses <- resp.StatusCode
		})
	}
	for range asked - maxScrapes {
		select {
		case status := <-statuses:
			if status != http.StatusServiceUnavailable {
				t.Errorf("status %d while all scrapes wait", status)
			}
		case <-time.After(20 * time.Second):
			t.Fatal("too many wait")
		}
	}
	close(release)
	clients.Wait()
	for range maxScrapes {
		if status := <-statuses; status != http.StatusOK {
			t.Errorf("status %d of one that was let in", status)
		}
	}
	if status, _ := get(t, at, "/metrics"); status != http.StatusOK {
		t.Errorf("status %d afterwards", status)
	}
}

// Who begins a request and never ends it is left, as is who asks for much.
func TestSlowClient(t *testing.T) {
	r := newRig(t, vipText("www", 1, 2))
	address := strings.TrimSuffix(strings.TrimPrefix(serve(t, config.Listen{Network: "tcp", Address: "127.0.0.1:0"}, r.source).URL(), "http://"), "/metrics")
	for name, says := range map[string]string{
		"half a request": "GET /metrics HTTP/1.1\r\nHost: x\r\n",
		"half a body":    "GET /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nx",
		"long header":    "GET /metrics HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("x", 2*maxHeader) + "\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := net.Dial("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			c.SetDeadline(time.Now().Add(readLimit + 20*time.Second))
			if _, err := c.Write([]byte(says)); err != nil {
				t.Fatal(err)
			}
			for buf := make([]byte, 1<<16); err == nil; {
				_, err = c.Read(buf)
			}
			if e, ok := err.(net.Error); ok && e.Timeout() {
				t.Error("is kept on")
			}
		})
	}
}

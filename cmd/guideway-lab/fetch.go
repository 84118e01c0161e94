package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// The steps that a connection can be asked to take.
const (
	stepHello      = "hello"       // a page of one line
	stepLarge      = "large"       // 1 MiB down
	stepUpload     = "upload"      // 1 MiB up, through the load balancer
	stepReadBack   = "read back"   // the 1 MiB that went up
	stepSlowDown   = "slow down"   // 2 MiB down in about 3 s
	stepSlowUp     = "slow up"     // 2 MiB up in about 3 s
	stepSlowReturn = "slow return" // the 2 MiB that went up
)

// A job is one TCP connection and what to ask on it, one request after the other.
type job struct {
	ID    int      `json:"id"`
	VIP   string   `json:"vip"`
	Base  string   `json:"base"` // URL without a path
	Steps []string `json:"steps"`
}

// A fetchPlan is what the client is to do.
type fetchPlan struct {
	Parallel int   `json:"parallel"` // connections at a time
	Jobs     []job `json:"jobs"`
}

// An exchange is what came of one request.
type exchange struct {
	Step    string    `json:"step"`
	Backend string    `json:"backend"` // as the answer says
	Start   time.Time `json:"start"`
	End     time.Time `json:"end"`
	Fault   string    `json:"fault,omitempty"` // empty: complete and right
}

// A connection is what came of one job.
type connection struct {
	VIP       string     `json:"vip"`
	Dials     int        `json:"dials"` // 1, or it was not one connection
	Exchanges []exchange `json:"exchanges"`
}

// A fetchEvent is one line of the client's report: a slow transfer that is under
// way, a connection that is done, or the last word.
type fetchEvent struct {
	Underway bool        `json:"underway,omitempty"`
	Done     *connection `json:"done,omitempty"`
	Resent   *int        `json:"resent,omitempty"` // TCP segments that the client sent again
}

const (
	// exchangeTimeout bounds one request. A packet lost for good shows as this.
	exchangeTimeout = 15 * time.Second

	// patience is how many connections may fail before the client asks no more:
	// what is broken for all need not be waited for a thousand times.
	patience = 16

	notAsked = "not asked any more after what had failed"
)

// fetchMain is the client, run inside its namespace: the plan comes on in as
// JSON, the events go out as one line each.
func fetchMain(in io.Reader, out io.Writer) error {
	var plan fetchPlan
	if err := json.NewDecoder(in).Decode(&plan); err != nil {
		return fmt.Errorf("plan: %w", err)
	}
	var mu sync.Mutex
	enc := json.NewEncoder(out)
	emit := func(e fetchEvent) {
		mu.Lock()
		defer mu.Unlock()
		enc.Encode(e)
	}
	before, err := resentSegments()
	if err != nil {
		return err
	}
	jobs := make(chan job)
	var workers sync.WaitGroup
	var failed atomic.Int32
	for slot := range max(1, plan.Parallel) {
		workers.Go(func() {
			// One file for each worker: no two uploads meet, and the backends keep few.
			file := fmt.Sprintf("/upload/%d", slot)
			for j := range jobs {
				c := j.run(file, failed.Load() < patience, func() { emit(fetchEvent{Underway: true}) })
				if c.failed() {
					failed.Add(1)
				}
				emit(fetchEvent{Done: c})
			}
		})
	}
	for _, j := range plan.Jobs {
		jobs <- j
	}
	close(jobs)
	workers.Wait()
	after, err := resentSegments()
	if err != nil {
		return err
	}
	after -= before
	emit(fetchEvent{Resent: &after})
	return nil
}

// resentSegments is how many TCP segments this namespace has sent twice. All that
// the client sends goes through the load balancer, and the backends' answers do
// not: what gets lost on the way in shows here.
func resentSegments() (int, error) {
	text, err := os.ReadFile("/proc/self/net/snmp")
	if err != nil {
		return 0, err
	}
	var keys []string // a line of names comes before the line of values
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) == 0 || fields[0] != "Tcp:" {
			continue
		}
		if keys == nil {
			keys = fields
		} else if i := slices.Index(keys, "RetransSegs"); i > 0 && i < len(fields) {
			return strconv.Atoi(fields[i])
		}
	}
	return 0, errors.New("/proc/self/net/snmp counts no RetransSegs")
}

// failed tells whether a request of the connection is not complete.
func (c *connection) failed() bool {
	return slices.ContainsFunc(c.Exchanges, func(x exchange) bool { return x.Fault != "" })
}

// run takes the job's steps on a connection of its own, up to the first that
// fails; if not willing, none. file is where its uploads go. It calls underway
// when a slow transfer has moved its first bytes.
func (j job) run(file string, willing bool, underway func()) *connection {
	var dials atomic.Int32
	var dialer net.Dialer
	tr := &http.Transport{
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			dials.Add(1)
			return dialer.DialContext(ctx, network, addr)
		},
		MaxConnsPerHost:    1,
		DisableCompression: true,
	}
	defer tr.CloseIdleConnections()
	client := &http.Client{Transport: tr, Timeout: exchangeTimeout}

	c := &connection{VIP: j.VIP}
	for _, step := range j.Steps {
		x := exchange{Step: step, Start: time.Now()}
		if !willing || c.failed() {
			x.End, x.Fault = x.Start, notAsked
			c.Exchanges = append(c.Exchanges, x)
			continue
		}
		var err error
		if x.Backend, err = j.take(client, step, file, sync.OnceFunc(underway)); err != nil {
			x.Fault = err.Error()
		}
		x.End = time.Now()
		c.Exchanges = append(c.Exchanges, x)
	}
	c.Dials = int(dials.Load())
	return c
}

// take asks for one step, checks the answer to the last byte, and returns the
// backend that gave it.
func (j job) take(client *http.Client, step, file string, underway func()) (string, error) {
	sent := fmt.Sprintf("upload %d", j.ID)
	ask := func(method, path string, body io.Reader, size int, want func(backend string) []byte, seen func()) (string, error) {
		return ask(client, method, j.Base+path, body, size, want, seen)
	}
	switch step {
	case stepHello:
		return ask("GET", "/", nil, 0, func(b string) []byte { return []byte("Hello from " + b + "\n") }, nil)
	case stepLarge:
		return ask("GET", "/large", nil, 0, func(b string) []byte { return payload(b, largeSize) }, nil)
	case stepSlowDown:
		return ask("GET", "/slow", nil, 0, func(b string) []byte { return payload(b, slowSize) }, underway)
	case stepUpload:
		return ask("PUT", file, bytes.NewReader(payload(sent, largeSize)), largeSize, nil, nil)
	case stepSlowUp:
		return ask("PUT", file, &pacedReader{body: payload(sent, slowSize), started: underway}, slowSize, nil, nil)
	case stepReadBack:
		return ask("GET", file, nil, 0, func(string) []byte { return payload(sent, largeSize) }, nil)
	case stepSlowReturn:
		return ask("GET", file, nil, 0, func(string) []byte { return payload(sent, slowSize) }, nil)
	}
	return "", errors.New("no such step")
}

// ask sends one request and compares the body with what the named backend must
// send (nil: an empty one).
func ask(client *http.Client, method, url string, body io.Reader, size int,
	want func(backend string) []byte, seen func()) (string, error) {
	req, err := http.NewRequest(method, url, body)
	if err != nil {
		return "", err
	}
	req.ContentLength = int64(size)
	resp, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	if seen != nil {
		seen()
	}
	got, err := io.ReadAll(resp.Body)
	backend := resp.Header.Get("X-Backend")
	switch {
	case err != nil:
		return backend, fmt.Errorf("body broke off after %d bytes: %w", len(got), err)
	case resp.StatusCode/100 != 2:
		return backend, fmt.Errorf("status %s", resp.Status)
	case backend == "":
		return "", errors.New("the answer names no backend")
	case want == nil:
		return backend, nil
	}
	return backend, compare(got, want(backend))
}

func compare(got, want []byte) error {
	if len(got) != len(want) {
		return fmt.Errorf("body has %d bytes, not %d", len(got), len(want))
	}
	if sha256.Sum256(got) != sha256.Sum256(want) {
		return errors.New("body of the right length, but not the right bytes")
	}
	return nil
}

// A pacedReader gives out a body at slowRate.
type pacedReader struct {
	body    []byte
	started func() // called after the first piece
	pieces  int
}

func (r *pacedReader) Read(p []byte) (int, error) {
	const piece = 16 << 10
	if len(r.body) == 0 {
		return 0, io.EOF
	}
	if r.pieces > 0 {
		r.started()
		time.Sleep(piece * time.Second / slowRate)
	}
	r.pieces++
	n := copy(p[:min(len(p), piece)], r.body)
	r.body = r.body[n:]
	return n, nil
}

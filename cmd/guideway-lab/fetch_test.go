package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// web is a backend as nginx plays it, with a fault to order.
type web struct {
	name  string
	fault string

	mu      sync.Mutex
	uploads map[string][]byte
}

func (s *web) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.fault != "nameless" {
		w.Header().Set("X-Backend", s.name)
	}
	var body []byte
	switch {
	case r.Method == http.MethodPut:
		body, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		s.uploads[r.URL.Path] = body
		s.mu.Unlock()
		w.WriteHeader(http.StatusCreated)
		return
	case strings.HasPrefix(r.URL.Path, "/upload/"):
		s.mu.Lock()
		body = s.uploads[r.URL.Path]
		s.mu.Unlock()
	case r.URL.Path == "/":
		body = []byte("Hello from " + s.name + "\n")
	case r.URL.Path == "/large":
		body = payload(s.name, largeSize)
	case r.URL.Path == "/slow":
		body = payload(s.name, slowSize)
	}
	switch s.fault {
	case "short":
		body = body[:len(body)-1]
	case "swapped":
		body = bytes.Clone(body)
		body[0], body[len(body)-1] = body[len(body)-1], body[0]
	case "status":
		w.WriteHeader(http.StatusBadGateway)
	case "closing":
		w.Header().Set("Connection", "close")
	case "broken":
		w.Header().Set("Content-Length", "2000000")
	}
	w.Write(body)
	if s.fault == "broken" {
		panic(http.ErrAbortHandler)
	}
}

// fetchFrom runs a plan of one connection against a web server with a fault.
func fetchFrom(t *testing.T, fault string, steps ...string) (c connection, underway int) {
	t.Helper()
	srv := httptest.NewServer(&web{name: "b7", fault: fault, uploads: map[string][]byte{}})
	defer srv.Close()
	plan, err := json.Marshal(fetchPlan{Parallel: 1, Jobs: []job{{ID: 3, VIP: "v", Base: srv.URL, Steps: steps}}})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := fetchMain(bytes.NewReader(plan), &out); err != nil {
		t.Fatal(err)
	}
	for dec := json.NewDecoder(&out); ; {
		var e fetchEvent
		if err := dec.Decode(&e); err == io.EOF {
			return c, underway
		} else if err != nil {
			t.Fatal(err)
		}
		if e.Underway {
			underway++
		}
		if e.Done != nil {
			c = *e.Done
		}
	}
}

func TestFetchCompletes(t *testing.T) {
	steps := []string{stepHello, stepLarge, stepUpload, stepReadBack, stepSlowDown, stepSlowUp, stepSlowReturn}
	c, underway := fetchFrom(t, "", steps...)
	if got := judge([]connection{c}); got.Requests != len(steps) || len(got.Faults) > 0 || got.Answered["v"]["b7"] != 1 {
		t.Errorf("%+v", got)
	}
	if underway != 2 {
		t.Errorf("%d transfers said to be under way, want the slow two", underway)
	}
}

func TestFetchFindsFaults(t *testing.T) {
	for _, c := range []struct{ fault, step, want string }{
		{"short", stepHello, "bytes, not"},
		{"short", stepLarge, "body has 1048575 bytes, not 1048576"},
		{"swapped", stepLarge, "not the right bytes"},
		{"status", stepHello, "502"},
		{"nameless", stepHello, "no backend"},
		{"broken", stepLarge, "broke off after"},
		{"", stepReadBack, "body has 0 bytes"}, // nothing went up before
		{"", "no such", "no such step"},
	} {
		got, _ := fetchFrom(t, c.fault, c.step)
		if len(got.Exchanges) != 1 || !strings.Contains(got.Exchanges[0].Fault, c.want) {
			t.Errorf("%s on %s: %+v; want %q", c.fault, c.step, got.Exchanges, c.want)
		}
	}
}

// After a fault the connection is given up, and after many the whole plan.
func TestFetchGivesUp(t *testing.T) {
	c, _ := fetchFrom(t, "short", stepHello, stepLarge)
	if c.Exchanges[0].Fault == notAsked || c.Exchanges[1].Fault != notAsked {
		t.Errorf("%+v", c.Exchanges)
	}

	srv := httptest.NewServer(&web{name: "b7", fault: "short"})
	defer srv.Close()
	const jobs = 3 * patience
	plan := fetchPlan{Parallel: 1}
	for i := range jobs {
		plan.Jobs = append(plan.Jobs, job{ID: i, Base: srv.URL, Steps: []string{stepHello}})
	}
	text, err := json.Marshal(plan)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := fetchMain(bytes.NewReader(text), &out); err != nil {
		t.Fatal(err)
	}
	asked := strings.Count(out.String(), "bytes, not")
	if given := strings.Count(out.String(), notAsked); asked != patience || given != jobs-patience {
		t.Errorf("asked %d times, gave up %d times; want %d, %d", asked, given, patience, jobs-patience)
	}
}

// A connection that the server closes is opened again by net/http without a word;
// it must not pass for one connection.
func TestFetchCountsDials(t *testing.T) {
	if c, _ := fetchFrom(t, "", stepHello, stepHello, stepHello); c.Dials != 1 {
		t.Errorf("%d dials on a good connection", c.Dials)
	}
	c, _ := fetchFrom(t, "closing", stepHello, stepHello)
	if got := judge([]connection{c}); got.Strayed != 1 {
		t.Errorf("%d dials, strayed %d; want 1", c.Dials, got.Strayed)
	}
}

package monitoring

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"guideway/test/daemon"
)

// A server is a running Prometheus.
type server struct {
	t      *testing.T
	url    string
	config string // its file
	client *http.Client
}

// A rule is an alert as Prometheus has read it.
type rule struct {
	Name        string
	Query       string
	Type        string
	State       string
	Health      string
	LastError   string
	Labels      map[string]string
	Annotations map[string]string
}

// A sample is one value of an answer.
type sample struct {
	Metric map[string]string
	Value  [2]any // time and value, the latter as text
}

// scrape runs Prometheus with the configuration and rules that are shipped, but
// for the pace and the targets' addresses, in a network namespace (empty: the
// test's own). It is ended with the test.
func scrape(t *testing.T, netns string, hurry func(rules string) string, targets ...string) *server {
	t.Helper()
	dir := t.TempDir()
	for file, change := range map[string]func(string) string{
		scrapeFile: strings.NewReplacer("127.0.0.1:9150", strings.Join(targets, `", "`), "15s", "1s").Replace,
		rulesFile:  hurry,
	} {
		text, err := os.ReadFile(file)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, filepath.Base(file)), []byte(change(string(text))), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	log := &output{}
	argv := []string{"prometheus", "--config.file=" + filepath.Join(dir, filepath.Base(scrapeFile)),
		"--storage.tsdb.path=" + filepath.Join(dir, "data"), "--web.listen-address=127.0.0.1:0", "--web.enable-lifecycle",
		"--query.lookback-delta=5s"} // of what nobody says any more; five minutes by default
	s := &server{t: t, config: filepath.Join(dir, filepath.Base(scrapeFile)), client: &http.Client{Transport: &http.Transport{}, Timeout: 10 * time.Second}} // by no proxy
	if netns != "" {
		argv = append([]string{"ip", "netns", "exec", netns}, argv...)
		s.client.Transport = &http.Transport{DialContext: func(_ context.Context, network, address string) (c net.Conn, err error) {
			err = daemon.Inside(netns, func() (err error) {
				c, err = net.Dial(network, address)
				return err
			})
			return c, err
		}}
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // not left behind by a killed test
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() {
			t.Logf("Prometheus:\n%s", log)
		}
	})
	address := regexp.MustCompile(`msg="Listening on" address=(127\.0\.0\.1:\d+)`)
	s.wait("Prometheus listens", func() bool {
		m := address.FindStringSubmatch(log.String())
		if m != nil {
			s.url = "http://" + m[1]
		}
		return m != nil
	})
	return s
}

func (s *server) wait(what string, done func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !done(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatalf("not in 30 seconds: %s", what)
		}
	}
}

// get asks Prometheus's API; data is what the answer is read into.
func (s *server) get(path string, data any) error {
	r, err := s.client.Get(s.url + path)
	if err != nil {
		return err
	}
	defer r.Body.Close()
	var answer struct {
		Status, Error string
		Data          json.RawMessage
	}
	if err := json.NewDecoder(r.Body).Decode(&answer); err != nil {
		return fmt.Errorf("%s: %s: %w", path, r.Status, err)
	}
	if answer.Status != "success" {
		return fmt.Errorf("%s", answer.Error)
	}
	return json.Unmarshal(answer.Data, data)
}

// query evaluates an expression now.
func (s *server) query(expr string) ([]sample, error) {
	var data struct{ Result []sample }
	err := s.get("/api/v1/query?query="+url.QueryEscape(expr), &data)
	return data.Result, err
}

// firing lists the labels of the alerts that fire.
func (s *server) firing() (all []map[string]string) {
	s.t.Helper()
	var data struct {
		Alerts []struct {
			Labels map[string]string
			State  string
		}
	}
	if err := s.get("/api/v1/alerts", &data); err != nil {
		s.t.Fatal(err)
	}
	for _, a := range data.Alerts {
		if a.State == "firing" {
			all = append(all, a.Labels)
		}
	}
	return all
}

// rename has Prometheus know the fleet by another name.
func (s *server) rename(from, to string) {
	s.t.Helper()
	text, err := os.ReadFile(s.config)
	if err == nil {
		err = os.WriteFile(s.config, bytes.ReplaceAll(text, []byte("job_name: "+from), []byte("job_name: "+to)), 0o600)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	r, err := s.client.Post(s.url+"/-/reload", "", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	if r.Body.Close(); r.StatusCode != http.StatusOK {
		s.t.Fatalf("Prometheus does not reload: %s", r.Status)
	}
}

// rules returns all rules once each has been evaluated.
func (s *server) rules() []rule {
	s.t.Helper()
	var rules []rule
	s.wait("all rules are evaluated", func() bool {
		var data struct{ Groups []struct{ Rules []rule } }
		if err := s.get("/api/v1/rules", &data); err != nil {
			return false // it still starts
		}
		rules = nil
		done := true
		for _, g := range data.Groups {
			for _, r := range g.Rules {
				done = done && r.Health != "unknown"
				rules = append(rules, r)
			}
		}
		return done && len(rules) > 0
	})
	return rules
}

// page fetches the metrics that a daemon shows.
func page(t *testing.T, url string) []byte {
	t.Helper()
	r, err := (&http.Client{Transport: &http.Transport{}, Timeout: 10 * time.Second}).Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// output collects what a process says while others read it.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

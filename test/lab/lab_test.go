// Package lab runs guideway-lab end to end: real HTTP through a real guidewayd
// on a DPDK port, and nothing left of it afterwards. It needs root, Linux, and
// what third_party/install.sh installs; without them it fails and says so.
package lab

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The report that --report writes, as far as it is looked at here.
type report struct {
	Main   tally
	Reload *struct {
		Added            string
		Across           int
		Transfers, Fresh tally
	}
	Verdicts map[string]float64
	Tunnel   struct {
		Packets float64
		Refused map[string]float64
	}
	Stop string
}

type tally struct {
	Requests, Failed, Connections, Strayed int
	Answered                               map[string]map[string]int
	Faults                                 []string
}

var vips = []string{"web4", "web6", "web4-in-6", "web6-in-4"}

// The main promise: a thousand requests, all complete, on connections that stay
// where they are; a backend added in the middle of transfers breaks none.
func TestThousandRequestsAndAReload(t *testing.T) {
	file := filepath.Join(t.TempDir(), "report.json")
	l := start(t, "--once", "--report", file)
	if err := l.wait(); err != nil {
		t.Errorf("exit: %v\n%s", err, l.output())
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v\n%s", err, l.output())
	}
	var r report
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	t.Log(l.output())

	if m := r.Main; m.Requests != 1000 || m.Failed != 0 || m.Strayed != 0 || m.Connections < 200 {
		t.Errorf("main run: %+v", m)
	}
	for _, v := range vips {
		for _, b := range []string{"b1", "b2", "b3"} {
			if r.Main.Answered[v][b] == 0 {
				t.Errorf("%s: %s answered no connection: %v", v, b, r.Main.Answered[v])
			}
		}
		if n := r.Main.Answered[v]["b4"]; n != 0 {
			t.Errorf("%s: the spare answered %d connections before it was in a pool", v, n)
		}
	}

	if r.Reload == nil {
		t.Fatal("no reload in the report")
	}
	if tr := r.Reload.Transfers; r.Reload.Across != 24 || tr.Failed != 0 || tr.Strayed != 0 || tr.Requests != 36 {
		t.Errorf("transfers across the reload: across %d, %+v", r.Reload.Across, tr)
	}
	if f := r.Reload.Fresh; f.Failed != 0 || f.Strayed != 0 {
		t.Errorf("new connections after the reload: %+v", f)
	}
	for _, v := range vips {
		if r.Reload.Fresh.Answered[v][r.Reload.Added] == 0 {
			t.Errorf("%s: the added backend answered none of %v", v, r.Reload.Fresh.Answered[v])
		}
	}

	var sum float64
	for _, n := range r.Verdicts {
		sum += n
	}
	if r.Tunnel.Packets == 0 || sum < r.Tunnel.Packets {
		t.Errorf("verdicts %v add up to less than the %v packets that the backends took", r.Verdicts, r.Tunnel.Packets)
	}
	if len(r.Tunnel.Refused) > 0 {
		t.Errorf("the backends refused packets: %v", r.Tunnel.Refused)
	}
	if r.Stop != "" {
		t.Errorf("guidewayd did not stop in order: %s", r.Stop)
	}
	nothingLeft(t)
}

// The same packets by the other driver, which needs neither AF_XDP nor BPF.
func TestAFPacket(t *testing.T) {
	l := start(t, "--once", "--driver", "af_packet", "--requests", "200", "--reload-demo=false")
	if err := l.wait(); err != nil {
		t.Errorf("exit: %v\n%s", err, l.output())
	}
	if want := "200 of 200 requests complete"; !strings.Contains(l.output(), want) {
		t.Errorf("no %q in:\n%s", want, l.output())
	}
	nothingLeft(t)
}

// Up, it serves its metrics to the host and suffers no second lab; Ctrl-C takes
// it down.
func TestStaysUpUntilInterrupted(t *testing.T) {
	l := start(t, "--requests", "40", "--reload-demo=false")
	l.await("the lab is up")
	url := regexp.MustCompile(`http://[0-9.:]+/metrics`).FindString(l.output())
	resp, err := (&http.Client{Timeout: 5 * time.Second}).Get(url)
	if err != nil {
		t.Errorf("metrics at the address on the screen: %v", err)
	} else {
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("%s: %s", url, resp.Status)
		}
	}

	second := start(t, "--once")
	if err := second.wait(); err == nil || !strings.Contains(second.output(), "is running") {
		t.Errorf("a second lab of the same name: %v\n%s", err, second.output())
	}

	l.signal(syscall.SIGINT)
	if err := l.wait(); err != nil {
		t.Errorf("exit after an interrupt: %v\n%s", err, l.output())
	}
	nothingLeft(t)
}

// In the middle of the traffic it comes down as well, and does not call that a
// success.
func TestInterruptedInTheMiddle(t *testing.T) {
	l := start(t, "--once")
	l.await("guidewayd: process")
	l.signal(syscall.SIGTERM)
	if err := l.wait(); err == nil || !strings.Contains(l.output(), "interrupted") {
		t.Errorf("exit: %v\n%s", err, l.output())
	}
	nothingLeft(t)
}

// A lab that was killed leaves namespaces; the next one removes them and works.
func TestAfterAKill(t *testing.T) {
	killed := start(t, "--requests", "40", "--reload-demo=false")
	killed.await("the lab is up")
	killed.signal(syscall.SIGKILL)
	killed.wait()
	if len(namespaces(t)) == 0 {
		t.Fatal("a killed lab left no namespace: nothing to prove")
	}
	for end := time.Now().Add(5 * time.Second); len(processes(t)) > 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("these outlive the lab that was killed: %q", processes(t))
		}
	}

	next := start(t, "--once", "--requests", "100", "--reload-demo=false")
	if err := next.wait(); err != nil {
		t.Errorf("exit: %v\n%s", err, next.output())
	}
	for _, want := range []string{"removed what a killed run has left behind", "100 of 100 requests complete"} {
		if !strings.Contains(next.output(), want) {
			t.Errorf("no %q in:\n%s", want, next.output())
		}
	}
	nothingLeft(t)
}

// "clean" alone does it too, and then has nothing more to do.
func TestClean(t *testing.T) {
	killed := start(t, "--requests", "0", "--reload-demo=false")
	killed.await("network:")
	killed.signal(syscall.SIGKILL)
	killed.wait()
	clean := start(t, "clean")
	if err := clean.wait(); err != nil {
		t.Errorf("%v\n%s", err, clean.output())
	}
	nothingLeft(t)
	again := start(t, "clean")
	if err := again.wait(); err != nil || !strings.Contains(again.output(), "nothing to remove") {
		t.Errorf("%v\n%s", err, again.output())
	}
}

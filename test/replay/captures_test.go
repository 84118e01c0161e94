package replay

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
	"golang.org/x/sys/unix"

	"guideway/test/daemon"
)

// TestCaptures runs every capture through a guidewayd of its own and judges how
// frames ended and what came out.
func TestCaptures(t *testing.T) {
	names, err := scenes()
	if err != nil {
		t.Fatal(err)
	}
	var out [][]byte // of all runs, for tshark
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			e, err := readExpectation(name)
			if err != nil {
				t.Fatal(err)
			}
			j := &judge{t: t, expectation: e}
			ended := j.run()
			for tries := 1; j.hog >= 0 && !j.happened(ended) && tries < 10; tries++ {
				j = &judge{t: t, expectation: e} // the scheduler did not starve the core
				ended = j.run()
			}
			j.checkCounts(ended)
			j.frames(ended)
			for _, s := range j.out {
				if !e.odd {
					out = append(out, s.frame)
				}
			}
		})
	}
	checkWithTshark(t, out)
}

// run runs the capture and returns how frames ended. It fills in what went in
// and came out.
func (j *judge) run() (ended map[string]int) {
	t, dir := j.t, j.t.TempDir()
	j.in = readCapture(t, "captures/"+j.name+".pcap")
	if len(j.in) != len(j.expectation.frames) {
		t.Fatalf("%s.expect tells of %d frames, the capture has %d", j.name, len(j.expectation.frames), len(j.in))
	}
	writeCapture(t, filepath.Join(dir, "in.pcap"), j.in)
	writeCapture(t, filepath.Join(dir, "none.pcap"), nil)
	config, err := os.ReadFile("captures/" + j.config + ".toml")
	if err != nil {
		t.Fatal(err)
	}
	if j.hog >= 0 {
		defer hog(t, j.hog)()
	}
	var d *daemon.Daemon
	var host *namespace
	if bytes.Contains(config, []byte("\nkernel ")) {
		host = newNamespace(t)
		d = daemon.LaunchIn(t, host.name, dir, string(config))
		d.WaitLog("msg=forwarding")
	} else {
		d = daemon.Start(t, dir, string(config))
	}
	least, _ := j.ends()
	delete(least, "fragment_drained") // only when it stops
	j.await(d, func(m map[string]float64) bool {
		if int(daemon.Sum(m, "guideway_received_packets_total")) < len(j.in) {
			return false
		}
		now := daemon.Verdicts(m)
		for v, n := range least {
			if now[v] < n && v != "from_kernel" {
				return false
			}
		}
		return true
	})
	if host != nil {
		if len(j.kernel) > 0 {
			j.fromHost = readCapture(t, "captures/"+j.name+".kernel.pcap")
		}
		host.send(j.fromHost)
		j.await(d, func(m map[string]float64) bool { return daemon.Verdicts(m)["from_kernel"] >= len(j.fromHost) })
		j.up = host.received()
	}
	j.books(d.Metrics())
	d.Stop()
	files, err := filepath.Glob(filepath.Join(dir, "*.pcap"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		port, _, _ := strings.Cut(filepath.Base(file), ".")
		if port == "in" || port == "none" {
			continue
		}
		for _, frame := range readCapture(t, file) {
			s, err := j.readSent(port, frame)
			if err != nil {
				t.Errorf("by %s: %v\nout %x", port, err, clip(frame))
				continue
			}
			j.out = append(j.out, s)
		}
	}
	return totals(t, d.Log())
}

// happened tells whether all that is up to chance has come about.
func (j *judge) happened(ended map[string]int) bool {
	return !slices.ContainsFunc(j.some, func(verdict string) bool { return ended[verdict] == 0 })
}

// await waits until the metrics are as they must be, or for so long that they
// will not be any more: what is wrong the judge tells better.
func (j *judge) await(d *daemon.Daemon, done func(map[string]float64) bool) {
	const limit = 3 * time.Second
	for began := time.Now(); !done(d.Metrics()) && time.Since(began) < limit; {
		time.Sleep(5 * time.Millisecond)
	}
}

// hog keeps a CPU busy until the returned function is called.
func hog(t *testing.T, cpu int) (stop func()) {
	var done atomic.Bool
	var threads sync.WaitGroup
	for range 4 {
		threads.Go(func() {
			runtime.LockOSThread() // and not unlocked: the thread ends with its goroutine
			var set unix.CPUSet
			set.Set(cpu)
			if err := unix.SchedSetaffinity(0, &set); err != nil {
				t.Error(err)
				return
			}
			for !done.Load() {
			}
		})
	}
	return func() {
		done.Store(true)
		threads.Wait()
	}
}

// books checks, for each core, that every frame has its verdict, and what the
// expectation says of cores and tables.
func (j *judge) books(m map[string]float64) {
	cores, busy := map[string]float64{}, 0
	for name, value := range m {
		family, labels, _ := strings.Cut(name, "{")
		core, _, _ := strings.Cut(strings.TrimSuffix(labels, "}"), ",")
		switch family {
		case "guideway_received_packets_total", "guideway_taken_packets_total", "guideway_made_packets_total":
			cores[core] += value
		case "guideway_packets_total":
			cores[core] -= value
			if strings.Contains(labels, `"forwarded"`) && value > 0 {
				busy++
			}
		case "guideway_fragments_held":
			cores[core] -= value
		}
	}
	for core, left := range cores {
		if left != 0 {
			j.t.Errorf("%s: %v frames came and did not end", core, left)
		}
	}
	if j.busy > 0 && busy != j.busy {
		j.t.Errorf("%d cores forwarded something, want %d", busy, j.busy)
	}
	if n := int(daemon.Sum(m, "guideway_conntrack_entries")); j.entries >= 0 && n != j.entries {
		j.t.Errorf("%d entries in the connection tables, want %d", n, j.entries)
	}
	if given, taken := daemon.Verdicts(m)["handed_over"], int(daemon.Sum(m, "guideway_taken_packets_total")); given != taken {
		j.t.Errorf("%d frames were handed over, and %d taken", given, taken)
	}
}

var (
	totalsLine = regexp.MustCompile(`msg="poll loops stopped" received=\d+ (.*)`)
	total      = regexp.MustCompile(`(\w+)=(\d+)`)
)

// totals reads how frames ended from what the daemon says when it has stopped.
func totals(t *testing.T, log string) map[string]int {
	t.Helper()
	m := totalsLine.FindStringSubmatch(log)
	if m == nil {
		t.Fatalf("no totals in the log:\n%s", log)
	}
	ended := map[string]int{}
	for _, pair := range total.FindAllStringSubmatch(m[1], -1) {
		ended[pair[1]], _ = strconv.Atoi(pair[2])
	}
	return ended
}

// readCapture returns the frames of a capture, or of the one that is stored
// as file.gz.
func readCapture(t *testing.T, file string) (frames [][]byte) {
	t.Helper()
	content, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		content, err = gunzip(file + ".gz")
	}
	if err != nil {
		t.Fatal(err)
	}
	r, err := pcapgo.NewReader(bytes.NewReader(content))
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	for {
		frame, _, err := r.ReadPacketData()
		if err == io.EOF {
			return frames
		}
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		frames = append(frames, frame)
	}
}

func gunzip(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return io.ReadAll(z)
}

func writeCapture(t *testing.T, file string, frames [][]byte) {
	t.Helper()
	var b bytes.Buffer
	w := pcapgo.NewWriter(&b)
	err := w.WriteFileHeader(65535, layers.LinkTypeEthernet)
	for _, f := range frames {
		err = errors.Join(err, w.WritePacket(gopacket.CaptureInfo{CaptureLength: len(f), Length: len(f)}, f))
	}
	if err = errors.Join(err, os.WriteFile(file, b.Bytes(), 0o600)); err != nil {
		t.Fatal(err)
	}
}

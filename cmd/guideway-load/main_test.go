package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"guideway/cmd/guideway-load/engine"
)

// asProgram makes the test binary the program: EAL starts once in a process.
const asProgram = "GUIDEWAY_LOAD_TEST"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// one is what every test needs beside a VIP; both has a VIP of each family and
// protocol.
const one = " -no-huge -memory 128 -interval 0s -mac 02:00:00:00:00:01"
const both = one + " -vip 203.0.113.10:80/tcp -vip [2001:db8:cafe::10]:7001/udp"

// limit is what only a run that hangs reaches.
const limit = 60 * time.Second

type result struct {
	code     int
	out, err string
	report   engine.Report // of -json
}

// load starts the program; the function that it returns waits for the end.
func load(t *testing.T, line string) (cmd *exec.Cmd, wait func() result) {
	t.Helper()
	cmd = exec.Command(os.Args[0], strings.Fields(line)...)
	cmd.Env = append(os.Environ(), asProgram+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var out bytes.Buffer
	errs := new(buffer)
	cmd.Stdout, cmd.Stderr = &out, errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	hung := time.AfterFunc(limit, func() { cmd.Process.Kill() })
	return cmd, func() (r result) {
		t.Helper()
		err := cmd.Wait()
		hung.Stop()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		r = result{code: cmd.ProcessState.ExitCode(), out: out.String(), err: errs.String()}
		if strings.HasPrefix(r.out, "{") {
			if err := json.Unmarshal(out.Bytes(), &r.report); err != nil {
				t.Fatalf("%v in:\n%s", err, r.out)
			}
		}
		return r
	}
}

// mustLoad runs the program and fails the test unless it exits as it should.
func mustLoad(t *testing.T, code int, line string) result {
	t.Helper()
	_, wait := load(t, line)
	r := wait()
	if r.code != code {
		t.Fatalf("exit code %d, want %d:\n%s%s", r.code, code, r.out, r.err)
	}
	return r
}

// A buffer is read while it is written.
type buffer struct {
	mu   sync.Mutex
	text []byte
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.text = append(b.text, p...)
	return len(p), nil
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return string(b.text)
}

// said returns what a program that runs has said on stderr.
func said(cmd *exec.Cmd) string { return cmd.Stderr.(*buffer).String() }

const allFaults = " -fail lost,late,repeated,moved,foreign"

// What a port gives back as it got it is found whole, by one loop and by two, at
// all shapes of packets.
func TestRing(t *testing.T) {
	for name, flags := range map[string]string{
		"one":       "-lcores 1 -flows 10k -warmup 50ms",
		"two":       "-lcores 0,1 -flows 10k -rate 200k -warmup 50ms",
		"life":      "-flows 100 -life 5 -size imix",
		"fragments": "-flows 7 -size 64,3000 -cut 1280 -rate 100k -vip 203.0.113.10:7001/udp",
		"VLAN":      "-flows 1 -vlan 5 -client-ports 5000-5000",
	} {
		t.Run(name, func(t *testing.T) {
			services := both
			if strings.Contains(flags, "-vip") {
				services = one
			}
			r := mustLoad(t, 0, "-port net_ring0 -packets 50k -json "+flags+services+allFaults).report
			if r.Sent == nil || r.Sent.Packets != 50_000 || r.Received.Frames != r.Sent.Frames || r.Received.Bytes != r.Sent.Bytes {
				t.Errorf("%+v, %+v", r.Sent, r.Received)
			}
			if r.Flows.Seen != r.Flows.Total || r.Latency == nil || r.Latency.Packets != 50_000 {
				t.Errorf("%+v, %+v", r.Flows, r.Latency)
			}
			if name == "fragments" && (r.Sent.Frames < 90_000 || r.Sent.Frames > 110_000) { // half of them are three
				t.Errorf("%d frames of %d packets", r.Sent.Frames, r.Sent.Packets)
			}
		})
	}
}

// A flood comes at its own rate beside the flows, which lose nothing.
func TestFlood(t *testing.T) {
	r := mustLoad(t, 0, "-port net_ring0 -packets 20k -rate 40k -flood syn -flood-rate 100k -json"+both+allFaults).report
	if f := float64(r.Sent.Flood) / float64(r.Sent.Packets); f < 1 || f > 4 {
		t.Errorf("%d frames of the flood to %d packets", r.Sent.Flood, r.Sent.Packets)
	}
	if r.Received.Flood == 0 || r.Received.Frames != 20_000 {
		t.Errorf("%+v", r.Received)
	}
}

// A capture of what one process sends is judged by another, which finds the packet
// that was taken out and the one that was put elsewhere.
func TestCapture(t *testing.T) {
	dir := t.TempDir()
	sent, broken := filepath.Join(dir, "sent.pcap"), filepath.Join(dir, "broken.pcap")
	mustLoad(t, 0, "-port net_pcap0,rx_pcap="+empty(t, dir)+",tx_pcap="+sent+" -packets 1000 -flows 100 -check none"+both)
	again := "-receive-only -time 300ms -flows 100 -json" + strings.Replace(both, " -mac 02:00:00:00:00:01", "", 1)
	r := mustLoad(t, 0, "-port net_pcap0,rx_pcap="+sent+",tx_pcap=/dev/null "+again+allFaults).report
	if r.Received.Frames != 1000 || r.Flows.Seen != 100 || r.Sent != nil || r.Lost != nil {
		t.Errorf("%+v %+v", r.Received, r.Flows)
	}
	breakCapture(t, sent, broken)
	r = mustLoad(t, 1, "-port net_pcap0,rx_pcap="+broken+",tx_pcap=/dev/null "+again+allFaults).report
	if r.Received.Frames != 999 || r.Received.Missing != 1 || r.Received.Late != 1 || r.Flows.Lossy != 1 || r.Flows.Late != 1 {
		t.Errorf("%+v %+v", r.Received, r.Flows)
	}
}

const pcapHeader, recordHeader = 24, 16

// empty makes a capture with nothing in it.
func empty(t *testing.T, dir string) string {
	t.Helper()
	name := filepath.Join(dir, "empty.pcap")
	h := binary.LittleEndian.AppendUint32(nil, 0xa1b2c3d4)
	h = append(h, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0)
	if err := os.WriteFile(name, h, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// breakCapture takes packet 500 out of a capture, and puts 200 behind the 150 that
// follow it.
func breakCapture(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	out, late := b[:pcapHeader:pcapHeader], []byte(nil)
	rest := b[pcapHeader:]
	for i := 0; len(rest) >= recordHeader; i++ {
		n := recordHeader + int(binary.LittleEndian.Uint32(rest[8:]))
		switch i {
		case 500:
		case 200:
			late = rest[:n]
		case 350:
			out = append(append(out, rest[:n]...), late...)
		default:
			out = append(out, rest[:n]...)
		}
		rest = rest[n:]
	}
	if err := os.WriteFile(to, out, 0o600); err != nil {
		t.Fatal(err)
	}
}

// SIGINT ends a test without end in order: all that was sent is waited for, and the
// report is there.
func TestSignal(t *testing.T) {
	cmd, wait := load(t, "-port net_ring0 -rate 10k -interval 50ms"+strings.Replace(both, "-interval 0s", "", 1)+allFaults)
	for end := time.Now().Add(limit / 2); !strings.Contains(said(cmd), " s  sent ") && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
	}
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	r := wait()
	if r.code != 0 || !strings.Contains(r.out, "latency") || !strings.Contains(r.err, "interrupt: ending") || !strings.Contains(r.err, " s  sent ") {
		t.Errorf("exit code %d\n%s%s", r.code, r.out, r.err)
	}
}

// What cannot be says so: wrong use, no link, no such device.
func TestFaults(t *testing.T) {
	if r := mustLoad(t, 2, "-flows 0 -port net_null0"); !strings.Contains(r.err, "-flows 0:") || !strings.Contains(r.err, "-vip is missing") {
		t.Error(r.err)
	}
	socket := filepath.Join(t.TempDir(), "memif.sock")
	if r := mustLoad(t, 1, "-link 200ms -port net_memif0,role=server,socket-abstract=no,socket="+socket+both); !strings.Contains(r.err, "has no link after 200ms") {
		t.Error(r.err)
	}
	if r := mustLoad(t, 1, "-port net_nothing0"+both); !strings.Contains(r.err, "no such device") {
		t.Error(r.err)
	}
	if r := mustLoad(t, 0, "-help"); !strings.Contains(r.out, "-vip ADDRESS:PORT/PROTO") {
		t.Error(r.out)
	}
}

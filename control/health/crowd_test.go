package health

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const crowdEnv = "GUIDEWAY_HEALTH_CROWD"

// serveCrowd is the other process: servers on all of 127/8, so that what they cost is
// not counted as ours. One takes connections and ends them, the other speaks
// HTTP. It says their ports, and ends with its input.
func serveCrowd() {
	shared := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) (err error) {
		if e := c.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1) }); e != nil {
			return e
		}
		return err
	}}
	for _, talk := range []func(net.Conn){
		func(c net.Conn) { c.Close() },
		func(c net.Conn) {
			go func() {
				defer c.Close()
				if n, err := c.Read(make([]byte, 1024)); err == nil && n > 0 {
					_, _ = c.Write([]byte("HTTP/1.1 200 OK\r\nX-Weight: 70\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"))
				}
			}()
		},
	} {
		// Several, since the queue of one is short, and whom it has no room for
		// hears nothing.
		at := "0.0.0.0:0"
		for range 4 {
			l, err := shared.Listen(context.Background(), "tcp", at)
			if err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			if at == "0.0.0.0:0" {
				fmt.Println(l.Addr().(*net.TCPAddr).Port)
			}
			at = l.Addr().String()
			go func() {
				for {
					c, err := l.Accept()
					if err != nil {
						return
					}
					talk(c)
				}
			}()
		}
	}
	_, _ = os.Stdin.Read(make([]byte, 1))
}

// startCrowd runs it, and returns its ports.
func startCrowd(t testing.TB) (tcp, http uint16) {
	t.Helper()
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), crowdEnv+"=1")
	c.Stderr = os.Stderr
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		_ = c.Wait()
	})
	if _, err := fmt.Fscan(out, &tcp, &http); err != nil {
		t.Fatal(err)
	}
	return tcp, http
}

// TestThousands: ten thousand targets once a second (a fifth under the race detector), and fewer by HTTP, are found
// up and stay so, and goroutines are few.
func TestThousands(t *testing.T) {
	const watched = 2 * time.Second
	tcp, http := startCrowd(t)
	for n, c := range map[int]Check{10_000 / slower: {Type: TCP, Port: tcp}, 3_000 / slower: {Type: HTTP, Port: http, WeightHeader: "X-Weight"}} {
		t.Run(fmt.Sprint(n, " ", c.Type), func(t *testing.T) {
			var all []Target
			for i := range n {
				all = append(all, Target{Addr: netip.AddrFrom4([4]byte{127, 2, byte(i >> 8), byte(i)}), Check: c,
					Interval: time.Second, Timeout: 500 * time.Millisecond, Rise: 1, Fall: 5})
			}
			before, began := runtime.NumGoroutine(), time.Now()
			m := watch(t, Config{}, all...)
			took := time.Since(began)
			eventually(t, 6*soon, "all up", func() bool {
				time.Sleep(20 * time.Millisecond)
				return m.allAre(Up, netip.Addr{})
			})
			up := time.Since(began)

			first, used := m.Status(), cpu(t)
			began = time.Now()
			var most, waiting int
			for time.Since(began) < watched {
				time.Sleep(50 * time.Millisecond)
				l := m.Load()
				most, waiting = max(most, runtime.NumGoroutine()-before), max(waiting, l.Waiting)
			}
			used, passed := cpu(t)-used, time.Since(began)
			var probes, failed, untried uint64
			var lates, latencies []time.Duration
			for i, s := range m.Status() {
				probes += s.Probes - first[i].Probes
				failed += s.Failed
				untried += s.Untried
				lates, latencies = append(lates, s.Late), append(latencies, s.Latency)
				if s.State != Up {
					t.Fatalf("%+v", s)
				}
				if c.WeightHeader != "" && s.Weight.Share() != 70 {
					t.Fatalf("%+v", s)
				}
			}
			slices.Sort(lates)
			slices.Sort(latencies)
			t.Logf("Watch took %v, all up after %v; %.0f probes a second, %d failed, %d untried; %.0f %% of a CPU, %.0f us a probe; at most %d goroutines, %d waiting, of %d workers; late by %v, 99 of 100 below %v, at most %v; latency %v, 99 of 100 below %v",
				took.Round(time.Millisecond), up.Round(time.Millisecond), float64(probes)/passed.Seconds(), failed, untried,
				100*used.Seconds()/passed.Seconds(), float64(used.Microseconds())/float64(probes), most, waiting, m.Load().Limit,
				lates[n/2], lates[n*99/100], lates[n-1], latencies[n/2], latencies[n*99/100])
			// A machine that others use, too, keeps servers from their processor.
			if failed*100 > probes {
				t.Errorf("%d probes failed", failed)
			}
			if want := float64(n) * passed.Seconds(); float64(probes) < want*0.5 {
				t.Errorf("%d probes, want about %.0f", probes, want)
			}
			if limit := m.Load().Limit; most > limit+2 || limit > n*6/10 {
				t.Errorf("%d goroutines for %d workers", most, limit)
			}
		})
	}
}

// TestManyHang: when a thousand targets hang, they are found down in the time
// that their settings say, with as many workers as that takes and no more.
func TestManyHang(t *testing.T) {
	const n = 1000
	silent := serve(t, hang)
	var all []Target
	for i := range n {
		all = append(all, Target{Addr: netip.AddrFrom4([4]byte{127, 4, byte(i >> 8), byte(i)}), Check: Check{Type: TCP, Port: silent.Port(), Expect: "x"},
			Interval: 500 * time.Millisecond, Timeout: 200 * time.Millisecond, Fall: 2})
	}
	m := watch(t, Config{}, all...)
	began := time.Now()
	most := 0
	eventually(t, 2*soon, "all down", func() bool {
		time.Sleep(10 * time.Millisecond)
		most = max(most, m.Load().Busy)
		return m.allAre(Down, netip.Addr{})
	})
	limit := m.Load().Limit
	t.Logf("all down after %v, with at most %d of %d workers", time.Since(began).Round(time.Millisecond), most, limit)
	if limit < n*2/5 || limit > n*2/5*5/4 || most > limit {
		t.Errorf("%d workers of %d", most, limit)
	}
}

// TestNothingIsLeftOfDials: whatever a probe is at when it is not wanted any
// more, it leaves no goroutine and no file.
func TestNothingIsLeftOfDials(t *testing.T) {
	port, web := startCrowd(t)
	silent, slow := serve(t, hang), handler(t, answers("0000000002"+"0801", "0", ""))
	files, goroutines := fds(t), runtime.NumGoroutine()
	for range 5 {
		m := New(Config{})
		var all []Target
		for i := range 50 {
			a := netip.AddrFrom4([4]byte{127, 0, 0, byte(1 + i)})
			all = append(all,
				Target{Addr: a, Check: Check{Type: TCP, Port: port}, Interval: 20 * time.Millisecond},
				Target{Addr: a, Check: Check{Type: HTTP, Port: web}, Interval: 20 * time.Millisecond},
				Target{Addr: a, Check: Check{Type: HTTP, Port: silent.Port()}, Interval: time.Second},
				Target{Addr: a, Check: Check{Type: HTTP, Port: silent.Port(), HTTP2: true}, Interval: time.Second},
				Target{Addr: a, Check: Check{Type: TLS, Port: silent.Port()}, Interval: time.Second},
				Target{Addr: a, Check: Check{Type: UDP, Port: silent.Port()}, Interval: 20 * time.Millisecond},
				Target{Addr: ip("127.0.0.1"), Check: Check{Type: GRPC, Port: slow.Port(), Service: strconv.Itoa(i)}, Interval: 100 * time.Millisecond},
			)
		}
		m.Watch(all)
		time.Sleep(150 * time.Millisecond)
		m.Watch(all[:len(all)/2])
		time.Sleep(50 * time.Millisecond)
		m.Close()
		if l := m.Load(); l.Busy != 0 || l.Waiting != 0 {
			t.Errorf("%+v", l)
		}
	}
	left := ""
	defer func() { t.Log(left) }()
	eventually(t, soon, "nothing left", func() bool {
		time.Sleep(10 * time.Millisecond)
		left = fmt.Sprint(runtime.NumGoroutine()-goroutines, " goroutines, ", len(fds(t))-len(files), " files: ", fds(t))
		return runtime.NumGoroutine() <= goroutines && len(fds(t)) <= len(files)
	})
}

package dpdk

import (
	"bytes"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"guideway/pmd"
)

// An interface of the kernel's that the port makes and takes away again.
func TestTap(t *testing.T) {
	p := open(t, PortConfig{Name: "tap", Device: "net_tap0,iface=gw-tap"})
	exchangeAll(t, p, rawSocket(t, "gw-tap", testType), 1400)
	if _, err := netlink.LinkByName("gw-tap"); err == nil {
		t.Error("the interface outlives its port")
	}
}

const etherTypeARP = 0x0806

// The kernel's side of a port: a TAP with the port's address, and one loop that
// hands on what either of them receives. The frames of each end in the other.
func TestTapBesideAnotherPort(t *testing.T) {
	for _, driver := range []string{"net_af_packet", "net_af_xdp"} {
		t.Run(driver, func(t *testing.T) {
			name := "gw2-" + driver[7:]
			line := veth(t, name)
			wan := open(t, PortConfig{Name: "wan", Device: driver + "2,iface=" + name, MTU: testMTU, Extra: 1024})
			mac := net.HardwareAddr(bytes.Clone(wan.info.MAC[:]))
			kernel := open(t, PortConfig{Name: "wan.kernel", Device: "net_tap0,iface=gw-wan,mac=" + mac.String(), Extra: 1024})
			link, err := netlink.LinkByName("gw-wan")
			if err != nil || !bytes.Equal(link.Attrs().HardwareAddr, mac) || kernel.Info().MAC != wan.Info().MAC {
				t.Fatalf("%+v, %v: not %v", link, err, mac)
			}
			socket := rawSocket(t, "gw-wan", testType)
			arpLine, arp := rawSocket(t, name+"-peer", etherTypeARP), rawSocket(t, "gw-wan", etherTypeARP)

			var stop atomic.Bool
			loop, err := eal.Poll(-1, func() {
				b := new(pmd.Burst)
				for !stop.Load() {
					for _, way := range [][2]*Port{{wan, kernel}, {kernel, wan}} {
						way[0].Queue(0).Rx(b, 32)
						way[1].Queue(0).Tx(b)
					}
					time.Sleep(50 * time.Microsecond)
				}
			})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { // before the ports are closed
				stop.Store(true)
				loop.Wait()
				closePort(t, kernel)
				closePort(t, wan)
				whole(t, wan)
				whole(t, kernel)
				if _, err := netlink.LinkByName("gw-wan"); err == nil {
					t.Error("the interface outlives its port")
				}
			}()

			broadcast := [6]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
			question := append(broadcast[:], 2, 0, 0, 0, 0, 1, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1)
			question = append(question, make([]byte, 32)...)
			for i := range 200 {
				to := wan.Info().MAC
				handOn(t, line, socket, testFrame(to, i, i*7))
				handOn(t, socket, line, testFrame([6]byte{2, 0, 0, 0, 0, 1}, i, i*7))
				question[30] = byte(i)
				handOn(t, arpLine, arp, question)
				handOn(t, arp, arpLine, question)
			}
			// One frame that the TAP cannot take is lost alone.
			for i := range 20 {
				length := 0
				if i%3 == 1 {
					length = 1450
				}
				if err := unix.Send(line, testFrame(wan.Info().MAC, i, length), 0); err != nil {
					t.Fatal(err)
				}
			}
			for i := range 20 {
				if i%3 == 1 {
					continue
				}
				if err := expect(socket, testFrame(wan.Info().MAC, i, 0)); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// handOn sends a frame into one socket and expects it from another.
func handOn(t *testing.T, from, to int, frame []byte) {
	t.Helper()
	if err := unix.Send(from, frame, 0); err != nil {
		t.Fatal(err)
	}
	if err := expect(to, frame); err != nil {
		t.Fatal(err)
	}
}

// expect waits for a frame from a socket.
func expect(socket int, frame []byte) error {
	got, n := make([]byte, 2048), 0
	if !until(func() (ok bool) {
		var err error
		n, err = unix.Read(socket, got)
		return err == nil
	}) {
		return fmt.Errorf("%q does not arrive", frame[:40])
	}
	if !bytes.Equal(got[:n], frame) {
		return fmt.Errorf("%q arrives, %d bytes; want %q, %d bytes", got[:min(n, 40)], n, frame[:40], len(frame))
	}
	return nil
}

// Frames that we make, of any length that the MTU allows with a VLAN tag,
// arrive; a longer one is freed, alone.
func TestAllocatedFramesArrive(t *testing.T) {
	p := open(t, PortConfig{Name: "tap", Device: "net_tap0,iface=gw-tap"})
	socket := rawSocket(t, "gw-tap", testType)
	frame := func(i int) []byte { return testFrame([6]byte{2}, i, i-100) }
	poll(t, func() {
		q, b := p.Queue(0), new(pmd.Burst)
		for i := 100; i < 1500; i += 50 {
			if n := q.Alloc(b, 50); n != 50 {
				t.Errorf("%d of 50 frames", n)
				return
			}
			for k, f := range b.Frames[:b.N] {
				data := frame(i + k)
				if f.Recut(0, min(len(data), 1500+22)) {
					copy(f.Bytes(), data)
				}
			}
			b.Frames[3].Recut(0, 1500+22+1)
			if n := q.Tx(b); n != 49 || b.N != 0 {
				t.Errorf("sent %d of 49, %d are left", n, b.N)
			}
			for k := range 50 {
				data := frame(i + k)
				if k == 3 {
					continue
				}
				if err := expect(socket, data[:min(len(data), 1500+22)]); err != nil {
					t.Error(err)
					return
				}
			}
		}
	})
	closePort(t, p)
	whole(t, p)
}

// What the kernel sends past the port's MTU, because somebody set that of the
// interface higher, comes whole as far as a buffer goes; beyond, it is counted.
func TestTapLongFrames(t *testing.T) {
	p := open(t, PortConfig{Name: "tap", Device: "net_tap0,iface=gw-tap"})
	socket := rawSocket(t, "gw-tap", testType)
	link, err := netlink.LinkByName("gw-tap")
	if err == nil {
		err = netlink.LinkSetMTU(link, 9000)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, length := range []int{1600, 5000, 1900, 60} {
		if err := unix.Send(socket, testFrame([6]byte{2}, length, length), 0); err != nil {
			t.Fatal(err)
		}
	}
	poll(t, func() {
		var got []int
		until(func() bool {
			b := blank(p.Queue(0), 32)
			for _, f := range b.Frames[:b.N] {
				var length int
				if n, _ := fmt.Sscanf(string(f.Bytes()[14:]), "frame %d", &length); n == 0 {
					continue // of the kernel's own
				}
				if f.Segments() != 1 || !bytes.Equal(f.Bytes(), testFrame([6]byte{2}, length, length)) {
					t.Errorf("frame %d: %d bytes in %d segments", length, f.Len(), f.Segments())
				}
				got = append(got, length)
			}
			p.Queue(0).Free(b)
			return len(got) >= 3
		})
		if !slices.Equal(got, []int{1600, 1900, 60}) {
			t.Errorf("frames %v arrive", got)
		}
	})
	if st, err := p.Stats(); st.RxErrors != 1 || err != nil {
		t.Errorf("stats %+v, %v", st, err)
	}
}

func TestTapArguments(t *testing.T) {
	open(t, PortConfig{Name: "first", Device: "net_tap0,iface=gw-first"})
	for name, link := range map[string]netlink.Link{
		"gw-veth": &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "gw-veth"}, PeerName: "gw-veth-peer"},
		// What net_tap would share with its owner.
		"gw-kept": &netlink.Tuntap{LinkAttrs: netlink.LinkAttrs{Name: "gw-kept"}, Mode: netlink.TUNTAP_MODE_TAP,
			Flags: netlink.TUNTAP_MULTI_QUEUE_DEFAULTS, Queues: 1},
	} {
		if err := netlink.LinkAdd(link); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		t.Cleanup(func() { _ = netlink.LinkDel(link) })
	}
	for device, want := range map[string]string{
		"net_tap1,iface=gw-first":                `an interface "gw-first" already`,
		"net_tap1,iface=gw-veth":                 `an interface "gw-veth" already`,
		"net_tap1,mac=fixed,iface=gw-kept":       `an interface "gw-kept" already`,
		"net_tap1,iface=gw-0123456789abc":        `of 15 bytes, and "gw-0123456789abc" has 16`,
		"net_tap1,iface=gw-x,mac=02:00":          "tells the log why",
		"net_tap1,iface=gw-x,mac=01:00:5e:0:0:1": "tells the log why",
	} {
		p, err := eal.Open(PortConfig{Name: "wan.kernel", Device: device, Lcores: 1})
		if err == nil {
			_ = p.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), `port "wan.kernel"`) {
			t.Errorf("%s: %v", device, err)
		}
	}
	for _, name := range []string{"gw-veth", "gw-kept"} {
		if _, err := netlink.LinkByName(name); err != nil {
			t.Errorf("%s is gone: %v", name, err)
		}
	}
}

// BenchmarkTap is what the kernel's side of a port costs the loop that serves
// it: a system call for each frame, and one to find that there is none.
func BenchmarkTap(b *testing.B) {
	p := open(b, PortConfig{Name: "tap", Device: "net_tap0,iface=gw-tap"})
	socket := rawSocket(b, "gw-tap", testType)
	const frames = 32
	frame := testFrame([6]byte{2}, 0, 0)
	run := func(name string, f func(q pmd.Queue, b *pmd.Burst) (took time.Duration)) {
		b.Run(name, func(b *testing.B) {
			poll(b, func() {
				q, burst := p.Queue(0), new(pmd.Burst)
				var took time.Duration
				for range b.N {
					took += f(q, burst)
				}
				b.ReportMetric(float64(took.Nanoseconds())/float64(b.N)/frames, "cpu-ns/each")
			})
		})
	}
	run("empty", func(q pmd.Queue, b *pmd.Burst) time.Duration {
		start := threadTime()
		for range frames {
			q.Rx(b, frames)
			if b.N > 0 {
				q.Free(b) // the kernel looks for routers
			}
		}
		return threadTime() - start
	})
	run("rx", func(q pmd.Queue, b *pmd.Burst) time.Duration {
		for range frames {
			_ = unix.Send(socket, frame, 0)
		}
		start := threadTime()
		q.Rx(b, frames)
		took := threadTime() - start
		q.Free(b)
		return took
	})
	run("tx", func(q pmd.Queue, b *pmd.Burst) time.Duration {
		q.Alloc(b, frames)
		for _, f := range b.Frames[:b.N] {
			f.Recut(0, len(frame))
			copy(f.Bytes(), frame)
			f.Bytes()[13]++ // for nobody
		}
		start := threadTime()
		q.Tx(b)
		return threadTime() - start
	})
}

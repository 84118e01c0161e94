package dpdk

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"guideway/pmd"
)

// testType is an EtherType for local experiments (IEEE 802), which tells our
// frames from the kernel's own.
const testType = 0x88b5

// veth makes a pair of interfaces, gone with the test, and returns a raw
// socket on the peer of the one named.
func veth(t *testing.T, name string) (socket int) {
	t.Helper()
	peer := name + "-peer"
	link := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: name}, PeerName: peer}
	if err := netlink.LinkAdd(link); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := netlink.LinkDel(link); err != nil {
			t.Error(err)
		}
	})
	up(t, name)
	return rawSocket(t, peer, testType)
}

// testMTU has room for a tunnel around a packet of 1500 bytes.
const testMTU = 1600

func up(t testing.TB, name string) netlink.Link {
	t.Helper()
	link, err := netlink.LinkByName(name)
	if err == nil {
		err = errors.Join(netlink.LinkSetMTU(link, testMTU), netlink.LinkSetUp(link))
	}
	if err != nil {
		t.Fatal(err)
	}
	return link
}

// rawSocket sets an interface up and returns a socket on it for frames of one
// EtherType.
func rawSocket(t testing.TB, name string, etherType uint16) int {
	t.Helper()
	link := up(t, name)
	proto := int(binary.NativeEndian.Uint16([]byte{byte(etherType >> 8), byte(etherType)}))
	socket, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, proto)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(socket) })
	if err := unix.Bind(socket, &unix.SockaddrLinklayer{Protocol: uint16(proto), Ifindex: link.Attrs().Index}); err != nil {
		t.Fatal(err)
	}
	return socket
}

// testFrame is frame number i, whose length grows with length.
func testFrame(to [6]byte, i, length int) []byte {
	f := append(to[:], 2, 0, 0, 0, 0, 1, testType>>8, testType&0xff)
	f = fmt.Appendf(f, "frame %d ", i)
	return append(f, bytes.Repeat([]byte{'.'}, 60+length)...)
}

// Frames from the peer of a veth come in whole, go out whole, and come back to
// their pool: more of them than any ring holds.
func TestVeth(t *testing.T) {
	for _, driver := range []string{"net_af_packet", "net_af_xdp"} {
		t.Run(driver, func(t *testing.T) {
			name := "gw-" + driver[7:]
			socket := veth(t, name)
			p := open(t, PortConfig{Name: name, Device: driver + "0,iface=" + name, MTU: testMTU})
			if info := p.Info(); info.Driver != driver || !p.Link().Up {
				t.Errorf("info %+v, link %+v", info, p.Link())
			}
			exchangeAll(t, p, socket, 1500)
		})
	}
}

// A port goes on receiving however many of its frames were elsewhere: each of
// them is in memory that its device reaches.
func TestEveryFrameReceives(t *testing.T) {
	for _, driver := range []string{"net_af_packet", "net_af_xdp"} {
		t.Run(driver, func(t *testing.T) {
			name := "gw-" + driver[7:]
			socket := veth(t, name)
			p := open(t, PortConfig{Name: name, Device: driver + "0,iface=" + name, MTU: testMTU, Extra: 12_000})
			size, held := 0, 0
			for _, pool := range eal.Pools() {
				if strings.HasSuffix(pool.Name, name) {
					size = pool.Size
				}
			}
			most := size * 3 / 4 // some are in rings
			loop, err := eal.Poll(-1, func() {
				q, in := p.Queue(0), new(pmd.Burst)
				var all []*pmd.Burst
				for held < most {
					// At most as many as a ring has room for.
					for i := range 64 {
						unix.Send(socket, testFrame(p.Info().MAC, i, 0), 0) // what is lost shows below
					}
					if !until(func() bool { q.Rx(in, 64); return in.N > 0 }) {
						break
					}
					for in.N > 0 {
						held += in.N
						all, in = append(all, in), new(pmd.Burst)
						q.Rx(in, 64)
					}
				}
				for _, b := range all {
					q.Free(b)
				}
			})
			if err != nil {
				t.Fatal(err)
			}
			loop.Wait()
			if held < most || most == 0 {
				t.Fatalf("of %d frames only %d ever received one", size, held)
			}
			exchangeAll(t, p, socket, 1500)
		})
	}
}

// exchangeAll exchanges frames of 85 to longest+85 bytes between socket and p,
// which echoes, and closes p.
func exchangeAll(t *testing.T, p *Port, socket, longest int) {
	const frames = 120 * window
	var stop atomic.Bool
	loop, err := eal.Poll(-1, func() { echo(p.Queue(0), frames, &stop) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // before the port is closed
		stop.Store(true)
		loop.Wait()
	})
	for i := 0; i < frames; i += window {
		if err := exchange(socket, p.Info().MAC, i, longest); err != nil {
			t.Fatal(err)
		}
	}
	loop.Wait()
	st, err := p.Stats()
	if err != nil || st.RxPackets < frames || st.TxPackets != frames {
		t.Errorf("stats %+v, %v", st, err)
	}
	closePort(t, p)
	whole(t, p)
}

// window is how many frames are on their way at once: fewer than overflow the
// socket that waits for them.
const window = 50

// exchange sends the frames i to i+window-1 and reads them back.
func exchange(socket int, to [6]byte, i, longest int) error {
	for k := range window {
		if err := unix.Send(socket, testFrame(to, i+k, (i+k)%longest), 0); err != nil {
			return fmt.Errorf("frame %d: %w", i+k, err)
		}
	}
	got := make([]byte, 2048)
	for k := range window {
		n := 0
		if !until(func() (ok bool) {
			var err error
			n, err = unix.Read(socket, got)
			return err == nil
		}) {
			return fmt.Errorf("frame %d does not come back", i+k)
		}
		if want := testFrame(to, i+k, (i+k)%longest); !bytes.Equal(got[:n], want) {
			return fmt.Errorf("frame %d: came back as %q, %d bytes of %d", i+k, got[:min(n, 40)], n, len(want))
		}
	}
	return nil
}

// echo sends back what it receives, until it has done so with n test frames
// or is told to stop.
// What else the kernel sends to an interface is freed.
func echo(q pmd.Queue, n int, stop *atomic.Bool) {
	in, out, rest := new(pmd.Burst), new(pmd.Burst), new(pmd.Burst)
	until(func() bool {
		q.Rx(in, 32)
		for _, f := range in.Frames[:in.N] {
			if b := f.Bytes(); len(b) > 14 && binary.BigEndian.Uint16(b[12:]) == testType && n > 0 {
				n--
				out.Add(f)
			} else {
				rest.Add(f)
			}
		}
		in.N = 0
		q.Tx(out)
		q.Free(rest)
		return n == 0 || stop.Load()
	})
}

// A port has a link while its interface has one. These drivers do not look: it is
// we who ask the kernel.
func TestVethLink(t *testing.T) {
	for _, driver := range []string{"net_af_packet", "net_af_xdp"} {
		t.Run(driver, func(t *testing.T) {
			name := "gwl-" + driver[7:]
			veth(t, name)
			p := open(t, PortConfig{Name: name, Device: driver + "1,iface=" + name, MTU: testMTU})
			pull(t, p, name+"-peer") // the cable
			pull(t, p, name)         // or the interface
			closePort(t, p)
		})
	}
}

// pull sets an interface down and up again, and a port has no link meanwhile.
func pull(t *testing.T, p *Port, name string) {
	t.Helper()
	link, err := netlink.LinkByName(name)
	if err == nil {
		err = netlink.LinkSetDown(link)
	}
	if err != nil {
		t.Fatal(err)
	}
	if !until(func() bool { return !p.Link().Up }) {
		t.Errorf("%s is down: link %+v", name, p.Link())
	}
	up(t, name)
	if !until(func() bool { return p.Link().Up }) {
		t.Errorf("%s is up again: link %+v", name, p.Link())
	}
}

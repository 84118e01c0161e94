package dpdk

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"guideway/pmd"
)

const memifFrames = 3000

// Two processes, each with its own EAL, exchange frames through shared memory.
// The frames that we send are of another port's pool.
func TestMemifBetweenProcesses(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "memif.sock")
	source := open(t, PortConfig{Name: "source", Device: "net_null0,size=1600"})
	p := open(t, PortConfig{Name: "memif", Device: "net_memif0,role=server,socket-abstract=no,socket=" + socket, MTU: testMTU})
	peer := command("echo " + socket)
	done, err := peer.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	var output bytes.Buffer
	peer.Stdout, peer.Stderr = &output, &output
	if err := peer.Start(); err != nil {
		t.Fatal(err)
	}
	if !until(func() bool { return p.Link().Up }) {
		t.Errorf("the link does not come up\n%s", journal.String())
	}
	poll(t, func() {
		b := new(pmd.Burst)
		for i := 0; i < memifFrames; i += 20 {
			// The link is up a little before the rings are.
			sent := 0
			if !until(func() bool {
				sent = p.Queue(0).Tx(numbered(source.Queue(0), i, 20))
				return sent > 0
			}) || sent != 20 {
				t.Errorf("sent %d of 20", sent)
				return
			}
			for k := 0; k < 20; {
				if !until(func() bool { p.Queue(0).Rx(b, 20-k); return b.N > 0 }) {
					t.Errorf("frame %d does not come back", i+k)
					return
				}
				for _, f := range b.Frames[:b.N] {
					if want := testFrame([6]byte{2}, i+k, 0)[:30]; f.Len() != 1600 || !bytes.Equal(f.Bytes()[:30], want) {
						t.Errorf("frame %d came back as %q, %d bytes", i+k, f.Bytes()[:30], f.Len())
					}
					k++
				}
				p.Queue(0).Free(b)
			}
		}
	})
	done.Close()
	if err := peer.Wait(); err != nil {
		t.Errorf("the peer: %v\n%s", err, output.String())
	}
	closePort(t, p)
	whole(t, p)
	whole(t, source)
}

// numbered returns n frames that begin as testFrame does.
func numbered(source pmd.Queue, first, n int) *pmd.Burst {
	b := blank(source, n)
	for k, f := range b.Frames[:n] {
		copy(f.Bytes(), testFrame([6]byte{2}, first+k, 0)[:30])
	}
	return b
}

// echoRole is the peer, until its standard input ends. Its argument is the
// socket.
func echoRole(args []string) error {
	var log lines
	e, err := Start(Config{Memory: 128 << 20, Log: log.add})
	if err != nil {
		return fmt.Errorf("%w\n%s", err, log.String())
	}
	p, err := e.Open(PortConfig{Name: "peer", Device: "net_memif0,role=client,socket-abstract=no,socket=" + args[0], Lcores: 1, MTU: testMTU})
	if err != nil {
		return fmt.Errorf("%w\n%s", err, log.String())
	}
	var stop atomic.Bool
	loop, err := e.Poll(-1, func() { echo(p.Queue(0), memifFrames, &stop) })
	if err != nil {
		return err
	}
	// The other side reads our last frames from memory that goes with us.
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		return err
	}
	stop.Store(true)
	loop.Wait()
	if err := p.Close(); err != nil {
		return err
	}
	if leaked, err := e.Close(); leaked != 0 || err != nil {
		return errors.Join(err, fmt.Errorf("%d frames leaked\n%s", leaked, log.String()))
	}
	files, err := filepath.Glob("/var/run/dpdk/guideway/*")
	if err != nil || len(files) > 0 {
		return fmt.Errorf("left behind: %v, %v", files, err)
	}
	return nil
}

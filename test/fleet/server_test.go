package fleet

import (
	"bufio"
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"guideway/test/daemon"
)

// bigBytes is the web's one large page: no two parts of it are alike.
var bigBytes = sync.OnceValue(func() []byte {
	page := make([]byte, 10<<20)
	for i := 0; i < len(page); i += 4 {
		binary.BigEndian.PutUint32(page[i:], uint32(i))
	}
	return page
})

// serve starts what a backend runs: the end of its tunnel, an nginx, and a
// recorder for each VIP.
func (f *fleet) serve(i int) {
	f.t.Helper()
	f.openTunnel(backendName(i))
	f.web = append(f.web, f.startNginx(i))
	for _, v := range vips {
		f.record(i, v)
	}
}

// openTunnel starts the end of a backend's tunnel, which takes GRE off in user
// space: this kernel may have no GRE.
func (f *fleet) openTunnel(host string) {
	f.t.Helper()
	var from []string
	for i := range f.shape.nodes {
		from = append(from, nth(node4, i).String(), nth(node6, i).String())
	}
	argv := append(inside(host), lab, "decap", "--from", strings.Join(from, ","))
	cmd := exec.Command(argv[0], argv[1:]...)
	in, err := cmd.StdinPipe() // it ends with its input
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { in.Close() })
	out, err := cmd.StdoutPipe()
	if err != nil {
		f.t.Fatal(err)
	}
	f.launch(host, cmd)
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		f.t.Fatalf("%s: the tunnel's end said %q, %v", host, line, err)
	}
}

// startNginx starts a web server that says which backend it is of. It serves
// the VIPs, and the host's own addresses for checks.
func (f *fleet) startNginx(i int) *exec.Cmd {
	f.t.Helper()
	host := backendName(i)
	dir := filepath.Join(f.dir, host)
	for _, d := range []string{"tmp", "www/upload"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			f.t.Fatal(err)
		}
	}
	var listen strings.Builder
	at := []netip.Addr{nth(server4, i), nth(server6, i)}
	for _, v := range vips {
		at = append(at, v.addr)
	}
	for _, a := range at {
		fmt.Fprintf(&listen, "listen %s;\n", netip.AddrPortFrom(a, 80))
	}
	// Root: nginx otherwise gives its files to a user who may not come here.
	conf := fmt.Sprintf(`user root;
daemon off;
master_process off;
pid %[1]s/pid;
error_log stderr;
events { worker_connections 1024; }
http {
    access_log off;
    client_max_body_size 64m;
    client_body_temp_path %[1]s/tmp;
    proxy_temp_path %[1]s/tmp;
    fastcgi_temp_path %[1]s/tmp;
    uwsgi_temp_path %[1]s/tmp;
    scgi_temp_path %[1]s/tmp;
    add_header X-Backend %[2]s always;
    server {
        %[3]s
        root %[1]s/www;
        location = / { return 200 "%[2]s\n"; }
        location = /slow { alias %[1]s/www/big; limit_rate 2m; }
        location /upload/ { dav_methods PUT; }
    }
}
`, dir, host, &listen)
	for name, text := range map[string][]byte{"www/big": bigBytes(), "nginx.conf": []byte(conf)} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			f.t.Fatal(err)
		}
	}
	os.Remove(filepath.Join(dir, "pid")) // of one that was here before
	argv := append(inside(host), "nginx", "-p", dir, "-c", filepath.Join(dir, "nginx.conf"), "-e", "stderr")
	cmd := exec.Command(argv[0], argv[1:]...)
	f.launch(host, cmd)
	within(f.t, 10*time.Second, host+": nginx writes its pid", func() bool {
		_, err := os.Stat(filepath.Join(dir, "pid"))
		return err == nil
	})
	return cmd
}

const recorderPort = 5000

// A receipt is what a recorder says of a datagram: it had this sequence number,
// this length and this checksum, and came whole to this backend.
type receipt struct {
	seq    uint64
	server byte
	length uint32
	sum    uint32
}

const receiptLen = 17

func (r receipt) bytes() []byte {
	b := binary.BigEndian.AppendUint64(nil, r.seq)
	b = append(b, r.server)
	b = binary.BigEndian.AppendUint32(b, r.length)
	return binary.BigEndian.AppendUint32(b, r.sum)
}

func readReceipt(b []byte) (r receipt, ok bool) {
	if len(b) != receiptLen {
		return r, false
	}
	u32 := binary.BigEndian.Uint32
	return receipt{seq: binary.BigEndian.Uint64(b), server: b[8], length: u32(b[9:]), sum: u32(b[13:])}, true
}

// record serves one VIP at one backend: every datagram gets its receipt, from
// the VIP.
func (f *fleet) record(i int, v vip) {
	f.t.Helper()
	conn := f.listen(backendName(i), netip.AddrPortFrom(v.addr, recorderPort))
	go func() {
		buf := make([]byte, 64<<10)
		for {
			n, from, err := conn.ReadFromUDPAddrPort(buf)
			if err != nil {
				return // closed with the test
			}
			if n >= 8 {
				r := receipt{binary.BigEndian.Uint64(buf), byte(i), uint32(n), crc32.ChecksumIEEE(buf[:n])}
				conn.WriteToUDPAddrPort(r.bytes(), from)
			}
		}
	}()
}

// socketBuffer is more than the tests have under way, in bytes.
const socketBuffer = 4 << 20

// listen opens a UDP socket inside a host's namespace; it is closed with the
// test.
func (f *fleet) listen(host string, at netip.AddrPort) *net.UDPConn {
	f.t.Helper()
	roomy := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) (err error) {
		e := c.Control(func(fd uintptr) {
			err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, socketBuffer)
		})
		return cmp.Or(err, e)
	}}
	var conn net.PacketConn
	err := daemon.Inside(prefix+host, func() (err error) {
		conn, err = roomy.ListenPacket(context.Background(), "udp", at.String())
		return err
	})
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { conn.Close() })
	return conn.(*net.UDPConn)
}

// within waits until done returns true.
func within(t testing.TB, limit time.Duration, what string, done func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	for !done() {
		select {
		case <-ctx.Done():
			t.Fatalf("not within %v: %s", limit, what)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

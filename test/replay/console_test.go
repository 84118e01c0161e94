package replay

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gopacket/gopacket/pcapgo"
	"golang.org/x/sys/unix"

	"guideway/maglev/packet"
	"guideway/test/daemon"
)

// A feed is a port's capture without an end: what is sent goes in between frames
// for nobody, without which DPDK's net_pcap would stand waiting, and its core.
type feed struct {
	frames chan [][]byte
	done   chan struct{}
}

func newFeed(t *testing.T, dir string) *feed {
	t.Helper()
	pipe := filepath.Join(dir, "in.pcap")
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(pipe, os.O_RDWR, 0) // does not wait for the daemon
	if err != nil {
		t.Fatal(err)
	}
	fd := &feed{frames: make(chan [][]byte), done: make(chan struct{})}
	t.Cleanup(func() { // after the daemon's end
		f.Close()
		<-fd.done
	})
	go func() {
		defer close(fd.done)
		var b bytes.Buffer
		b.Write([]byte{0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0})
		add := func(frame []byte) {
			var record [16]byte
			binary.LittleEndian.PutUint32(record[8:], uint32(len(frame)))
			binary.LittleEndian.PutUint32(record[12:], uint32(len(frame)))
			b.Write(record[:])
			b.Write(frame)
		}
		for {
			for range 40 {
				add(clientPacket(packet.ProtoUDP, [4]byte{192, 0, 2, 99}, 1, 9))
			}
			if _, err := f.Write(b.Bytes()); err != nil {
				return
			}
			b.Reset()
			select {
			case list := <-fd.frames:
				for _, frame := range list {
					add(frame)
				}
			case <-time.After(time.Millisecond):
			}
		}
	}()
	return fd
}

// clientPacket is a frame of a client, 60 bytes with its padding.
func clientPacket(proto uint8, dst [4]byte, src, port uint16) []byte {
	b := make([]byte, 60)
	packet.PutEthernet(b, [6]byte{2, 0, 0, 0, 0, 0x11}, [6]byte{2, 0, 0, 0, 0, 0xcc}, 0, packet.EtherTypeIPv4)
	packet.PutIPv4(b[14:], 60, proto, 0xc6336407, binary.BigEndian.Uint32(dst[:]))
	packet.SetIPv4(b[14:], 0, 40, packet.IPv4Rest(b[14:]))
	binary.BigEndian.PutUint16(b[34:], src)
	binary.BigEndian.PutUint16(b[36:], port)
	b[46], b[47] = 0x50, packet.TCPAck
	return b
}

// A session is one with the console.
type session struct {
	t *testing.T
	net.Conn
	r *bufio.Reader
}

func newSession(t *testing.T, path string) *session {
	t.Helper()
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(time.Minute))
	s := &session{t, c, bufio.NewReader(c)}
	s.answer()
	return s
}

func (s *session) say(format string, args ...any) { fmt.Fprintf(s, format+"\n", args...) }

// answer reads up to the prompt.
func (s *session) answer() string {
	s.t.Helper()
	var text strings.Builder
	for !strings.HasSuffix(text.String(), "lb1> ") {
		c, err := s.r.ReadByte()
		if err != nil {
			s.t.Fatalf("%v after %q", err, text.String())
		}
		text.WriteByte(c)
	}
	return strings.TrimSuffix(text.String(), "lb1> ")
}

// TestConsoleCapture has the console copy packets, as they come and as they go,
// and reads the files with other programs' code.
func TestConsoleCapture(t *testing.T) {
	dir := t.TempDir()
	in := newFeed(t, dir)
	socket := filepath.Join(dir, "console.sock")
	d := daemon.Start(t, dir, baseConfig(t)+fmt.Sprintf("\n[console]\nlisten = %q\n", "unix:"+socket))
	s := newSession(t, socket)

	// 50 packets to port 80, and 30 to another port of the VIP.
	var web, all [][]byte
	for i := range 80 {
		frame := clientPacket(packet.ProtoTCP, [4]byte{203, 0, 113, 10}, uint16(40000+i), 8000)
		if i%8 < 5 {
			binary.BigEndian.PutUint16(frame[36:], 80)
			web = append(web, frame)
		}
		all = append(all, frame)
	}
	forwarded, begun := 0, 0
	begin := func(s *session, format string, args ...any) {
		t.Helper()
		s.say(format, args...)
		begun++
		d.WaitFor("capture", func() bool { return strings.Count(d.Log(), "msg=capturing") == begun })
	}
	send := func() {
		t.Helper()
		in.frames <- all
		forwarded += len(all)
		d.WaitFor("forwarding", func() bool { return daemon.Verdicts(d.Metrics())["forwarded"] == forwarded })
	}

	// Enter ends one; a limit, another.
	before, after, tunnels := filepath.Join(dir, "before.pcapng"), filepath.Join(dir, "after.pcapng"), filepath.Join(dir, "tunnels.pcapng")
	begin(s, "capture tcp port 80 before seconds 60 %s", before)
	send()
	s.say("")
	if got := s.answer(); !strings.HasPrefix(got, "50 packets, ") || !strings.HasSuffix(got, "in "+before+"\nended by the operator\n") {
		t.Errorf("before: %q", got)
	}
	begin(s, "capture tcp port 80 after seconds 60 %s", after)
	send()
	s.say("")
	if got := s.answer(); !strings.HasPrefix(got, "50 packets, ") {
		t.Errorf("after: %q", got)
	}
	begin(s, "capture ip proto 47 and host 192.0.2.11 after count 80 seconds 60 %s", tunnels)
	send()
	if got := s.answer(); !strings.HasPrefix(got, "80 packets, ") || !strings.HasSuffix(got, "ended by count\n") {
		t.Errorf("tunnels: %q", got)
	}

	// What is refused; a client that goes away leaves nothing behind.
	for _, c := range []struct{ line, want string }{
		{"capture tcp prot 80 " + before, `filter "tcp prot 80": can't parse filter expression: syntax error`},
		{"capture tcp port 80 " + before, "file exists"},
	} {
		s.say("%s", c.line)
		if got := s.answer(); !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", c.line, got, c.want)
		}
	}
	other := newSession(t, socket)
	begin(other, "capture arp seconds 3600 %s", filepath.Join(dir, "arp.pcapng"))
	s.say("capture arp seconds 1 %s", filepath.Join(dir, "too.pcapng"))
	if got := s.answer(); !strings.Contains(got, "another capture is under way") {
		t.Errorf("a second capture: %q", got)
	}
	other.Close()
	d.WaitLog(`msg="console command" .*command="capture arp seconds 3600`)
	begin(s, "capture arp seconds 1 %s", filepath.Join(dir, "too.pcapng"))
	if got := s.answer(); !strings.HasPrefix(got, "0 packets, ") || !strings.HasSuffix(got, "ended by time\n") {
		t.Errorf("after a client that went away: %q", got)
	}
	d.Stop()

	// The port's own capture is what was really sent.
	sent := readCapture(t, filepath.Join(dir, "wan.pcap"))
	if len(sent) != 3*len(all) {
		t.Fatalf("%d frames were sent, want %d", len(sent), 3*len(all))
	}
	var sentWeb [][]byte
	for i, frame := range sent[80:160] {
		if i%8 < 5 {
			sentWeb = append(sentWeb, frame)
		}
	}
	same(t, before, web)
	same(t, after, sentWeb)
	same(t, tunnels, sent[160:])
	for i, frame := range sentWeb {
		if inner := frame[14+20+4:]; !bytes.Equal(inner, web[i][14:54]) {
			t.Errorf("in tunnel %d is %x, want %x", i, inner, web[i][14:54])
		}
	}
	for _, c := range []struct {
		file, filter string
		want         int
	}{
		{before, "!gre && ip.dst == 203.0.113.10 && tcp.dstport == 80 && frame.interface_name == wan", 50},
		{after, "gre && ip.src == 192.0.2.11 && ip.dst == 203.0.113.10 && tcp.dstport == 80 && frame.interface_name == wan", 50},
		{tunnels, "gre && tcp.dstport == 8000", 30},
		{tunnels, "_ws.malformed || ip.checksum.status == 0", 0},
	} {
		out, err := exec.Command("tshark", "-r", c.file, "-o", "ip.check_checksum:TRUE", "-Y", c.filter).Output()
		if n := bytes.Count(out, []byte("\n")); err != nil || n != c.want {
			t.Errorf("tshark: %d packets of %s are %s, want %d (%v)\n%s", n, filepath.Base(c.file), c.filter, c.want, err, out)
		}
	}
}

// same compares a file with frames, and their times with now.
func same(t *testing.T, name string, want [][]byte) {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := pcapgo.NewNgReader(f, pcapgo.DefaultNgReaderOptions)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; ; i++ {
		data, info, err := r.ReadPacketData()
		if err == io.EOF {
			if i != len(want) {
				t.Errorf("%s has %d packets, want %d", name, i, len(want))
			}
			return
		}
		if err != nil || i >= len(want) {
			t.Fatalf("%s: packet %d: %v", name, i, err)
		}
		if !bytes.Equal(data, want[i]) || info.Length != len(data) {
			t.Errorf("%s: packet %d is %x, want %x", name, i, data, want[i])
		}
		if age := time.Since(info.Timestamp); age < 0 || age > time.Minute {
			t.Errorf("%s: packet %d is of %v", name, i, info.Timestamp)
		}
	}
}

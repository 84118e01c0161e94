package fleet

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"guideway/control/trace"
	"guideway/test/daemon"
)

// A tracer is the command guideway, and what backends see of marked packets.
type tracer struct {
	*fleet
	bin, key string // files

	mu   sync.Mutex
	seen map[string][]string // backends, by packet of the trace that goes on
}

// traced is the answer to a trace.
type traced struct {
	Sent       int
	Hops       []hopTold
	Unanswered []struct {
		Packet int
		Piece  string
	}
}

type hopTold struct {
	Packet                               int
	Piece, Node, Outcome, VIP, Next, Why string
	Backend                              netip.Addr
}

// Marked packets from a client and from a node's console go the client's way:
// one node answers for each, and names the backend that has really got it; both
// nodes answer for a fragment that one sends to the other. No service is
// disturbed by any of it.
func TestPacketTracer(t *testing.T) {
	secret := "the key of the test's fleet"
	keyFile := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(keyFile, []byte(secret), 0o600); err != nil {
		t.Fatal(err)
	}
	shape := shape{nodes: 2, more: fmt.Sprintf("[console]\nlisten = \"127.0.0.1:2323\"\n[trace]\nkey_file = %q\n", keyFile)}
	tr := &tracer{fleet: start(t, shape), key: keyFile, bin: filepath.Join(t.TempDir(), "guideway")}
	build := exec.Command("go", "build", "-o", tr.bin, "guideway/cmd/guideway")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	key, err := trace.NewKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	for i := range backends {
		tr.watch(key, i)
	}
	var services []*speaker
	for i, v := range vips {
		services = append(services, tr.speak(v, i/2)) // gets receipts, should one be given
	}
	used := map[string]int{}
	for _, v := range vips {
		for i := range size(2, 16) {
			for proto, port := range map[string]int{"udp": recorderPort, "tcp": 80} {
				flow := fmt.Sprintf("%s %v %v", proto, netip.AddrPortFrom(v.client(i), speakerPort+uint16(i)), netip.AddrPortFrom(v.addr, uint16(port)))
				used[tr.whole(t, v, proto, flow)]++
			}
		}
	}
	if used["n1"] == 0 || used["n2"] == 0 {
		t.Errorf("flows by node: %v", used)
	}
	redirected := 0
	for _, v := range vips {
		for i := range size(4, 16) {
			redirected += tr.fragments(t, v, i)
		}
	}
	if redirected == 0 {
		t.Error("no fragment passed two nodes")
	}
	for _, s := range services {
		if n := s.strangers(); n > 0 {
			t.Errorf("%v got %d receipts for marked packets", s.from, n)
		}
		if !s.ask(64, 10*time.Second, s.write).whole {
			t.Errorf("%v to %v: the service does not answer", s.from, s.to)
		}
		s.close()
	}
	tr.dropped(t)
	for i := range 2 { // as people see it
		t.Logf("\n%s", tr.run("client", tr.bin, "trace", "-k", tr.key, "udp", netip.AddrPortFrom(vip4.client(2+i), 4711).String(), netip.AddrPortFrom(vip4.addr, recorderPort).String(), "fragments", "count", "2"))
	}
	tr.losses(t)
	tr.stop()
}

// whole traces a flow from the client and from a node, and returns the node that
// the router chooses.
func (tr *tracer) whole(t *testing.T, v vip, proto, flow string) (node string) {
	t.Helper()
	name := map[string]string{"udp": "udp-", "tcp": "web-"}[proto] + v.name
	for from, ask := range map[string]func(string) (traced, error){"the client": tr.fromClient, "n1": tr.fromConsole} {
		got, err := ask(flow + " count 2")
		if err != nil || got.Sent != 2 || len(got.Hops) != 2 || len(got.Unanswered) != 0 {
			t.Fatalf("%s from %s: %+v, %v", flow, from, got, err)
		}
		for _, h := range got.Hops {
			if node == "" {
				node = h.Node
			}
			if h.Node != node || h.Outcome != "forwarded" || h.VIP != name || h.Why == "" {
				t.Errorf("%s from %s: %+v, want %s by %s", flow, from, h, name, node)
			}
			if at := tr.backendsOf(fmt.Sprintf("%d %s", h.Packet, h.Piece)); !slices.Equal(at, []string{h.Backend.String()}) {
				t.Errorf("%s from %s: %+v, and seen at %v", flow, from, h, at)
			}
		}
		var e struct{ Backend netip.Addr }
		if err := json.Unmarshal([]byte(tr.console(t, node, "explain "+flow+" -json")), &e); err != nil || e.Backend != got.Hops[0].Backend {
			t.Errorf("%s from %s: explain says %v, the trace %v; %v", flow, from, e.Backend, got.Hops[0].Backend, err)
		}
	}
	return node
}

// fragments traces a datagram in two pieces, and returns how many passed two
// nodes.
func (tr *tracer) fragments(t *testing.T, v vip, i int) (redirected int) {
	t.Helper()
	owner := nodeName(tr.owner(t, v, i))
	flow := fmt.Sprintf("udp %v %v fragments count 1", netip.AddrPortFrom(v.client(i), speakerPort+uint16(i)), netip.AddrPortFrom(v.addr, recorderPort))
	got, err := tr.fromClient(flow)
	if err != nil || got.Sent != 2 || len(got.Unanswered) != 0 {
		t.Fatalf("%s: %+v, %v", flow, got, err)
	}
	ends := map[string]netip.Addr{}
	for _, h := range got.Hops {
		switch {
		case h.Outcome == "redirected" && h.Node != owner && h.Next == owner:
			redirected++
		case h.Outcome == "held" && h.Node == owner && h.Piece == "last": // it overtook the first
		case h.Outcome == "forwarded" && h.Node == owner && h.VIP == "udp-"+v.name:
			ends[h.Piece] = h.Backend
			if at := tr.backendsOf(fmt.Sprintf("%d %s", h.Packet, h.Piece)); !slices.Equal(at, []string{h.Backend.String()}) {
				t.Errorf("%s: %+v, and seen at %v", flow, h, at)
			}
		default:
			t.Errorf("%s, which %s owns: %+v", flow, owner, h)
		}
	}
	if len(ends) != 2 || ends["first"] != ends["last"] {
		t.Errorf("%s: %v", flow, ends)
	}
	// Of a redirected one the owner says whom it has it from.
	if told := slices.ContainsFunc(got.Hops, func(h hopTold) bool { return strings.HasPrefix(h.Why, "from n") }); told != (redirected > 0) {
		t.Errorf("%s: %+v", flow, got.Hops)
	}
	return redirected
}

// dropped checks that backends' kernels have dropped what was marked.
func (tr *tracer) dropped(t *testing.T) {
	t.Helper()
	all := map[string]int{}
	for i := range backends {
		for line := range strings.Lines(tr.run(backendName(i), "nstat", "-asz", "UdpInCsumErrors", "Udp6InCsumErrors", "TcpInCsumErrors")) {
			var name string
			var n int
			if _, err := fmt.Sscan(line, &name, &n); err == nil {
				all[name] += n
			}
		}
	}
	if all["UdpInCsumErrors"] == 0 || all["Udp6InCsumErrors"] == 0 || all["TcpInCsumErrors"] == 0 {
		t.Errorf("dropped for their checksums: %v", all)
	}
}

// losses: what nobody answers for is named. Here another key is asked for, and
// one that the nodes do not have any more.
func (tr *tracer) losses(t *testing.T) {
	t.Helper()
	other := filepath.Join(t.TempDir(), "other")
	if err := os.WriteFile(other, []byte(strings.Repeat("another key ", 4)), 0o600); err != nil {
		t.Fatal(err)
	}
	flow := fmt.Sprintf("udp %v %v count 1", netip.AddrPortFrom(client4.Addr(), 4711), netip.AddrPortFrom(vip4.addr, recorderPort))
	right := tr.key
	tr.key = other
	got, err := tr.fromClient(flow)
	tr.key = right
	if err == nil || len(got.Hops) != 0 || len(got.Unanswered) != 1 || got.Unanswered[0].Packet != 1 {
		t.Errorf("with another key: %+v, %v", got, err)
	}
	if n := daemon.Sum(tr.metrics(), "guideway_trace_packets_total"); n == 0 {
		t.Error("no metric counts what was traced")
	}
	if m := tr.metrics(); m[`guideway_trace_packets_total{result="forged"}`] != 0 || m[`guideway_trace_packets_total{result="answered"}`] == 0 {
		t.Errorf("%v", m)
	}
	for i, n := range tr.nodes {
		n.Write(strings.Replace(tr.config(i), fmt.Sprintf("key_file = %q", tr.key), "", 1))
		if said := tr.console(t, nodeName(i), "reload"); !strings.Contains(said, "generation") {
			t.Logf("reload: %s", said)
		}
	}
	if got, err := tr.fromClient(flow); err == nil || len(got.Hops) != 0 || len(got.Unanswered) != 1 {
		t.Errorf("with tracing off: %+v, %v", got, err)
	}
	if _, err := tr.fromConsole(flow); err == nil || !strings.Contains(err.Error(), "key_file") {
		t.Errorf("at the console, with tracing off: %v", err)
	}
}

// fromClient traces from the client's machine.
func (tr *tracer) fromClient(flow string) (traced, error) {
	return tr.ask("client", append([]string{"trace", "-k", tr.key, "--json"}, strings.Fields(flow)...)...)
}

// fromConsole traces from the first node.
func (tr *tracer) fromConsole(flow string) (traced, error) {
	return tr.ask(nodeName(0), "console", "-c", "trace "+flow+" -json")
}

func (tr *tracer) ask(host string, args ...string) (got traced, err error) {
	tr.mu.Lock()
	tr.seen = map[string][]string{}
	tr.mu.Unlock()
	argv := append(append(inside(host), tr.bin), args...)
	cmd := exec.Command(argv[0], argv[1:]...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err = cmd.Run(); err != nil {
		err = fmt.Errorf("%w: %s", err, &errs)
	}
	if out.Len() > 0 {
		if e := json.Unmarshal(out.Bytes(), &got); e != nil {
			err = fmt.Errorf("%w: %s", e, &out)
		}
	}
	return got, err
}

// console says one thing to a node.
func (tr *tracer) console(t *testing.T, node, line string) string {
	t.Helper()
	return tr.run(node, tr.bin, "console", "-c", line)
}

// watch notes every marked packet that comes to a backend, under the address
// that the nodes know it by.
func (tr *tracer) watch(key *trace.Key, i int) {
	tr.t.Helper()
	var fd int
	err := daemon.Inside(prefix+backendName(i), func() error {
		link, err := net.InterfaceByName("eth0")
		if err != nil {
			return err
		}
		all := uint16(unix.ETH_P_ALL)<<8 | uint16(unix.ETH_P_ALL)>>8
		if fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, int(all)); err != nil {
			return err
		}
		return unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: all, Ifindex: link.Index})
	})
	if err == nil {
		err = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 100_000})
	}
	if err != nil {
		tr.t.Fatal(err)
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	tr.t.Cleanup(func() {
		close(stop)
		<-stopped
		unix.Close(fd)
	})
	go func() {
		defer close(stopped)
		b := make([]byte, 2048)
		for {
			select {
			case <-stop:
				return
			default:
			}
			n, _, err := unix.Recvfrom(fd, b, 0)
			if err != nil {
				continue
			}
			m, err := key.ReadMark(b[:n], time.Now())
			if err != nil {
				continue
			}
			_, to := trace.TunnelEnds(b[:n])
			tr.mu.Lock()
			id := fmt.Sprintf("%d %s", m.Packet, m.Piece)
			tr.seen[id] = append(tr.seen[id], to.String())
			tr.mu.Unlock()
		}
	}()
}

// backendsOf waits until a packet of the last trace has come to a backend, and
// returns to which.
func (tr *tracer) backendsOf(packet string) (at []string) {
	tr.t.Helper()
	within(tr.t, 10*time.Second, "packet "+packet+" comes to a backend", func() bool {
		tr.mu.Lock()
		defer tr.mu.Unlock()
		at = slices.Clone(tr.seen[packet])
		return len(at) > 0
	})
	return at
}

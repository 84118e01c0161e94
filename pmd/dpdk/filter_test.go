package dpdk

import (
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/bpf"
)

// matches runs a program as a library does that is not ours.
func matches(t *testing.T, program []bpf.RawInstruction, packet []byte) bool {
	t.Helper()
	list, ok := bpf.Disassemble(program)
	if !ok {
		t.Fatalf("unknown instructions in %v", program)
	}
	vm, err := bpf.NewVM(list)
	if err != nil {
		t.Fatal(err)
	}
	n, err := vm.Run(packet)
	if err != nil {
		t.Fatal(err)
	}
	return n != 0
}

// A filter picks what tcpdump would, of frames and of the packets in them.
func TestCompileFilter(t *testing.T) {
	ip := make([]byte, 40) // TCP from 198.51.100.7:4711 to 203.0.113.10:80
	copy(ip, []byte{0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0, 198, 51, 100, 7, 203, 0, 113, 10, 4711 >> 8, 4711 & 255, 0, 80})
	frame := append([]byte{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0}, ip...)
	for filter, want := range map[string]bool{
		"":                                true,
		"tcp port 80":                     true,
		"tcp port 81":                     false,
		"tcp port http":                   true,
		"host 198.51.100.7 and not udp":   true,
		"src net 198.51.100.0/24":         true,
		"dst net 198.51.100.0/24":         false,
		"ip6 or icmp":                     false,
		"tcp[tcpflags] & tcp-syn != 0":    false,
		"ip[2:2] = 40 and greater 40":     true,
		"portrange 70-90 and less 100":    true,
		"ip[8] % 7 = 1 and ip[9] ^ 1 = 7": true,
	} {
		for _, inside := range []bool{false, true} {
			program, err := CompileFilter(filter, inside)
			if err != nil {
				t.Errorf("%q, inside %v: %v", filter, inside, err)
				continue
			}
			packet := frame
			if inside {
				packet = ip
			}
			if got := matches(t, program, packet); got != want {
				t.Errorf("%q, inside %v: %v, want %v", filter, inside, got, want)
			}
		}
	}
}

// What is no filter is refused, in libpcap's words.
func TestCompileFilterRefuses(t *testing.T) {
	for filter, want := range map[string]string{
		"tcp prot 80":                      "syntax error",
		"port 80000":                       "illegal port number 80000 > 65535",
		"host 1.2.3.4.5":                   "",
		"(((":                              "syntax error",
		"tcp and udp":                      "expression rejects all packets",
		"tcp\x00 port 80":                  "byte 0",
		strings.Repeat("(", MaxFilter+1):   "at most 1024 are allowed",
		strings.Repeat("(", MaxFilter-1):   "syntax error",
		strings.Repeat("not ", 200) + "tc": "syntax error",
		many("port %d", 90):                "instructions, at most 256 are allowed",
	} {
		if program, err := CompileFilter(filter, false); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q: %d instructions, %v; want %q", filter, len(program), err, want)
		}
	}
}

// many is a filter of n parts that differ in a number.
func many(part string, n int) string {
	var list []string
	for i := range n {
		list = append(list, strings.ReplaceAll(part, "%d", string(rune('1'+i/10))+string(rune('0'+i%10))))
	}
	return strings.Join(list, " or ")
}

// Several may compile at once.
func TestCompileFilterSideBySide(t *testing.T) {
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for range 50 {
				program, err := CompileFilter(many("host 10.0.0.%d", 1+i), false)
				if err != nil || len(program) < 5 {
					t.Errorf("%d instructions, %v", len(program), err)
				}
			}
		})
	}
	all.Wait()
}

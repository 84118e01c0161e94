package capture

import (
	"errors"
	"testing"

	"golang.org/x/net/bpf"

	"guideway/maglev/packet"
)

// compilePort80 knows one filter.
func compilePort80(text string, inside bool) ([]bpf.RawInstruction, error) {
	switch {
	case text != "tcp port 80":
		return nil, errors.New("syntax error")
	case inside:
		return ipTCPPort80, nil
	}
	return tcpPort80, nil
}

// tcp is a frame with a TCP packet from port 4711 to the given one.
func tcp(port byte) []byte {
	b := make([]byte, 14+40+6)
	packet.PutEthernet(b, [6]byte{2, 1}, [6]byte{2, 2}, 0, packet.EtherTypeIPv4)
	packet.PutIPv4(b[14:], 60, packet.ProtoTCP, 0xc6336407, 0xcb00710a)
	packet.SetIPv4(b[14:], 0, 40, packet.IPv4Rest(b[14:]))
	copy(b[34:], []byte{4711 >> 8, 4711 & 255, 0, port})
	return b
}

// inTunnel is the packet of a frame in GRE over IPv6, with the given flags.
func inTunnel(frame []byte, flags byte) []byte {
	b := make([]byte, 14+packet.IPv6Len+packet.GRELen)
	packet.PutEthernet(b, [6]byte{2, 3}, [6]byte{2, 4}, 0, packet.EtherTypeIPv6)
	packet.PutIPv6(b[14:], 64, packet.ProtoGRE, [16]byte{1}, [16]byte{2})
	packet.SetIPv6(b[14:], 0, uint16(packet.GRELen+len(frame)-14))
	packet.PutGRE(b[54:], packet.EtherTypeIPv4)
	b[54] = flags
	return append(b, frame[14:]...)
}

// inTunnel4 is the same over IPv4 with an option.
func inTunnel4(frame []byte, fragment byte) []byte {
	b := make([]byte, 14+24+packet.GRELen)
	packet.PutEthernet(b, [6]byte{2, 3}, [6]byte{2, 4}, 0, packet.EtherTypeIPv4)
	packet.PutIPv4(b[14:], 64, packet.ProtoGRE, 1, 2)
	b[14], b[21] = 0x46, fragment
	packet.PutGRE(b[38:], packet.EtherTypeIPv4)
	return append(b, frame[14:]...)
}

func tag(frame []byte) []byte {
	return append(append(append([]byte{}, frame[:12]...), 0x81, 0, 0, 42), frame[12:]...)
}

// A filter that speaks of a client's packet finds it in a VLAN and in a tunnel.
func TestFilter(t *testing.T) {
	match, err := newFilter(compilePort80, "tcp port 80")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		frame []byte
		want  bool
	}{
		"plain":                    {tcp(80), true},
		"other port":               {tcp(81), false},
		"tagged":                   {tag(tcp(80)), true},
		"other port, tagged":       {tag(tcp(81)), false},
		"GRE over IPv6":            {inTunnel(tcp(80), 0), true},
		"GRE between nodes":        {inTunnel(tcp(80), packet.GREMarked>>8), true},
		"other port, in GRE":       {inTunnel(tcp(81), 0), false},
		"GRE with a key":           {inTunnel(tcp(80), 0x20), false},
		"tagged, in GRE over IPv6": {tag(inTunnel(tcp(80), 0)), true},
		"GRE over IPv4":            {inTunnel4(tcp(80), 0), true},
		"tagged, in GRE over IPv4": {tag(inTunnel4(tcp(80), 0)), true},
		"a piece of GRE":           {inTunnel4(tcp(80), 1), false},
	} {
		if got := match(c.frame); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
	if n := testing.AllocsPerRun(100, func() { match(tunnelled) }); n != 0 {
		t.Errorf("a match allocates %v times", n)
	}
	if match, err := newFilter(compilePort80, ""); match != nil || err != nil {
		t.Errorf("no filter: %v", err)
	}
	framesOnly := func(text string, inside bool) ([]bpf.RawInstruction, error) {
		if inside {
			return nil, errors.New("expression rejects all packets")
		}
		return tcpPort80, nil
	}
	if match, err = newFilter(framesOnly, "arp"); err != nil || !match(tcp(80)) || match(inTunnel(tcp(80), 0)) {
		t.Errorf("a filter of frames only: %v", err)
	}
}

// FuzzFilter: no frame, whatever it claims, makes the cores read beyond it, and
// one that is cut matches no tunnel that is not there.
func FuzzFilter(f *testing.F) {
	match, err := newFilter(compilePort80, "tcp port 80")
	if err != nil {
		f.Fatal(err)
	}
	for _, frame := range [][]byte{tcp(80), tag(tcp(80)), inTunnel(tcp(80), 0), inTunnel4(tcp(80), 0), tag(inTunnel4(tcp(80), 0)), {}} {
		f.Add(frame)
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		padded := append(append(make([]byte, 0, len(frame)+64), frame...), tcp(80)...)
		if match(padded[:len(frame):len(frame)]) != match(padded[:len(frame)]) {
			t.Fatal("what is behind a frame counts")
		}
		if len(frame) < 14+20+4 && match(frame) {
			t.Fatalf("%x matches", frame)
		}
	})
}

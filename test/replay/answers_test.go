package replay

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
)

// back returns those frames that went back to where in came from, without
// anything behind the packet, and are of the given protocol.
func (j *judge) back(in []byte, proto byte) (list []*sent) {
	packet := packetOf(in)
	for _, s := range j.out {
		if s.padded() || s.used || s.ip == nil || s.tunnel || !bytes.Equal(s.frame[:6], in[6:12]) || s.ip[0]>>4 != packet[0]>>4 {
			continue
		}
		if packet[0]>>4 == 4 && s.ip[9] == proto && bytes.Equal(s.ip[16:20], packet[12:16]) ||
			packet[0]>>4 == 6 && s.ip[6] == proto && bytes.Equal(s.ip[24:40], packet[8:24]) {
			list = append(list, s)
		}
	}
	return list
}

// error looks for an ICMP error about a packet.
func (j *judge) error(c clause, in []byte) error {
	packet := packetOf(in)
	proto, most, head, src := byte(1), 576, 20, 12
	if packet[0]>>4 == 6 {
		proto, most, head, src = 58, 1280, 40, 8
	}
	quote := packet[:min(len(packet), most-head-8)]
	from := or(c.from, defaultSources[(head-20)/20].String())
	for _, s := range j.back(in, proto) {
		m := s.ip[head:]
		if len(m) < 8 || !bytes.Equal(m[8:], quote) {
			continue
		}
		s.used = true
		source, _ := netip.AddrFromSlice(s.ip[src:][:len(defaultSources[(head-20)/20].AsSlice())])
		got := fmt.Sprintf("error %d/%d mtu %d from %s", m[0], m[1], binary.BigEndian.Uint32(m[4:]), source)
		if want := fmt.Sprintf("error %s mtu %d from %s", c.to, c.mtu, from); got != want {
			return fmt.Errorf("%s", got)
		}
		if !whole(s.ip) {
			return fmt.Errorf("the ICMP checksum is wrong")
		}
		return nil
	}
	return fmt.Errorf("no error came back")
}

// echo looks for the answer to an echo request: the same message, from where
// that went.
func (j *judge) echo(in []byte) error {
	packet := packetOf(in)
	want := bytes.Clone(packet)
	proto, kind := byte(1), 20
	if packet[0]>>4 == 6 {
		copy(want[8:], packet[24:40])
		copy(want[24:], packet[8:24])
		want[7], proto, kind = 64, 58, 40
		want[40] = 129
	} else {
		copy(want[12:], packet[16:20])
		copy(want[16:], packet[12:16])
		want[8], want[20] = 64, 0
		copy(want[10:], []byte{0, 0})
		copy(want[10:], word(int(^sum(want[:20]))))
	}
	for _, s := range j.back(in, proto) {
		if len(s.ip) == len(want) {
			copy(want[kind+2:], s.ip[kind+2:kind+4])
		}
		if bytes.Equal(s.ip, want) {
			s.used = true
			if whole(packet) && !whole(s.ip) {
				return fmt.Errorf("the ICMP checksum is wrong")
			}
			return nil
		}
	}
	return fmt.Errorf("no answer")
}

// raised looks for a frame among those that the kernel got, without its tag.
func (j *judge) raised(in []byte) error {
	want := in
	if at, vlan := etherAt(in); vlan != 0 {
		want = slices.Concat(in[:12], in[at:])
	}
	for i, f := range j.up {
		if bytes.Equal(f, want) {
			j.up = slices.Delete(j.up, i, i+1)
			return nil
		}
	}
	return fmt.Errorf("the kernel did not get it")
}

// fromKernel looks for a frame of the kernel among those sent.
func (j *judge) fromKernel(frame []byte) error {
	want := frame
	if vlan := j.tags["wan"]; vlan != 0 {
		want = slices.Concat(frame[:12], []byte{0x81, 0}, word(int(vlan)), frame[12:])
	}
	for _, s := range j.out {
		if !s.used && bytes.Equal(s.frame, want) {
			s.used = true
			return nil
		}
	}
	return fmt.Errorf("it did not leave")
}

package kernel

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"golang.org/x/sys/unix"
)

// greet tells an interface's neighbours, unasked, that its addresses are at its link
// address now. Who knew them at another one, of the machine that had them before or of
// the card that was exchanged, would send there until its entry is stale and fails; a
// switch learns the port.
func (k *Kernel) greet(index int, mac net.HardwareAddr, addresses []netip.Prefix) (err error) {
	if len(mac) != 6 || len(addresses) == 0 {
		return nil
	}
	failed := k.ns.do(func() error {
		s, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0) // receives nothing
		if err != nil {
			return err
		}
		defer unix.Close(s)
		for _, a := range addresses {
			frame, e := greeting(mac, a.Addr())
			if e == nil {
				e = unix.Sendto(s, frame, 0, &unix.SockaddrLinklayer{Ifindex: index})
			}
			err = errors.Join(err, e)
		}
		return err
	})
	if failed != nil {
		return fmt.Errorf("tell neighbours the link address %s: %w", mac, failed)
	}
	return nil
}

var (
	everybody = net.HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	allNodes  = netip.MustParseAddr("ff02::1")
	allNodes6 = net.HardwareAddr{0x33, 0x33, 0, 0, 0, 1} // the group of that, RFC 2464, 7
)

// greeting is an ARP announcement (RFC 5227, 2.3), or an unsolicited neighbour
// advertisement that overrides what is known (RFC 4861, 7.2.6).
func greeting(mac net.HardwareAddr, a netip.Addr) ([]byte, error) {
	b, options := gopacket.NewSerializeBuffer(), gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}
	ethernet := &layers.Ethernet{SrcMAC: mac, DstMAC: everybody, EthernetType: layers.EthernetTypeARP}
	if a.Is4() {
		err := gopacket.SerializeLayers(b, options, ethernet, &layers.ARP{
			AddrType: layers.LinkTypeEthernet, Protocol: layers.EthernetTypeIPv4, HwAddressSize: 6, ProtAddressSize: 4,
			Operation:       layers.ARPRequest,
			SourceHwAddress: mac, SourceProtAddress: a.AsSlice(),
			DstHwAddress: make([]byte, 6), DstProtAddress: a.AsSlice(),
		})
		return b.Bytes(), err
	}
	ethernet.DstMAC, ethernet.EthernetType = allNodes6, layers.EthernetTypeIPv6
	ip := &layers.IPv6{Version: 6, NextHeader: layers.IPProtocolICMPv6, HopLimit: 255, SrcIP: a.AsSlice(), DstIP: allNodes.AsSlice()}
	icmp := &layers.ICMPv6{TypeCode: layers.CreateICMPv6TypeCode(layers.ICMPv6TypeNeighborAdvertisement, 0)}
	if err := icmp.SetNetworkLayerForChecksum(ip); err != nil {
		return nil, err
	}
	const override = 0x20
	err := gopacket.SerializeLayers(b, options, ethernet, ip, icmp, &layers.ICMPv6NeighborAdvertisement{
		Flags: override, TargetAddress: a.AsSlice(),
		Options: layers.ICMPv6Options{{Type: layers.ICMPv6OptTargetAddress, Data: mac}},
	})
	return b.Bytes(), err
}

// news returns which of the wanted addresses neighbours may know at another link
// address, by what was changed: those that are new, or all.
func news(want Interface, changes []Change) (addresses []netip.Prefix) {
	for _, c := range changes {
		switch {
		case c.What == "mac", c.What == "state" && c.To == "up", c.What == "carrier" && c.To == "on":
			return want.Addresses
		case c.What == "address" && c.To != "":
			if p, err := netip.ParsePrefix(c.To); err == nil {
				addresses = append(addresses, p)
			}
		}
	}
	return addresses
}

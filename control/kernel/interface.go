package kernel

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// An Interface is what a port's exception-path interface should be. The
// interface itself is made by DPDK (net_tap, or virtio-user over vhost-net) and
// goes with it.
type Interface struct {
	Name      string
	MAC       [6]byte        // the port's, so that ARP and ND answers name the port; zero: as it is
	MTU       int            // bytes of an IP packet; 0: as it is
	Addresses []netip.Prefix // with the subnet's length; not 4-in-6
	Link      bool           // the port has a link
}

// A Change is something that was not as wanted, and was changed.
type Change struct {
	What     string // "mac", "mtu", "state", "carrier", "address", or a sysctl without the interface's name
	From, To string // an address that was not there, or is gone, is ""
}

// String is for logs: "mtu 1500 -> 9000".
func (c Change) String() string { return fmt.Sprintf("%s %s -> %s", c.What, or(c.From), or(c.To)) }

func or(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// Reconcile brings an interface to the wanted state and reports what it
// changed: nothing, if it is called again. It does as much as it can, and
// joins what went wrong. An interface that does not exist is an error.
//
// The interface is up for as long as it is ours, and its carrier follows the
// port's link: routes stay where they are, but count as dead. Where the carrier
// cannot be set, the interface goes down with the link.
//
// Where an address is new, or the link address or the link, neighbours are told.
//
// Addresses of ours that are not wanted any more are removed, those that a
// killed process left behind included (from Linux 5.18, where addresses can be
// marked). Addresses of others are left alone, also if they are wanted.
func (k *Kernel) Reconcile(want Interface) ([]Change, error) {
	k.setup.Lock()
	defer k.setup.Unlock()
	if k.writer == nil {
		return nil, errors.New("kernel: closed")
	}
	link, err := k.writer.LinkByName(want.Name)
	if err != nil {
		return nil, fmt.Errorf("interface %s: %w", want.Name, err)
	}
	h := k.past[want.Name]
	if index := link.Attrs().Index; h == nil || h.index != index {
		h = &history{index: index, added: map[string]bool{}}
		k.past[want.Name] = h
	}
	var changes []Change
	var errs error
	note := func(c []Change, err error) {
		changes, errs = append(changes, c...), errors.Join(errs, err)
	}
	for _, s := range k.sysctls(want.Name) {
		note(h.apply(s))
	}
	if slices.ContainsFunc(changes, func(c Change) bool { return c.What == acceptDAD }) { // an address of before is not concerned
		hurried, err := k.writer.hurry(h.index)
		if note(nil, err); hurried {
			note([]Change{{"link-local address", "tentative", "usable"}}, nil)
		}
	}
	if want.MTU != 0 {
		note(h.apply(k.mtu(link, want.MTU)))
	}
	if want.MAC != [6]byte{} {
		note(h.apply(k.mac(link, want.MAC)))
	}
	if want.Link || !h.noLever {
		note(h.apply(k.state(link, "up")))
	}
	note(k.setAddresses(h, want.Addresses))
	note(k.setLink(h, link, want.Link))
	if fresh := news(want, changes); want.Link && len(fresh) > 0 {
		now, err := k.attrs(link)
		if err == nil {
			err = k.greet(h.index, now.HardwareAddr, fresh)
		}
		note(nil, err)
	}
	if errs != nil {
		errs = fmt.Errorf("interface %s: %w", want.Name, errs)
	}
	return changes, errs
}

// Release takes back what Reconcile did to an interface: our addresses go, and
// settings return to what they were, unless someone else has changed them
// since. It reports what it changed. An interface that is gone needs nothing.
func (k *Kernel) Release(name string) ([]Change, error) {
	k.setup.Lock()
	defer k.setup.Unlock()
	if k.writer == nil {
		return nil, errors.New("kernel: closed")
	}
	link, err := k.writer.LinkByName(name)
	if gone := (netlink.LinkNotFoundError{}); errors.As(err, &gone) {
		delete(k.past, name)
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("interface %s: %w", name, err)
	}
	h := k.past[name]
	delete(k.past, name)
	if index := link.Attrs().Index; h == nil || h.index != index {
		h = &history{index: index, added: map[string]bool{}}
	}
	changes, err := k.setAddresses(h, nil)
	reverted, e := h.revert()
	if err = errors.Join(err, e); err != nil {
		err = fmt.Errorf("interface %s: %w", name, err)
	}
	return append(changes, reverted...), err
}

func (k *Kernel) setAddresses(h *history, want []netip.Prefix) (changes []Change, err error) {
	present, err := k.writer.addresses(h.index)
	if err != nil {
		return nil, err
	}
	for _, a := range present {
		if key := a.String(); (a.ours || h.added[key]) && !slices.Contains(want, a.Prefix) {
			if e := k.writer.removeAddress(h.index, a.Prefix); e != nil && !errors.Is(e, unix.EADDRNOTAVAIL) {
				err = errors.Join(err, fmt.Errorf("remove address %s: %w", key, e))
				continue
			}
			delete(h.added, key)
			changes = append(changes, Change{"address", key, ""})
		}
	}
	for _, p := range want {
		key := p.String()
		if slices.ContainsFunc(present, func(a address) bool { return a.Prefix == p }) {
			continue
		}
		if e := k.writer.addAddress(h.index, p); e != nil {
			err = errors.Join(err, fmt.Errorf("add address %s: %w", key, e))
			continue
		}
		h.added[key] = true
		changes = append(changes, Change{"address", "", key})
	}
	return changes, err
}

// setLink has the interface show whether the port has a link.
func (k *Kernel) setLink(h *history, link netlink.Link, up bool) ([]Change, error) {
	changes, err := h.apply(k.carrier(link, up))
	if !errors.Is(err, unix.EOPNOTSUPP) {
		return changes, err
	}
	h.noLever = true
	if up {
		return nil, nil // up already; the carrier is its own
	}
	return h.apply(k.state(link, "down"))
}

func (k *Kernel) mtu(link netlink.Link, want int) setting {
	return setting{"mtu", exactly(strconv.Itoa(want)),
		func() (string, error) {
			a, err := k.attrs(link)
			return strconv.Itoa(a.MTU), err
		},
		func(v string) error {
			n, err := strconv.Atoi(v)
			if err != nil {
				return err
			}
			return k.writer.LinkSetMTU(link, n)
		},
	}
}

func (k *Kernel) mac(link netlink.Link, want [6]byte) setting {
	return setting{"mac", exactly(net.HardwareAddr(want[:]).String()),
		func() (string, error) {
			a, err := k.attrs(link)
			return a.HardwareAddr.String(), err
		},
		func(v string) error {
			mac, err := net.ParseMAC(v)
			if err != nil {
				return err
			}
			return k.writer.LinkSetHardwareAddr(link, mac)
		},
	}
}

func (k *Kernel) state(link netlink.Link, want string) setting {
	return setting{"state", exactly(want),
		func() (string, error) {
			a, err := k.attrs(link)
			if a.RawFlags&unix.IFF_UP != 0 {
				return "up", err
			}
			return "down", err
		},
		func(v string) error {
			if v == "up" {
				return k.writer.LinkSetUp(link)
			}
			return k.writer.LinkSetDown(link)
		},
	}
}

// carrier cannot be told, nor set, while the interface is down.
func (k *Kernel) carrier(link netlink.Link, on bool) setting {
	want := "off"
	if on {
		want = "on"
	}
	return setting{"carrier", func(now string) string {
		if now == "" {
			return now
		}
		return want
	},
		func() (string, error) {
			a, err := k.attrs(link)
			switch {
			case a.RawFlags&unix.IFF_UP == 0:
				return "", err
			case a.RawFlags&unix.IFF_LOWER_UP != 0:
				return "on", err
			}
			return "off", err
		},
		func(v string) error { return k.writer.setCarrier(link.Attrs().Index, v == "on") },
	}
}

func (k *Kernel) attrs(link netlink.Link) (netlink.LinkAttrs, error) {
	now, err := k.writer.LinkByIndex(link.Attrs().Index)
	if err != nil {
		return netlink.LinkAttrs{}, err
	}
	return *now.Attrs(), nil
}

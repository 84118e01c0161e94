package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

const (
	tunName = "gre"

	// tunnelBuffer is the receive buffer of each raw socket in bytes: what a
	// backend may owe while it is not scheduled.
	tunnelBuffer = 4 << 20
)

// tunnelCounts is what one backend's tunnel end has seen, in packets.
type tunnelCounts struct {
	Packets uint64            `json:"packets"`           // handed to the kernel
	Refused map[string]uint64 `json:"refused,omitempty"` // by reason
}

// A tunnelEnd takes GRE off in user space, for kernels without ip_gre: what comes
// in on a raw socket for protocol 47 goes out on a TUN device.
type tunnelEnd struct {
	tun  *os.File
	from []netip.Addr // outer sources to take packets from

	mu     sync.Mutex
	counts tunnelCounts
}

// decapMain runs a tunnel end in this namespace: it says "ready" on out, then
// answers each line on in with its counts, and ends when in does. So it never
// outlives the lab that holds the other end.
func decapMain(args []string, in io.Reader, out io.Writer) error {
	fs := flag.NewFlagSet("decap", flag.ContinueOnError)
	from := fs.String("from", "", "outer source addresses to accept, comma-separated")
	if err := fs.Parse(args); err != nil {
		return err
	}
	end := &tunnelEnd{counts: tunnelCounts{Refused: map[string]uint64{}}}
	for s := range strings.SplitSeq(*from, ",") {
		a, err := netip.ParseAddr(s)
		if err != nil {
			return fmt.Errorf("--from: %w", err)
		}
		end.from = append(end.from, a)
	}
	var err error
	if end.tun, err = openTUN(tunName); err != nil {
		return err
	}
	defer end.tun.Close()

	failed := make(chan error, 3)
	for _, network := range []string{"ip4:47", "ip6:47"} {
		conn, err := net.ListenIP(network, nil)
		if err != nil {
			return err
		}
		defer conn.Close()
		if err := conn.SetReadBuffer(tunnelBuffer); err != nil {
			return err
		}
		go func() { failed <- end.receive(conn) }()
	}
	go func() { failed <- end.answer(in, out) }()
	return <-failed
}

// openTUN makes the TUN device and brings it up.
func openTUN(name string) (*os.File, error) {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("/dev/net/tun: %w", err)
	}
	tun := os.NewFile(uintptr(fd), "/dev/net/tun")
	ifr, err := unix.NewIfreq(name)
	if err != nil {
		return nil, errors.Join(err, tun.Close())
	}
	ifr.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, ifr); err != nil {
		return nil, errors.Join(fmt.Errorf("TUNSETIFF %s: %w", name, err), tun.Close())
	}

	sock, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, errors.Join(err, tun.Close())
	}
	defer unix.Close(sock)
	ifr.SetUint16(unix.IFF_UP)
	if err := unix.IoctlIfreq(sock, unix.SIOCSIFFLAGS, ifr); err != nil {
		return nil, errors.Join(fmt.Errorf("bring %s up: %w", name, err), tun.Close())
	}
	return tun, nil
}

// receive moves packets from one raw socket to the TUN device until the socket
// fails.
func (e *tunnelEnd) receive(conn *net.IPConn) error {
	buf := make([]byte, 64<<10)
	for {
		// The address carries no port, so ReadMsgIP and the like bring nothing
		// more; for IPv4 ReadFromIP has taken the outer header off.
		n, src, err := conn.ReadFromIP(buf)
		if err != nil {
			return err
		}
		e.count(e.deliver(buf[:n], src))
	}
}

var (
	errOuterSource = errors.New("outer source is not the load balancer")
	errTUN         = errors.New("not taken by the TUN device")
)

func (e *tunnelEnd) deliver(gre []byte, src *net.IPAddr) error {
	a, _ := netip.AddrFromSlice(src.IP)
	known := false
	for _, f := range e.from {
		known = known || f == a.Unmap()
	}
	if !known {
		return errOuterSource
	}
	inner, err := decapsulate(gre)
	if err != nil {
		return err
	}
	if _, err := e.tun.Write(inner); err != nil {
		return errTUN
	}
	return nil
}

func (e *tunnelEnd) count(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err == nil {
		e.counts.Packets++
	} else {
		e.counts.Refused[err.Error()]++
	}
}

// answer says "ready", then the counts for each line it reads.
func (e *tunnelEnd) answer(in io.Reader, out io.Writer) error {
	if _, err := fmt.Fprintln(out, "ready"); err != nil {
		return err
	}
	enc := json.NewEncoder(out)
	for s := bufio.NewScanner(in); s.Scan(); {
		e.mu.Lock()
		err := enc.Encode(e.counts)
		e.mu.Unlock()
		if err != nil {
			return err
		}
	}
	return nil
}

package main

import (
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
)

// serve answers on port 80 by HTTP and sends back what comes to port 53 by UDP,
// on each address. The sockets are bound to the addresses: what is sent from
// them is from the VIP.
func serve(addresses []string) error {
	failed := make(chan error)
	for _, address := range addresses {
		l, err := net.Listen("tcp", net.JoinHostPort(address, "80"))
		if err != nil {
			return err
		}
		go func() { failed <- http.Serve(l, http.HandlerFunc(handle)) }()
		p, err := net.ListenPacket("udp", net.JoinHostPort(address, "53"))
		if err != nil {
			return err
		}
		go func() { failed <- echo(p) }()
	}
	return <-failed
}

// handle answers with the name of this machine, the client's address, and
// length and SHA-256 of the body of the request, then as many bytes as the
// query's n says.
func handle(w http.ResponseWriter, r *http.Request) {
	name, _ := os.Hostname()
	sum := sha256.New()
	n, err := io.Copy(sum, r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	fmt.Fprintf(w, "%s %s %d %x\n", name, r.RemoteAddr, n, sum.Sum(nil))
	more, _ := strconv.Atoi(r.URL.Query().Get("n"))
	block := make([]byte, 4096)
	for ; more > 0; more -= len(block) {
		if _, err := w.Write(block[:min(more, len(block))]); err != nil {
			return
		}
	}
}

func echo(p net.PacketConn) error {
	b := make([]byte, 65536)
	for {
		n, from, err := p.ReadFrom(b)
		if err != nil {
			return err
		}
		if _, err := p.WriteTo(b[:n], from); err != nil {
			return err
		}
	}
}

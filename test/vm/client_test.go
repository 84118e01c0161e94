//go:build vm

package vm

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"guideway/test/daemon"
)

// All waits are for machines that may get a fraction of a processor.
const patience = 90 * time.Second

// dial connects from the client's namespace.
func dial(network, address string) (c net.Conn, err error) {
	err = daemon.Inside(client, func() (err error) {
		c, err = net.DialTimeout(network, address, 20*time.Second)
		return err
	})
	return c, err
}

// newClient makes HTTP requests from the client's namespace, each by a
// connection of its own unless they are kept.
func newClient(keep bool) *http.Client {
	return &http.Client{Timeout: 40 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: !keep,
		DialContext:       func(_ context.Context, network, address string) (net.Conn, error) { return dial(network, address) },
	}}
}

func url(vip string) string {
	return "http://" + netip.AddrPortFrom(netip.MustParseAddr(vip), 80).String() + "/"
}

// post sends a body and returns the name of the backend that got all of it.
func post(c *http.Client, vip string, body []byte) (backend string, err error) {
	answer, err := c.Post(url(vip), "application/octet-stream", bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return "", err
	}
	words := strings.Fields(string(text))
	if answer.StatusCode != http.StatusOK || len(words) != 4 {
		return "", fmt.Errorf("%s: %s", answer.Status, text)
	}
	if want := fmt.Sprintf("%d %x", len(body), sha256.Sum256(body)); words[2]+" "+words[3] != want {
		return "", fmt.Errorf("the backend got %s %s, not %s", words[2], words[3], want)
	}
	return words[0], nil
}

// served asks n times, by a connection each, and returns how often each backend
// has answered. Before the first answer it is patient: next hops are learnt.
func served(t *testing.T, vip string, n int) map[string]int {
	t.Helper()
	eventually(t, "an answer from "+vip, func() error {
		_, err := post(newClient(false), vip, nil)
		return err
	})
	by := map[string]int{}
	for range n {
		backend, err := post(newClient(false), vip, nil)
		if err != nil {
			t.Fatalf("%s: %v after %v", vip, err, by)
		}
		by[backend]++
	}
	return by
}

// echoed sends datagrams of this size to a VIP until one comes back, whole.
func echoed(t *testing.T, vip string, size int) {
	t.Helper()
	c, err := dial("udp", netip.AddrPortFrom(netip.MustParseAddr(vip), 53).String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	sent := random(size)
	got := make([]byte, 65536)
	eventually(t, fmt.Sprintf("%d bytes back from %s", size, vip), func() error {
		if _, err := c.Write(sent); err != nil {
			return err
		}
		c.SetReadDeadline(time.Now().Add(5 * time.Second))
		n, err := c.Read(got)
		if err == nil && !bytes.Equal(got[:n], sent) {
			t.Fatalf("%s: %d bytes came back for %d, and not the same", vip, n, size)
		}
		return err
	})
}

func random(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rand.Uint32())
	}
	return b
}

// eventually tries until there is no error.
func eventually(t *testing.T, what string, try func() error) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("no %s in %v: %v", what, patience, err)
		}
		time.Sleep(200 * time.Millisecond)
	}
}

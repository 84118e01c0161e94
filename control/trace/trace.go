// Package trace is the packet tracer (section 4.2 of the paper) as people use
// it: it sends specially marked packets the way of a flow and collects what the
// nodes that they pass say they did.
//
//	who traces                                  a node
//	Run: craft.go, send.go  --- marked packet -->  lcore: forwards it as any other,
//	                                               and tells its control plane
//	     run.go             <-- report by UDP ---  control: judges the mark (mark.go),
//	                                               reports (hop.go)
//
// Marks and reports are authenticated by a [Key] that who traces and all nodes
// share. A packet with a mark of somebody else is a packet like any other:
// nobody can have nodes send reports to a victim, or believe a forged one.
package trace

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"os"
	"strings"
)

// A Key is the secret that who traces shares with the nodes.
type Key struct{ secret []byte }

// Bounds of a key, in bytes as they are in its file.
const (
	minKey = 16
	maxKey = 1024
)

// NewKey makes a key of text, 16 to 1024 bytes without white space around them.
func NewKey(text string) (*Key, error) {
	text = strings.TrimSpace(text)
	switch n := len(text); {
	case n == 0:
		return nil, fmt.Errorf("it is empty")
	case n < minKey:
		return nil, fmt.Errorf("%d characters can be guessed: write at least %d, as \"openssl rand -hex 32\" makes them", n, minKey)
	case n > maxKey:
		return nil, fmt.Errorf("%d characters are more than %d", n, maxKey)
	}
	return &Key{[]byte(text)}, nil
}

// ReadKey reads a key from a file.
func ReadKey(path string) (*Key, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("the key for tracing: %w", err)
	}
	k, err := NewKey(string(text))
	if err != nil {
		return nil, fmt.Errorf("the key for tracing, %s: %w", path, err)
	}
	return k, nil
}

// What the key is used for. One use says nothing about another.
const (
	forKnock  = "guideway trace knock 1"
	forMark   = "guideway trace mark 1"
	forReport = "guideway trace report 1"
)

func (k *Key) sum(use string, b []byte) []byte {
	h := hmac.New(sha256.New, k.secret)
	h.Write([]byte(use))
	h.Write([]byte{0})
	h.Write(b)
	return h.Sum(nil)
}

// Knock is what every mark begins with. Cores look for it, so that packets of
// strangers cost them no more than that; it proves nothing.
func (k *Key) Knock() uint64 { return binary.BigEndian.Uint64(k.sum(forKnock, nil)) }

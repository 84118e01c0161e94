package trace

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"net/netip"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// A Hop is what one node says that it did with one traced packet.
type Hop struct {
	Packet  int        `json:"packet"` // from 1
	Piece   Piece      `json:"piece"`
	Node    string     `json:"node"` // its name
	Core    int        `json:"core"` // its CPU
	Outcome string     `json:"outcome"`
	VIP     string     `json:"vip"`              // "": none
	Backend netip.Addr `json:"backend,omitzero"` // whom the tunnel leads to that the packet was sent in
	Next    string     `json:"next"`             // node that goes on with it; "": none
	Why     string     `json:"why"`

	After time.Duration `json:"-"` // from when it was sent until the report came. The receiver's own
}

// Held is the outcome of a fragment that waits for its datagram's first; all
// other outcomes are verdicts, as metrics name them.
const Held = "held"

// ends tells whether a packet's way ends with the hop; otherwise there is to be
// another.
func (h *Hop) ends() bool { return h.stage() == 2 }

// stage orders the hops of a packet: who sends it on, who holds it, and who ends
// its way.
func (h *Hop) stage() int {
	switch {
	case h.Next != "":
		return 0
	case h.Outcome == Held:
		return 1
	}
	return 2
}

// A report is a Hop as it travels: HMAC-SHA256 over the JSON behind it.
//
//	+--------------------+-------------------------
//	| authenticator (32) | {"token":1,"packet":...}
//	+--------------------+-------------------------
type report struct {
	Token uint64 `json:"token"`
	Hop
}

// Bounds of a report, in bytes: names and reasons are cut so that it fits every
// network, even if each character has to be escaped.
const (
	maxReport = 1200
	maxName   = 64
	maxWhy    = 200
)

var errReport = errors.New("no report of who has the key")

// Report makes the report about the packet with a mark.
func (k *Key) Report(m Mark, h Hop) []byte {
	h.Packet, h.Piece = m.Packet, m.Piece
	for _, name := range []*string{&h.Node, &h.Outcome, &h.VIP, &h.Next} {
		*name = short(*name, maxName)
	}
	h.Why = short(h.Why, maxWhy)
	var body bytes.Buffer
	e := json.NewEncoder(&body)
	e.SetEscapeHTML(false)
	if err := e.Encode(report{m.Token, h}); err != nil {
		panic("a report without a form in JSON: " + err.Error()) // numbers, texts and an address have one
	}
	return append(k.sum(forReport, body.Bytes()), body.Bytes()...)
}

// short makes a text printable, and cuts it at the end of a character.
func short(text string, most int) string {
	n := 0
	for i, r := range strings.ToValidUTF8(text, "?") {
		if i+utf8.RuneLen(r) > most {
			break
		}
		n = i + utf8.RuneLen(r)
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, strings.ToValidUTF8(text, "?")[:n])
}

// ReadReport reads a report, which may be anything, and returns the token of the
// trace that it belongs to.
func (k *Key) ReadReport(b []byte) (token uint64, h Hop, err error) {
	if len(b) < sha256.Size || len(b) > maxReport || !hmac.Equal(b[:sha256.Size], k.sum(forReport, b[sha256.Size:])) {
		return 0, h, errReport
	}
	var r report
	if err := json.Unmarshal(b[sha256.Size:], &r); err != nil {
		return 0, h, errors.Join(errReport, err)
	}
	if r.Piece >= pieces {
		return 0, h, errReport
	}
	return r.Token, r.Hop, nil
}

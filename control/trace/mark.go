package trace

import (
	"crypto/hmac"
	"encoding/binary"
	"errors"
	"net/netip"
	"time"

	"guideway/maglev/packet"
)

// A Mark is what a traced packet bears, in its last 64 bytes:
//
//	 0        8   9   10      12      14      16                32
//	+--------+---+---+-------+-------+-------+-----------------+
//	| knock  | 1 |pc.| number| port  |   0   | receiver        |
//	+--------+---+---+-------+-------+-------+-----------------+
//	| token  | sent   | authenticator         |
//	+--------+--------+-----------------------+
//	32       40       48                      64
//
// The receiver is an IPv6 address, or an IPv4 address mapped into one (RFC 4291,
// 2.5.5.2); sent is in Unix milliseconds; the authenticator is HMAC-SHA256 over
// all before it, cut to 128 bits.
type Mark struct {
	Receiver netip.AddrPort // of reports, by UDP
	Token    uint64         // of one trace; reports repeat it
	Packet   int            // its number in the trace, 1..65535
	Piece    Piece
	Sent     time.Time // in whole milliseconds
}

// A Piece says what of a datagram a packet is.
type Piece uint8

// The pieces.
const (
	Whole Piece = iota
	First       // fragment
	Last        // fragment
	pieces
)

var pieceNames = [pieces]string{Whole: "", First: "first", Last: "last"}

func (p Piece) String() string { return pieceNames[p] }

const (
	markVersion = 1

	atVersion  = 8
	atPiece    = 9
	atPacket   = 10
	atPort     = 12
	atZero     = 14
	atReceiver = 16
	atToken    = 32
	atSent     = 40
	atSeal     = 48
)

// maxAge is how far apart the clocks of who traces and of a node may be. A mark
// that somebody has seen pass is of no use to him after that.
const maxAge = 30 * time.Second

// Why a mark is not obeyed.
var (
	ErrForged = errors.New("the mark is not of who has the key")
	ErrStale  = errors.New("the mark is old, or from the future")
)

// PutMark writes m to the last bytes of a packet.
func (k *Key) PutMark(frame []byte, m Mark) {
	b := packet.Mark(frame)
	clear(b)
	binary.BigEndian.PutUint64(b, k.Knock())
	b[atVersion], b[atPiece] = markVersion, byte(m.Piece)
	binary.BigEndian.PutUint16(b[atPacket:], uint16(m.Packet))
	binary.BigEndian.PutUint16(b[atPort:], m.Receiver.Port())
	receiver := m.Receiver.Addr().As16()
	copy(b[atReceiver:], receiver[:])
	binary.BigEndian.PutUint64(b[atToken:], m.Token)
	binary.BigEndian.PutUint64(b[atSent:], uint64(m.Sent.UnixMilli()))
	copy(b[atSeal:], k.sum(forMark, b[:atSeal]))
}

// ReadMark reads the mark at the end of a frame, which may be anything. The
// error is [ErrForged] or, where all but its time is right, [ErrStale].
func (k *Key) ReadMark(frame []byte, now time.Time) (m Mark, err error) {
	if len(frame) < packet.MarkLen {
		return m, ErrForged
	}
	b := packet.Mark(frame)
	if packet.MarkKnock(b) != k.Knock() || !hmac.Equal(b[atSeal:], k.sum(forMark, b[:atSeal])[:packet.MarkLen-atSeal]) {
		return m, ErrForged
	}
	m = Mark{
		Receiver: netip.AddrPortFrom(netip.AddrFrom16([16]byte(b[atReceiver:])).Unmap(), binary.BigEndian.Uint16(b[atPort:])),
		Token:    binary.BigEndian.Uint64(b[atToken:]),
		Packet:   int(binary.BigEndian.Uint16(b[atPacket:])),
		Piece:    Piece(b[atPiece]),
		Sent:     time.UnixMilli(int64(binary.BigEndian.Uint64(b[atSent:]))),
	}
	if b[atVersion] != markVersion || m.Piece >= pieces || b[atZero]|b[atZero+1] != 0 || m.Packet == 0 || m.Receiver.Port() == 0 ||
		m.Receiver.Addr().IsUnspecified() || m.Receiver.Addr().IsMulticast() {
		return Mark{}, ErrForged // of another version, at best
	}
	if age := now.Sub(m.Sent); age > maxAge || age < -maxAge {
		return Mark{}, ErrStale
	}
	return m, nil
}

package console

// Telnet's own commands (RFC 854) and options, as far as they mean anything
// here.
const (
	telnetEOF  = 236 // RFC 1184, 2.2
	telnetSE   = 240
	telnetNOP  = 241
	telnetIP   = 244 // interrupt process: what telnet makes of ^C
	telnetAO   = 245 // abort output
	telnetAYT  = 246 // are you there
	telnetEC   = 247 // erase character
	telnetEL   = 248 // erase line
	telnetSB   = 250
	telnetWILL = 251
	telnetWONT = 252
	telnetDO   = 253
	telnetDONT = 254
	telnetIAC  = 255

	optionEcho = 1 // RFC 857
)

// maxLine is the longest line in bytes. More of it is thrown away as it comes,
// and after maxWaste in one line nobody believes in a person any more.
const (
	maxLine  = 4096
	maxWaste = 1 << 20
)

// maxReplies is how many of telnet's offers are answered between two lines: more
// than any client makes, and no way to have us talk without end.
const maxReplies = 64

// An event is what a byte completes.
type event uint8

const (
	nothing   event = iota
	lineEnd         // decoder.line is one
	tooLong         // a line that was longer than maxLine has come to its end
	interrupt       // ^C
	ayt             // are you there?
	ending          // ^D: no more will come
	flooding        // a line without end, or endless offers
)

// A decoder turns what a client sends into lines. It keeps maxLine bytes at
// most, whatever comes. Lines end with LF, CR LF, CR NUL (RFC 854) or a lone CR.
type decoder struct {
	line    []byte // so far, or with lineEnd all of it
	waste   int    // bytes of this line that were thrown away
	replies int    // since the last line
	telnet  bool   // the client has shown that it speaks it
	echoing bool   // we have offered to echo, so that the client does not show a password
	state   decoderState
	command byte // WILL, WONT, DO or DONT, of which the option comes
	reply   []byte
	ended   bool // the line was given out: the next byte begins another
	cr      bool // the last byte was CR, which ended the line
}

type decoderState uint8

const (
	inText        decoderState = iota
	afterIAC                   // a command comes
	afterOffer                 // an option comes
	inSub                      // between SB and IAC SE, which is passed over
	inSubAfterIAC              // there, after IAC
)

// take takes the next byte. reply, if it is not empty afterwards, is to be sent;
// it holds until the next call.
func (d *decoder) take(b byte) event {
	d.reply = d.reply[:0]
	if d.ended {
		d.line, d.ended = d.line[:0], false
	}
	switch d.state {
	case afterIAC:
		return d.telnetCommand(b)
	case afterOffer:
		d.state = inText
		return d.offer(b)
	case inSub:
		if b == telnetIAC {
			d.state = inSubAfterIAC
		}
		return nothing
	case inSubAfterIAC:
		d.state = inSub
		if b == telnetSE {
			d.state = inText
		}
		return nothing
	}
	if b == telnetIAC {
		d.state = afterIAC
		return nothing
	}
	return d.text(b)
}

// text takes a byte of the line.
func (d *decoder) text(b byte) event {
	after := d.cr
	d.cr = false
	switch b {
	case '\n', 0:
		if after || b == 0 {
			return nothing // of CR LF or CR NUL; no other NUL means anything
		}
		return d.end()
	case '\r':
		d.cr = true
		return d.end()
	case 3: // ^C of a client that sends keys
		d.line = d.line[:0]
		return interrupt
	case 4: // ^D likewise
		if len(d.line) == 0 && d.waste == 0 {
			return ending
		}
		return nothing
	case '\b', 0x7f:
		d.erase()
		return nothing
	}
	if len(d.line) == maxLine {
		if d.waste++; d.waste > maxWaste {
			return flooding
		}
		return nothing
	}
	d.line = append(d.line, b)
	return nothing
}

// unfinished tells whether there is a line without its end.
func (d *decoder) unfinished() bool { return len(d.line) > 0 && !d.ended && d.state == inText }

// erase takes the last character away, all bytes of it.
func (d *decoder) erase() {
	for n := len(d.line); n > 0; n-- {
		continued := d.line[n-1]&0xc0 == 0x80
		d.line = d.line[:n-1]
		if !continued {
			return
		}
	}
}

func (d *decoder) end() event {
	long := d.waste > 0
	d.waste, d.replies, d.ended = 0, 0, true
	if long {
		return tooLong
	}
	return lineEnd
}

func (d *decoder) telnetCommand(b byte) event {
	d.state, d.telnet = inText, true
	switch b {
	case telnetIAC:
		return d.text(b) // the byte itself
	case telnetWILL, telnetWONT, telnetDO, telnetDONT:
		d.state, d.command = afterOffer, b
	case telnetSB:
		d.state = inSub
	case telnetIP:
		d.line = d.line[:0]
		return interrupt
	case telnetAYT:
		return d.answer(nil, ayt)
	case telnetEC:
		d.erase()
	case telnetEL:
		d.line = d.line[:0]
	case telnetEOF:
		return ending
	}
	return nothing
}

// offer refuses every option, as the protocol asks for (RFC 1143): what we are to
// do and what the client would do. That nothing is done is not to be
// acknowledged.
func (d *decoder) offer(option byte) event {
	switch d.command {
	case telnetDO:
		if option == optionEcho && d.echoing {
			return nothing // it takes our offer
		}
		return d.answer([]byte{telnetIAC, telnetWONT, option}, nothing)
	case telnetWILL:
		return d.answer([]byte{telnetIAC, telnetDONT, option}, nothing)
	}
	return nothing
}

func (d *decoder) answer(reply []byte, e event) event {
	if d.replies++; d.replies > maxReplies {
		return flooding
	}
	d.reply = append(d.reply, reply...)
	return e
}

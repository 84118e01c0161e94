package conntrack

// A State tells how far a flow has come. It sets the timeout, and who may be
// evicted.
//
//	 first packet:
//	 Data, Syn               Data
//	───────────► Unconfirmed ────► Established
//	              │  ▲    │             │
//	              │  │Syn │Fin          │Fin
//	              │  │    ▼             │
//	 Fin          │ Closing ◄───────────┘
//	───────────────► ▲
//
// Only one side of the connection is seen (the endpoint answers directly), so
// a second packet that is not a SYN is all the proof that there will be: it
// came from someone to whom the endpoint answered, or from someone who sends
// every packet twice. A SYN on an established flow may be forged and changes
// nothing. On a closing flow it is a client that uses its port again.
type State uint8

const (
	Free        State = iota // no entry
	Unconfirmed              // one packet, or SYNs: may be evicted
	Established              // confirmed
	Closing                  // FIN or RST was seen, or came first
)

// An Event is what a packet says to the state. All but TCP is Data.
type Event uint8

const (
	Data Event = iota // whatever is not one of the others
	Syn               // SYN, with ACK or not
	Fin               // FIN or RST

	events = 4 // with room, so that the index is masked and not checked
)

// step returns the state after a packet. A first packet meets Free.
func step(s State, e Event) State {
	switch {
	case e == Fin:
		return Closing
	case s == Free:
		return Unconfirmed
	case s == Unconfirmed && e == Data:
		return Established
	case s == Closing && e == Syn:
		return Unconfirmed
	}
	return s
}

// changes is step as what it flips in a mark, by event and mark.
var changes = func() (flips [events << markBits]uint8) {
	for i := range flips {
		s, e := State(i&stateMask), Event(i>>markBits)
		flips[i] = uint8(s ^ step(s, e))
	}
	return flips
}()

// change is what an event flips in a mark.
func change(mark uint32, ev Event) uint32 {
	return uint32(changes[(uint32(ev)<<markBits|mark)%uint32(len(changes))])
}

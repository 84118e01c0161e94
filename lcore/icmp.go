package lcore

import (
	"guideway/maglev/conntrack"
	"guideway/maglev/packet"
)

// related marks an item that follows a flow without being part of it: it
// neither makes nor changes nor refreshes an entry of the connection table.
const related conntrack.Event = 0xff

// relate fills it from an ICMP packet. An error about a packet that a backend
// sent comes to the VIP, the packet's source; it goes to the backend that has
// the flow inside, as that flow's own packets do. What is quoted must be from
// the address that the error is sent to: nobody can steer an error into
// another VIP's flows.
func (w *Worker) relate(frame []byte, it *item, h *packet.Headers) Verdict {
	if !w.snapshot.Serves(&it.key) {
		return NotVIP
	}
	if !packet.ICMPError(frame, h) {
		return ICMPDropped
	}
	var q packet.Headers
	if !packet.Quoted(frame, h, &q) {
		return ICMPUnreadable
	}
	hi, lo := it.key.DstHi, it.key.DstLo
	it.key.ReadQuoted(frame, &q)
	if it.key.DstHi != hi || it.key.DstLo != lo {
		return ICMPMismatch
	}
	v := w.match(it, h)
	it.event = related
	return v
}

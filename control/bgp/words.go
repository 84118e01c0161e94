package bgp

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"
)

// noConnection says why a TCP connection to the peer failed, as far as this
// side can know.
func (p peer) noConnection(err string) string {
	to := fmt.Sprintf("port %d", p.Port)
	switch {
	case strings.Contains(err, "i/o timeout"):
		// A SYN without the right signature, or from further away than GTSM
		// allows, is dropped in silence.
		why := "the router is down, or something filters"
		if p.password != "" {
			why += ", or the passwords differ"
		}
		switch {
		case p.TTLSecurity > 0:
			why += fmt.Sprintf(", or the answer made more than ttl_security = %d hops", p.TTLSecurity)
		case p.near():
			why += ", or it wants ttl_security"
		}
		return "no answer to TCP SYN to " + to + ": " + why
	case strings.Contains(err, "connection refused"):
		return "TCP to " + to + " was refused: no BGP listens there, or not to this node"
	case strings.Contains(err, "no route to host"):
		why := "no route to host: the next hop does not answer ARP or ND, or a router on the way has none"
		if p.near() {
			why += ", or it is more than one hop away and needs multihop"
		}
		return why
	case strings.Contains(err, "network is unreachable"):
		return "the kernel has no route to it"
	case strings.Contains(err, "cannot assign requested address"):
		return fmt.Sprintf("local_address %s is on no interface of this machine", p.LocalAddress)
	case strings.Contains(err, "connection reset"):
		return "the router reset the TCP connection: it does not take this node as a neighbour"
	}
	return "no TCP connection: " + err
}

// near says that packets to the peer leave with a TTL of 1.
func (p peer) near() bool { return !p.inside && p.Multihop == 0 && p.TTLSecurity == 0 }

// What a router does that has not what we have.
const (
	closedOnUs = "the router closed the connection without a word: it does not take this node as a neighbour, or knows it by another address"
	refusedUs  = "the router refused our OPEN, and does not say to us why: compare the AS numbers on both sides, and the router's log"
)

// notOpened puts gobgp's reason for the end of what was no session yet into
// words; empty: what there is to say has been said.
func notOpened(reason string) string {
	switch reason {
	case "invalid-msg":
		return refusedUs
	case "read-failed", "write-failed":
		return closedOnUs
	}
	return ""
}

// closedHere begins what is said of sessions that this node ended.
const closedHere = "closed by this node"

// lost puts gobgp's reason for the end of a session into words.
func lost(reason string) string {
	switch reason {
	case "read-failed":
		return "the TCP connection was closed or reset by the router, or on the way"
	case "write-failed":
		return "the TCP connection broke: nothing can be sent"
	case "hold-timer-expired":
		return "hold timer expired"
	case "admin-down", "unknown", "dying":
		return closedHere
	case "graceful-restart":
		return "the TCP connection was lost; the router keeps our routes (graceful restart)"
	}
	return reason
}

// sentNotification says what we did not like.
func sentNotification(l line) string {
	code, sub := l.number("Code"), l.number("Subcode")
	switch {
	case code == bgp.BGP_ERROR_OPEN_MESSAGE_ERROR && sub == bgp.BGP_ERROR_SUB_BAD_PEER_AS:
		return "the router is of another AS than bgp.peer.asn says"
	case code == bgp.BGP_ERROR_OPEN_MESSAGE_ERROR && sub == bgp.BGP_ERROR_SUB_BAD_BGP_IDENTIFIER:
		return "the router has our router ID"
	case code == bgp.BGP_ERROR_FSM_ERROR:
		return refusedUs // it answered by something else than an OPEN, which is a NOTIFICATION as a rule
	case code == bgp.BGP_ERROR_HOLD_TIMER_EXPIRED:
		return "hold timer: nothing was heard"
	case code == bgp.BGP_ERROR_CEASE && sub == bgp.BGP_ERROR_SUB_OTHER_CONFIGURATION_CHANGE:
		return closedHere + ": its settings have changed"
	}
	return closedHere + ": " + notification(code, sub, l.text("Communicated-Reason"))
}

// receivedNotification says what the router did not like.
func receivedNotification(l line) string {
	return "the router closed the session: " + notification(l.number("Code"), l.number("Subcode"), l.text("Communicated-Reason"))
}

// notification names a NOTIFICATION by the words of RFC 4271, section 6, and of
// RFC 4486, with the operator's own (RFC 9003) if there are some.
func notification(code, sub uint8, communicated string) string {
	text := bgp.NewNotificationErrorCode(code, sub).String() // "code 6(cease) subcode 4(administrative reset)"
	if m := parts.FindStringSubmatch(text); m != nil {
		text = m[1] + ", " + m[2]
	}
	if communicated != "" {
		text += fmt.Sprintf(" (%q)", communicated)
	}
	return text
}

var parts = regexp.MustCompile(`^code \d+\((.+)\) subcode \d+\((.+)\)$`)

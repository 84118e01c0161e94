package bgp

import (
	"context"
	"log/slog"
	"net/netip"
	"slices"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"
)

// gobgpLog takes gobgp's log. What a line says of a peer's session becomes part
// of what we know of it: gobgp tells the reasons nowhere else. Should it change
// its lines, we lose words and nothing more. The rest is passed on, its
// everyday lines (info) as details (debug).
type gobgpLog struct {
	sessions *sessions
	log      *slog.Logger
	attrs    []slog.Attr
}

// Enabled takes everything: reasons are told at all levels.
func (h *gobgpLog) Enabled(context.Context, slog.Level) bool { return true }

func (h *gobgpLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &gobgpLog{h.sessions, h.log, slices.Concat(h.attrs, attrs)}
}

// WithGroup is not used by gobgp.
func (h *gobgpLog) WithGroup(string) slog.Handler { return h }

func (h *gobgpLog) Handle(ctx context.Context, r slog.Record) error {
	l := line{message: r.Message, values: map[string]slog.Value{}}
	attrs := slices.Clone(h.attrs)
	r.Attrs(func(a slog.Attr) bool {
		attrs = append(attrs, a)
		return true
	})
	for _, a := range attrs {
		l.values[a.Key] = a.Value
	}
	address, ofPeer := l.peer()
	if ofPeer && h.sessions.read(address, l) {
		return nil
	}
	level := r.Level
	if level == slog.LevelInfo {
		level = slog.LevelDebug
	}
	if !h.log.Enabled(ctx, level) {
		return nil
	}
	args := []any{"said", r.Message}
	if ofPeer {
		args = append(args, "peer", address)
	}
	for _, a := range attrs {
		if a.Key != "Topic" && a.Key != "Key" {
			args = append(args, a)
		}
	}
	h.log.Log(ctx, level, "gobgp", args...)
	return nil
}

// line is one of gobgp's log.
type line struct {
	message string
	values  map[string]slog.Value
}

func (l line) text(key string) string {
	if v, ok := l.values[key]; ok {
		return v.String()
	}
	return ""
}

func (l line) number(key string) uint8 {
	if v, ok := l.values[key]; ok && v.Kind() == slog.KindInt64 {
		return uint8(v.Int64())
	}
	return 0
}

// peer is whom the line is about, if it is about one.
func (l line) peer() (netip.Addr, bool) {
	key := "Key"
	if l.text("Topic") == "bfd" {
		key = "Peer"
	}
	a, err := netip.ParseAddr(l.text(key))
	return a, err == nil
}

// read takes a line about a peer; told says that it need not be passed on, as
// we tell the same in our own words.
func (s *sessions) read(address netip.Addr, l line) (told bool) {
	say := func(text string) func(peer) string { return func(peer) string { return text } }
	if l.text("Topic") == "bfd" {
		switch l.message {
		case "Expired":
			s.learn(address, cause, say("BFD: the router is not heard any more"))
		case "Remote peer signaled BFD down":
			s.learn(address, cause, say("BFD: the router says that it does not hear us, or that it stops"))
		case "Set state to UP":
			s.poke()
		case "Set state to DOWN": // which is said after it has acted on that
			s.wear(address)
			s.poke()
		default:
			return false
		}
		return true
	}
	switch l.message {
	case "Peer Up":
		s.forget(address)
	case "Peer Down":
		s.learn(address, ended, say(lost(l.text("Reason"))))
	case "hold timer expired":
		s.learn(address, cause, func(p peer) string { return "hold timer: nothing was heard for " + p.HoldTime.String() })
	case "sent notification":
		n := failed
		if l.text("State") == established {
			n = cause
		}
		s.learn(address, n, say(sentNotification(l)))
	case "received notification":
		s.learn(address, cause, say(receivedNotification(l)))
	case "prefix limit reached":
		s.flood(address, l.text("Pct") == "")
	case "failed to connect":
		s.learn(address, failed, func(p peer) string { return p.noConnection(l.text("Error")) })
	case "outgoing connection IO error":
		s.learn(address, failed, say(closedOnUs))
	default:
		return false
	}
	return true
}

// established is how gobgp's log has that state.
var established = bgp.BGP_FSM_ESTABLISHED.String()

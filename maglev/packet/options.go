package packet

// Options of IPv4, RFC 791, 3.1, and TCP, RFC 9293, 3.1, are built alike: one
// byte for the two below; the others have a second with their length, both
// included.
const (
	optionEnd  = 0
	optionNoOp = 1
)

// optionLen returns how long the option is that the list b begins with, in
// bytes; the end of the list takes all of b. It is 0 where that cannot be told.
// b is not empty.
func optionLen(b []byte) int {
	switch {
	case b[0] == optionEnd:
		return len(b)
	case b[0] == optionNoOp:
		return 1
	case len(b) < 2 || b[1] < 2 || int(b[1]) > len(b):
		return 0
	}
	return int(b[1])
}

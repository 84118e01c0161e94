package packet

// GRE, RFC 2784, 2, with nothing optional; over IPv6, RFC 7676:
//
//	+-+---------------------+-------+-------------------------------+
//	|C|      Reserved0      |  Ver  |         Protocol Type         |
//	+-+---------------------+-------+-------------------------------+
const (
	GRELen = 4

	greProtocol = 2
)

// PutGRE writes a header for an inner packet of the given EtherType to the
// start of b.
func PutGRE(b []byte, inner uint16) {
	put16(b, 0)
	put16(b[greProtocol:], inner)
}

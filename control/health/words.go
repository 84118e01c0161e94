package health

import (
	"errors"
	"io"
	"net"
	"strings"
)

// inWords is what went wrong, without what everybody knows: which operation of
// which library on which address.
func inWords(err error) error {
	if words := tlsWords(err); words != "" {
		return errors.New(words)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errClosed
	}
	var op *net.OpError
	if errors.As(err, &op) {
		err = op.Err
	}
	words := err.Error()
	for _, library := range []string{"tls: ", "http2: ", "net/http: ", "dns: "} {
		words = strings.TrimPrefix(words, library)
	}
	return errors.New(words)
}

var errClosed = errors.New("connection closed before the answer was whole")

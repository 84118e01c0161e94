package health

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"

	"google.golang.org/protobuf/encoding/protowire"
)

// The health service of gRPC (grpc.health.v1, grpc/health.proto):
//
//	message HealthCheckRequest  { string service = 1; }
//	message HealthCheckResponse { ServingStatus status = 1; }
//
// and how it is framed (gRPC over HTTP/2): each message has a header of five
// octets, a flag for compression and the length; how the call ended is in the
// trailers.
const (
	grpcPath   = "/grpc.health.v1.Health/Check"
	grpcHeader = 5
	grpcField  = protowire.Number(1)
	longStatus = 4 << 10 // bytes of an answer that are looked at
)

// servings are the values of ServingStatus.
var servings = [...]string{"UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"}

const serving = 1

// grpcCodes are the codes that a server or something before it has reason to
// give (google.golang.org/grpc/codes).
var grpcCodes = map[string]string{
	"2": "UNKNOWN", "4": "DEADLINE_EXCEEDED", "5": "NOT_FOUND", "7": "PERMISSION_DENIED", "8": "RESOURCE_EXHAUSTED",
	"12": "UNIMPLEMENTED", "13": "INTERNAL", "14": "UNAVAILABLE", "16": "UNAUTHENTICATED",
}

func askGRPC(ctx context.Context, q *inquiry) error {
	c := q.target.Check
	var conn net.Conn
	var err error
	scheme := "http"
	if c.Secure.On {
		conn, err = q.secure(ctx, "h2")
		scheme = "https"
	} else {
		conn, err = q.connect(ctx, "tcp")
	}
	if err != nil {
		return err
	}
	return q.overHTTP2(ctx, conn, func(trip roundTrip) error {
		body := healthRequest(c.Service)
		answer, err := trip((&http.Request{
			Method: http.MethodPost, URL: &url.URL{Scheme: scheme, Host: q.name(0), Path: grpcPath}, ProtoMajor: 2,
			Header:        http.Header{"Content-Type": {"application/grpc"}, "Te": {"trailers"}, "User-Agent": {userAgent}},
			ContentLength: int64(len(body)), Body: io.NopCloser(bytes.NewReader(body)),
		}).WithContext(ctx))
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			return fmt.Errorf("status %d, which is not gRPC", answer.StatusCode)
		}
		message, err := io.ReadAll(io.LimitReader(answer.Body, longStatus))
		if err != nil {
			return err
		}
		return assessGRPC(answer, message)
	})
}

// healthRequest is the message with its header.
func healthRequest(service string) []byte {
	b := make([]byte, grpcHeader, grpcHeader+2+len(service))
	if service != "" {
		b = protowire.AppendTag(b, grpcField, protowire.BytesType)
		b = protowire.AppendString(b, service)
	}
	binary.BigEndian.PutUint32(b[1:], uint32(len(b)-grpcHeader))
	return b
}

// assessGRPC judges an answer whose body was read.
func assessGRPC(answer *http.Response, message []byte) error {
	code, words := answer.Trailer.Get("Grpc-Status"), answer.Trailer.Get("Grpc-Message")
	if code == "" { // without messages the trailers are headers
		code, words = answer.Header.Get("Grpc-Status"), answer.Header.Get("Grpc-Message")
	}
	switch {
	case code == "":
		return errors.New("no gRPC status in the answer")
	case code != "0":
		name := grpcCodes[code]
		if name == "" {
			name = "status " + quote(code)
		}
		if words != "" {
			if plain, err := url.PathUnescape(words); err == nil {
				words = plain
			}
			name += ": " + quote(words)
		}
		return errors.New("gRPC " + name)
	}
	status, err := healthStatus(message)
	switch {
	case err != nil:
		return err
	case status == serving:
		return nil
	case status < uint64(len(servings)):
		return errors.New("it says " + servings[status])
	}
	return fmt.Errorf("it says status %d, which we do not know", status)
}

var errNoStatus = errors.New("answered what is no HealthCheckResponse")

// healthStatus reads the one message of an answer. A status that is left out is
// the first, as always with protocol buffers.
func healthStatus(b []byte) (status uint64, err error) {
	if len(b) < grpcHeader || b[0] != 0 || uint64(binary.BigEndian.Uint32(b[1:])) != uint64(len(b)-grpcHeader) {
		return 0, errNoStatus
	}
	for b = b[grpcHeader:]; len(b) > 0; {
		field, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return 0, errNoStatus
		}
		b = b[n:]
		if field == grpcField && kind == protowire.VarintType {
			if status, n = protowire.ConsumeVarint(b); n < 0 {
				return 0, errNoStatus
			}
		} else if n = protowire.ConsumeFieldValue(field, kind, b); n < 0 {
			return 0, errNoStatus
		}
		b = b[n:]
	}
	return status, nil
}

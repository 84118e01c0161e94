package health

import (
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	server "google.golang.org/grpc/health"
	pb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/protobuf/proto"
)

// grpcServer is the health service that grpc-go comes with.
func grpcServer(t testing.TB, options ...grpc.ServerOption) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := server.NewServer()
	h.SetServingStatus("well", pb.HealthCheckResponse_SERVING)
	h.SetServingStatus("unwell", pb.HealthCheckResponse_NOT_SERVING)
	s := grpc.NewServer(options...)
	pb.RegisterHealthServer(s, h)
	go s.Serve(l)
	t.Cleanup(s.Stop)
	return l.Addr().(*net.TCPAddr).AddrPort()
}

// handler is an HTTP/2 server that is no gRPC server, or not quite.
func handler(t testing.TB, h http.HandlerFunc) netip.AddrPort {
	t.Helper()
	var p http.Protocols
	p.SetUnencryptedHTTP2(true)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Protocols: &p, Handler: h}
	go s.Serve(l)
	t.Cleanup(func() { s.Close() })
	return l.Addr().(*net.TCPAddr).AddrPort()
}

// answers sends a body and trailers.
func answers(body, status, message string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Trailer", "Grpc-Status, Grpc-Message")
		b, err := hex.DecodeString(body)
		if err != nil {
			panic(err)
		}
		w.Write(b)
		w.Header().Set("Grpc-Status", status)
		w.Header().Set("Grpc-Message", message)
	}
}

func TestGRPC(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t, "Test CA")
	ca.server("a.example")
	cert, err := tls.LoadX509KeyPair(ca.pem("a.example"), ca.keyOf("a.example"))
	if err != nil {
		t.Fatal(err)
	}
	plain := grpcServer(t)
	secure := grpcServer(t, grpc.Creds(credentials.NewServerTLSFromCert(&cert)))
	ours := Secure{On: true, CAFile: ca.pem("Test CA"), ServerName: "a.example"}
	bare := grpc.NewServer()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go bare.Serve(l)
	t.Cleanup(bare.Stop)
	for _, c := range []struct {
		what  string
		at    netip.AddrPort
		check Check
		want  string
	}{
		{"the server", plain, Check{}, ""},
		{"a service", plain, Check{Service: "well"}, ""},
		{"a service that is not well", plain, Check{Service: "unwell"}, "it says NOT_SERVING"},
		{"no such service", plain, Check{Service: "none"}, `gRPC NOT_FOUND: "unknown service"`},
		{"TLS", secure, Check{Service: "well", Secure: ours}, ""},
		{"TLS, another name", secure, Check{Secure: Secure{On: true, CAFile: ours.CAFile, ServerName: "b.example"}}, "certificate is for a.example, not b.example"},
		{"no health service", l.Addr().(*net.TCPAddr).AddrPort(), Check{}, `gRPC UNIMPLEMENTED: "unknown service grpc.health.v1.Health"`},
		{"no gRPC", handler(t, http.NotFound), Check{}, "status 404, which is not gRPC"},
		{"no gRPC status", handler(t, func(http.ResponseWriter, *http.Request) {}), Check{}, "no gRPC status in the answer"},
		{"hangs", serve(t, hang), Check{}, "connected, but no answer within 300ms"},
		{"hangs later", handler(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }), Check{}, "connected, but no answer within 300ms"},
		{"resets", serve(t, reset), Check{}, "connection reset by peer"},
		{"nobody there", nobody(t), Check{}, "connection refused"},
		{"a status left out", handler(t, answers("0000000006"+"1204abcdef01", "0", "")), Check{}, "it says UNKNOWN"},
		{"serving, with more", handler(t, answers("0000000008"+"0801"+"1204abcdef01", "0", "")), Check{}, ""},
		{"a status of the future", handler(t, answers("0000000002"+"0809", "0", "")), Check{}, "it says status 9, which we do not know"},
		{"nothing", handler(t, answers("", "0", "")), Check{}, "answered what is no HealthCheckResponse"},
		{"garbage", handler(t, answers("0000000002"+"08ff", "0", "")), Check{}, "answered what is no HealthCheckResponse"},
		{"compressed", handler(t, answers("0100000002"+"0801", "0", "")), Check{}, "answered what is no HealthCheckResponse"},
		{"a strange code", handler(t, answers("", "99", "50%25 lost")), Check{}, `gRPC status "99": "50% lost"`},
	} {
		c.check.Type = GRPC
		holds(t, c.what, inquire(t, tcpTarget(c.at, c.check)), c.want)
	}
}

// TestHealthRequest: as protobuf itself writes it.
func TestHealthRequest(t *testing.T) {
	for _, service := range []string{"", "well", string(make([]byte, 300))} {
		want, err := proto.Marshal(&pb.HealthCheckRequest{Service: service})
		if err != nil {
			t.Fatal(err)
		}
		header := fmt.Sprintf("00%08x", len(want))
		if got := hex.EncodeToString(healthRequest(service)); got != header+hex.EncodeToString(want) {
			t.Errorf("%q: %s, want %s%x", service, got, header, want)
		}
	}
}

// FuzzHealthStatus holds what we read against what protobuf does.
func FuzzHealthStatus(f *testing.F) {
	for _, s := range []string{"", "\x08\x01", "\x08\x01\x08\x02", "\x12\x01x\x08\x03", "\x0a\x01\x01", "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		framed := append([]byte{0, 0, byte(len(b) >> 16), byte(len(b) >> 8), byte(len(b))}, b...)
		got, err := healthStatus(framed)
		var m pb.HealthCheckResponse
		want := proto.Unmarshal(b, &m)
		if len(b) < 1<<24 && want == nil && (err != nil || int32(got) != int32(m.Status)) {
			t.Errorf("% x: %d, %v, want %d", b, got, err, m.Status)
		}
		if want != nil && err == nil && got == serving && m.Status != serving {
			t.Errorf("% x passes, but is broken: %v", b, want)
		}
	})
}

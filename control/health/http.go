package health

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
)

const (
	userAgent  = "guideway-health"
	longHeader = 64 << 10 // bytes of an answer before its body
	informal   = 8        // answers of 1xx before the real one
)

// askHTTP asks once, and follows nothing.
func askHTTP(ctx context.Context, q *inquiry) error {
	c := q.target.Check
	var conn net.Conn
	var err error
	switch {
	case c.Type == HTTP:
		conn, err = q.connect(ctx, "tcp")
	case c.HTTP2:
		conn, err = q.secure(ctx, "h2")
	default:
		conn, err = q.secure(ctx, "http/1.1")
	}
	if err != nil {
		return err
	}
	if c.HTTP2 {
		err = q.overHTTP2(ctx, conn, func(trip roundTrip) error {
			request, err := q.request(ctx)
			if err != nil {
				return ourFault{err}
			}
			answer, err := trip(request)
			if err != nil {
				return err
			}
			defer answer.Body.Close()
			return q.assess(answer)
		})
		return err
	}
	return q.overHTTP1(conn)
}

// overHTTP1 does what a http.Transport does, without the two goroutines and the
// pool of connections, which would be ended again at once.
func (q *inquiry) overHTTP1(conn net.Conn) error {
	c := q.target.Check
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: %s\r\nAccept: */*\r\nConnection: close\r\n\r\n", c.Method, c.Path, q.host(), userAgent)
	if _, err := conn.Write(b.Bytes()); err != nil {
		return err
	}
	bounded := &io.LimitedReader{R: conn, N: longHeader}
	r := bufio.NewReader(bounded)
	first, err := r.Peek(5)
	if err != nil && len(first) == 0 {
		return err
	}
	if !strings.HasPrefix("HTTP/", string(first)) {
		rest, _ := r.Peek(r.Buffered())
		return fmt.Errorf("answered %s, which is not HTTP/1", quote(string(rest)))
	}
	for range informal {
		answer, err := http.ReadResponse(r, &http.Request{Method: c.Method})
		switch {
		case err != nil && bounded.N == 0:
			return fmt.Errorf("a header of more than %d KiB", longHeader>>10)
		case err != nil:
			return err
		case answer.StatusCode/100 == 1 && answer.StatusCode != http.StatusSwitchingProtocols:
			continue
		}
		defer answer.Body.Close()
		bounded.N += 2 * longAnswer // chunks have headers, too
		return q.assess(answer)
	}
	return errors.New("nothing but provisional answers")
}

// request is the same for HTTP/2.
func (q *inquiry) request(ctx context.Context) (*http.Request, error) {
	c := q.target.Check
	scheme := "http"
	if c.Type == HTTPS {
		scheme = "https"
	}
	target, err := url.ParseRequestURI(c.Path)
	if err != nil {
		return nil, err
	}
	target.Scheme, target.Host = scheme, q.host()
	r := (&http.Request{
		Method: c.Method, URL: target, Host: q.host(), Proto: "HTTP/2.0", ProtoMajor: 2,
		Header: http.Header{"User-Agent": {userAgent}, "Accept": {"*/*"}},
	}).WithContext(ctx)
	return r, nil
}

func (q *inquiry) host() string {
	switch c := q.target.Check; {
	case c.Host != "":
		return c.Host
	case c.Type == HTTPS:
		return q.name(443)
	}
	return q.name(80)
}

// assess judges an answer by its status, its body and its weight.
func (q *inquiry) assess(answer *http.Response) error {
	c := q.target.Check
	if !c.Statuses.has(answer.StatusCode) {
		return fmt.Errorf("status %d, want %s", answer.StatusCode, c.Statuses)
	}
	var body []byte
	if c.Body != "" || c.WeightBody {
		q.stage = fmt.Sprintf("status %d, but of the body ", answer.StatusCode)
		var err error
		if body, err = io.ReadAll(io.LimitReader(answer.Body, longAnswer)); err != nil {
			return err
		}
	}
	if c.Body != "" {
		pattern, err := q.kit.body()
		if err != nil {
			return err
		}
		if !pattern.Match(body) {
			return fmt.Errorf("body %s does not match %s", quote(string(body)), quote(c.Body))
		}
	}
	if c.WeightBody {
		return q.weigh(string(body))
	}
	if c.WeightHeader != "" {
		if values := answer.Header.Values(c.WeightHeader); len(values) > 0 {
			return q.weigh(values[0])
		}
		q.unclear = "no header " + c.WeightHeader
	}
	return nil
}

// weigh takes a weight beside an answer that has passed. If it is none the
// answer still passes: what is wrong is the agent and not the service.
func (q *inquiry) weigh(text string) error {
	w, err := parseWeight(text)
	var down downError
	if errors.As(err, &down) {
		return err
	}
	if err != nil {
		q.unclear = err.Error()
	}
	q.weight = w
	return nil
}

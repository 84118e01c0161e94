package health

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"

	"github.com/miekg/dns"
)

// askDNS asks by UDP (RFC 1035), and by TCP when the answer was cut and more
// than its code is wanted.
func askDNS(ctx context.Context, q *inquiry) error {
	c := q.target.Check
	query, id, err := dnsQuery(c)
	if err != nil {
		return ourFault{err}
	}
	conn, err := q.connect(ctx, "udp")
	if err != nil {
		return err
	}
	if _, err := conn.Write(query); err != nil {
		return err
	}
	buf := make([]byte, dnsSize)
	var answer *dns.Msg
	for {
		n, err := conn.Read(buf)
		if err != nil {
			return err
		}
		// What comes late, or from someone who guesses, has another number.
		if n < 2 || binary.BigEndian.Uint16(buf) != id {
			continue
		}
		if answer, err = dnsAnswer(buf[:n], id, c); err != nil {
			return err
		}
		break
	}
	if answer.Truncated && c.Answer != "" {
		if answer, err = q.byTCP(ctx, query, id); err != nil {
			return err
		}
	}
	return assessDNS(answer, c)
}

// dnsSize is how large an answer may be by UDP: what crosses any way whole.
const dnsSize = 1232

// byTCP asks again: each message has its length before it.
func (q *inquiry) byTCP(ctx context.Context, query []byte, id uint16) (*dns.Msg, error) {
	conn, err := q.connect(ctx, "tcp")
	if err != nil {
		return nil, err
	}
	q.stage = "answered by UDP that it is more; by TCP "
	if _, err := conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(query))), query...)); err != nil {
		return nil, err
	}
	b, err := readMessage(conn)
	if err != nil {
		return nil, err
	}
	return dnsAnswer(b, id, q.target.Check)
}

func readMessage(conn net.Conn) ([]byte, error) {
	var length [2]byte
	if _, err := io.ReadFull(conn, length[:]); err != nil {
		return nil, err
	}
	b := make([]byte, binary.BigEndian.Uint16(length[:]))
	_, err := io.ReadFull(conn, b)
	return b, err
}

// dnsQuery is the question with a number that nobody can know.
func dnsQuery(c Check) ([]byte, uint16, error) {
	m := new(dns.Msg)
	m.SetQuestion(dns.Fqdn(c.Query), c.Record)
	m.Id = uint16(rand.Uint32())
	m.SetEdns0(dnsSize, false)
	b, err := m.Pack()
	if err != nil {
		err = fmt.Errorf("query %s: %w", quote(c.Query), err)
	}
	return b, m.Id, err
}

// dnsAnswer reads an answer to our question.
func dnsAnswer(b []byte, id uint16, c Check) (*dns.Msg, error) {
	m := new(dns.Msg)
	switch err := m.Unpack(b); {
	case err != nil:
		return nil, errors.New("answered what is no DNS message")
	case !m.Response || m.Id != id:
		return nil, errors.New("answered a DNS message that is no answer")
	// A refusal need not repeat the question.
	case len(m.Question) > 1, len(m.Question) == 1 && (!strings.EqualFold(m.Question[0].Name, dns.Fqdn(c.Query)) || m.Question[0].Qtype != c.Record):
		return nil, errors.New("answered another question")
	}
	return m, nil
}

// assessDNS judges an answer by its code and its records.
func assessDNS(m *dns.Msg, c Check) error {
	if m.Rcode != int(c.Rcode) {
		return fmt.Errorf("%s, want %s", rcode(m.Rcode), rcode(int(c.Rcode)))
	}
	if c.Answer == "" {
		return nil
	}
	var others []string
	for _, r := range m.Answer {
		if r.Header().Rrtype != c.Record {
			continue
		}
		data := strings.TrimPrefix(r.String(), r.Header().String())
		if strings.EqualFold(data, c.Answer) || strings.EqualFold(data, dns.Fqdn(c.Answer)) {
			return nil
		}
		others = append(others, data)
	}
	if len(others) == 0 {
		return fmt.Errorf("no record of type %s, want %s", dns.TypeToString[c.Record], quote(c.Answer))
	}
	return fmt.Errorf("answered %s, want %s", quote(strings.Join(others, ", ")), quote(c.Answer))
}

func rcode(code int) string {
	if name := dns.RcodeToString[code]; name != "" {
		return name
	}
	return fmt.Sprintf("RCODE%d", code)
}

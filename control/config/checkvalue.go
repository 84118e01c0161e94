package config

import (
	"encoding/hex"
	"fmt"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// RecordType is a type of DNS record, by its number.
type RecordType uint16

// recordTypes are those that have been of use in checks.
var recordTypes = map[string]RecordType{
	"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28, "SRV": 33, "HTTPS": 65,
}

func (r RecordType) String() string {
	for name, n := range recordTypes {
		if n == r {
			return name
		}
	}
	return strconv.Itoa(int(r))
}

func recordType(v *value) (RecordType, error) {
	s, err := text(v)
	if err != nil {
		return 0, err
	}
	if r, ok := recordTypes[s]; ok {
		return r, nil
	}
	names := slices.Sorted(maps.Keys(recordTypes))
	return 0, fmt.Errorf("%q is none of %s%s", s, quoted(names), didYouMean(s, names))
}

// Rcode is a response code of DNS, by its number.
type Rcode uint8

var rcodeNames = []string{"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"}

func (r Rcode) String() string { return rcodeNames[r] }

// octets accepts text as it is, and "hex:" with octets in hexadecimal digits.
func octets(v *value) (string, error) {
	s, err := text(v)
	if err != nil {
		return "", err
	}
	digits, isHex := strings.CutPrefix(s, "hex:")
	if !isHex {
		return s, nil
	}
	b, err := hex.DecodeString(strings.ReplaceAll(digits, " ", ""))
	if err != nil {
		return "", fmt.Errorf("%q: after hex: come pairs of hexadecimal digits, as in \"hex:00 ff\"", s)
	}
	return string(b), nil
}

func urlPath(v *value) (string, error) {
	s, err := text(v)
	if err != nil {
		return "", err
	}
	if !strings.HasPrefix(s, "/") || strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || c == 0x7f }) {
		return "", fmt.Errorf("%q is not a path: it starts with / and has no spaces", s)
	}
	return s, nil
}

// method accepts the methods whose answer says anything of a service.
func method(v *value) (string, error) {
	names := []string{"GET", "HEAD", "OPTIONS", "POST"}
	s, err := text(v)
	if err == nil && !slices.Contains(names, s) {
		err = fmt.Errorf("%q is none of %s%s", s, quoted(names), didYouMean(s, names))
	}
	return s, err
}

var (
	hostShape   = regexp.MustCompile(`^([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?$`)
	nameShape   = regexp.MustCompile(`^([A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.)*[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.?$`)
	headerShape = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")
)

// hostHeader accepts what a Host header may be (RFC 9110 section 7.2).
func hostHeader(v *value) (string, error) {
	return shaped(v, hostShape, "a host name or an address (IPv6 in brackets), with its port if it is not the usual one")
}

// headerName accepts a field name (RFC 9110 section 5.1).
func headerName(v *value) (string, error) { return shaped(v, headerShape, "the name of a header") }

// dnsName accepts a name that can be asked for (RFC 1035 section 3.1).
func dnsName(v *value) (string, error) {
	if v.kind == kindString && v.text == "." {
		return v.text, nil
	}
	return shaped(v, nameShape, "a name, as in \"www.example.org\"")
}

// serverName accepts whom a certificate may be for.
func serverName(v *value) (string, error) {
	if _, err := netip.ParseAddr(v.text); v.kind == kindString && err == nil {
		return v.text, nil
	}
	return shaped(v, nameShape, "a host name, without a port")
}

func shaped(v *value, shape *regexp.Regexp, what string) (string, error) {
	s, err := text(v)
	if err == nil && (len(s) > 253 || !shape.MatchString(s)) {
		err = fmt.Errorf("%q is not %s", s, what)
	}
	return s, err
}

// pattern accepts a regular expression.
func pattern(v *value) (string, error) {
	s, err := text(v)
	if err != nil {
		return "", err
	}
	if _, err := regexp.Compile(s); err != nil {
		return "", fmt.Errorf("%q is not a regular expression (RE2): %s", s, strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	return s, nil
}

// statuses is a range of HTTP status codes.
type statuses struct{ first, last int }

// statusRange accepts 200 and "200-299".
func statusRange(v *value) (statuses, error) {
	if v.kind != kindString {
		n, err := number[int](100, 599)(v)
		return statuses{n, n}, err
	}
	first, last, found := strings.Cut(v.text, "-")
	lo, err1 := strconv.Atoi(first)
	hi, err2 := strconv.Atoi(last)
	if !found || err1 != nil || err2 != nil || lo < 100 || hi > 599 || lo > hi {
		return statuses{}, fmt.Errorf("%q is neither a status code nor a range of them, as in 200 or \"200-299\", from 100 to 599", v.text)
	}
	return statuses{lo, hi}, nil
}

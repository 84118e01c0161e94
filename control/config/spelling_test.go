package config

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestSpellings reads one configuration in the ways that TOML has for it.
func TestSpellings(t *testing.T) {
	const end = "\n[[vip]]\nname = 'v'\naddress = '203.0.113.10'\nports = ['80']\npools = ['p']\n"
	want := parse(t, head+"[conntrack]\nflows_per_core = 4096\n[conntrack.timeout]\nudp = '5s'\n"+
		"[[pool]]\nname = 'p'\nbackends = [{ address = '10.0.0.1' }, { address = '10.0.0.2', weight = 7 }]\n"+
		"[bgp]\nasn = 64512\n[[bgp.peer]]\naddress = '192.0.2.1'\nasn = 64500\n"+end)
	for name, data := range map[string]string{
		"a table after its own": head + "[conntrack.timeout]\nudp = '5s'\n[conntrack]\nflows_per_core = 0b1_0000_0000_0000\n" +
			"[[pool]]\nname = 'p'\nbackends = [\n  { address = '10.0.0.1', }, # first\n\n  { address = '10.0.0.2', weight = 0x7 },\n]\n" +
			"[[bgp.peer]]\naddress = '192.0.2.1'\nasn = 64_500\n[bgp]\nasn = 64512\n" + end,
		"dotted and inline": "conntrack.flows_per_core = 4096\nconntrack.timeout.udp = '5s'\n" +
			"bgp = { asn = 64512, peer = [{ address = '192.0.2.1', asn = 64500 }] }\n" + head +
			"[[pool]]\n\"name\" = \"\\u0070\"\n[[pool.backends]]\naddress = '10.0.0.1'\n[[pool.backends]]\naddress = '10.0.0.2'\nweight = +7\n" + end,
	} {
		if diff := cmp.Diff(want, parse(t, data), plainC); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
	}
}

// TestNames takes each word of an enum and of the BGP communities there and
// back.
func TestNames(t *testing.T) {
	str := func(s string) *value { return &value{kind: kindString, text: s} }
	for _, c := range []struct {
		names []string
		back  func(string) (string, error)
	}{
		{idleNames, func(s string) (string, error) { v, err := oneOf[Idle](idleNames)(str(s)); return v.String(), err }},
		{steeringNames, func(s string) (string, error) {
			v, err := oneOf[Steering](steeringNames)(str(s))
			return v.String(), err
		}},
		{tooBigNames, func(s string) (string, error) { v, err := oneOf[TooBig](tooBigNames)(str(s)); return v.String(), err }},
		{icmpSourceNames, func(s string) (string, error) {
			v, err := oneOf[ICMPSource](icmpSourceNames)(str(s))
			return v.String(), err
		}},
		{closedPortNames, func(s string) (string, error) {
			v, err := oneOf[ClosedPort](closedPortNames)(str(s))
			return v.String(), err
		}},
		{stateNames, func(s string) (string, error) { v, err := oneOf[State](stateNames)(str(s)); return v.String(), err }},
		{checkTypeNames, func(s string) (string, error) {
			v, err := oneOf[CheckType](checkTypeNames)(str(s))
			return v.String(), err
		}},
		{viaNames, func(s string) (string, error) { v, err := oneOf[Via](viaNames)(str(s)); return v.String(), err }},
		{hashNames, func(s string) (string, error) { v, err := oneOf[Hash](hashNames)(str(s)); return v.String(), err }},
		{echoNames, func(s string) (string, error) { v, err := oneOf[Echo](echoNames)(str(s)); return v.String(), err }},
		{whenDownNames, func(s string) (string, error) {
			v, err := oneOf[WhenDown](whenDownNames)(str(s))
			return v.String(), err
		}},
		{protocolNames, func(s string) (string, error) { v, err := protocol(str(s)); return v.String(), err }},
		{[]string{"64512:100", "0:65535", "4200000000:1:4294967295"}, func(s string) (string, error) { v, err := community(str(s)); return v.String(), err }},
		{[]string{"2", "50%"}, func(s string) (string, error) { v, err := minHealthy(str(s)); return v.String(), err }},
	} {
		for _, name := range c.names {
			if got, err := c.back(name); got != name || err != nil {
				t.Errorf("%q comes back as %q, %v", name, got, err)
			}
		}
	}
}

func TestNearest(t *testing.T) {
	keys := []string{"name", "address", "addresses", "mtu", "vlan", "next_hop_mac"}
	for word, want := range map[string]string{
		"adress": "address", "adresses": "addresses", "Name": "name", "mut": "mtu", "addr": "address",
		"next_hop": "next_hop_mac", "nexthopmac": "next_hop_mac", "x": "", "weight": "", "": "",
	} {
		if got := nearest(word, keys); got != want {
			t.Errorf("nearest(%q) = %q, want %q", word, got, want)
		}
	}
}

func TestPrime(t *testing.T) {
	for n, want := range map[int64]bool{-7: false, 0: false, 1: false, 2: true, 4: false, 65537: true, 655373: true, 65537 * 3: false, 16777213: true} {
		if isPrime(n) != want {
			t.Errorf("isPrime(%d) = %v", n, !want)
		}
	}
}

package fleet

import (
	"net/netip"
)

// curl gets a page of a VIP from inside the client's namespace and returns it;
// more arguments go to curl.
func (f *fleet) curl(v vip, page string, args ...string) string {
	f.t.Helper()
	argv := append([]string{"curl", "-sSfg", "--noproxy", "*", "--max-time", "10"}, args...)
	return f.run("client", append(argv, "http://"+netip.AddrPortFrom(v.addr, 80).String()+page)...)
}

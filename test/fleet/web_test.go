package fleet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// curl gets a page of a VIP from inside the client's namespace and returns it;
// more arguments go to curl.
func (f *fleet) curl(v vip, page string, args ...string) string {
	f.t.Helper()
	return f.run("client", curlCommand(v, page, args...)...)
}

func curlCommand(v vip, page string, args ...string) []string {
	argv := append([]string{"curl", "-sSfg", "--noproxy", "*", "--max-time", "20"}, args...)
	return append(argv, "http://"+netip.AddrPortFrom(v.addr, 80).String()+page)
}

// A fetch is one transfer of the large page.
type fetch struct {
	server string // that it came from
	took   time.Duration
	err    error
}

// fetch gets the large page, /big or in /slow motion, from a VIP and holds every
// byte to what it should be. It may be called from any goroutine.
func (f *fleet) fetch(v vip, from netip.Addr, path string) (r fetch) {
	dir, err := os.MkdirTemp(f.dir, "fetch-")
	if err != nil {
		return fetch{err: err}
	}
	page, head := filepath.Join(dir, "page"), filepath.Join(dir, "head")
	argv := append(inside("client"), curlCommand(v, path, "--interface", from.String(), "-o", page, "-D", head)...)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	began := time.Now()
	if out, err := exec.CommandContext(ctx, argv[0], argv[1:]...).CombinedOutput(); err != nil {
		return fetch{err: fmt.Errorf("%w: %s", err, out)}
	}
	r.took = time.Since(began)
	got, err1 := os.ReadFile(page)
	text, err2 := os.ReadFile(head)
	if r.err = errors.Join(err1, err2); r.err == nil && !bytes.Equal(got, bigBytes()) {
		r.err = fmt.Errorf("%d bytes, or others than were sent", len(got))
	}
	for line := range strings.Lines(string(text)) {
		if name, ok := strings.CutPrefix(line, "X-Backend: "); ok {
			r.server = strings.TrimSpace(name)
		}
	}
	return r
}

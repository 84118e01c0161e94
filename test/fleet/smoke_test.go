package fleet

import (
	"strings"
	"syscall"
	"testing"
)

// One node that was told no MAC address serves the web over next hops that it
// learnt, and changes its configuration while it does.
func TestSmoke(t *testing.T) {
	f := start(t, shape{nodes: 1})
	for _, v := range vips {
		if got := f.curl(v, "/"); !strings.HasPrefix(got, "b") {
			t.Errorf("%s: %q", v.name, got)
		}
	}

	// With the first backend gone from the pools nothing new goes there.
	n := f.nodes[0]
	text := f.config(0)
	for _, b := range []string{server4.Addr().String(), server6.Addr().String()} {
		text = strings.ReplaceAll(text, `    { address = "`+b+`" },`+"\n", "")
	}
	n.Write(text)
	n.Signal(syscall.SIGHUP)
	n.WaitLog(`msg=reloaded`)
	for _, v := range vips {
		for range 10 {
			if got := f.curl(v, "/"); got != "b2\n" && got != "b3\n" {
				t.Errorf("%s after b1 was taken out: %q", v.name, got)
			}
		}
	}
	f.stop()
}

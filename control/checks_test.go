package control

import (
	"strings"
	"testing"
	"time"

	"guideway/control/health"
	"guideway/control/plan"
)

// Whoever is well stays so while a check that is new to it finds out, and is
// believed no longer than a verdict takes. A backend that is new itself is not.
func TestNewChecksOfWellBackends(t *testing.T) {
	silent := health.New(health.Config{}) // asks nobody: no check ever has a verdict
	silent.Close()
	bare := head + vipText("www", 1, backend(1))
	r := newRigWith(t, bare, func(o *Options) { o.Health = silent })
	r.run()
	checked := head + "[[check]]\nname = \"c\"\ntype = \"tcp\"\nport = 80\ninterval = \"200ms\"\ntimeout = \"200ms\"\nrise = 2\nfall = 2\n" +
		strings.Replace(vipText("www", 1, backend(1), backend(2)), "[[pool]]\n", "[[pool]]\ncheck = \"c\"\n", 1)
	r.write(checked)
	if err := r.manager.ReloadNow(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	v := r.manager.Status().Plan.VIPs[0]
	old, fresh := v.Backends[0], v.Backends[1]
	if v.Condition != plan.Serving || !old.Trusted || old.Health != plan.Up || fresh.Trusted || fresh.Health != plan.Unknown {
		t.Fatalf("after the reload: %v, %+v", v.Condition, v.Backends)
	}
	for deadline := time.Now().Add(20 * time.Second); r.manager.Status().Plan.VIPs[0].Condition != plan.Withdrawn; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it is trusted for good: %+v", r.manager.Status().Plan.VIPs[0])
		}
	}
}

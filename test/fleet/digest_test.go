package fleet

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
)

// Two nodes whose files say the same in another order, and who find the same
// backend dead, have one digest for every VIP: any packet has one backend at both.
func TestDigests(t *testing.T) {
	const more = `
[[check]]
name     = "ping"
type     = "icmp"
interval = "500ms"
timeout  = "500ms"

[[pool]]
name     = "weighted"
check    = "ping"
include  = ["included"]
backends = [{ address = "10.0.0.1", weight = 3 }, { address = "10.0.0.2", weight = 5, state = "drain" }, { address = "10.0.0.77" }]

[[pool]]
name     = "included"
check    = "ping"
backends = [{ address = "10.0.0.3", weight = 7 }, { address = "10.0.0.78" }]

[[vip]]
name       = "weighted"
address    = "203.0.113.50"
ports      = ["80", "8080-8090"]
pools      = ["weighted"]
table_size = 4099

[[vip]]
name     = "by-source"
address  = "203.0.113.51"
protocol = "any"
pools    = ["included", "weighted"]
hash     = "source"
`
	random := rand.New(rand.NewPCG(1, 2))
	f := start(t, shape{nodes: 2, serves: func(i int) string {
		if text := everything(0) + more; i == 0 {
			return text
		} else {
			return shuffled(random, text)
		}
	}})
	for _, n := range f.nodes {
		n.WaitFor("a verdict on every backend", func() bool {
			m := n.Metrics()
			for _, backend := range []string{"10.0.0.77", "10.0.0.78"} {
				if up, known := m[fmt.Sprintf(`guideway_backend_up{backend=%q,check="ping"}`, backend)]; !known || up != 0 {
					return false
				}
			}
			return m[`guideway_vip_healthy_backends{vip="weighted"}`] == 2 && m[`guideway_vip_healthy_backends{vip="by-source"}`] == 2
		})
	}
	digests := func(i int) map[string]float64 {
		of := map[string]float64{}
		for name, value := range f.nodes[i].Metrics() {
			if strings.HasPrefix(name, "guideway_vip_table_digest{") {
				of[name] = value
			}
		}
		return of
	}
	one, other := digests(0), digests(1)
	if want := 2*len(vips) + 2 + 2; len(one) != want || len(other) != want {
		t.Fatalf("%d and %d digests, want %d: %v", len(one), len(other), want, one)
	}
	distinct := map[float64]bool{}
	for name, value := range one {
		distinct[value] = true
		if other[name] != value {
			t.Errorf("%s: %v and %v", name, value, other[name])
		}
	}
	if len(distinct) < 4 {
		t.Errorf("digests say too little: %v", one)
	}
	f.stop()
}

// shuffled is a configuration with its sections in another order, and the
// backends in theirs.
func shuffled(random *rand.Rand, text string) string {
	sections := strings.Split("\n"+strings.TrimSpace(text), "\n[[")[1:]
	list := regexp.MustCompile(`(?s)(backends = \[)(.*)(\])`)
	backend := regexp.MustCompile(`\{[^}]*\}`)
	for i, s := range sections {
		sections[i] = list.ReplaceAllStringFunc(s, func(all string) string {
			of := backend.FindAllString(all, -1)
			random.Shuffle(len(of), func(i, j int) { of[i], of[j] = of[j], of[i] })
			return "backends = [" + strings.Join(of, ", ") + "]"
		})
	}
	random.Shuffle(len(sections), func(i, j int) { sections[i], sections[j] = sections[j], sections[i] })
	return "[[" + strings.Join(sections, "\n[[")
}

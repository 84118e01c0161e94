package maglev

import (
	"math"
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"
)

func TestPickIsTheFixedPointProduct(t *testing.T) {
	table := mustBuild(t, ipv4Members(100), 65537)
	for _, c := range []struct {
		hash uint64
		slot int
	}{
		{0, 0}, {math.MaxUint64, 65536}, {1 << 63, 32768},
		{math.MaxUint64 / 65537, 0}, {math.MaxUint64/65537 + 1, 1},
	} {
		if got, want := table.Pick(c.hash), table.Slots()[c.slot]; got != want {
			t.Errorf("Pick(%#x) = %d, want slot %d's member, %d", c.hash, got, c.slot, want)
		}
	}
}

// Picks by random hashes are as even as the shares: the chi-squared statistic
// against shares stays within five standard deviations of its mean.
func TestPickIsUniform(t *testing.T) {
	const n, picks = 100, 1_000_000
	table := mustBuild(t, weigh(ipv4Members(n), 1, 2, 3), 65537)
	rng := rand.New(rand.NewPCG(1, 2))
	var had [n]int
	for range picks {
		had[table.Pick(rng.Uint64())]++
	}
	chi := 0.0
	for i, share := range table.Shares() {
		due := picks * float64(share) / 65537
		chi += (float64(had[i]) - due) * (float64(had[i]) - due) / due
	}
	if freedom := float64(n - 1); math.Abs(chi-freedom) > 5*math.Sqrt(2*freedom) {
		t.Errorf("chi-squared %.1f at %.0f degrees of freedom", chi, freedom)
	}
}

func TestPickDoesNotAllocate(t *testing.T) {
	table := mustBuild(t, ipv4Members(100), 65537)
	hash := uint64(1)
	if n := testing.AllocsPerRun(1000, func() {
		hash *= 0x9e3779b97f4a7c15
		sink ^= table.Pick(hash)
	}); n != 0 {
		t.Errorf("%v allocations a pick", n)
	}
}

func TestPickIsInlined(t *testing.T) {
	out, err := exec.Command("go", "build", "-gcflags=-m", ".").CombinedOutput()
	if err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	if !strings.Contains(string(out), "can inline (*Table).Pick") {
		t.Errorf("the compiler no longer inlines Pick:\n%s", out)
	}
}

package machine

import (
	"fmt"
	"strings"
	"testing"
)

// TestSetup looks at made-up machines and says what is to be done there.
func TestSetup(t *testing.T) {
	golden(t, "testdata/setup", func(t *testing.T, f fixture) string {
		var b strings.Builder
		facts := Look(f.source())
		WriteFacts(&b, facts)
		b.WriteString("\n")
		findings := Judge(facts, f.wanted())
		Write(&b, findings)
		for _, s := range Steps(findings) {
			fmt.Fprintf(&b, "\n%s", s)
		}
		if undo := Undo(facts); len(undo) > 0 {
			b.WriteString("\n\nundone by")
			for _, s := range undo {
				fmt.Fprintf(&b, "\n%s", s)
			}
		}
		return b.String() + "\n"
	})
}

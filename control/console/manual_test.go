package console

import (
	"strings"
	"testing"

	"guideway/test/manual"
)

// TestManual gives a node the commands of the manual, in their order.
func TestManual(t *testing.T) {
	given := 0
	for _, page := range manual.Pages {
		blocks, err := manual.Blocks("../../docs", page)
		if err != nil {
			t.Fatal(err)
		}
		f := newFake(t)
		for _, b := range blocks {
			if b.Kind != "console" {
				continue
			}
			for line := range strings.Lines(b.Text) {
				// What is repeated is judged by itself.
				if _, err := ask(f, strings.TrimPrefix(strings.TrimSpace(line), "watch ")); err != nil {
					t.Errorf("%v: %s: %v", b, line, err)
				}
				given++
			}
		}
	}
	if given < 20 {
		t.Errorf("the manual has %d commands", given)
	}
}

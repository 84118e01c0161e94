package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestCompletion asks bash what it would offer.
func TestCompletion(t *testing.T) {
	script := filepath.Join(t.TempDir(), "guideway")
	if err := os.WriteFile(script, []byte(completion()), 0o600); err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, v := range verbs() {
		all = append(all, v.name)
	}
	for _, c := range []struct{ line, want string }{
		{"guideway ''", strings.Join(all, " ")},
		{"guideway c", "check console completion"},
		{"guideway help tr", "trace"},
		{"guideway check -", "-q"},
		{"guideway check ''", ""}, // files
		{"guideway console -", "-c -p"},
		{"guideway plan a b --j", "--json"},
		{"guideway setup --", "--config --nic --hugepages --apply --force --undo --json"},
		{"guideway doctor --b", "--backend"},
		{"guideway trace -", "-k --json"},
		{"guideway completion ''", "bash"},
		{"guideway version ''", ""},
		{"guideway nonsense ''", ""},
	} {
		ask := fmt.Sprintf(`source %q; COMP_WORDS=(%s); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _guideway; echo "${COMPREPLY[*]}"`, script, c.line)
		out, err := exec.Command("bash", "-uc", ask).CombinedOutput()
		if got := strings.TrimSpace(string(out)); err != nil || got != c.want {
			t.Errorf("%s: %q, %v; want %q", c.line, got, err, c.want)
		}
	}
}

package machine

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// Severity is how much a finding matters.
type Severity uint8

const (
	Fine    Severity = iota
	Note             // works, and could be better; or cannot be seen from here
	Missing          // does not work, or will not after the next start
)

var severityNames = []string{"ok", "note", "MISSING"}

func (s Severity) String() string { return severityNames[s] }

// MarshalText writes it as people read it, in lower case.
func (s Severity) MarshalText() ([]byte, error) { return []byte(strings.ToLower(s.String())), nil }

// A Finding is one judgement.
type Finding struct {
	Topic    string   `json:"topic"`
	Severity Severity `json:"severity"`
	Text     string   `json:"text"`
	Advice   string   `json:"advice,omitempty"` // what a person is to do; "": nothing, or Steps do it
	Steps    []Step   `json:"steps,omitempty"`  // what mends it, in order; nil: no machine can, or may
}

func fine(topic, text string, args ...any) Finding {
	return Finding{Topic: topic, Text: fmt.Sprintf(text, args...)}
}

func note(topic, text string, args ...any) Finding {
	return Finding{Topic: topic, Severity: Note, Text: fmt.Sprintf(text, args...)}
}

func missing(topic, text string, args ...any) Finding {
	return Finding{Topic: topic, Severity: Missing, Text: fmt.Sprintf(text, args...)}
}

func (f Finding) advise(text string, args ...any) Finding {
	f.Advice = fmt.Sprintf(text, args...)
	return f
}

func (f Finding) mend(steps ...Step) Finding {
	f.Steps = steps
	return f
}

// Worst is the highest severity of all.
func Worst(findings []Finding) Severity {
	worst := Fine
	for _, f := range findings {
		worst = max(worst, f.Severity)
	}
	return worst
}

// Steps are those of all findings, each once, in order.
func Steps(findings []Finding) (steps []Step) {
	for _, f := range findings {
		for _, s := range f.Steps {
			if !slices.ContainsFunc(steps, s.equal) {
				steps = append(steps, s)
			}
		}
	}
	return steps
}

// Write writes findings for people. Steps are not in it.
func Write(w io.Writer, findings []Finding) {
	const indent = "           "
	for _, f := range findings {
		fmt.Fprintf(w, "  %-8s %s: %s\n", f.Severity, f.Topic, strings.ReplaceAll(f.Text, "\n", "\n"+indent))
		if f.Advice != "" {
			fmt.Fprintf(w, "%s%s\n", indent, strings.ReplaceAll(f.Advice, "\n", "\n"+indent))
		}
	}
}

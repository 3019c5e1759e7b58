package main

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
)

// fault is an error as it is told: what is wrong, one line each for its details, what to do, the exit code.
type fault struct {
	Error   string   `json:"error"`
	Details []string `json:"details,omitempty"`
	Hints   []string `json:"hints,omitempty"`
	Exit    int      `json:"exit"`
}

func (f *fault) hint(format string, args ...any) {
	f.Hints = append(f.Hints, fmt.Sprintf(format, args...))
}

// report tells err on stderr, also with -q, and returns the exit code.
func (a *app) report(err error) int {
	a.talk.clear()
	if err == nil {
		return exitDone
	}
	var told *exitError
	if errors.As(err, &told) {
		return told.code
	}
	f := a.explain(err)
	if a.flags.json {
		writeJSON(a.talk, f)
		return f.Exit
	}
	var b strings.Builder
	for _, d := range f.Details {
		b.WriteString(visible(d) + "\n")
	}
	b.WriteString(a.talk.paint(red, "error:") + " " + visible(f.Error) + "\n")
	for _, h := range f.Hints {
		b.WriteString(a.talk.paint(yellow, "hint:") + " " + visible(h) + "\n")
	}
	a.talk.print(b.String())
	return f.Exit
}

// visible makes text of a guest or a file safe for a terminal and keeps it on one line: line ends become spaces, other
// control characters are spelled out.
func visible(s string) string {
	hidden := func(r rune) bool { return r != '\t' && unicode.IsControl(r) }
	if strings.IndexFunc(s, hidden) < 0 {
		return s
	}
	var b strings.Builder
	for _, r := range strings.TrimRight(s, "\r\n") {
		switch {
		case r == '\n':
			b.WriteByte(' ')
		case hidden(r):
			fmt.Fprintf(&b, `\x%02x`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
	"text/tabwriter"
	"time"
)

// talk is stderr: what a person wants to know while and after a command works. Errors of writing it are of no
// consequence and dropped: a run does not fail because nobody listens. Safe for concurrent use.
type talk struct {
	mu       sync.Mutex
	w        io.Writer
	terminal bool
	color    bool
	silent   bool // -q
	pending  bool // a progress line stands on the terminal, without a line end
}

// linef prints a line, unless -q.
func (t *talk) linef(format string, args ...any) {
	if !t.silent {
		t.print(fmt.Sprintf(format, args...) + "\n")
	}
}

// progressf shows a line on a terminal that the next one replaces.
func (t *talk) progressf(format string, args ...any) {
	if t.silent || !t.terminal {
		return
	}
	t.print(fmt.Sprintf(format, args...))
	t.mu.Lock()
	t.pending = true
	t.mu.Unlock()
}

// clear takes a progress line away.
func (t *talk) clear() { t.print("") }

func (t *talk) print(s string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.pending {
		s = "\r\x1b[K" + s
		t.pending = false
	}
	_, _ = io.WriteString(t.w, s)
}

// Write lets the log share the terminal with progress lines.
func (t *talk) Write(b []byte) (int, error) {
	t.print(string(b))
	return len(b), nil
}

const (
	bold   = "1"
	dim    = "2"
	red    = "31"
	green  = "32"
	yellow = "33"
)

// paint colors s for a terminal.
func (t *talk) paint(code, s string) string {
	if !t.color || s == "" {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

// printJSON writes v as one line of JSON to stdout.
func (a *app) printJSON(v any) { writeJSON(a.stdout, v) }

func writeJSON(w io.Writer, v any) {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		// The writer keeps its own error; anything else is a value that cannot be JSON.
		if _, unsupported := err.(*json.UnsupportedTypeError); unsupported {
			panic("BUG: " + err.Error())
		}
	}
}

// printf writes to stdout.
func (a *app) printf(format string, args ...any) { fmt.Fprintf(a.stdout, format, args...) }

// table prints rows in columns to stdout.
func (a *app) table(rows [][]string) {
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	for _, r := range rows {
		fmt.Fprintln(w, strings.Join(r, "\t"))
	}
	w.Flush()
}

// bytesText is a size for people: "1.5 MiB".
func bytesText(n int64) string {
	const units = "KMGTPE"
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	f, u := float64(n)/1024, 0
	for f >= 1023.95 && u < len(units)-1 {
		f, u = f/1024, u+1
	}
	return strings.TrimSuffix(fmt.Sprintf("%.1f", f), ".0") + " " + units[u:u+1] + "iB"
}

// durationText is a duration with about three digits.
func durationText(d time.Duration) string {
	switch {
	case d < 0:
		return "-" + durationText(-d)
	case d >= time.Minute:
		return d.Round(time.Second).String()
	case d >= time.Second:
		return d.Round(10 * time.Millisecond).String()
	case d >= 10*time.Millisecond:
		return d.Round(100 * time.Microsecond).String()
	case d >= time.Millisecond:
		return d.Round(10 * time.Microsecond).String()
	}
	return d.Round(time.Microsecond).String()
}

// timeText is a point of time from microseconds since 1970, in UTC.
func timeText(us int64) string {
	if us == 0 {
		return "-"
	}
	return time.UnixMicro(us).UTC().Format("2006-01-02 15:04:05Z")
}

// count is a number with its noun: "1 step", "3 steps".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// short cuts s to n characters, on one line, with an ellipsis.
func short(s string, n int) string {
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}

// quote makes s one word of a POSIX shell.
func quote(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:=@%+,", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

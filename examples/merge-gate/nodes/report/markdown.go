package main

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/dashhost/dashhost/examples/merge-gate/nodes/finding"
)

// markdown writes the report for people. Paths, messages and excerpts come from the
// patch: each stands in a code span or is escaped, so that none can close a table
// cell, start a heading or make a link.
func markdown(change Change, findings []finding.Finding, passed []waived) (string, error) {
	var b strings.Builder
	n := counts(findings)
	fmt.Fprintf(&b, "# Merge gate\n\n%s changed", plural(change.Files, "file"))
	if change.Binary > 0 {
		fmt.Fprintf(&b, " (%d binary)", change.Binary)
	}
	fmt.Fprintf(&b, ", %s added, %d removed.\n\n", plural(change.Added, "line"), change.Removed)
	if len(findings) == 0 {
		b.WriteString("No findings.\n")
		waivedMarkdown(&b, passed)
		return b.String(), nil
	}
	fmt.Fprintf(&b, "**%s**: %d high, %d medium, %d low.\n", plural(len(findings), "finding"), n[0], n[1], n[2])
	for i, severity := range severities {
		if n[i] == 0 {
			continue
		}
		fmt.Fprintf(&b, "\n## %s (%d)\n\n| where | rule | what | id |\n|---|---|---|---|\n", strings.ToUpper(severity[:1])+severity[1:], n[i])
		for _, f := range findings {
			if rank(f.Severity) == i {
				row(&b, f)
			}
		}
	}
	waivedMarkdown(&b, passed)
	return b.String(), nil
}

// where is the place of a finding.
func where(f finding.Finding) string {
	if f.Line > 0 {
		return fmt.Sprintf("%s:%d", f.Path, f.Line)
	}
	return f.Path
}

func row(b *strings.Builder, f finding.Finding) {
	fmt.Fprintf(b, "| %s | %s | %s", code(where(f)), code(f.Rule), escape(f.Message))
	if f.Excerpt != "" {
		fmt.Fprintf(b, "<br>%s", code(f.Excerpt))
	}
	fmt.Fprintf(b, " | %s |\n", code(f.ID))
}

// code writes text as a code span: a longer row of backticks than any inside, no
// bar, which ends a cell of a table even there, no line end.
func code(s string) string {
	s = strings.ReplaceAll(printable(s), "|", "¦")
	longest, run := 0, 0
	for _, c := range s {
		if c != '`' {
			run = 0
			continue
		}
		run++
		longest = max(longest, run)
	}
	if strings.TrimSpace(s) == "" {
		return ""
	}
	fence := strings.Repeat("`", longest+1)
	if longest > 0 || strings.HasPrefix(s, " ") {
		s = " " + s + " "
	}
	return fence + s + fence
}

// escape writes text as text: what Markdown or HTML would read as theirs is escaped.
func escape(s string) string {
	var b strings.Builder
	for _, c := range printable(s) {
		switch {
		case c == '<':
			b.WriteString("&lt;")
		case c == '>':
			b.WriteString("&gt;")
		case c == '&':
			b.WriteString("&amp;")
		case strings.ContainsRune("\\`*_{}[]()#!|~@", c):
			b.WriteByte('\\')
			b.WriteRune(c)
		default:
			b.WriteRune(c)
		}
	}
	return strings.ReplaceAll(b.String(), "://", "&#58;//") // no link by itself
}

// printable replaces what moves, hides or ends text by a space or U+FFFD.
func printable(s string) string {
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\ufffd")
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n', r == '\r', r == '\t', r == 0x2028, r == 0x2029:
			return ' '
		case !unicode.IsPrint(r):
			return '\ufffd'
		}
		return r
	}, s)
}

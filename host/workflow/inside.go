package workflow

import (
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// inside returns the place of the character at offset in the text of a scalar,
// as near as the way it is written allows: exact in one-line scalars and
// literal blocks, else where the scalar starts.
func (s *source) inside(n *yaml.Node, offset int) Pos {
	at := s.at(n)
	switch {
	case n.Style&yaml.LiteralStyle != 0:
		return s.insideBlock(n, offset)
	case n.Style&yaml.FoldedStyle != 0:
		return at
	}
	text := []rune(string(s.line(n.Line)))
	if at.Col-1 >= len(text) {
		return at
	}
	text = text[at.Col-1:]
	var widths func([]rune) int
	skip := 1
	switch {
	case n.Style&yaml.DoubleQuotedStyle != 0:
		widths = doubleQuoted
	case n.Style&yaml.SingleQuotedStyle != 0:
		widths = singleQuoted
	default:
		widths, skip = func([]rune) int { return 1 }, 0
	}
	if len(text) < skip || strings.Contains(n.Value, "\n") {
		return at
	}
	i := skip
	for ; offset > 0 && i < len(text); offset-- {
		i += widths(text[i:])
	}
	if offset > 0 || i > len(text) {
		return at
	}
	at.Col += i
	return at
}

// singleQuoted returns how many characters of the source make the next one of
// the text.
func singleQuoted(text []rune) int {
	if len(text) > 1 && text[0] == '\'' && text[1] == '\'' {
		return 2
	}
	return 1
}

// doubleQuoted is singleQuoted for double quotes.
func doubleQuoted(text []rune) int {
	if len(text) < 2 || text[0] != '\\' {
		return 1
	}
	switch text[1] {
	case 'x':
		return 4
	case 'u':
		return 6
	case 'U':
		return 10
	}
	return 2
}

// insideBlock finds the place in a literal block: its lines stand below the
// node, indented like the first of them.
func (s *source) insideBlock(n *yaml.Node, offset int) Pos {
	at := s.at(n)
	before := []rune(n.Value)[:min(offset, utf8.RuneCountInString(n.Value))]
	line, col := 1, 1
	for _, r := range before {
		col++
		if r == '\n' {
			line, col = line+1, 1
		}
	}
	indent := -1
	for l := n.Line + 1; l <= n.Line+line && indent < 0; l++ {
		text := s.line(l)
		if trimmed := strings.TrimLeft(string(text), " "); trimmed != "" {
			indent = len(text) - len(trimmed)
		}
	}
	at.Line += line
	at.Col = max(indent, 0) + col
	return at
}

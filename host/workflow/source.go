package workflow

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
	"go.yaml.in/yaml/v4/plugin/loaderlimits"
)

const (
	// MaxManifest is the most bytes a manifest may have. It is looked at before
	// anything is read into memory.
	MaxManifest = 1 << 20

	maxNesting = 64 // of lists and objects
)

// source is the text of a manifest.
type source struct {
	file string
	text []byte
}

// parse returns the one document in the text, nil after reporting why there is
// none.
func (s *source) parse(fs *faults) *yaml.Node {
	if !s.checkBytes(fs) {
		return nil
	}
	loader, err := yaml.NewLoader(bytes.NewReader(s.text), yaml.WithPlugin(loaderlimits.New(loaderlimits.DepthValue(maxNesting))))
	if err != nil {
		fs.errorf(Pos{}, "", "%v", err)
		return nil
	}
	var doc yaml.Node
	switch err := loader.Load(&doc); {
	case errors.Is(err, io.EOF):
		fs.errorf(Pos{}, `a manifest starts with "version: 1"`, "expected a manifest, found nothing")
		return nil
	case err != nil:
		s.yamlFault(fs, err)
		return nil
	}
	var second yaml.Node
	if err := loader.Load(&second); err == nil {
		fs.errorf(s.at(&second), "keep one manifest in a file", "expected the end of the file, found a second document")
	} else if !errors.Is(err, io.EOF) {
		s.yamlFault(fs, err)
	}
	if len(doc.Content) != 1 {
		fs.errorf(Pos{}, `a manifest starts with "version: 1"`, "expected a manifest, found nothing")
		return nil
	}
	s.refuse(fs, doc.Content[0])
	return doc.Content[0]
}

// checkBytes looks at what the YAML library would misread or report without a
// place.
func (s *source) checkBytes(fs *faults) bool {
	switch {
	case len(s.text) > MaxManifest:
		tooLarge(fs)
		return false
	case bytes.HasPrefix(s.text, []byte{0xff, 0xfe}), bytes.HasPrefix(s.text, []byte{0xfe, 0xff}):
		fs.errorf(Pos{Line: 1, Col: 1}, "save the file as UTF-8", "expected UTF-8 text, found UTF-16")
		return false
	}
	s.text = bytes.TrimPrefix(s.text, []byte("\ufeff"))
	line, col := 1, 1
	for i := 0; i < len(s.text); {
		r, n := utf8.DecodeRune(s.text[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			fs.errorf(Pos{Line: line, Col: col}, "save the file as UTF-8", "expected UTF-8 text, found byte 0x%02x", s.text[i])
			return false
		case r < 0x20 && r != '\n' && r != '\r' && r != '\t', r >= 0x7f && r < 0xa0 && r != 0x85, r == 0xfffe, r == 0xffff, r == 0xfeff:
			fs.errorf(Pos{Line: line, Col: col}, `remove it; in double quotes it can be written as \u and four digits`, "expected text, found control character U+%04X", r)
			return false
		}
		i += n
		col++
		if r == '\n' {
			line, col = line+1, 1
		}
	}
	return true
}

// yamlFault reports what the YAML library says, with its place.
func (s *source) yamlFault(fs *faults, err error) {
	var le *yaml.LoadError
	if !errors.As(err, &le) {
		fs.errorf(Pos{}, "", "invalid YAML: %v", err)
		return
	}
	pos := Pos{Line: le.Mark.Line, Col: le.Mark.Column}
	if pos.Line == 0 {
		pos = Pos{Line: le.ContextMark.Line, Col: le.ContextMark.Column}
	}
	if at, ok := s.tabIndent(pos.Line); ok {
		fs.errorf(at, "indent with spaces", "invalid YAML: a tab cannot indent")
		return
	}
	text := "invalid YAML: " + le.Message
	if le.ContextMsg != "" {
		text += " " + le.ContextMsg
	}
	if le.ContextMark.Line > 0 && le.ContextMark.Line != pos.Line {
		text += fmt.Sprintf(" that starts in line %d", le.ContextMark.Line)
	}
	fs.errorf(pos, yamlHint(le), "%s", text)
}

// yamlHint says what usually lies behind a message of the YAML library.
func yamlHint(le *yaml.LoadError) string {
	switch {
	case strings.Contains(le.Message, "mapping values are not allowed"):
		return `put a text that holds ": " in quotes`
	case strings.Contains(le.Message, "cannot start any token"):
		return "put a text that starts with @, ` or % in quotes"
	case strings.Contains(le.Message, "depth"):
		return fmt.Sprintf("at most %d lists and objects inside each other", maxNesting)
	}
	return ""
}

// tabIndent looks for a tab among the spaces before the text of a line or the
// line before it.
func (s *source) tabIndent(line int) (Pos, bool) {
	for _, l := range []int{line, line - 1} {
		text := s.line(l)
		indent := text[:len(text)-len(bytes.TrimLeft(text, " \t"))]
		if i := bytes.IndexByte(indent, '\t'); i >= 0 {
			return Pos{Line: l, Col: i + 1}, true
		}
	}
	return Pos{}, false
}

// line returns a line by its number, from 1, without its end.
func (s *source) line(n int) []byte {
	rest := s.text
	for ; n > 1 && len(rest) > 0; n-- {
		_, rest, _ = bytes.Cut(rest, []byte{'\n'})
	}
	if n < 1 {
		return nil
	}
	line, _, _ := bytes.Cut(rest, []byte{'\n'})
	return bytes.TrimSuffix(line, []byte{'\r'})
}

func (s *source) at(n *yaml.Node) Pos {
	return Pos{File: s.file, Line: max(n.Line, 1), Col: max(n.Column, 1)}
}

// refuse reports the features of YAML that make a text mean something else
// than it shows: aliases, merge keys and tags.
func (s *source) refuse(fs *faults, n *yaml.Node) {
	at := s.at(n)
	switch {
	case n.Kind == yaml.AliasNode:
		fs.errorf(at, "write the value out", "expected a value, found alias *%s", n.Value)
		return
	case n.Anchor != "":
		fs.errorf(at, "remove it; aliases are not used in manifests", "expected a value, found anchor &%s", n.Anchor)
	case n.Style&yaml.TaggedStyle != 0:
		fs.errorf(at, "remove it; quotes make a value text", "expected a value, found tag %s", n.Tag)
	}
	for i, c := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 0 && c.Kind == yaml.ScalarNode && c.Value == "<<" {
			fs.errorf(s.at(c), "write the fields out", "expected a field, found merge key <<")
		}
		s.refuse(fs, c)
	}
}

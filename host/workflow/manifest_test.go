package workflow

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// typeName is how manifest.md calls a shape.
func typeName(s *shape) string {
	switch s.form {
	case formObject:
		return "object"
	case formTable:
		return "names"
	case formList:
		return "list of " + typeName(s.elem)
	case formOneOrMany:
		return typeName(s.elem) + ", or a list"
	case formText:
		return map[refKind]string{refNone: "text", refModule: "module", refChannel: "channel", refNode: "node", refNodeOrEnd: "node or END", refNodeOrStart: "node or START"}[s.ref]
	case formWord:
		out := strings.Join(s.wordTexts(), ", ")
		if s.alt != nil {
			out += ", or object"
		}
		return out
	case formBool:
		return "true, false"
	case formInt:
		return "whole number"
	case formFloat:
		return "number"
	case formSize:
		return "size"
	case formCount:
		return "count"
	case formDuration:
		return "duration"
	case formRate:
		return "rate"
	}
	return "JSON"
}

// TestReferenceIsComplete compares the tables of manifest.md with the grammar:
// each field once, with its type and default, and none that does not exist.
func TestReferenceIsComplete(t *testing.T) {
	text, err := os.ReadFile("manifest.md")
	if err != nil {
		t.Fatal(err)
	}
	row := regexp.MustCompile("(?m)^\\| `([^`]+)` \\| ([^|]+) \\| ([^|]*) \\| ([^|]+) \\|$")
	rows := make(map[string][]string)
	for _, m := range row.FindAllStringSubmatch(string(text), -1) {
		if rows[m[1]] != nil {
			t.Errorf("%s is described twice", m[1])
		}
		rows[m[1]] = m[2:]
	}
	visitFields(grammar(), "", func(path string, s *shape, f *field) {
		if strings.HasPrefix(path, "nodes.NAME.limits.") { // as limits
			return
		}
		r := rows[path]
		if r == nil {
			t.Errorf("manifest.md does not describe %s", path)
			return
		}
		delete(rows, path)
		def := strings.Trim(f.def, "{}[]")
		if f.need {
			def = "required"
		}
		if r[0] != typeName(f.shape) || strings.Trim(r[1], "`") != def {
			t.Errorf("%s: manifest.md has %q, default %q; want %q, %q", path, r[0], r[1], typeName(f.shape), def)
		}
		if later := strings.Contains(r[2], "Later."); later != f.later {
			t.Errorf("%s: manifest.md says later: %v", path, later)
		}
	})
	for path := range rows {
		t.Errorf("manifest.md describes %s, which is no field", path)
	}
}

// TestReferenceExamples parses the examples of manifest.md.
func TestReferenceExamples(t *testing.T) {
	text, err := os.ReadFile("manifest.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```yaml\n(version: 1\n.*?)```").FindAllStringSubmatch(string(text), -1)
	if len(blocks) == 0 {
		t.Fatal("no example found")
	}
	for _, b := range blocks {
		mustParse(t, b[1], nil)
	}
}

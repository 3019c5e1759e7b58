package workflow

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"
)

// visitFields calls fn for every field of the grammar, with the path it has in
// manifest.md: "nodes.NAME.each.over".
func visitFields(s *shape, path string, fn func(path string, s *shape, f *field)) {
	for _, alt := range []*shape{s.elem, s.alt} {
		if alt != nil {
			p := path
			if s.form == formTable {
				p = join(path, "NAME")
			}
			visitFields(alt, p, fn)
		}
	}
	for i := range s.fields {
		f := &s.fields[i]
		fn(join(path, f.name), s, f)
		visitFields(f.shape, join(path, f.name), fn)
	}
}

// TestDigestCoversEveryField changes each value of the valid manifests, one
// after the other: a change that leaves the manifest valid must change the
// digest, and each field must have had such a change.
func TestDigestCoversEveryField(t *testing.T) {
	changed := make(map[string]bool)
	for _, src := range valid(t) {
		base := mustParse(t, src, nil)
		var doc any
		if err := json.Unmarshal(base.Canonical(), &doc); err != nil {
			t.Fatal(err)
		}
		mutate(doc, nil, func(path []string, what string) bool {
			b, err := json.Marshal(doc)
			if err != nil {
				t.Fatal(err)
			}
			g, _, err := Parse(context.Background(), "w.yaml", b, nil)
			if err != nil {
				return false
			}
			for _, p := range prefixes(path) {
				changed[p] = true
			}
			if g.Digest() == base.Digest() {
				t.Errorf("%s: the digest is still the same", what)
			}
			return true
		})
	}
	visitFields(grammar(), "", func(path string, _ *shape, f *field) {
		if path == "version" || f.local || inLocal(path) || path == "modules.NAME.path" {
			return
		}
		if !changed[path] {
			t.Errorf("%s: no change of it was tried", path)
		}
	})
}

func inLocal(path string) bool { return strings.HasPrefix(path, "modules.NAME.build.") }

// prefixes turns the place of a value into the paths of the fields around it.
func prefixes(path []string) []string {
	var out []string
	p := ""
	for i, step := range path {
		switch {
		case slices.Contains([]string{"nodes", "modules", "channels", "secrets", "env"}, at(path, i-1)):
			step = "NAME"
		}
		if step == "[]" {
			continue
		}
		p = join(p, step)
		out = append(out, p)
	}
	return out
}

func at(path []string, i int) string {
	if i < 0 {
		return ""
	}
	return path[i]
}

// mutate changes every value in v and takes it back: it is left out, and others
// stand in its place until fn, called after each, has had enough.
func mutate(v any, path []string, fn func(path []string, what string) (enough bool)) {
	switch v := v.(type) {
	case map[string]any:
		for _, k := range keysOf(v) {
			old, p := v[k], append(slices.Clone(path), k)
			delete(v, k)
			fn(p, strings.Join(p, ".")+" removed")
			for _, other := range others(old) {
				v[k] = other
				if fn(p, strings.Join(p, ".")+" changed") {
					break
				}
			}
			v[k] = old
			mutate(old, p, fn)
		}
	case []any:
		for i, old := range v {
			p := append(slices.Clone(path), "[]")
			for _, other := range others(old) {
				v[i] = other
				if fn(p, strings.Join(p, ".")+" changed") {
					break
				}
			}
			v[i] = old
			mutate(old, p, fn)
		}
	}
}

// others returns values that may stand where v does.
func others(v any) []any {
	switch v := v.(type) {
	case float64:
		return []any{v + 1, v / 2}
	case bool:
		return []any{!v}
	case string:
		return []any{v + "x", "7s", "9/s", "note", "python", "append", "ephemeral", "fresh", "json", "exit", "wasi", "reject", "cpython", "DELETE", "workflow", strings.Repeat("0", 64)}
	}
	return nil
}

func compiledSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(JSONSchema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("manifest.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("manifest.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// decodeYAML reads a manifest with the library's own rules, not ours.
func decodeYAML(t *testing.T, src []byte) (any, error) {
	t.Helper()
	var v any
	if err := yaml.Unmarshal(src, &v); err != nil {
		return nil, err
	}
	b, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return jsonschema.UnmarshalJSON(bytes.NewReader(b))
}

func TestJSONSchemaAcceptsWhatParses(t *testing.T) {
	s := compiledSchema(t)
	for name, src := range valid(t) {
		for _, text := range []string{src, string(mustParse(t, src, nil).Canonical())} {
			doc, err := decodeYAML(t, []byte(text))
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Validate(doc); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// TestJSONSchemaRefusesBrokenStructure names the broken manifests that a schema
// cannot refuse; it must refuse all others that are YAML at all.
func TestJSONSchemaRefusesBrokenStructure(t *testing.T) {
	meaning := []string{
		"edge-to-nowhere", "join-route", "no-edges", "no-start", "on-error", "placeholders", "raw", "reserved-word", "routes-twice",
		"unknown-channels", "unknown-module", "unreachable",
	}
	notation := []string{"aliases", "tags", "two-documents", "utf16"} // refused as YAML, before there is a value
	s := compiledSchema(t)
	for _, file := range corpus(t, "broken", 60) {
		name := strings.TrimSuffix(filepath.Base(file), ".yaml")
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		doc, err := decodeYAML(t, src)
		if err != nil || slices.Contains(notation, name) {
			continue
		}
		if refused := s.Validate(doc) != nil; refused == slices.Contains(meaning, name) {
			t.Errorf("%s: refused by the schema: %v", name, refused)
		}
	}
}

// TestJSONSchemaIsNotStricter mutates a manifest that uses every field: what
// the schema refuses, the parser must refuse too.
func TestJSONSchemaIsNotStricter(t *testing.T) {
	s := compiledSchema(t)
	var doc any
	if err := json.Unmarshal(mustParse(t, valid(t)["full.yaml"], nil).Canonical(), &doc); err != nil {
		t.Fatal(err)
	}
	refused, tried := 0, 0
	mutate(doc, nil, func(_ []string, what string) bool {
		b, err := json.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		again, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		tried++
		if s.Validate(again) == nil {
			return true
		}
		refused++
		if _, _, err := Parse(context.Background(), "w.yaml", b, nil); err == nil {
			t.Errorf("%s: refused by the schema, accepted by the parser", what)
		}
		return false
	})
	if refused == 0 || refused == tried {
		t.Errorf("%d of %d changes refused: the test tests nothing", refused, tried)
	}
}

func TestJSONSchemaHasEveryField(t *testing.T) {
	var schema map[string]any
	if err := json.Unmarshal(JSONSchema(), &schema); err != nil {
		t.Fatal(err)
	}
	have := make(map[string]bool)
	var walk func(v any, path string)
	walk = func(v any, path string) {
		switch v := v.(type) {
		case map[string]any:
			if props, ok := v["properties"].(map[string]any); ok {
				for name, p := range props {
					have[join(path, name)] = true
					walk(p, join(path, name))
				}
			}
			if extra, ok := v["additionalProperties"].(map[string]any); ok {
				walk(extra, join(path, "NAME"))
			}
			walk(v["items"], path)
			walk(v["anyOf"], path)
		case []any:
			for _, e := range v {
				walk(e, path)
			}
		}
	}
	walk(schema, "")
	n := 0
	visitFields(grammar(), "", func(path string, _ *shape, _ *field) {
		n++
		if !have[path] {
			t.Errorf("the JSON Schema has no %s", path)
		}
	})
	if n < 100 {
		t.Errorf("the grammar has %d fields, want at least 100", n)
	}
}

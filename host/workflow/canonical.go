package workflow

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/dashhost/dashhost/internal/rawjson"
)

// Canonical returns the graph as a JSON manifest: fields in the order of the
// grammar, names in the order of the manifest, units resolved, defaults left
// out, digests and signatures of modules filled in where they are known. Left out is what
// depends on the place a run starts at: paths of modules with a digest, how to
// build them, URLs of store and stream. Parse makes an equal graph of it. It
// is nil for a graph that does not come from Load or Parse.
func (g *Graph) Canonical() []byte { return g.canonical }

// Digest is "sha256:" and the hex SHA-256 of Canonical. It changes when what a
// run does may change, and not with comments, order of fields, units or
// formatting.
func (g *Graph) Digest() string {
	sum := sha256.Sum256(g.canonical)
	return "sha256:" + hex.EncodeToString(sum[:])
}

func canonical(g *Graph, root *value) []byte {
	c := &canonicalizer{g: g}
	return escapeForYAML(c.append(nil, root))
}

type canonicalizer struct{ g *Graph }

// append appends the canonical JSON of a value.
func (c *canonicalizer) append(dst []byte, v *value) []byte {
	switch v.shape.form {
	case formObject:
		return c.appendObject(dst, v)
	case formTable:
		dst = append(dst, '{')
		for i, e := range v.entries {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(rawjson.AppendString(dst, e.name), ':')
			dst = c.append(dst, c.pinned(v, e))
		}
		return append(dst, '}')
	case formList, formOneOrMany:
		return c.appendList(dst, v)
	}
	return append(dst, v.raw...)
}

// pinned returns a module with its digest in place of its path.
func (c *canonicalizer) pinned(table *value, e entry) *value {
	if table.path != "modules" {
		return e.val
	}
	m := *e.val
	m.fields = make(map[string]*value, len(e.val.fields)+1)
	for name, f := range e.val.fields {
		m.fields[name] = f
	}
	sum := c.g.Module(e.name).SHA256
	if sum == "" {
		return &m
	}
	delete(m.fields, "path")
	if lines := c.g.Module(e.name).Signatures; lines != nil && m.fields["signatures"] == nil {
		list := &value{shape: m.shape.field("signatures").shape}
		for _, l := range lines {
			list.items = append(list.items, &value{shape: list.shape.elem, text: l, raw: rawjson.AppendString(nil, l)})
		}
		m.fields["signatures"] = list
	}
	m.fields["sha256"] = &value{shape: m.shape.field("sha256").shape, text: sum, raw: rawjson.AppendString(nil, sum)}
	return &m
}

func (c *canonicalizer) appendList(dst []byte, v *value) []byte {
	if v.shape.form == formOneOrMany && len(v.items) == 1 {
		return c.append(dst, v.items[0])
	}
	dst = append(dst, '[')
	for i, it := range v.items {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = c.append(dst, it)
	}
	return append(dst, ']')
}

func (c *canonicalizer) appendObject(dst []byte, v *value) []byte {
	dst = append(dst, '{')
	first := true
	for i := range v.shape.fields {
		f := &v.shape.fields[i]
		val := v.fields[f.name]
		if val == nil || val.implied || f.local {
			continue
		}
		at := len(dst)
		if !first {
			dst = append(dst, ',')
		}
		dst = append(rawjson.AppendString(dst, f.name), ':')
		start := len(dst)
		dst = c.append(dst, val)
		if c.isDefault(f, dst[start:]) {
			dst = dst[:at]
			continue
		}
		first = false
	}
	return append(dst, '}')
}

// isDefault reports whether canonical text says what leaving the field out
// would say.
func (c *canonicalizer) isDefault(f *field, text []byte) bool {
	if f.def == "" {
		return !f.need && f.shape.empty(text)
	}
	r := &reader{fs: newFaults(""), src: &source{}}
	return bytes.Equal(text, c.append(nil, r.implied(&value{shape: f.shape}, f)))
}

// empty reports whether the text is an empty list or table, which no field
// tells from its absence.
func (s *shape) empty(text []byte) bool {
	switch s.form {
	case formList:
		return string(text) == "[]"
	case formTable:
		return string(text) == "{}"
	}
	return false
}

// escapeForYAML writes the characters as \u that JSON may hold as they are and
// YAML, or our look at its bytes, may not. They only occur in strings.
func escapeForYAML(b []byte) []byte {
	if !bytes.ContainsFunc(b, unreadable) {
		return b
	}
	out := slices.Grow([]byte(nil), len(b)+len(b)/8)
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if unreadable(r) {
			out = fmt.Appendf(out, `\u%04x`, r)
		} else {
			out = append(out, b[:n]...)
		}
		b = b[n:]
	}
	return out
}

func unreadable(r rune) bool {
	return r >= 0x7f && r < 0xa0 || r == 0x2028 || r == 0x2029 || r == 0xfeff || r == 0xfffe || r == 0xffff
}

package workflow

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v4"
)

// reader turns YAML into values by the shapes of the grammar and reports all
// that does not fit.
type reader struct {
	fs  *faults
	src *source
}

// read returns the value of n. It is never nil; a value that does not fit is
// marked bad.
func (r *reader) read(s *shape, n *yaml.Node, path string) *value {
	v := &value{shape: s, path: path, pos: r.src.at(n), key: r.src.at(n), node: n}
	if n.Kind == yaml.AliasNode { // reported by source.refuse
		v.bad = true
		return v
	}
	if s.alt != nil && n.Kind == yaml.MappingNode {
		v.shape = s.alt
		s = s.alt
	}
	switch s.form {
	case formObject:
		r.object(v)
	case formTable:
		r.table(v)
	case formList, formOneOrMany:
		r.list(v)
	case formJSON:
		r.json(v)
	default:
		r.scalar(v)
	}
	return v
}

// wrong reports that v is not what its shape asks for.
func (r *reader) wrong(v *value, expected, hint string) {
	v.bad = true
	r.fs.errorf(v.pos, hint, "%s: expected %s, found %s", v.path, expected, found(v.node))
}

// found describes a YAML node in a message.
func found(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "an object"
	case yaml.SequenceNode:
		if len(n.Content) == 0 {
			return "an empty list"
		}
		return "a list"
	}
	switch {
	case n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		return fmt.Sprintf("%q", clip(n.Value, 60))
	case n.Value == "" || n.ShortTag() == "!!null":
		return "nothing"
	case n.ShortTag() == "!!bool":
		return n.Value
	case isNumber(n):
		return "the number " + clip(n.Value, 60)
	}
	return fmt.Sprintf("%q", clip(n.Value, 60))
}

func isNumber(n *yaml.Node) bool {
	t := n.ShortTag()
	return t == "!!int" || t == "!!float"
}

// key is one name of a YAML mapping with its value.
type key struct {
	name string
	at   Pos
	val  *yaml.Node
}

// keys returns the names of a mapping; it reports what is no name, and names
// that come twice.
func (r *reader) keys(v *value) []key {
	var out []key
	first := make(map[string]Pos)
	for i := 0; i+1 < len(v.node.Content); i += 2 {
		k := v.node.Content[i]
		at := r.src.at(k)
		switch {
		case k.Kind == yaml.AliasNode || k.Value == "<<" && k.Kind == yaml.ScalarNode: // reported by source.refuse
			continue
		case k.Kind != yaml.ScalarNode:
			r.fs.errorf(at, "", "%s: expected a name, found %s", r.subject(v), found(k))
			continue
		}
		if before, dup := first[k.Value]; dup {
			r.fs.errorf(at, "remove one of them", "%s: %s is already set in line %d", r.subject(v), clip(k.Value, 64), before.Line)
			continue
		}
		first[k.Value] = at
		out = append(out, key{k.Value, at, v.node.Content[i+1]})
	}
	return out
}

// subject is a value's path, or what the manifest as a whole is called.
func (r *reader) subject(v *value) string {
	if v.path == "" {
		return "manifest"
	}
	return v.path
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func (r *reader) object(v *value) {
	s := v.shape
	if v.node.Kind != yaml.MappingNode {
		v.bad = true
		r.fs.errorf(v.pos, objectHint(v), "%s: expected %s, found %s", r.subject(v), s.what, found(v.node))
		return
	}
	v.fields = make(map[string]*value, len(s.fields))
	meant := make(map[string]bool) // fields that a misspelt one probably means
	for _, k := range r.keys(v) {
		f := s.field(k.name)
		if f == nil {
			hint := ""
			if !r.fs.full() {
				hint = didYouMean(k.name, s.fieldNames())
				meant[nearest(k.name, s.fieldNames())] = true
			}
			r.fs.errorf(k.at, hint, "%s: unknown field %q", r.subject(v), clip(k.name, 64))
			continue
		}
		child := r.read(f.shape, k.val, join(v.path, k.name))
		child.key = k.at
		v.fields[k.name] = child
	}
	r.complete(v, meant)
}

func objectHint(v *value) string {
	if found(v.node) == "nothing" {
		return "write {} if it has no fields"
	}
	return "its fields: " + strings.Join(v.shape.fieldNames(), ", ")
}

// complete reports what an object lacks and fills in defaults. A field that a
// misspelt one means is not reported again.
func (r *reader) complete(v *value, meant map[string]bool) {
	for i := range v.shape.fields {
		f := &v.shape.fields[i]
		switch {
		case v.fields[f.name] != nil:
		case f.need && meant[f.name]:
		case f.need:
			r.fs.errorf(v.pos, f.name+": "+lowerFirst(f.doc), "%s: expected a field %s, found none", r.subject(v), f.name)
		case f.def != "":
			v.fields[f.name] = r.implied(v, f)
		}
	}
	r.choice(v, meant, v.shape.exactlyOne, 1)
	r.choice(v, meant, v.shape.atLeastOne, len(v.shape.atLeastOne))
}

func lowerFirst(s string) string {
	return strings.TrimSuffix(strings.ToLower(s[:1])+s[1:], ".")
}

// choice reports when none, or more than most, of some fields are there.
func (r *reader) choice(v *value, meant map[string]bool, fields []string, most int) {
	if len(fields) == 0 {
		return
	}
	var there []string
	for _, name := range fields {
		if v.has(name) {
			there = append(there, name)
		}
		if meant[name] {
			return
		}
	}
	switch {
	case len(there) == 0 && most == 1:
		r.fs.errorf(v.pos, "", "%s: expected one of %s, found none", r.subject(v), strings.Join(fields, ", "))
	case len(there) == 0:
		r.fs.errorf(v.pos, "", "%s: expected %s, found neither", r.subject(v), strings.Join(fields, " or "))
	case len(there) > most:
		r.fs.errorf(v.get(there[1]).key, "keep the one that is meant", "%s: expected one of %s, found %s", r.subject(v), strings.Join(fields, ", "), strings.Join(there, " and "))
	}
}

// implied returns the default of a field. It is read like a written one.
func (r *reader) implied(v *value, f *field) *value {
	d := r.read(f.shape, defaultNode(f.def), join(v.path, f.name))
	if d.bad {
		panic("BUG: default of " + d.path + " does not fit")
	}
	d.imply(v.pos)
	return d
}

// defaultNode is the YAML of a default: {}, [WORD] or a scalar.
func defaultNode(def string) *yaml.Node {
	switch {
	case def == "{}":
		return &yaml.Node{Kind: yaml.MappingNode}
	case strings.HasPrefix(def, "["):
		return &yaml.Node{Kind: yaml.SequenceNode, Content: []*yaml.Node{defaultNode(strings.Trim(def, "[]"))}}
	}
	tag := "!!str"
	switch {
	case wholeForm().MatchString(def):
		tag = "!!int"
	case numberForm().MatchString(def):
		tag = "!!float"
	case def == "true" || def == "false":
		tag = "!!bool"
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: def}
}

// imply marks a default and puts it where it could have been written.
func (v *value) imply(at Pos) {
	v.visit(func(d *value) { d.implied, d.pos, d.key, d.node = true, at, at, nil })
}

func (r *reader) table(v *value) {
	s := v.shape
	if v.node.Kind != yaml.MappingNode {
		r.wrong(v, "an object with a name per "+strings.TrimPrefix(strings.TrimPrefix(s.what, "a "), "an "), "write {} if there is none")
		return
	}
	for _, k := range r.keys(v) {
		expected, hint := s.key.check(k.name)
		misnamed := expected != ""
		if misnamed {
			r.fs.errorf(k.at, hint, "%s: expected %s, found %q", v.path, expected, clip(k.name, 64))
		}
		child := r.read(s.elem, k.val, join(v.path, clip(k.name, 64)))
		child.key = k.at
		child.misnamed = misnamed
		v.entries = append(v.entries, entry{k.name, child})
	}
}

func (r *reader) list(v *value) {
	s := v.shape
	if v.node.Kind != yaml.SequenceNode {
		if s.form == formOneOrMany {
			v.items = []*value{r.read(s.elem, v.node, v.path)}
			v.bad = v.items[0].bad
			return
		}
		hint := ""
		if v.node.Kind == yaml.ScalarNode && v.node.Value != "" {
			hint = fmt.Sprintf("write [%s]", clip(v.node.Value, 60))
		}
		r.wrong(v, "a list", hint)
		return
	}
	seen := make(map[string]bool)
	for i, n := range v.node.Content {
		it := r.read(s.elem, n, fmt.Sprintf("%s[%d]", v.path, i))
		if s.elem.form == formText && s.elem.ref != refNone && !it.bad {
			if seen[it.text] {
				it.bad = true
				r.fs.errorf(it.pos, "remove one of them", "%s: %s is already in the list", it.path, it.text)
			}
			seen[it.text] = true
		}
		v.items = append(v.items, it)
	}
	if len(v.items) == 0 && s.needsElement() {
		r.wrong(v, "at least one element", "")
	}
}

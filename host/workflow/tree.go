package workflow

import (
	"go.yaml.in/yaml/v4"
)

// value is one value of a manifest that fits its shape, with its place.
type value struct {
	shape   *shape
	path    string // "nodes.split.reads[0]"
	pos     Pos
	key     Pos        // of its name in the object around it
	node    *yaml.Node // nil if implied
	implied bool       // not written: the default
	bad     bool       // written, but faulty: known to be there, not what it is
	// misnamed: an entry of a table whose name is faulty.
	misnamed bool

	fields  map[string]*value // formObject
	entries []entry           // formTable
	items   []*value          // formList, formOneOrMany
	text    string            // formText, formWord, formRate
	number  uint64            // formInt, formSize, formCount, formDuration (ns), formBool (0, 1)
	float   float64           // formFloat
	raw     []byte            // canonical JSON of a scalar and of formJSON
}

// entry is one name of a formTable.
type entry struct {
	name string
	val  *value
}

// get returns a field, nil if it is not there. It may be called on nil.
func (v *value) get(name string) *value {
	if v == nil {
		return nil
	}
	return v.fields[name]
}

// has reports whether a field is written.
func (v *value) has(name string) bool {
	f := v.get(name)
	return f != nil && !f.implied
}

// str, num and the rest return a field's value, zero if it is not there.
func (v *value) str(name string) string {
	if f := v.get(name); f != nil {
		return f.text
	}
	return ""
}

func (v *value) num(name string) uint64 {
	if f := v.get(name); f != nil {
		return f.number
	}
	return 0
}

func (v *value) flag(name string) bool { return v.num(name) != 0 }

func (v *value) strs(name string) []string {
	f := v.get(name)
	if f == nil || len(f.items) == 0 {
		return nil
	}
	var out []string
	for _, it := range f.items {
		if !it.bad {
			out = append(out, it.text)
		}
	}
	return out
}

// table returns the entries of a field.
func (v *value) table(name string) []entry {
	if f := v.get(name); f != nil {
		return f.entries
	}
	return nil
}

// place returns where a field stands, or where the object does.
func (v *value) place(name string) Pos {
	if f := v.get(name); f != nil {
		return f.pos
	}
	return v.pos
}

// visit calls fn for v and everything in it, in the order of the manifest.
func (v *value) visit(fn func(*value)) {
	fn(v)
	for i := range v.shape.fields {
		if f := v.fields[v.shape.fields[i].name]; f != nil {
			f.visit(fn)
		}
	}
	for _, e := range v.entries {
		e.val.visit(fn)
	}
	for _, it := range v.items {
		it.visit(fn)
	}
}

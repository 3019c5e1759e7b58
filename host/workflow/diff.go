package workflow

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/dashhost/dashhost/internal/rawjson"
)

// Diff says, a line each, what b has differently from a: "node secrets: config
// changed". It compares canonical forms, so it is empty exactly when the
// digests are equal.
func Diff(a, b *Graph) []string {
	d := &differ{}
	before, after := membersOf(a.canonical), membersOf(b.canonical)
	for i := range grammar().fields {
		f := &grammar().fields[i]
		d.field(f, before.vals[f.name], after.vals[f.name])
	}
	return d.lines
}

type differ struct{ lines []string }

func (d *differ) add(format string, a ...any) { d.lines = append(d.lines, fmt.Sprintf(format, a...)) }

// field compares a field of the manifest.
func (d *differ) field(f *field, a, b []byte) {
	switch {
	case bytes.Equal(a, b):
	case f.shape.form == formTable:
		d.table(strings.TrimSuffix(f.name, "s"), f, a, b)
	case f.shape.form == formObject:
		d.members(f.name+".", a, b)
	case f.name == "edges":
		d.list("edge", a, b)
	default:
		d.change(f.name+":", a, b)
	}
}

// change reports a value; short ones are shown.
func (d *differ) change(subject string, a, b []byte) {
	switch {
	case len(a)+len(b) > 80 || isContainer(a) || isContainer(b):
		d.add("%s changed", subject)
	case a == nil:
		d.add("%s set to %s", subject, b)
	case b == nil:
		d.add("%s %s removed", subject, a)
	default:
		d.add("%s %s is now %s", subject, a, b)
	}
}

func isContainer(b []byte) bool { return len(b) > 0 && (b[0] == '{' || b[0] == '[') }

// members compares two objects, nil for one that is not there.
func (d *differ) members(prefix string, a, b []byte) {
	before, after := membersOf(a), membersOf(b)
	for _, name := range before.union(after) {
		if x, y := before.vals[name], after.vals[name]; !bytes.Equal(x, y) {
			d.change(prefix+name+sep(prefix), x, y)
		}
	}
}

// sep ends a subject: "limits.memory:" but "node a: config".
func sep(prefix string) string {
	if strings.HasSuffix(prefix, ".") {
		return ":"
	}
	return ""
}

func (d *differ) table(what string, f *field, a, b []byte) {
	at := len(d.lines)
	before, after := membersOf(a), membersOf(b)
	for _, name := range before.union(after) {
		x, y := before.vals[name], after.vals[name]
		switch {
		case x == nil:
			d.add("%s %s: added", what, name)
		case y == nil:
			d.add("%s %s: removed", what, name)
		case !bytes.Equal(x, y):
			d.members(fmt.Sprintf("%s %s: ", what, name), x, y)
		}
	}
	if len(d.lines) == at {
		d.add("%s: order changed", f.name)
	}
}

func (d *differ) list(what string, a, b []byte) {
	at := len(d.lines)
	before, after := elementsOf(a), elementsOf(b)
	count := make(map[string]int)
	for _, e := range before {
		count[e]++
	}
	for _, e := range after {
		if count[e]--; count[e] < 0 {
			d.add("%s added: %s", what, clip(e, 200))
		}
	}
	for _, e := range before {
		if count[e] > 0 {
			count[e]--
			d.add("%s removed: %s", what, clip(e, 200))
		}
	}
	if len(d.lines) == at {
		d.add("%ss: order changed", what)
	}
}

// members holds an object of a canonical manifest.
type members struct {
	names []string
	vals  map[string][]byte
}

// membersOf takes a canonical object apart; nil gives none.
func membersOf(b []byte) members {
	m := members{vals: make(map[string][]byte)}
	if b == nil {
		return m
	}
	err := rawjson.Object(b, func(name string, val []byte) error {
		m.names = append(m.names, name)
		m.vals[name] = val
		return nil
	})
	if err != nil {
		panic("BUG: canonical manifest: " + err.Error())
	}
	return m
}

// union returns the names of m, then those that only o has.
func (m members) union(o members) []string {
	out := m.names
	for _, n := range o.names {
		if m.vals[n] == nil {
			out = append(out, n)
		}
	}
	return out
}

func elementsOf(b []byte) []string {
	var out []string
	if b == nil {
		return nil
	}
	err := rawjson.Array(b, func(e []byte) error {
		out = append(out, string(e))
		return nil
	})
	if err != nil {
		panic("BUG: canonical manifest: " + err.Error())
	}
	return out
}

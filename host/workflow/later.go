package workflow

import "fmt"

// later builds the parts of a graph that belong to later versions and lists
// their uses.
func (b *builder) later(g *Graph) {
	if v := b.root.get("interrupt"); v != nil {
		for _, it := range v.items {
			g.Interrupts = append(g.Interrupts, &Interrupt{
				Before: it.strs("before"),
				After:  it.strs("after"),
				If:     b.condition(it.get("if")),
				Answer: it.str("answer"),
				Pos:    it.pos,
			})
		}
	}
	for _, e := range b.root.table("secrets") {
		g.Secrets = append(g.Secrets, &Secret{Name: e.name, Env: e.val.str("env"), File: e.val.str("file"), Pos: e.val.key})
	}
	b.root.visit(func(v *value) {
		for i := range v.shape.fields {
			f := &v.shape.fields[i]
			if f.later && v.has(f.name) && v.get(f.name).asked(f) {
				g.unsupported = append(g.unsupported, b.unsupported(v.get(f.name), ""))
			}
		}
		if v.implied {
			return
		}
		for _, w := range v.shape.words {
			if w.later && w.text == v.text {
				g.unsupported = append(g.unsupported, b.unsupported(v, " "+w.text))
			}
		}
	})
}

// asked reports whether a written field asks for anything: false and empty
// tables do not.
func (v *value) asked(f *field) bool {
	switch v.shape.form {
	case formBool:
		return v.number != 0
	case formTable:
		return len(v.entries) > 0
	case formOneOrMany:
		return len(v.items) > 0
	}
	return true
}

func (b *builder) unsupported(v *value, what string) Fault {
	at := v.key
	at.File = b.src.file
	return Fault{Pos: at, Text: fmt.Sprintf("%s%s: not in this version", v.path, what)}
}

package workflow

import (
	"fmt"
	"strings"
)

// Mermaid draws the graph as a Mermaid flowchart. Conditions stand on the
// arrows in the order they are asked; a dotted arrow is one that a node may
// choose or that an error takes.
func (g *Graph) Mermaid() string {
	var b strings.Builder
	b.WriteString("flowchart TD\n")
	d := g.drawing()
	for _, v := range d.vertices {
		shape := [2]string{`["`, `"]`}
		switch v.kind {
		case vertexEnd:
			shape = [2]string{`(["`, `"])`}
		case vertexJoin:
			shape = [2]string{`{{"`, `"}}`}
		}
		var label []string
		for _, l := range v.label {
			label = append(label, mermaidText(l))
		}
		fmt.Fprintf(&b, "    %s%s%s%s\n", v.id, shape[0], strings.Join(label, "<br/>"), shape[1])
	}
	for _, a := range d.arrows {
		line := "-->"
		if a.dotted {
			line = "-.->"
		}
		if a.label != "" {
			line += `|"` + mermaidText(a.label) + `"|`
		}
		fmt.Fprintf(&b, "    %s %s %s\n", a.from, line, a.to)
	}
	return b.String()
}

// mermaidText writes text for a quoted label: what Mermaid or the HTML it makes
// would read as its own becomes an entity.
func mermaidText(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			b.WriteByte(' ')
		case strings.ContainsRune("\"#<>&`\\;{}|", r) || r < 0x20:
			fmt.Fprintf(&b, "#%d;", r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

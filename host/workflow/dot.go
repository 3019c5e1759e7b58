package workflow

import (
	"fmt"
	"strings"
)

// DOT draws the graph in the language of Graphviz, as Mermaid does.
func (g *Graph) DOT() string {
	var b strings.Builder
	fmt.Fprintf(&b, "digraph %s {\n    rankdir=TB;\n    node [shape=box, style=rounded];\n", dotText(g.Name))
	d := g.drawing()
	for _, v := range d.vertices {
		shape := ""
		switch v.kind {
		case vertexEnd:
			shape = ", shape=oval"
		case vertexJoin:
			shape = ", shape=hexagon"
		}
		fmt.Fprintf(&b, "    %s [label=%s%s];\n", v.id, dotText(strings.Join(v.label, "\n")), shape)
	}
	for _, a := range d.arrows {
		var attrs []string
		if a.label != "" {
			attrs = append(attrs, "label="+dotText(a.label))
		}
		if a.dotted {
			attrs = append(attrs, "style=dashed")
		}
		tail := ""
		if len(attrs) > 0 {
			tail = " [" + strings.Join(attrs, ", ") + "]"
		}
		fmt.Fprintf(&b, "    %s -> %s%s;\n", a.from, a.to, tail)
	}
	b.WriteString("}\n")
	return b.String()
}

// dotText quotes text.
func dotText(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\r", "", "\t", " ").Replace(s) + `"`
}

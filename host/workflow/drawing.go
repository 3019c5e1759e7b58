package workflow

import (
	"fmt"
	"slices"
)

// drawing is a graph as boxes and arrows, for Mermaid and DOT.
type drawing struct {
	vertices []vertex
	arrows   []arrow
	ids      map[string]string // of nodes
}

type vertexKind uint8

const (
	vertexNode vertexKind = iota
	vertexEnd             // START and END
	vertexJoin
)

type vertex struct {
	id    string
	kind  vertexKind
	label []string // lines
}

type arrow struct {
	from, to, label string
	dotted          bool
}

func (g *Graph) drawing() *drawing {
	d := &drawing{ids: make(map[string]string)}
	d.vertex("start", vertexEnd, Start)
	d.ids[Start] = "start"
	for i, n := range g.Nodes {
		id := fmt.Sprintf("n%d", i)
		d.ids[n.Name] = id
		d.vertex(id, vertexNode, g.nodeLabel(n)...)
	}
	for i, e := range g.Edges {
		d.edge(i, e)
	}
	for _, n := range g.Nodes {
		if n.OnError != "" {
			d.arrows = append(d.arrows, arrow{d.ids[n.Name], d.ids[n.OnError], "on error", true})
		}
	}
	return d
}

func (d *drawing) vertex(id string, kind vertexKind, label ...string) {
	d.vertices = append(d.vertices, vertex{id, kind, label})
}

// nodeLabel is a node's name and what is special about it.
func (g *Graph) nodeLabel(n *Node) []string {
	label := []string{n.Name}
	switch {
	case n.Each != nil && n.Each.Batch > 0:
		label = append(label, fmt.Sprintf("each %d of %s", n.Each.Batch, n.Each.Over))
	case n.Each != nil:
		label = append(label, "each of "+n.Each.Over)
	}
	switch {
	case n.Native != "":
		label = append(label, "native "+n.Native)
	case n.Workflow != "":
		label = append(label, "workflow "+n.Workflow)
	case n.Wait != nil && n.Wait.Until != "":
		label = append(label, "wait until "+n.Wait.Until)
	case n.Wait != nil:
		label = append(label, "wait "+n.Wait.For.String())
	}
	if n.Defer {
		label = append(label, "deferred")
	}
	for _, i := range g.Interrupts {
		if slices.Contains(i.Before, n.Name) {
			label = append(label, "interrupt before")
		}
		if slices.Contains(i.After, n.Name) {
			label = append(label, "interrupt after")
		}
	}
	return label
}

func (d *drawing) edge(i int, e *Edge) {
	from := d.ids[e.From[0]]
	if len(e.From) > 1 {
		join := fmt.Sprintf("join%d", i)
		d.vertex(join, vertexJoin, "all")
		for _, f := range e.From {
			d.arrows = append(d.arrows, arrow{from: d.ids[f], to: join})
		}
		from = join
	}
	d.lead(from, e.To, "", false)
	for _, w := range e.When {
		label := "else"
		if w.If != nil {
			label = w.If.Source
		}
		d.lead(from, w.To, label, false)
	}
	d.lead(from, e.Route, "route", true)
}

func (d *drawing) lead(from string, to []string, label string, dotted bool) {
	for _, t := range to {
		if t == End && d.ids[End] == "" {
			d.vertex("end_", vertexEnd, End)
			d.ids[End] = "end_"
		}
		d.arrows = append(d.arrows, arrow{from, d.ids[t], label, dotted})
	}
}

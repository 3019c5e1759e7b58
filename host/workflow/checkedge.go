package workflow

import "slices"

func (b *builder) checkEdges(g *Graph) {
	edges := b.root.get("edges")
	if edges == nil || edges.bad {
		return
	}
	started := false
	routes := make(map[string]Pos)
	for i, v := range edges.items {
		e := g.Edges[i]
		started = started || slices.Contains(e.From, Start)
		b.checkFrom(e, v)
		b.checkTargets(v.get("to"))
		b.checkBranches(v)
		if !v.has("route") {
			continue
		}
		for _, from := range e.From {
			if first, dup := routes[from]; dup {
				b.fs.errorf(v.get("route").key, "put the nodes into one list", "%s.route: %s already has a route in line %d", v.path, from, first.Line)
				continue
			}
			routes[from] = v.get("route").key
		}
	}
	if !started {
		b.fs.errorf(edges.pos, "add {from: START, to: ...}", "edges: expected one that comes from START, found none")
	}
}

func (b *builder) checkFrom(e *Edge, v *value) {
	start := slices.Contains(e.From, Start)
	switch {
	case start && len(e.From) > 1:
		b.fs.errorf(v.place("from"), "write an edge of its own", "%s.from: expected START alone, found it beside other nodes", v.path)
	case start && v.has("route"):
		b.fs.errorf(v.get("route").key, "use to or when", "%s.route: expected a node that chooses, found START", v.path)
	case len(e.From) > 1 && v.has("route"):
		b.fs.errorf(v.get("route").key, "let one node after the join choose", "%s.route: expected one node that chooses, found %d", v.path, len(e.From))
	}
}

func (b *builder) checkTargets(v *value) {
	if v == nil || len(v.items) < 2 {
		return
	}
	for _, it := range v.items {
		if it.text == End {
			b.fs.errorf(it.pos, "remove it: the branch goes on with the other nodes", "%s: expected END alone, found it beside other nodes", it.path)
		}
	}
}

func (b *builder) checkBranches(v *value) {
	when := v.get("when")
	if when == nil || when.bad {
		return
	}
	for i, w := range when.items {
		b.checkTargets(w.get("to"))
		switch {
		case w.bad || w.has("if"):
		case len(when.items) == 1:
			b.fs.errorf(w.pos, "write to: instead of when:", "%s: expected a condition, found none", w.path)
		case i < len(when.items)-1:
			b.fs.errorf(w.pos, "put it last", "%s: expected a condition, found none: the branches after it are never taken", w.path)
		}
	}
}

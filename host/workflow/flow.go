package workflow

import "slices"

// unreachable reports the nodes that no run can come to.
func (b *builder) unreachable(g *Graph) {
	reached := reachable(g)
	for i, e := range b.root.table("nodes") {
		if n := g.Nodes[i]; !reached[n.Name] && !e.val.misnamed {
			b.fs.errorf(n.Pos, "add an edge to it, or remove it", "%s: no path leads to it from START", e.val.path)
		}
	}
}

// targets returns all that an edge may lead to.
func (e *Edge) targets() []string {
	out := slices.Concat(e.To, e.Route)
	for _, w := range e.When {
		out = append(out, w.To...)
	}
	return out
}

// reachable returns the nodes that some run can come to. A join is taken once
// all its nodes can be.
func reachable(g *Graph) map[string]bool {
	out := make(map[string][]*Edge)
	waits := make(map[*Edge]int)
	for _, e := range g.Edges {
		for _, f := range e.From {
			out[f] = append(out[f], e)
			waits[e]++
		}
	}
	reached := map[string]bool{Start: true}
	queue := []string{Start}
	visit := func(names ...string) {
		for _, name := range names {
			if name != "" && !reached[name] {
				reached[name] = true
				queue = append(queue, name)
			}
		}
	}
	for ; len(queue) > 0; queue = queue[1:] {
		if n := g.Node(queue[0]); n != nil {
			visit(n.OnError)
		}
		for _, e := range out[queue[0]] {
			if waits[e]--; waits[e] == 0 {
				visit(e.targets()...)
			}
		}
	}
	return reached
}

// pair is two nodes that may run in one superstep.
type pair struct{ a, b string }

func newPair(a, b string) pair { return pair{min(a, b), max(a, b)} }

// maxRivalWork bounds the search for rivals; a graph that needs more gets fewer
// warnings.
const maxRivalWork = 1 << 17

// rivals warns of two writers of a value channel in one superstep.
func (b *builder) rivals(g *Graph) {
	reached := reachable(g)
	warned := make(map[string]bool)
	shared := sharedChannels(g)
	warn := func(x, y *Node) {
		for _, c := range shared[x] {
			if !warned[c] && y.writes(c) {
				warned[c] = true
				b.warnRivals(c, x, y)
			}
		}
	}
	for _, n := range g.Nodes {
		if n.Each != nil && reached[n.Name] {
			warn(n, n)
		}
	}
	t := &together{g: g, reached: reached, next: make(map[string][]string), seen: make(map[pair]bool)}
	for _, p := range t.pairs() {
		x, y := g.Node(p.a), g.Node(p.b)
		if x.Index > y.Index {
			x, y = y, x
		}
		warn(x, y)
	}
}

// sharedChannels returns, by node, the value channels it writes that have more
// than one writer.
func sharedChannels(g *Graph) map[*Node][]string {
	writers := make(map[string][]*Node)
	for _, n := range g.Nodes {
		for _, w := range n.Writes {
			writers[w] = append(writers[w], n)
		}
		if n.RawOut != "" {
			writers[n.RawOut] = append(writers[n.RawOut], n)
		}
	}
	out := make(map[*Node][]string)
	for _, c := range g.Channels {
		if c.Reduce != ReduceValue || c.Kind == Barrier {
			continue
		}
		for _, n := range writers[c.Name] {
			if len(writers[c.Name]) > 1 || n.Each != nil {
				out[n] = append(out[n], c.Name)
			}
		}
	}
	return out
}

func (b *builder) warnRivals(channel string, x, y *Node) {
	v := b.root.get("nodes").entries[y.Index].val
	at := v.place("writes")
	if w := v.get("writes"); w != nil {
		for _, it := range w.items {
			if it.text == channel {
				at = it.pos
			}
		}
	}
	if x == y {
		b.fs.warnf(at, "give the channel a reducer: append, union, merge", "nodes.%s: its tasks all write channel %s in one superstep, which keeps one value", y.Name, channel)
		return
	}
	b.fs.warnf(at, "give the channel a reducer, or let one node run after the other", "nodes.%s: may write channel %s in the same superstep as %s", y.Name, channel, x.Name)
}

// together searches for the pairs of nodes that may run in one superstep:
// those that start together, and what follows on such a pair. Branches of one
// condition exclude each other, and so, it is assumed, do the choices of a
// route. Deferred nodes meet only each other.
type together struct {
	g       *Graph
	reached map[string]bool
	next    map[string][]string // by node, what may follow it
	seen    map[pair]bool
	queue   []pair
	work    int
}

func (t *together) add(a, b string) {
	t.work++
	x, y := t.g.Node(a), t.g.Node(b)
	p := newPair(a, b)
	if x == nil || y == nil || x == y || x.Defer != y.Defer || t.seen[p] || !t.reached[a] || !t.reached[b] {
		return
	}
	t.seen[p] = true
	t.queue = append(t.queue, p)
}

func (t *together) done() bool { return t.work > maxRivalWork }

// cross adds each of one list with each of another.
func (t *together) cross(xs, ys []string) {
	for _, x := range xs {
		for _, y := range ys {
			if t.done() {
				return
			}
			t.add(x, y)
		}
	}
}

func (t *together) pairs() []pair {
	for _, e := range t.g.Edges {
		targets := e.targets()
		for _, from := range e.From {
			if t.reached[from] {
				t.cross(t.next[from], targets)
				t.cross(e.To, e.To)
				for _, w := range e.When {
					t.cross(w.To, w.To)
				}
			}
			t.next[from] = append(t.next[from], targets...)
		}
	}
	var deferred []string
	for _, n := range t.g.Nodes {
		if n.Defer {
			deferred = append(deferred, n.Name)
		}
	}
	t.cross(deferred, deferred)
	for i := 0; i < len(t.queue) && !t.done(); i++ {
		t.cross(t.next[t.queue[i].a], t.next[t.queue[i].b])
	}
	return t.queue
}

package workflow

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// check looks for what is wrong beyond single values.
func (b *builder) check(g *Graph) {
	b.references(g)
	b.placeholders()
	b.bindings(g)
	for i, e := range b.root.table("channels") {
		b.checkChannel(g, g.Channels[i], e.val)
	}
	for i, e := range b.root.table("nodes") {
		b.checkNode(g, g.Nodes[i], e.val)
	}
	b.checkEdges(g)
	b.checkSettings()
	if b.edgesSound() {
		b.unreachable(g)
	}
	if b.fs.errors == 0 { // else a warning might only follow from a fault
		b.unused(g)
		b.rivals(g)
	}
}

// edgesSound reports whether all that leads from node to node was understood.
func (b *builder) edgesSound() bool {
	for _, f := range b.fs.list {
		if strings.HasPrefix(f.Text, "edges") || strings.Contains(f.Text, ".on_error:") {
			return false
		}
	}
	return !b.fs.full() && b.root.get("edges") != nil
}

// references resolves every text that names something else.
func (b *builder) references(g *Graph) {
	known := map[refKind][]string{
		refModule:  keysOf(g.index.modules),
		refChannel: keysOf(g.index.channels),
		refNode:    keysOf(g.index.nodes),
	}
	known[refNodeOrEnd] = append(slices.Clone(known[refNode]), End)
	known[refNodeOrStart] = append(slices.Clone(known[refNode]), Start)
	sets := make(map[refKind]map[string]bool)
	for kind, list := range known {
		sets[kind] = make(map[string]bool, len(list))
		for _, n := range list {
			sets[kind][n] = true
		}
	}
	b.root.visit(func(v *value) {
		kind := v.shape.ref
		if kind == refNone || v.bad || v.implied || sets[kind][v.text] {
			return
		}
		v.bad = true
		if b.fs.full() {
			b.fs.errorf(v.pos, "", "")
			return
		}
		b.fs.errorf(v.pos, refHint(kind, v.text, known[kind]), "%s: expected %s, found %q", v.path, v.shape.what, clip(v.text, 64))
	})
}

func refHint(kind refKind, found string, known []string) string {
	switch {
	case found == Start:
		return "an edge may come from START, not lead to it"
	case found == End:
		return "an edge may lead to END, not come from it"
	case kind == refChannel && strings.HasSuffix(found, "!"):
		return fmt.Sprintf("write %q; the node's output may then have %q to replace the value", strings.TrimSuffix(found, "!"), found)
	}
	return didYouMean(found, known)
}

// placeholders reports ${env:X} where nothing replaces it, and passwords where
// it should stand.
func (b *builder) placeholders() {
	b.root.visit(func(v *value) {
		switch {
		case v.shape.url && v.text != "":
			if bad := checkURL(v.text); bad != "" {
				v.bad = true
				b.fs.errorf(v.pos, "take it from the environment: ${env:NAME}", "%s: %s", v.path, bad)
			}
		case strings.Contains(v.text, "${env:"):
			b.fs.errorf(v.pos, "", "%s: expected %s, found ${env:...}, which only store.url and stream.url may hold", v.path, v.shape.what)
		case v.shape.form == formJSON && strings.Contains(string(v.raw), "${env:"):
			b.fs.warnf(v.pos, "", "%s: ${env:...} is replaced in store.url and stream.url only; the node sees it as it stands", v.path)
		}
	})
}

func (b *builder) bindings(g *Graph) {
	in := b.root.get("input")
	if ch := g.Channel(g.Input.Channel); ch != nil && g.Input.Text && ch.Reduce != ReduceValue && ch.Reduce != ReduceFirst {
		b.fs.errorf(in.place("as"), "use a channel that reduces by value or first", "input.as: expected json for channel %s, which reduces by %s, found text", ch.Name, ch.Reduce)
	}
	if d := g.Input.Default; d != "" && !filepath.IsLocal(filepath.FromSlash(d)) {
		b.fs.errorf(in.place("default"), "whoever runs the workflow can name any file with --input", "input.default: expected a file inside the manifest's folder, found %q", d)
	}
}

func (b *builder) checkChannel(g *Graph, c *Channel, v *value) {
	switch {
	case c.Kind == Barrier && len(c.Writers) == 0 && !v.has("writers"):
		b.fs.errorf(v.place("kind"), "name the nodes it waits for: writers: [...]", "%s: expected writers for a barrier, found none", v.path)
	case c.Kind != Barrier && v.has("writers"):
		b.fs.errorf(v.get("writers").key, "add kind: barrier, or remove it", "%s: writers belong to kind barrier, found %s", v.path, c.Kind)
	}
	if v.get("writers") == nil {
		return
	}
	for _, w := range v.get("writers").items {
		if n := g.Node(w.text); n != nil && !n.writes(c.Name) {
			b.fs.errorf(w.pos, fmt.Sprintf("add %s to nodes.%s.writes", c.Name, n.Name), "%s: expected a node that writes %s, found %s", w.path, c.Name, n.Name)
		}
	}
}

// writes reports whether a node may write a channel.
func (n *Node) writes(channel string) bool {
	return n.RawOut == channel || slices.Contains(n.Writes, channel)
}

// checkSettings looks at what surrounds the graph.
func (b *builder) checkSettings() {
	s := b.root.get("stream")
	if s.has("block_for") && s.str("overflow") != "block" && !s.get("overflow").bad {
		b.fs.errorf(s.get("block_for").key, "", "stream.block_for: belongs to overflow block, found %s", s.str("overflow"))
	}
	if l := s.get("limit"); l.has("burst") && !l.has("rate") {
		b.fs.errorf(l.get("burst").key, "add rate", "stream.limit.burst: belongs to a rate, found none")
	}
}

// unused warns of what is declared and not needed.
func (b *builder) unused(g *Graph) {
	used := make(map[string]bool)
	written := map[string]bool{g.Input.Channel: true}
	for _, n := range g.Nodes {
		if n.Module != nil {
			used[n.Module.Name] = true
		}
		written[n.RawOut] = true
		for _, w := range n.Writes {
			written[w] = true
		}
	}
	for _, i := range g.Interrupts {
		written[i.Answer] = true
	}
	for _, m := range g.Modules {
		if !used[m.Name] {
			b.fs.warnf(m.Pos, "remove it, or name it in a node", "modules.%s: no node uses it", m.Name)
		}
	}
	if g.Input.Channel == "" {
		return // the input may write any channel
	}
	for _, c := range g.Channels {
		if !written[c.Name] {
			b.fs.warnf(c.Pos, "add it to the writes of a node", "channels.%s: nothing writes it", c.Name)
		}
	}
}

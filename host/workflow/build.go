package workflow

import (
	"errors"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
)

// checkVersion looks at the version before anything else: what another version
// may say, this one cannot judge.
func checkVersion(fs *faults, s *source, doc *yaml.Node) bool {
	if doc.Kind != yaml.MappingNode {
		return true
	}
	for i := 0; i+1 < len(doc.Content); i += 2 {
		k, v := doc.Content[i], doc.Content[i+1]
		if k.Value == "version" && v.Kind == yaml.ScalarNode && wholeForm().MatchString(v.Value) && v.Value != "1" {
			fs.errorf(s.at(v), "write version: 1, or use a dashhost that knows this one", "version: expected 1, found %s", found(v))
			return false
		}
	}
	return true
}

// builder makes a Graph of a tree of values. It works on faulty trees too, so
// that one pass finds the faults of all kinds.
type builder struct {
	fs      *faults
	src     *source
	options *Options
	root    *value
	cc      *conditionCompiler
}

func (b *builder) graph() *Graph {
	root := b.root
	g := &Graph{
		Name:   root.str("name"),
		File:   b.src.file,
		Dir:    filepath.Dir(b.src.file),
		Input:  binding(root, "input"),
		Output: binding(root, "output"),
		Run:    runLimits(root.get("run")),
		Store:  store(root.get("store")),
		Stream: stream(root.get("stream")),
	}
	g.index = index{make(map[string]*Channel), make(map[string]*Module), make(map[string]*Node)}
	for _, e := range root.table("channels") {
		c := b.channel(e)
		g.Channels = append(g.Channels, c)
		g.index.channels[c.Name] = c
	}
	for _, e := range root.table("modules") {
		m := b.module(g, e)
		g.Modules = append(g.Modules, m)
		g.index.modules[m.Name] = m
	}
	for i, e := range root.table("nodes") {
		n := b.node(g, i, e)
		g.Nodes = append(g.Nodes, n)
		g.index.nodes[n.Name] = n
	}
	b.cc = newConditionCompiler(g.Channels)
	if edges := root.get("edges"); edges != nil {
		for _, v := range edges.items {
			g.Edges = append(g.Edges, b.edge(v))
		}
	}
	b.later(g)
	b.check(g)
	return g
}

func binding(root *value, name string) Binding {
	v := root.get(name)
	if v == nil {
		return Binding{Pos: root.pos}
	}
	return Binding{Channel: v.str("channel"), Text: v.str("as") == "text", Default: v.str("default"), Pos: v.pos}
}

func runLimits(v *value) RunLimits {
	return RunLimits{
		MaxSteps:   int(v.num("max_steps")),
		MaxTasks:   int(v.num("max_tasks")),
		Parallel:   int(v.num("parallel")),
		StateBytes: int64(v.num("state")),
		WallTime:   time.Duration(v.num("wall_time")),
		Fuel:       v.num("fuel"),
		Places:     places(v),
	}
}

// places returns where each field of an object stands or would stand.
func places(v *value) map[string]Pos {
	out := make(map[string]Pos)
	for _, f := range v.shape.fields {
		out[f.name] = v.place(f.name)
	}
	return out
}

func store(v *value) Store {
	s := Store{URL: v.str("url"), Durability: v.str("durability"), Pos: v.place("url")}
	if d := v.get("durability"); d != nil && d.shape.form == formObject {
		s.Durability, s.MaxDelay = DurabilityMaxDelay, time.Duration(d.num("max_delay"))
	}
	keep := v.get("keep")
	s.KeepLast, s.KeepFor = int(keep.num("last")), time.Duration(keep.num("for"))
	return s
}

func stream(v *value) Stream {
	limit := v.get("limit")
	return Stream{
		URL:      v.str("url"),
		Queue:    int(v.num("queue")),
		Overflow: v.str("overflow"),
		BlockFor: time.Duration(v.num("block_for")),
		Rate:     limit.str("rate"),
		Burst:    int(limit.num("burst")),
		Pos:      v.place("url"),
	}
}

func (b *builder) channel(e entry) *Channel {
	v := e.val
	c := &Channel{
		Name:    e.name,
		Reduce:  Reducer(v.str("reduce")),
		Kind:    ChannelKind(v.str("kind")),
		Writers: v.strs("writers"),
		Pos:     v.key,
	}
	if s := v.get("schema"); s != nil && !s.bad {
		var err error
		if c.Schema, err = CompileSchema(s.raw); err != nil {
			b.fs.errorf(b.insideJSON(s, err), "", "%s: %v", s.path, err)
		}
	}
	return c
}

// insideJSON returns the place in a value that a *SchemaError points to, else
// that of the value.
func (b *builder) insideJSON(v *value, err error) Pos {
	n := v.node
	var se *SchemaError
	if !errors.As(err, &se) {
		return v.pos
	}
	for _, step := range se.path {
		at := -1
		for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == step {
				at = i + 1
			}
		}
		if i, err := strconv.Atoi(step); err == nil && n.Kind == yaml.SequenceNode && i >= 0 && i < len(n.Content) {
			at = i
		}
		if at < 0 {
			break
		}
		n = n.Content[at]
	}
	return b.src.at(n)
}

// texts are the items of a list of texts.
func texts(list *value) []string {
	if list == nil {
		return nil
	}
	var out []string
	for _, it := range list.items {
		out = append(out, it.text)
	}
	return out
}

func (b *builder) module(g *Graph, e entry) *Module {
	v := e.val
	m := &Module{
		Name:    e.name,
		Path:    v.str("path"),
		SHA256:  v.str("sha256"),
		Kind:    v.str("kind"),
		Trusted: v.flag("trusted"),
		Pos:     v.key,
	}
	m.Signers, m.Signatures = texts(b.root.get("signers")), texts(v.get("signatures"))
	if own := v.get("signers"); own != nil {
		m.Signers = texts(own)
	}
	if m.Path != "" {
		m.File = resolve(g.Dir, m.Path)
	}
	if bounds := v.get("bounds"); bounds != nil {
		m.Bounds = Bounds{
			Function:    int64(bounds.num("function")),
			Blocks:      int64(bounds.num("blocks")),
			BlockLocals: int64(bounds.num("block_locals")),
			Nesting:     int64(bounds.num("nesting")),
			Targets:     int64(bounds.num("targets")),

			CompileTime:   time.Duration(bounds.num("compile_time")),
			CompileMemory: int64(bounds.num("compile_memory")),
		}
	}
	if build := v.get("build"); build != nil {
		m.Build = &Build{Lang: build.str("lang"), Dir: build.str("dir")}
	}
	return m
}

// resolve returns the file that a path in a manifest means.
func resolve(dir, path string) string {
	path = filepath.FromSlash(path)
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

func (b *builder) edge(v *value) *Edge {
	e := &Edge{From: v.strs("from"), To: v.strs("to"), Route: v.strs("route"), Pos: v.pos}
	if when := v.get("when"); when != nil {
		for _, w := range when.items {
			e.When = append(e.When, Branch{If: b.condition(w.get("if")), To: w.strs("to"), Pos: w.pos})
		}
	}
	return e
}

// condition compiles an expression; nil if there is none or it is faulty.
func (b *builder) condition(v *value) *Condition {
	if v == nil || v.bad {
		return nil
	}
	c, bad := b.cc.compile(v.text)
	for _, f := range bad {
		b.fs.errorf(b.src.inside(v.node, f.offset), f.hint, "%s: %s", v.path, strings.TrimSpace(f.text))
	}
	if c != nil {
		c.Pos = v.pos
	}
	return c
}

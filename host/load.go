package host

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/dashhost/dashhost/checkpoint"
	"github.com/dashhost/dashhost/guest"
	"github.com/dashhost/dashhost/guest/signature"
	"github.com/dashhost/dashhost/guest/wasmbin"
	"github.com/dashhost/dashhost/host/workflow"
	"github.com/dashhost/dashhost/internal/engine"
)

// LoadOptions of Load. Nil is fine.
type LoadOptions struct {
	Nodes Nodes // Go functions for the manifest's native nodes
	// Progress is told when the compilation of a module begins and ends; it may
	// be called from several goroutines. Default none.
	Progress func(module string, done bool)
}

// Graph is a workflow that is ready to run. It is safe for concurrent use and
// belongs to the Host that made it, which closes it; Close gives it back
// earlier.
type Graph struct {
	host     *Host
	graph    *workflow.Graph
	warnings []workflow.Fault
	natives  Nodes
	wasm     map[string][]byte // by digest, as the store names it
	out      *outlet           // nil: events go nowhere

	modules []*guest.Module
	pools   []nodePool // in the order of the manifest
	nodes   map[string]engine.Node

	// Under Host.mu.
	warmed   bool
	users    int // runs that go on
	draining bool
	unused   chan struct{} // closed when it is draining and has no users

	warming   sync.WaitGroup
	cool      context.CancelFunc // ends warming
	closeOnce sync.Once
	closeErr  error
}

// Workflow returns the validated manifest.
func (g *Graph) Workflow() *workflow.Graph { return g.graph }

// Warnings returns what the manifest should be looked at for.
func (g *Graph) Warnings() []workflow.Fault { return g.warnings }

// Digest identifies the graph: "sha256:..." over everything that matters to a
// run, modules included, formatting and comments not.
func (g *Graph) Digest() string { return g.graph.Digest() }

// Check parses a manifest and looks into its modules without compiling them.
// natives are the names of Go nodes that would be given to Load; nil = any. The
// error is a *workflow.Invalid with every fault, or one of reading the file.
func Check(ctx context.Context, path string, natives []string) (*workflow.Graph, []workflow.Fault, error) {
	return workflow.Load(ctx, path, &workflow.Options{Inspect: (&inspector{look: guest.Inspect}).inspect, Natives: natives})
}

// Load parses a manifest, checks it with its modules, and compiles them, once
// per digest and Host. The error is a *workflow.Invalid with every fault, a
// *NotInVersionError, a *guest.LoadError, or one of reading files.
func (h *Host) Load(ctx context.Context, path string, o *LoadOptions) (*Graph, error) {
	if o == nil {
		o = &LoadOptions{}
	}
	if err := h.usable(nil); err != nil {
		return nil, err
	}
	in := &inspector{look: h.guest.Inspect, wasm: map[string][]byte{}}
	wg, warnings, err := workflow.Load(ctx, path, &workflow.Options{Inspect: in.inspect, Natives: o.Nodes.names()})
	if err != nil {
		return nil, err
	}
	return h.prepare(ctx, wg, warnings, in.wasm, o)
}

// restore loads the graph that a store keeps under digest.
func (h *Host) restore(ctx context.Context, s *checkpoint.Store, digest string, o *LoadOptions) (*Graph, error) {
	manifest, err := blob(ctx, s, digest)
	if err != nil {
		return nil, fmt.Errorf("the graph: %w", err)
	}
	var lost error
	read := func(name string, _ int64) ([]byte, error) {
		b, err := blob(ctx, s, name)
		if err != nil && lost == nil {
			lost = fmt.Errorf("a module of graph %s: %w", digest, err)
		}
		return b, err
	}
	in := &inspector{look: h.guest.Inspect, wasm: map[string][]byte{}}
	wg, warnings, err := workflow.Parse(ctx, "graph "+digest, manifest, &workflow.Options{
		Inspect: in.inspect, Natives: o.Nodes.names(),
		ReadFile: read,
	})
	if lost != nil {
		return nil, lost
	}
	if err != nil {
		return nil, err
	}
	return h.prepare(ctx, wg, warnings, in.wasm, o)
}

// blob reads what a graph that was kept is made of: if it is not there it was
// lost.
func blob(ctx context.Context, s *checkpoint.Store, digest string) ([]byte, error) {
	b, err := s.Blob(ctx, digest)
	if errors.Is(err, checkpoint.ErrNotFound) {
		err = &checkpoint.DamageError{Blob: digest, Reason: "is not in the store"}
	}
	return b, err
}

// keep writes the graph and its modules to the store, so that a resume needs no
// files. What is there already is not written again.
func (g *Graph) keep(ctx context.Context, s *checkpoint.Store) error {
	blobs := [][]byte{g.graph.Canonical()}
	for _, m := range g.graph.Modules {
		blobs = append(blobs, g.wasm[m.SHA256])
	}
	for _, b := range blobs {
		_, commit, err := s.PutBlob(ctx, b)
		if err != nil {
			return fmt.Errorf("keep the graph: %w", err)
		}
		if err := commit.Wait(ctx); err != nil {
			return fmt.Errorf("keep the graph: %w", err)
		}
	}
	return nil
}

// prepare compiles the modules and makes a node of each vertex.
func (h *Host) prepare(ctx context.Context, wg *workflow.Graph, warnings []workflow.Fault, wasm map[string][]byte, o *LoadOptions) (_ *Graph, err error) {
	if faults := wg.Unsupported(); len(faults) > 0 {
		return nil, &NotInVersionError{Faults: faults}
	}
	g := &Graph{host: h, graph: wg, warnings: warnings, natives: o.Nodes, wasm: wasm, nodes: map[string]engine.Node{}}
	g.unused, g.cool = make(chan struct{}), func() {}
	defer func() {
		if err != nil {
			err = errors.Join(err, g.close(context.WithoutCancel(ctx)))
		}
	}()
	if g.out, err = h.outlet(ctx, wg); err != nil {
		return nil, err
	}
	if err := g.compile(ctx, o.Progress); err != nil {
		return nil, err
	}
	for _, n := range wg.Nodes {
		node, err := g.node(n)
		if err != nil {
			return nil, err
		}
		g.nodes[n.Name] = node
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil, ErrClosed
	}
	h.graphs[g] = struct{}{}
	return g, nil
}

// compile loads every module that a node uses.
func (g *Graph) compile(ctx context.Context, progress func(string, bool)) error {
	if progress == nil {
		progress = func(string, bool) {}
	}
	g.modules = make([]*guest.Module, len(g.graph.Modules))
	var eg errgroup.Group
	eg.SetLimit(compilers())
	for i, m := range g.graph.Modules {
		if !slices.ContainsFunc(g.graph.Nodes, func(n *workflow.Node) bool { return n.Module == m }) {
			continue
		}
		eg.Go(func() error {
			progress(m.Name, false)
			defer progress(m.Name, true)
			o, err := moduleOptions(m)
			if err == nil {
				g.modules[i], err = g.host.guest.Load(ctx, g.wasm[m.SHA256], o)
			}
			return err
		})
	}
	return eg.Wait()
}

func (g *Graph) module(m *workflow.Module) *guest.Module {
	return g.modules[slices.Index(g.graph.Modules, m)]
}

// moduleOptions is what a manifest says about loading a module.
func moduleOptions(m *workflow.Module) (*guest.ModuleOptions, error) {
	signers, err := signature.ParsePublicKeys(m.Signers)
	if err != nil {
		return nil, err
	}
	b := m.Bounds
	return &guest.ModuleOptions{
		Signers: signers, Signatures: m.Signatures,
		Name: m.Name, SHA256: m.SHA256, Trusted: m.Trusted,
		Bounds: wasmbin.Bounds{
			BodyBytes: bound(b.Function), Blocks: bound(b.Blocks), BlockLocals: bound(b.BlockLocals),
			Nesting: bound(b.Nesting), BrTargets: bound(b.Targets),
		},
		CompileTime: b.CompileTime, CompileMemory: b.CompileMemory,
	}, nil
}

// bound keeps a bound of a manifest within what package wasmbin counts with.
func bound(n int64) uint32 { return uint32(min(max(n, 0), math.MaxUint32)) }

// inspector looks at modules for package workflow, which knows no wasm, and
// keeps their bytes if wasm is not nil.
type inspector struct {
	look func(wasm []byte, o *guest.ModuleOptions) (*guest.Info, error)
	mu   sync.Mutex
	wasm map[string][]byte // by sha256 in hex
}

func (in *inspector) inspect(m *workflow.Module, wasm []byte) ([]workflow.Fault, *workflow.ModuleInfo, error) {
	o, err := moduleOptions(m)
	if err != nil {
		return nil, nil, err
	}
	info, err := in.look(wasm, o)
	if err != nil {
		var load *guest.LoadError
		if !errors.As(err, &load) {
			return nil, nil, err
		}
		return []workflow.Fault{loadFault(m, load)}, nil, nil
	}
	out := &workflow.ModuleInfo{SHA256: info.SHA256, Obstacles: info.Obstacles}
	for _, g := range info.Grants {
		out.Grants = append(out.Grants, string(g))
	}
	for _, i := range info.Imports {
		out.Imports = append(out.Imports, i.Module+"."+i.Name)
	}
	if in.wasm != nil {
		in.mu.Lock()
		in.wasm[info.SHA256] = wasm
		in.mu.Unlock()
	}
	return nil, out, nil
}

// loadFault says in the manifest's terms why a module was refused.
func loadFault(m *workflow.Module, e *guest.LoadError) workflow.Fault {
	own := *e
	own.Hint = ""
	return workflow.Fault{Pos: m.Pos, Text: own.Error(), Hint: e.Hint}
}

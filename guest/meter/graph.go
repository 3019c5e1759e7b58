package meter

import (
	"slices"

	"github.com/dashhost/dashhost/guest/wasmbin"
)

// function is what the rest of the module must know of one defined function.
type function struct {
	frame int64 // bytes of stack, an estimate
	leaf  int64 // what a call of it costs the caller, if it is not metered itself; else 0
	deep  bool  // it can recurse, or call what can, or takes much: it minds the depth
	below int64 // what the longest chain of its callees takes, as far as these are not deep
}

// graph finds out which functions are deep: those that are left when all are taken away, again and again, whose
// callees have all been taken away. An indirect call may reach every function of its type that is in an element
// segment or named by ref.func.
type graph struct {
	m         *wasmbin.Module
	imported  uint32
	functions []function
	types     []uint32 // the first type that equals this one
	first     map[string]uint32
	reachable []bool // defined functions that indirect calls can reach
	exported  []bool // defined functions that the host can call

	// Nodes are the defined functions, and behind them the types.
	calls [][]uint32 // callees of a node, each once
	seen  []uint32   // for each node, the last caller + 1 that was noted as one of it
	deep  []bool
}

func newGraph(m *wasmbin.Module) *graph {
	n := len(m.Functions)
	g := &graph{
		m: m, imported: uint32(m.Imported(wasmbin.KindFunc)),
		functions: make([]function, n), types: make([]uint32, len(m.Types)), reachable: make([]bool, n), exported: make([]bool, n),
		calls: make([][]uint32, n+len(m.Types)), seen: make([]uint32, n+len(m.Types)),
	}
	g.first = make(map[string]uint32, len(m.Types))
	for i := range m.Types {
		key := m.Types[i].String()
		if _, ok := g.first[key]; !ok {
			g.first[key] = uint32(i)
		}
		g.types[i] = g.first[key]
	}
	for i := range m.Elements {
		for _, f := range m.Elements[i].Functions {
			g.reach(f)
		}
		for _, x := range m.Elements[i].Exprs {
			g.references(x)
		}
	}
	for i := range m.Exports {
		if e := &m.Exports[i]; e.Kind == wasmbin.KindFunc && e.Index >= g.imported {
			g.exported[e.Index-g.imported] = true
		}
	}
	for i := range m.Globals {
		g.references(m.Globals[i].Init)
	}
	return g
}

func (g *graph) reach(f uint32) {
	if f >= g.imported {
		g.reachable[f-g.imported] = true
	}
}

// references notes the functions that a constant expression names.
func (g *graph) references(x wasmbin.Expr) {
	var in wasmbin.Instr
	for it := wasmbin.NewInstrReader(x); it.Next(&in); {
		if in.Op == wasmbin.OpRefFunc {
			g.reach(in.X)
		}
	}
}

// add notes what was surveyed of function i.
func (g *graph) add(i int, s *survey) {
	f := &g.functions[i]
	f.frame = s.frame.bytes(s.instrs)
	if body := &s.blocks[0]; !body.loops && !body.calls && s.instrs <= short && !g.exported[i] {
		f.leaf = body.cost
	}
	for k := range s.sites {
		switch c := &s.sites[k]; {
		case c.indirect:
			g.edge(i, uint32(len(g.functions))+g.types[c.to])
		case c.to >= g.imported:
			g.edge(i, c.to-g.imported)
		}
	}
}

func (g *graph) edge(from int, to uint32) {
	if stamp := uint32(from) + 1; g.seen[to] != stamp {
		g.seen[to] = stamp
		g.calls[from] = append(g.calls[from], to)
	}
}

// solve finds the deep functions and the needs of the others. All functions have been added.
func (g *graph) solve() {
	n := len(g.functions)
	for i := range g.functions {
		if g.reachable[i] {
			t := n + int(g.types[g.m.Functions[i].Type])
			g.calls[t] = append(g.calls[t], uint32(i))
		}
	}
	need := make([]int64, len(g.calls)) // of the callees seen so far
	left := make([]int, len(g.calls))   // callees that are not taken away yet
	callers := make([][]uint32, len(g.calls))
	var free []uint32
	for i, to := range g.calls {
		left[i] = len(to)
		for _, c := range to {
			callers[c] = append(callers[c], uint32(i))
		}
		if len(to) == 0 {
			free = append(free, uint32(i))
		}
	}
	deep := slices.Repeat([]bool{true}, len(g.calls))
	for len(free) > 0 {
		i := free[len(free)-1]
		free = free[:len(free)-1]
		if int(i) < n {
			if need[i] += g.functions[i].frame; need[i] > unminded {
				continue
			}
		}
		deep[i] = false
		for _, c := range callers[i] {
			need[c] = max(need[c], need[i])
			if left[c]--; left[c] == 0 {
				free = append(free, c)
			}
		}
	}
	for i := range g.functions {
		f := &g.functions[i]
		f.deep = deep[i]
		for _, c := range g.calls[i] {
			if int(c) >= n || !deep[c] {
				f.below = max(f.below, need[c])
			}
		}
	}
	g.deep = deep
}

// reaches tells whether a call may lead to a deep function.
func (g *graph) reaches(c *site) bool {
	switch {
	case c.indirect:
		return g.deep[len(g.functions)+int(g.types[c.to])]
	case c.to < g.imported:
		return false
	}
	return g.deep[c.to-g.imported]
}

// leaf gives what a call of function i costs its caller.
func (g *graph) leaf(i uint32) int64 {
	if i < g.imported {
		return 0
	}
	return g.functions[i-g.imported].leaf
}

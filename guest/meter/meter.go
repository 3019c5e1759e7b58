package meter

import (
	"errors"
	"slices"
	"strings"

	"github.com/dashhost/dashhost/guest/wasmbin"
)

// Version names what Rewrite does: whoever caches what was made of its result
// puts it into the key.
const Version = 2

// What Rewrite adds to a module. A guest that imports from ImportModule, or exports names that begin with
// ExportPrefix, is refused.
const (
	ImportModule = "dash_meter_v1"
	// ImportRefuel is a function (i32) -> i32. It is given the fuel counter, a negative number, and returns its
	// next value, or does not return. The counter starts at 0.
	ImportRefuel = "refuel"
	// ImportDeepen is a function (i32) -> i32. It is given how much stack is left, in bytes, a negative number.
	// The depth starts at 0, so that the first function that minds it calls this, unless the host has set the
	// depth before: the host adds the limit and returns the sum. It does not return when it has done so already.
	ImportDeepen = "deepen"
	// ExportPrefix begins the names of all exports that Rewrite adds.
	ExportPrefix = ImportModule + "/"
	// ExportFuel is a global i32: the counter. A host may set it when no code of the instance runs, or from a
	// host function.
	ExportFuel = ExportPrefix + "fuel"
	// ExportDepth is a global i32: how much stack is left, in bytes. A host sets it before each call: calls leave
	// any number behind.
	ExportDepth = ExportPrefix + "depth"
)

// ErrReserved is returned for a module that imports from ImportModule itself, or has exports whose names
// begin with ExportPrefix.
var ErrReserved = errors.New(ImportModule + " is reserved for the host")

const (
	// short is the longest body, in instructions, of a function without loops and calls that is not metered
	// itself: its callers pay for it.
	short = 32
	// dispatch is the number of br_table targets from which a loop counts as one that dispatches; a turn of it
	// costs 1/dispatchShare of its instructions.
	dispatch      = 16
	dispatchShare = 32
	leastDispatch = 16
	// maxCharge is the most that one check takes, so that a counter that was not negative cannot wrap.
	maxCharge = 1 << 28
	// maxFrame is the highest estimate of a frame.
	maxFrame = 1 << 28
	// unminded is how much stack, in bytes, a function and its callees may take without minding the depth.
	unminded = 32 << 10
)

// Rewritten is what the host must know of a module beside its code.
type Rewritten struct {
	// Globals are the guest's mutable globals of the types i32, i64, f32 and f64.
	Globals []Global
	// Obstacles say why an instance cannot be put back to an earlier state by setting its memory and
	// Globals, for people. Empty: it can.
	Obstacles []string
}

// Rewrite adds metering to m, in place, and exports its mutable globals. m must
// come from wasmbin.Decode and be owned by the caller. After an error m is not
// changed. The only error of a module that Decode returned is ErrReserved.
func Rewrite(m *wasmbin.Module) (*Rewritten, error) {
	if reserved(m) {
		return nil, ErrReserved
	}
	w := newRewriter(m)
	if err := w.survey(); err != nil {
		return nil, err
	}
	r := &Rewritten{}
	bodies := make([][]byte, len(m.Functions))
	for i := range m.Functions {
		b, err := w.body(r, i)
		if err != nil {
			return nil, err
		}
		bodies[i] = b
	}
	for i := range bodies {
		m.Functions[i].Body = bodies[i]
	}
	w.state(r)
	w.module()
	return r, nil
}

// reserved tells whether the module uses a name that is the host's.
func reserved(m *wasmbin.Module) bool {
	return slices.ContainsFunc(m.Imports, func(i wasmbin.Import) bool { return i.Module == ImportModule }) ||
		slices.ContainsFunc(m.Exports, func(e wasmbin.Export) bool { return strings.HasPrefix(e.Name, ExportPrefix) })
}

type rewriter struct {
	m        *wasmbin.Module
	imported uint32 // functions that the guest imports; the others move by two
	refuel   uint32 // the two behind them
	deepen   uint32
	fuel     variable
	depth    variable
	graph    *graph
	now      survey // of the present function
	helpers  []helper
}

func newRewriter(m *wasmbin.Module) *rewriter {
	imported, globals := uint32(m.Imported(wasmbin.KindFunc)), uint32(m.Count(wasmbin.KindGlobal))
	return &rewriter{
		m: m, imported: imported, refuel: imported, deepen: imported + 1,
		fuel: variable{true, globals}, depth: variable{true, globals + 1},
		graph: newGraph(m), now: survey{types: m.Types},
	}
}

// survey looks at all bodies, for what must be known of one function when another is rewritten.
func (w *rewriter) survey() error {
	for i := range w.m.Functions {
		if err := w.now.walk(&w.m.Functions[i], nil); err != nil {
			return err
		}
		w.graph.add(i, &w.now)
		for _, f := range w.now.references {
			w.graph.reach(f)
		}
	}
	w.graph.solve()
	return nil
}

// function gives the new index of a function.
func (w *rewriter) function(i uint32) uint32 {
	if i >= w.imported {
		return i + 2
	}
	return i
}

// module adds imports, globals and helpers, and moves the indices of functions outside of bodies.
func (w *rewriter) module() {
	m := w.m
	question := w.typeOf([]wasmbin.ValueType{wasmbin.I32}, []wasmbin.ValueType{wasmbin.I32})
	m.Imports = append(slices.Clip(m.Imports),
		wasmbin.Import{Module: ImportModule, Name: ImportRefuel, Kind: wasmbin.KindFunc, Type: question},
		wasmbin.Import{Module: ImportModule, Name: ImportDeepen, Kind: wasmbin.KindFunc, Type: question})
	for i := range m.Exports {
		if m.Exports[i].Kind == wasmbin.KindFunc {
			m.Exports[i].Index = w.function(m.Exports[i].Index)
		}
	}
	for i := range m.Globals {
		m.Globals[i].Init = w.expr(m.Globals[i].Init)
	}
	m.Globals = slices.Clip(m.Globals)
	for _, g := range []struct {
		variable
		name string
	}{{w.fuel, ExportFuel}, {w.depth, ExportDepth}} {
		var zero code
		zero.i32(0)
		zero.end()
		m.Globals = append(m.Globals, wasmbin.Global{
			GlobalType: wasmbin.GlobalType{Type: wasmbin.I32, Mutable: true}, Init: wasmbin.Expr(zero),
		})
		m.Exports = append(slices.Clip(m.Exports), wasmbin.Export{Name: g.name, Kind: wasmbin.KindGlobal, Index: g.index})
	}
	if m.HasStart {
		m.Start = w.function(m.Start)
	}
	for i := range m.Elements {
		w.element(&m.Elements[i])
	}
	m.Names.Functions = w.names(m.Names.Functions)
	w.addHelpers()
}

func (w *rewriter) names(old []wasmbin.NamedFunction) []wasmbin.NamedFunction {
	moved := slices.Clone(old)
	for i := range moved {
		moved[i].Index = w.function(moved[i].Index)
	}
	return moved
}

// typeOf is the index of a function type, added if the module has none that equals it.
func (w *rewriter) typeOf(params, results []wasmbin.ValueType) uint32 {
	t := wasmbin.FuncType{Params: params, Results: results}
	key := t.String()
	i, ok := w.graph.first[key]
	if !ok {
		i = uint32(len(w.m.Types))
		w.graph.first[key] = i
		w.m.Types = append(slices.Clip(w.m.Types), t)
	}
	return i
}

// blockOf is the type of a block without parameters.
func (w *rewriter) blockOf(results []wasmbin.ValueType) wasmbin.BlockType {
	switch len(results) {
	case 0:
		return wasmbin.BlockEmpty
	case 1:
		return wasmbin.BlockOf(results[0])
	}
	return wasmbin.BlockType(w.typeOf(nil, results))
}

func (w *rewriter) element(e *wasmbin.Element) {
	if len(e.Functions) > 0 {
		moved := make([]uint32, len(e.Functions))
		for i, f := range e.Functions {
			moved[i] = w.function(f)
		}
		e.Functions = moved
	}
	for i := range e.Exprs {
		e.Exprs[i] = w.expr(e.Exprs[i])
	}
}

// expr moves the functions of a constant expression.
func (w *rewriter) expr(x wasmbin.Expr) wasmbin.Expr {
	it := wasmbin.NewInstrReader(x)
	var in wasmbin.Instr
	out := make([]byte, 0, len(x)+1)
	for it.Next(&in) {
		if in.Op == wasmbin.OpRefFunc {
			in.X = w.function(in.X)
		}
		out = in.Append(out)
	}
	return out
}

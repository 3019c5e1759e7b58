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

// The import that Rewrite adds: a function (i32) -> i32. It is given what is
// left of the slice, a negative number, and returns the next slice. A guest
// that imports from this module is refused.
const (
	ImportModule = "dash_meter_v1"
	ImportRefuel = "refuel"
)

// ErrReserved is returned for a module that imports from ImportModule itself, or has exports whose names
// begin with ExportPrefix.
var ErrReserved = errors.New(ImportModule + " is reserved for the host")

const (
	// leaf is the longest body, in instructions, of a function without loops and
	// calls that goes unmetered.
	leaf = 32
	// dispatch is the number of br_table targets from which a loop counts as one
	// that dispatches; a turn of it costs 1/dispatchShare of its instructions.
	dispatch      = 16
	dispatchShare = 32
	leastDispatch = 16
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
	w := &rewriter{
		m:       m,
		refuel:  uint32(m.Imported(wasmbin.KindFunc)),
		counter: uint32(m.Count(wasmbin.KindGlobal)),
	}
	r := &Rewritten{}
	bodies := make([][]byte, len(m.Functions))
	for i := range m.Functions {
		b, err := w.body(r, uint32(i))
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
	m       *wasmbin.Module
	refuel  uint32 // index of the import; functions from here on move by one
	counter uint32 // index of the global
}

// function gives the new index of a function.
func (w *rewriter) function(i uint32) uint32 {
	if i >= w.refuel {
		return i + 1
	}
	return i
}

// module adds import, type and global, and moves the indices of functions
// outside of bodies.
func (w *rewriter) module() {
	m := w.m
	m.Imports = append(slices.Clip(m.Imports), wasmbin.Import{
		Module: ImportModule, Name: ImportRefuel, Kind: wasmbin.KindFunc, Type: w.refuelType(),
	})
	for i := range m.Globals {
		m.Globals[i].Init = w.expr(m.Globals[i].Init)
	}
	m.Globals = append(slices.Clip(m.Globals), wasmbin.Global{
		GlobalType: wasmbin.GlobalType{Type: wasmbin.I32, Mutable: true},
		Init:       wasmbin.Expr(wasmbin.AppendOp(wasmbin.AppendInt64(wasmbin.AppendOp(nil, wasmbin.OpI32Const), 0), wasmbin.OpEnd)),
	})
	for i := range m.Exports {
		if m.Exports[i].Kind == wasmbin.KindFunc {
			m.Exports[i].Index = w.function(m.Exports[i].Index)
		}
	}
	if m.HasStart {
		m.Start = w.function(m.Start)
	}
	for i := range m.Elements {
		w.element(&m.Elements[i])
	}
	m.Names.Functions = w.names(m.Names.Functions)
}

func (w *rewriter) names(old []wasmbin.NamedFunction) []wasmbin.NamedFunction {
	moved := slices.Clone(old)
	for i := range moved {
		moved[i].Index = w.function(moved[i].Index)
	}
	return moved
}

// refuelType is the index of (i32) -> i32, added if the module has none.
func (w *rewriter) refuelType() uint32 {
	want := []wasmbin.ValueType{wasmbin.I32}
	for i := range w.m.Types {
		if slices.Equal(w.m.Types[i].Params, want) && slices.Equal(w.m.Types[i].Results, want) {
			return uint32(i)
		}
	}
	w.m.Types = append(slices.Clip(w.m.Types), wasmbin.FuncType{Params: want, Results: want})
	return uint32(len(w.m.Types) - 1)
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

// body returns the rewritten body of a function.
func (w *rewriter) body(r *Rewritten, i uint32) ([]byte, error) {
	f := &w.m.Functions[i]
	p, err := survey(f.Body)
	if err != nil {
		return nil, err
	}
	it := wasmbin.NewInstrReader(f.Body)
	var in wasmbin.Instr
	out := make([]byte, 0, len(f.Body)+len(f.Body)/8+(len(p.loops)+1)*32)
	if p.entry > 0 {
		out = w.check(out, p.entry)
	}
	loop := 0
	for it.Next(&in) {
		w.obstacle(r, in.Op, w.refuel+i)
		switch in.Op {
		case wasmbin.OpCall, wasmbin.OpRefFunc:
			in.X = w.function(in.X)
			out = in.Append(out)
		case wasmbin.OpLoop:
			out = in.Append(out)
			out = w.check(out, p.loops[loop])
			loop++
		default:
			out = append(out, f.Body[in.Offset:in.Offset+in.Len]...)
		}
	}
	return out, it.Err()
}

// check appends the injected code.
func (w *rewriter) check(out []byte, cost int64) []byte {
	get := func() { out = wasmbin.AppendUint32(wasmbin.AppendOp(out, wasmbin.OpGlobalGet), w.counter) }
	set := func() { out = wasmbin.AppendUint32(wasmbin.AppendOp(out, wasmbin.OpGlobalSet), w.counter) }
	constant := func(v int64) { out = wasmbin.AppendInt64(wasmbin.AppendOp(out, wasmbin.OpI32Const), v) }
	get()
	constant(cost)
	out = wasmbin.AppendOp(out, wasmbin.OpI32Sub)
	set()
	get()
	constant(0)
	out = wasmbin.AppendOp(out, wasmbin.OpI32LtS)
	out = wasmbin.AppendInt64(wasmbin.AppendOp(out, wasmbin.OpIf), int64(wasmbin.BlockEmpty))
	get()
	out = wasmbin.AppendUint32(wasmbin.AppendOp(out, wasmbin.OpCall), w.refuel)
	set()
	return wasmbin.AppendOp(out, wasmbin.OpEnd)
}

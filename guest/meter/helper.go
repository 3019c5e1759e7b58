package meter

import (
	"slices"

	"github.com/dashhost/dashhost/guest/wasmbin"
)

// helper is a function that is added: it does one bulk operation in pieces, each charged before it is done, with
// the meaning of the operation as a whole. Where that would trap it is done at once, and traps before it writes.
type helper struct {
	what wasmbin.Op
	x, y uint32 // as in the instruction
}

// helper gives the index of the function for an instruction.
func (w *rewriter) helper(in *wasmbin.Instr) uint32 {
	h := helper{what: in.Op}
	switch in.Op {
	case wasmbin.OpMemoryInit, wasmbin.OpTableFill, wasmbin.OpTableGrow:
		h.x = in.X
	case wasmbin.OpTableCopy, wasmbin.OpTableInit:
		h.x, h.y = in.X, in.Y
	}
	i := slices.Index(w.helpers, h)
	if i < 0 {
		i = len(w.helpers)
		w.helpers = append(w.helpers, h)
	}
	return w.function(w.imported + uint32(len(w.m.Functions)) + uint32(i))
}

// addHelpers adds them behind all other functions.
func (w *rewriter) addHelpers() {
	m := w.m
	m.Functions = slices.Clip(m.Functions)
	for _, h := range w.helpers {
		index := w.imported + 2 + uint32(len(m.Functions))
		m.Functions = append(m.Functions, w.write(h))
		m.Names.Functions = append(m.Names.Functions, wasmbin.NamedFunction{Index: index, Name: h.what.String()})
	}
}

// The parameters of a helper: where to, from where (or the value), how much; and the local behind them.
const (
	paramTo, paramFrom, paramLength = 0, 1, 2
	localPiece                      = 3
)

func (w *rewriter) write(h helper) wasmbin.Function {
	i32 := wasmbin.I32
	s := &script{w: w, helper: h}
	params, results := []wasmbin.ValueType{i32, i32, i32}, []wasmbin.ValueType(nil)
	switch h.what {
	case wasmbin.OpMemoryGrow:
		params, results = params[:1], params[:1]
		s.grow(0, pageUnits, 1<<16)
	case wasmbin.OpTableGrow:
		params, results = []wasmbin.ValueType{w.m.TableType(h.x).Elem, i32}, params[:1]
		s.grow(1, 1, maxCharge)
	case wasmbin.OpTableFill:
		params[1] = w.m.TableType(h.x).Elem
		s.bounds()
		s.forward()
	case wasmbin.OpMemoryCopy, wasmbin.OpTableCopy:
		s.bounds()
		s.get(paramTo)
		s.get(paramFrom)
		s.op(wasmbin.OpI32LeU)
		s.open(wasmbin.OpIf, wasmbin.BlockEmpty)
		s.forward()
		s.op(wasmbin.OpElse)
		s.backward()
		s.end()
	default:
		s.bounds()
		s.forward()
	}
	s.end()
	return wasmbin.Function{
		Type: w.typeOf(params, results), Body: s.code, Locals: []wasmbin.LocalRun{{Count: 1, Type: i32}},
	}
}

// script is a helper that is being written.
type script struct {
	code
	helper
	w *rewriter
}

func (s *script) inBytes() bool { return inMemory(s.what) }

// do writes the operation itself, with its operands before it.
func (s *script) do() {
	in := wasmbin.Instr{Op: s.what, Info: s.what.Info(), X: s.x, Y: s.y}
	s.code = in.Append(s.code)
}

// ask writes: if the counter is spent, ask for more.
func (s *script) ask() {
	s.spent(s.w.fuel)
	s.open(wasmbin.OpIf, wasmbin.BlockEmpty)
	s.load(s.w.fuel)
	s.index(wasmbin.OpCall, s.w.refuel)
	s.store(s.w.fuel)
	s.end()
}

// grow writes an operation that grows something by parameter n, and charges for it if it has succeeded.
func (s *script) grow(n uint32, units int64, most int64) {
	result := n + 1
	for k := range n + 1 {
		s.get(k)
	}
	s.do()
	s.tee(result)
	s.i32(-1)
	s.op(wasmbin.OpI32Ne)
	s.open(wasmbin.OpIf, wasmbin.BlockEmpty)
	s.load(s.w.fuel)
	s.least(n, most)
	s.i32(units)
	s.op(wasmbin.OpI32Mul, wasmbin.OpI32Sub)
	s.store(s.w.fuel)
	s.ask()
	s.end()
	s.get(result)
}

// least writes the smaller of a local and a constant, without sign.
func (s *script) least(local uint32, most int64) {
	s.get(local)
	s.i32(most)
	s.get(local)
	s.i32(most)
	s.op(wasmbin.OpI32LtU, wasmbin.OpSelect)
}

// bounds does the operation at once if it traps.
func (s *script) bounds() {
	room := func() { // elements of the table, or pages of the memory, as bytes
		if s.inBytes() {
			s.op(wasmbin.OpMemorySize)
			s.code = append(s.code, 0)
			s.op(wasmbin.OpI64ExtendI32U)
			s.i64(pageSize)
			s.op(wasmbin.OpI64Mul)
			return
		}
		table := s.x
		if s.what == wasmbin.OpTableInit {
			table = s.y
		}
		s.index(wasmbin.OpTableSize, table)
		s.op(wasmbin.OpI64ExtendI32U)
	}
	s.beyond(paramTo, room)
	switch s.what {
	case wasmbin.OpMemoryCopy:
		s.beyond(paramFrom, room)
	case wasmbin.OpTableCopy:
		s.beyond(paramFrom, func() {
			s.index(wasmbin.OpTableSize, s.y)
			s.op(wasmbin.OpI64ExtendI32U)
		})
	case wasmbin.OpMemoryInit:
		s.beyond(paramFrom, func() { s.i64(int64(len(s.w.m.Data[s.x].Bytes))) })
	case wasmbin.OpTableInit:
		e := &s.w.m.Elements[s.x]
		s.beyond(paramFrom, func() { s.i64(int64(len(e.Functions) + len(e.Exprs))) })
	}
}

// beyond writes: if paramLength from start on is more than there is, do it, which traps.
func (s *script) beyond(start uint32, room func()) {
	for _, local := range [...]uint32{start, paramLength} {
		s.get(local)
		s.op(wasmbin.OpI64ExtendI32U)
	}
	s.op(wasmbin.OpI64Add)
	room()
	s.op(wasmbin.OpI64GtU)
	s.open(wasmbin.OpIf, wasmbin.BlockEmpty)
	s.get(paramTo)
	s.get(paramFrom)
	s.get(paramLength)
	s.do()
	s.op(wasmbin.OpUnreachable)
	s.end()
}

// charge takes the size of the next piece, which it leaves in localPiece, from the counter.
func (s *script) charge() {
	size, shift := int64(tablePiece), int64(0)
	if s.inBytes() {
		size, shift = memoryPiece, unitShift
	}
	s.least(paramLength, size)
	s.set(localPiece)
	s.load(s.w.fuel)
	s.get(localPiece)
	s.i32(shift)
	s.op(wasmbin.OpI32ShrU)
	s.i32(1)
	s.op(wasmbin.OpI32Add, wasmbin.OpI32Sub)
	s.store(s.w.fuel)
	s.ask()
}

// move writes: local = local + localPiece, or - if op says so.
func (s *script) move(local uint32, op wasmbin.Op) {
	s.get(local)
	s.get(localPiece)
	s.op(op)
	s.set(local)
}

// forward writes a loop over the pieces from the first to the last. It runs at least once.
func (s *script) forward() {
	s.open(wasmbin.OpLoop, wasmbin.BlockEmpty)
	s.charge()
	s.get(paramTo)
	s.get(paramFrom)
	s.get(localPiece)
	s.do()
	s.move(paramTo, wasmbin.OpI32Add)
	if s.what != wasmbin.OpMemoryFill && s.what != wasmbin.OpTableFill {
		s.move(paramFrom, wasmbin.OpI32Add)
	}
	s.move(paramLength, wasmbin.OpI32Sub)
	s.get(paramLength)
	s.index(wasmbin.OpBrIf, 0)
	s.end()
}

// backward writes a loop over the pieces from the last to the first, for a copy that moves things up over
// themselves.
func (s *script) backward() {
	s.open(wasmbin.OpLoop, wasmbin.BlockEmpty)
	s.charge()
	s.move(paramLength, wasmbin.OpI32Sub)
	for _, local := range [...]uint32{paramTo, paramFrom} {
		s.get(local)
		s.get(paramLength)
		s.op(wasmbin.OpI32Add)
	}
	s.get(localPiece)
	s.do()
	s.get(paramLength)
	s.index(wasmbin.OpBrIf, 0)
	s.end()
}

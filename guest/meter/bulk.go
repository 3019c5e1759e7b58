package meter

import "github.com/dashhost/dashhost/guest/wasmbin"

const (
	// direct is the most, in bytes, that a memory operation does where it stands.
	direct = 1 << 10
	// bytesPerUnit is how many bytes of a memory operation one unit pays for.
	bytesPerUnit = 1 << unitShift
	unitShift    = 4
	// memoryPiece is how many bytes are moved between two looks at the counter.
	memoryPiece = 1 << 20
	// tablePiece is how many elements are.
	tablePiece = 1 << 16
	// pageUnits is what a page costs that a memory grows by.
	pageUnits = pageSize / bytesPerUnit
	pageSize  = 64 << 10
)

// isBulk tells whether the work that an instruction does depends on an operand.
func isBulk(op wasmbin.Op) bool {
	switch op {
	case wasmbin.OpMemoryGrow, wasmbin.OpTableFill, wasmbin.OpTableCopy, wasmbin.OpTableInit, wasmbin.OpTableGrow:
		return true
	}
	return inMemory(op)
}

func inMemory(op wasmbin.Op) bool {
	return op == wasmbin.OpMemoryFill || op == wasmbin.OpMemoryCopy || op == wasmbin.OpMemoryInit
}

// isShort tells whether the length is a constant, so that the check before has charged for it.
func isShort(in, before *wasmbin.Instr) bool {
	return inMemory(in.Op) && before.Op == wasmbin.OpI32Const && uint32(before.I32()) <= direct
}

// bulk writes an operation whose work depends on an operand. In memory, short ones are done in place and charged
// without a check; all others are done by a function that is added.
func (b *body) bulk(in *wasmbin.Instr) {
	helper := b.w.helper(in)
	if !inMemory(in.Op) {
		b.index(wasmbin.OpCall, helper)
		return
	}
	if b.scratch == nil {
		first := b.newLocal()
		b.newLocal()
		b.newLocal()
		b.scratch = &first
	}
	to, from, length := *b.scratch, *b.scratch+1, *b.scratch+2
	operands := func() { b.get(to); b.get(from); b.get(length) }
	b.set(length)
	b.set(from)
	b.set(to)
	b.get(length)
	b.i32(direct)
	b.op(wasmbin.OpI32GtU)
	b.open(wasmbin.OpIf, wasmbin.BlockEmpty)
	operands()
	b.index(wasmbin.OpCall, helper)
	b.op(wasmbin.OpElse)
	b.load(b.fuel)
	b.get(length)
	b.i32(unitShift)
	b.op(wasmbin.OpI32ShrU, wasmbin.OpI32Sub)
	b.store(b.fuel)
	operands()
	b.code = in.Append(b.code)
	b.end()
}

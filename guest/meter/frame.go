package meter

import "github.com/dashhost/dashhost/guest/wasmbin"

// frame estimates what a call of a function takes of the stack, in bytes:
//
//	64 + 8 for each parameter, local and operand, 16 for those of v128
//	   + 1 for each assignment, call, and value that meets others at a label
//	   + 1 for every 4 instructions
//
// The first line is what the code needs. The others are for what a compiler makes of it: it splits locals into
// values, one for each assignment and for each place where different ones meet, and those that live across a call
// get places of their own in the frame, which are not shared. Most have none. Measured over the guests of this
// tree, real frames on amd64 are 0.3 to 2 times the estimate; of code that is written to defeat it, some 8 times.
type frame struct {
	sets, calls int64
	meets       int64 // values that meet others at a label
	slots       int64
	vectors     bool
	last        []int // for each local, the instruction that assigned it last
}

func (f *frame) begin(fn *wasmbin.Function, params []wasmbin.ValueType) {
	*f = frame{last: f.last[:0], slots: int64(fn.Cost.Locals) + int64(fn.Cost.Stack)}
	for _, t := range params {
		f.wide(1, t)
	}
	for _, run := range fn.Locals {
		f.wide(int64(run.Count), run.Type)
	}
	for range fn.Cost.Locals {
		f.last = append(f.last, -1)
	}
}

// wide counts n parameters or locals again that take two slots.
func (f *frame) wide(n int64, t wasmbin.ValueType) {
	if t == wasmbin.V128 {
		f.slots += n
		f.vectors = true
	}
}

// assign notes an assignment and gives the instruction of the one before.
func (f *frame) assign(local uint32, at int) int {
	f.sets++
	last := f.last[local]
	f.last[local] = at
	return last
}

// leave closes a block.
func (f *frame) leave(b *block) {
	if b.target || b.op == wasmbin.OpIf {
		f.meets += int64(b.sets)
	}
}

// bytes gives the estimate for a function of that many instructions.
func (f *frame) bytes(instrs int) int64 {
	values := f.sets + f.meets + f.calls
	if f.vectors {
		values *= 2
	}
	return min(64+8*f.slots+values+int64(instrs)/4, maxFrame)
}

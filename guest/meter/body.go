package meter

import (
	"slices"

	"github.com/dashhost/dashhost/guest/wasmbin"
)

// body writes the new body of one function.
type body struct {
	code
	*plan
	w       *rewriter
	locals  []wasmbin.LocalRun
	next    uint32  // index of the next local
	scratch *uint32 // the first of three locals for the operands of bulk operations; nil: none yet

	levels  int    // labels that can be branched to here
	labels  []int  // for each open block of the guest, levels when its label was the innermost
	wrapped bool   // the body is in a block, to which returns go
	loops   []loop // for each open block, what its end must close
	calls   []site // those that are still to come
	opened  int    // blocks seen so far
}

// loop is what stands around a loop.
type loop struct {
	outside bool
	cost    int64
}

// body returns the rewritten body of defined function i.
func (w *rewriter) body(r *Rewritten, i int) ([]byte, error) {
	f := &w.m.Functions[i]
	if err := w.now.walk(f, w.graph.leaf); err != nil {
		return nil, err
	}
	b := &body{w: w, plan: w.plan(i), next: f.Cost.Locals, locals: f.Locals, calls: w.now.sites}
	b.code = make(code, 0, len(f.Body)+len(f.Body)/4+64)
	b.begin(f)
	it := wasmbin.NewInstrReader(f.Body)
	var in, before wasmbin.Instr
	for n := 0; it.Next(&in); n++ {
		w.obstacle(r, in.Op, w.imported+uint32(i))
		if n == b.lower {
			b.lowerDepth()
		}
		b.instr(&in, &before, n, f.Body)
		before = in
	}
	if b.locals != nil {
		f.Locals = b.locals
	}
	return b.code, it.Err()
}

// newLocal adds a local of type i32.
func (b *body) newLocal() uint32 {
	i := b.next
	b.next++
	if n := len(b.locals); n > 0 && b.locals[n-1].Type == wasmbin.I32 {
		b.locals = slices.Clone(b.locals)
		b.locals[n-1].Count++
	} else {
		b.locals = append(slices.Clip(b.locals), wasmbin.LocalRun{Count: 1, Type: wasmbin.I32})
	}
	return i
}

// begin writes what stands before the first instruction.
func (b *body) begin(f *wasmbin.Function) {
	if b.depth {
		b.local = b.newLocal()
	}
	if b.private() {
		b.fuel = variable{index: b.newLocal()}
		b.load(b.w.fuel)
		b.store(b.fuel)
		b.wrapped = true
		b.open(wasmbin.OpBlock, b.w.blockOf(b.w.m.Types[f.Type].Results))
		b.levels = 1
	}
	b.labels = append(b.labels, b.levels)
	b.loops = append(b.loops, loop{})
	if b.entry > 0 {
		b.take(b.fuel, b.entry)
	}
	if b.check {
		b.askInline()
	}
}

// askInline writes: if the counter is spent, ask for more.
func (b *body) askInline() {
	b.spent(b.fuel)
	b.open(wasmbin.OpIf, wasmbin.BlockEmpty)
	b.load(b.fuel)
	b.index(wasmbin.OpCall, b.w.refuel)
	b.store(b.fuel)
	b.end()
}

// lowerDepth writes: take the frame from the depth, and end the call if too little is left.
func (b *body) lowerDepth() {
	b.load(b.w.depth)
	b.i32(b.frame)
	b.op(wasmbin.OpI32Sub)
	b.tee(b.local)
	b.i32(b.below)
	b.op(wasmbin.OpI32LtS)
	b.open(wasmbin.OpIf, wasmbin.BlockEmpty)
	b.get(b.local)
	b.i32(b.below)
	b.op(wasmbin.OpI32Sub)
	b.index(wasmbin.OpCall, b.w.deepen)
	b.i32(b.below)
	b.op(wasmbin.OpI32Add)
	b.set(b.local)
	b.end()
}

// instr writes instruction n of the guest, with what belongs to it.
func (b *body) instr(in, before *wasmbin.Instr, n int, old []byte) {
	switch in.Op {
	case wasmbin.OpBlock, wasmbin.OpIf, wasmbin.OpTryTable:
		b.relabelled(in)
		b.enter(loop{})
	case wasmbin.OpLoop:
		b.loop(in)
	case wasmbin.OpElse:
		b.opened++
		b.op(in.Op)
	case wasmbin.OpEnd:
		b.leave()
	case wasmbin.OpBr, wasmbin.OpBrIf, wasmbin.OpBrTable:
		b.relabelled(in)
	case wasmbin.OpReturn:
		if b.wrapped {
			b.index(wasmbin.OpBr, uint32(b.levels-1))
		} else {
			b.op(in.Op)
		}
	case wasmbin.OpCall, wasmbin.OpCallIndirect:
		b.call(in, n)
	case wasmbin.OpRefFunc:
		in.X = b.w.function(in.X)
		b.code = in.Append(b.code)
	default:
		if isBulk(in.Op) && !isShort(in, before) {
			b.bulk(in)
		} else {
			b.code = append(b.code, old[in.Offset:in.Offset+in.Len]...)
		}
	}
}

// relabelled writes an instruction with labels.
func (b *body) relabelled(in *wasmbin.Instr) {
	b.code = in.AppendRelabelled(b.code, func(l uint32) uint32 {
		return uint32(b.levels - b.labels[len(b.labels)-1-int(l)])
	})
}

// enter notes that a block of the guest was opened.
func (b *body) enter(l loop) {
	b.levels++
	b.opened++
	b.labels = append(b.labels, b.levels)
	b.loops = append(b.loops, l)
}

// loop writes the head of a loop. Where the call of refuel stands outside, the loop becomes
//
//	block $exit           ;; as the loop's results
//	  loop $again
//	    block $cold
//	      loop
//	        check: br_if $cold
//	        ...
//	      end
//	      br $exit
//	    end
//	    counter = refuel(counter) + COST
//	    br $again
//	  end
//	end
//
// so that the path that is run has no call in it, for which the compiler would move values out of registers.
// COST is added because the way back in takes it again.
func (b *body) loop(in *wasmbin.Instr) {
	b.opened++
	l := &b.blocks[b.opened]
	b.opened--
	outside := b.outside(l)
	if outside {
		b.open(wasmbin.OpBlock, in.Block())
		b.open(wasmbin.OpLoop, in.Block())
		b.open(wasmbin.OpBlock, wasmbin.BlockEmpty)
		b.levels += 3
	}
	b.open(wasmbin.OpLoop, in.Block())
	b.enter(loop{outside: outside, cost: l.cost})
	b.take(b.fuel, l.cost)
	if outside {
		b.spent(b.fuel)
		b.index(wasmbin.OpBrIf, 1)
	} else {
		b.askInline()
	}
}

// leave writes the end of a block, and of what stands around it.
func (b *body) leave() {
	l := b.loops[len(b.loops)-1]
	b.loops = b.loops[:len(b.loops)-1]
	b.labels = b.labels[:len(b.labels)-1]
	if len(b.labels) == 0 {
		b.leaveBody()
		return
	}
	b.end()
	b.levels--
	if !l.outside {
		return
	}
	b.index(wasmbin.OpBr, 2) // $exit
	b.end()
	b.load(b.fuel)
	b.index(wasmbin.OpCall, b.w.refuel)
	b.i32(l.cost)
	b.op(wasmbin.OpI32Add)
	b.store(b.fuel)
	b.index(wasmbin.OpBr, 0) // $again
	b.end()
	b.end()
	b.levels -= 3
}

func (b *body) leaveBody() {
	if b.wrapped {
		b.end()
		b.load(b.fuel)
		b.store(b.w.fuel)
	}
	b.end()
}

// call writes a call. Before one that may lead to a deep function, the depth is set to what this one leaves: it
// need not be put back after calls, on whatever way they end.
func (b *body) call(in *wasmbin.Instr, n int) {
	for b.calls[0].at != n {
		b.calls = b.calls[1:]
	}
	if c := &b.calls[0]; b.depth && b.w.graph.reaches(c) {
		if !b.lowered(c) {
			b.get(b.local)
			b.op(wasmbin.OpI32Eqz)
			b.open(wasmbin.OpIf, wasmbin.BlockEmpty)
			b.lowerDepth()
			b.end()
		}
		b.get(b.local)
		b.store(b.w.depth)
	}
	if in.Op == wasmbin.OpCall {
		in.X = b.w.function(in.X)
	}
	b.code = in.Append(b.code)
}

package wasmbin

import "slices"

// control checks the instructions below local.get: blocks, branches, calls.
func (c *bodyCheck) control(in *Instr) {
	switch in.Op {
	case OpUnreachable:
		c.unreachable()
	case OpBlock, OpLoop, OpTryTable:
		c.open(in)
	case OpIf:
		c.take(in, I32)
		c.open(in)
	case OpElse:
		if c.frames[len(c.frames)-1].op != OpIf {
			c.malformed(in.Offset, "else without if")
			return
		}
		f := c.leave(in)
		c.push(OpElse, f.start, f.end)
	case OpEnd:
		c.end(in)
	case OpBr:
		c.takeAll(in, c.target(in, in.X))
		c.unreachable()
	case OpBrIf:
		c.fork(in)
		c.take(in, I32)
		ts := c.target(in, in.X)
		c.takeAll(in, ts)
		c.giveAll(ts)
	case OpBrTable:
		c.fork(in)
		c.take(in, I32)
		c.brTable(in)
	case OpReturn:
		c.moved(in, len(c.results))
		c.takeAll(in, c.results)
		c.unreachable()
	default:
		c.otherControl(in)
	}
}

func (c *bodyCheck) otherControl(in *Instr) {
	switch in.Op {
	case OpCall:
		if c.index(in, "function", in.X, len(c.funcTypes)) {
			c.call(in, c.funcTypes[in.X])
		}
	case OpCallIndirect:
		c.callIndirect(in)
	case OpDrop:
		c.pop(in)
	case OpSelect, OpSelectTypes:
		c.selectOperands(in)
	case OpThrow:
		if c.index(in, "tag", in.X, len(c.tags)) {
			c.call(in, c.tags[in.X])
			c.unreachable()
		}
	case OpThrowRef:
		c.take(in, ExnRef)
		c.unreachable()
	}
}

func (c *bodyCheck) end(in *Instr) {
	f := c.leave(in)
	switch f.op {
	case OpLoop:
		c.loops--
	case OpIf:
		if !slices.Equal(f.start, f.end) {
			c.invalid(in.Offset, "if without else takes %s and gives %s", typeList(f.start), typeList(f.end))
		}
	}
	c.giveAll(f.end)
}

// moved counts values that the instruction takes or gives.
func (c *bodyCheck) moved(in *Instr, n int) bool {
	c.values += uint64(n)
	return c.within(in.Offset, "values", c.values, c.bounds.Values)
}

// call takes the parameters of that type of function and gives its results.
func (c *bodyCheck) call(in *Instr, typ uint32) {
	t := &c.m.Types[typ]
	if c.moved(in, len(t.Params)+len(t.Results)) {
		c.takeAll(in, t.Params)
		c.giveAll(t.Results)
	}
}

func (c *bodyCheck) callIndirect(in *Instr) {
	if !c.index(in, "type", in.X, len(c.m.Types)) || !c.index(in, "table", in.Y, len(c.tables)) {
		return
	}
	if e := c.tables[in.Y].Elem; e != FuncRef {
		c.invalid(in.Offset, "call_indirect through a table of %s", e)
	}
	c.take(in, I32)
	c.call(in, in.X)
}

// target returns the types that a branch to the label takes, nil with a fault if there is no such label.
func (c *bodyCheck) target(in *Instr, label uint32) []ValueType {
	if !c.index(in, "label", label, len(c.frames)) {
		return nil
	}
	ts := c.frames[len(c.frames)-1-int(label)].label()
	c.moved(in, len(ts))
	return ts
}

// targets counts the targets of br_table and the clauses of try_table.
func (c *bodyCheck) targets(in *Instr) bool {
	cost := &c.function.Cost
	n := uint64(cost.BrTargets) + uint64(in.X)
	if !c.within(in.Offset, "br_targets", n, c.bounds.BrTargets) {
		return false
	}
	cost.BrTargets = uint32(n)
	return true
}

func (c *bodyCheck) brTable(in *Instr) {
	if !c.targets(in) {
		return
	}
	arity := -1
	for r := (reader{b: in.Raw}); r.pos < len(r.b) && c.err == nil; {
		ts := c.target(in, r.u32())
		if arity >= 0 && len(ts) != arity && c.err == nil {
			c.invalid(in.Offset, "br_table: labels that take %d and %d values", arity, len(ts))
		}
		arity = len(ts)
		if c.err == nil {
			c.sameEach(in, ts)
		}
	}
	c.unreachable()
}

// fork counts what begins a basic block.
func (c *bodyCheck) fork(in *Instr) bool {
	cost := &c.function.Cost
	cost.Branches++
	return c.within(in.Offset, "branches", uint64(cost.Branches), c.bounds.Branches)
}

// open checks a block's type and opens it.
func (c *bodyCheck) open(in *Instr) {
	cost := &c.function.Cost
	cost.Blocks++
	if in.Op == OpLoop {
		c.loops++
		cost.LoopNesting = max(cost.LoopNesting, c.loops)
	}
	if !c.fork(in) || !c.within(in.Offset, "loop_nesting", uint64(c.loops), c.bounds.LoopNesting) ||
		!c.within(in.Offset, "nesting", uint64(len(c.frames)), c.bounds.Nesting) ||
		!c.within(in.Offset, "blocks", uint64(cost.Blocks), c.bounds.Blocks) ||
		!c.within(in.Offset, "block_locals", cost.BlockLocals(), c.bounds.BlockLocals) {
		return
	}
	cost.Nesting = max(cost.Nesting, uint32(len(c.frames)))
	start, end := c.blockTypes(in)
	c.takeAll(in, start)
	if in.Op == OpTryTable {
		c.catches(in)
	}
	c.push(in.Op, start, end)
}

// blockTypes returns what a block takes and gives.
func (c *bodyCheck) blockTypes(in *Instr) (start, end []ValueType) {
	b := in.Block()
	if i, ok := b.Index(); ok {
		if !c.index(in, "type", i, len(c.m.Types)) {
			return nil, nil
		}
		c.used |= MultiValue
		t := &c.m.Types[i]
		c.moved(in, len(t.Params)+len(t.Results))
		return t.Params, t.Results
	}
	if t, ok := b.Value(); ok {
		return nil, one[t : t+1]
	}
	return nil, nil
}

// catches checks the clauses of a try_table, whose labels count from outside of it.
func (c *bodyCheck) catches(in *Instr) {
	if !c.targets(in) {
		return
	}
	for clause := range in.Catches() {
		have := c.stack[:0]
		if clause.Kind.HasTag() {
			if !c.index(in, "tag", clause.Tag, len(c.tags)) {
				return
			}
			have = append(have, c.m.Types[c.tags[clause.Tag]].Params...)
		}
		if clause.Kind == CatchTagRef || clause.Kind == CatchAllRef {
			have = append(have, ExnRef)
		}
		c.stack = have
		want := c.target(in, clause.Label)
		if c.err == nil && !slices.Equal(have, want) {
			c.invalid(in.Offset, "try_table: a clause gives %s, its label takes %s", typeList(have), typeList(want))
		}
		if c.err != nil {
			return
		}
	}
}

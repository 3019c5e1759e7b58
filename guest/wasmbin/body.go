package wasmbin

import "slices"

func (d *decoder) codeSection() {
	at := d.pos
	n := d.count("bodies", 3, "functions", d.bounds.Functions)
	if n != d.defined && d.err == nil {
		d.malformed(at, "%d functions are declared, and there are %d bodies", d.defined, n)
	}
	if d.err != nil {
		return
	}
	d.m.Functions = make([]Function, n)
	whole := d.b
	in := &Instr{}
	c := &bodyCheck{decoder: d}
	for i := 0; i < n && d.err == nil; i++ {
		d.fn = d.imported.funcs + i
		at := d.pos
		size := d.u32()
		if d.err == nil && int64(size) > int64(d.left()) {
			d.short(at, "body")
		}
		if d.err != nil || !d.within(at, "body_bytes", uint64(size), d.bounds.BodyBytes) {
			break
		}
		end := d.pos + int(size)
		d.b = whole[:end:end]
		f := &d.m.Functions[i]
		f.Type = d.funcTypes[d.fn]
		c.body(f, in)
		if d.err == nil && d.pos != end {
			d.malformed(d.pos, "%d bytes after its end", end-d.pos)
		}
		d.b = whole
	}
	d.fn = -1
}

// functionLocals reads the locals. Neighbours of one type are joined.
func (d *decoder) functionLocals(f *Function) {
	at := d.pos
	n := d.count("groups of locals", 2, "locals", 1<<32-1)
	total := uint64(f.Cost.Locals)
	runs := d.runs.take(n)[:0]
	for range n {
		run := LocalRun{Count: d.u32(), Type: d.valueType()}
		total += uint64(run.Count)
		if d.err != nil || !d.within(at, "locals", total, d.bounds.Locals) {
			return
		}
		if k := len(runs) - 1; k >= 0 && runs[k].Type == run.Type {
			runs[k].Count += run.Count
		} else if run.Count > 0 {
			runs = append(runs, run)
		}
	}
	d.locals += total - uint64(f.Cost.Locals)
	d.within(at, "locals_total", d.locals, d.bounds.LocalsTotal)
	f.Cost.Locals = uint32(total)
	f.Locals = runs[:len(runs):len(runs)]
}

// bodyCheck checks bodies, one after the other: how blocks nest, that every index names something, and the types of
// operands.
type bodyCheck struct {
	*decoder
	function *Function
	results  []ValueType
	locals   []ValueType // parameters and locals, one by one
	operands []ValueType
	frames   []frame
	base     int    // operands below the innermost block
	slots    uint32 // of 8 bytes, that the operands take: two for v128
	values   uint64 // see Bounds.Values
	loops    uint32 // open ones
}

// body reads locals and instructions of a function; what may be read ends with it.
func (c *bodyCheck) body(f *Function, in *Instr) {
	t := &c.m.Types[f.Type]
	f.Cost.Locals = uint32(len(t.Params))
	c.functionLocals(f)
	if c.err != nil {
		return
	}
	c.function, c.results = f, t.Results
	if n := int(f.Cost.Locals); n > cap(c.locals) {
		c.locals = make([]ValueType, 0, max(n, 2*cap(c.locals)))
	}
	c.locals = append(c.locals[:0], t.Params...)
	for _, run := range f.Locals {
		for range run.Count {
			c.locals = append(c.locals, run.Type)
		}
	}
	c.operands, c.frames, c.slots, c.values, c.loops = c.operands[:0], c.frames[:0], 0, 0, 0
	start := c.pos
	c.loose = false
	c.push(OpBlock, nil, t.Results)
	for len(c.frames) > 0 && c.next(in) {
		c.instr(in)
	}
	if len(c.frames) > 0 && c.err == nil {
		c.malformed(c.pos, "the body ends inside a block")
	}
	if c.err == nil {
		f.Cost.Values = uint32(c.values)
		f.Body = c.exact(c.b[start:c.pos:c.pos], c.loose)
	}
}

func (c *bodyCheck) instr(in *Instr) {
	if in.Op < OpLocalGet {
		c.control(in)
		return
	}
	if in.Info.Imm != ImmNone {
		if c.indices(in); c.err != nil {
			return
		}
	}
	if in.Info.Sig != "" {
		c.signature(in)
	} else {
		c.operandsOf(in)
	}
}

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

// index reports whether i is in an index space of n.
func (d *decoder) index(in *Instr, what string, i uint32, n int) bool {
	if int64(i) < int64(n) {
		return true
	}
	d.invalid(in.Offset, "%s: %s %d does not exist, there are %d", in.Info.Name, what, i, n)
	return false
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

// indices checks those of the instructions from local.get on.
func (c *bodyCheck) indices(in *Instr) {
	switch in.Info.Imm {
	case ImmLocal:
		c.index(in, "local", in.X, len(c.locals))
	case ImmGlobal:
		if c.index(in, "global", in.X, len(c.globals)) && in.Op == OpGlobalSet && !c.globals[in.X].Mutable {
			c.invalid(in.Offset, "global.set: global %d is not mutable", in.X)
		}
	case ImmMemArg, ImmMemArgLane, ImmMemory, ImmMemoryCopy:
		c.index(in, "memory", 0, c.memories)
	case ImmTable:
		c.index(in, "table", in.X, len(c.tables))
	case ImmFunc:
		if c.index(in, "function", in.X, len(c.funcTypes)) && !c.isDeclared(in.X) {
			c.invalid(in.Offset, "ref.func: function %d is named in no export, element segment or global", in.X)
		}
	case ImmMemoryInit, ImmData:
		c.dataIndex(in)
	case ImmTableInit, ImmTableCopy, ImmElem:
		c.tableTypes(in)
	}
}

func (c *bodyCheck) dataIndex(in *Instr) {
	if in.Op == OpMemoryInit {
		c.index(in, "memory", 0, c.memories)
	}
	if c.dataCount < 0 {
		c.malformed(in.Offset, "%s without a data count section", in.Info.Name)
		return
	}
	c.index(in, "data segment", in.X, c.dataCount)
}

// tableTypes checks table.init, table.copy and elem.drop.
func (c *bodyCheck) tableTypes(in *Instr) {
	switch in.Op {
	case OpElemDrop:
		c.index(in, "element segment", in.X, len(c.m.Elements))
	case OpTableInit:
		if c.index(in, "element segment", in.X, len(c.m.Elements)) && c.index(in, "table", in.Y, len(c.tables)) {
			c.sameType(in, c.tables[in.Y].Elem, c.m.Elements[in.X].Type)
		}
	case OpTableCopy:
		if c.index(in, "table", in.X, len(c.tables)) && c.index(in, "table", in.Y, len(c.tables)) {
			c.sameType(in, c.tables[in.X].Elem, c.tables[in.Y].Elem)
		}
	}
}

func (c *bodyCheck) sameType(in *Instr, to, from ValueType) {
	if to != from {
		c.invalid(in.Offset, "%s from %s to %s", in.Info.Name, from, to)
	}
}

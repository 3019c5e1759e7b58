package wasmbin

// frame is a block that is open.
type frame struct {
	op    Op
	arity uint32 // values that a branch to it takes
}

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
		d.function(f, in)
		if d.err == nil && d.pos != end {
			d.malformed(d.pos, "%d bytes after its end", end-d.pos)
		}
		d.b = whole
	}
	d.fn = -1
}

// function reads locals and body of a function; what may be read ends with it.
func (d *decoder) function(f *Function, in *Instr) {
	t := &d.m.Types[f.Type]
	f.Cost.Locals = uint32(len(t.Params))
	d.functionLocals(f)
	start := d.pos
	d.loose = false
	d.frames = append(d.frames[:0], frame{arity: uint32(len(t.Results))})
	c := &bodyCheck{decoder: d, function: f, types: t}
	for len(d.frames) > 0 && d.next(in) {
		if in.Op < OpLocalGet {
			c.control(in)
		} else if in.Info.Imm != ImmNone {
			c.indices(in)
		}
	}
	if len(d.frames) > 0 && d.err == nil {
		d.malformed(d.pos, "the body ends inside a block")
	}
	if d.err == nil && d.within(start, "values", c.values, d.bounds.Values) {
		f.Cost.Values = uint32(c.values)
		f.Body = d.exact(d.b[start:d.pos:d.pos], d.loose)
	}
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

// bodyCheck checks the instructions of one body: how blocks nest, and that every index names something.
type bodyCheck struct {
	*decoder
	function *Function
	types    *FuncType
	values   uint64
	loops    uint32 // open ones
}

// control checks the instructions below local.get: blocks, branches, calls.
func (c *bodyCheck) control(in *Instr) {
	switch in.Op {
	case OpBlock, OpLoop, OpIf, OpTryTable:
		c.open(in)
	case OpElse:
		top := &c.frames[len(c.frames)-1]
		if top.op != OpIf {
			c.malformed(in.Offset, "else without if")
			return
		}
		top.op = OpElse
	case OpEnd:
		top := len(c.frames) - 1
		if c.frames[top].op == OpLoop {
			c.loops--
		}
		c.frames = c.frames[:top]
	case OpBr:
		c.branch(in, in.X)
	case OpBrIf:
		c.fork(in)
		c.branch(in, in.X)
	case OpBrTable:
		c.fork(in)
		c.brTable(in)
	case OpReturn:
		c.values += uint64(len(c.types.Results))
	case OpCall:
		if c.index(in, "function", in.X, len(c.funcTypes)) {
			c.call(c.funcTypes[in.X])
		}
	case OpCallIndirect:
		c.callIndirect(in)
	case OpThrow:
		if c.index(in, "tag", in.X, len(c.tags)) {
			c.call(c.tags[in.X])
		}
	}
}

// index reports whether i is in an index space of n.
func (d *decoder) index(in *Instr, what string, i uint32, n int) bool {
	if int64(i) < int64(n) {
		return true
	}
	d.invalid(in.Offset, "%s: %s %d does not exist, there are %d", in.Info.Name, what, i, n)
	return false
}

// call counts the values of a call of a function of that type.
func (c *bodyCheck) call(typ uint32) {
	t := &c.m.Types[typ]
	c.values += uint64(len(t.Params) + len(t.Results))
}

func (c *bodyCheck) callIndirect(in *Instr) {
	if !c.index(in, "type", in.X, len(c.m.Types)) || !c.index(in, "table", in.Y, len(c.tables)) {
		return
	}
	if e := c.tables[in.Y].Elem; e != FuncRef {
		c.invalid(in.Offset, "call_indirect through a table of %s", e)
	}
	c.call(in.X)
}

// branch checks a label and counts the values that go with it.
func (c *bodyCheck) branch(in *Instr, label uint32) {
	if c.index(in, "label", label, len(c.frames)) {
		c.values += uint64(c.frames[len(c.frames)-1-int(label)].arity)
	}
}

func (c *bodyCheck) brTable(in *Instr) {
	cost := &c.function.Cost
	targets := uint64(cost.BrTargets) + uint64(in.X)
	if !c.within(in.Offset, "br_targets", targets, c.bounds.BrTargets) {
		return
	}
	cost.BrTargets = uint32(targets)
	for r := (reader{b: in.Raw}); r.pos < len(r.b) && c.err == nil; {
		c.branch(in, r.u32())
	}
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
	f := frame{op: in.Op}
	if i, ok := in.Block().Index(); ok {
		if !c.index(in, "type", i, len(c.m.Types)) {
			return
		}
		c.call(i)
		c.used |= MultiValue
		t := &c.m.Types[i]
		f.arity = uint32(len(t.Results))
		if in.Op == OpLoop {
			f.arity = uint32(len(t.Params))
		}
	} else if in.Block() != BlockEmpty && in.Op != OpLoop {
		f.arity = 1
	}
	if in.Op == OpTryTable {
		c.catches(in)
	}
	c.frames = append(c.frames, f)
}

// catches checks the clauses of a try_table, whose labels count from outside of it. They are targets like those
// of br_table.
func (c *bodyCheck) catches(in *Instr) {
	cost := &c.function.Cost
	targets := uint64(cost.BrTargets) + uint64(in.X)
	if !c.within(in.Offset, "br_targets", targets, c.bounds.BrTargets) {
		return
	}
	cost.BrTargets = uint32(targets)
	for clause := range in.Catches() {
		if clause.Kind.HasTag() {
			c.index(in, "tag", clause.Tag, len(c.tags))
		}
		c.branch(in, clause.Label)
	}
}

// indices checks those of the instructions from local.get on.
func (c *bodyCheck) indices(in *Instr) {
	switch in.Info.Imm {
	case ImmLocal:
		c.index(in, "local", in.X, int(c.function.Cost.Locals))
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

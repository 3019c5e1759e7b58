package wasmbin

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

// index reports whether i is in an index space of n.
func (d *decoder) index(in *Instr, what string, i uint32, n int) bool {
	if int64(i) < int64(n) {
		return true
	}
	d.invalid(in.Offset, "%s: %s %d does not exist, there are %d", in.Info.Name, what, i, n)
	return false
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

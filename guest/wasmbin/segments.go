package wasmbin

// constExpr reads a constant expression whose value is of type want.
func (d *decoder) constExpr(want ValueType) Expr {
	start := d.pos
	d.loose = false
	d.stack = d.stack[:0]
	var in Instr
	for d.next(&in) {
		if in.Op == OpEnd {
			if len(d.stack) != 1 || d.stack[0] != want {
				d.invalid(start, "constant expression gives %s, %s is wanted", typeList(d.stack), want)
				return nil
			}
			return d.exact(d.b[start:d.pos:d.pos], d.loose)
		}
		d.constInstr(&in)
	}
	if d.err == nil {
		d.short(d.pos, "constant expression")
	}
	return nil
}

// constInstr checks one instruction of a constant expression.
func (d *decoder) constInstr(in *Instr) {
	switch in.Op {
	case OpI32Const, OpI64Const, OpF32Const, OpF64Const, OpV128Const:
		d.stack = append(d.stack, sigResult(in.Info.Sig))
	case OpI32Add, OpI32Sub, OpI32Mul, OpI64Add, OpI64Sub, OpI64Mul:
		d.use(in.Offset, ExtendedConst, "%s", in.Info.Name)
		t, n := sigResult(in.Info.Sig), len(d.stack)
		if n < 2 || d.stack[n-1] != t || d.stack[n-2] != t {
			d.invalid(in.Offset, "constant expression: %s on %s", in.Info.Name, typeList(d.stack))
			return
		}
		d.stack = d.stack[:n-1]
	case OpRefNull:
		d.stack = append(d.stack, ValueType(in.X))
	case OpRefFunc:
		if d.index(in, "function", in.X, len(d.funcTypes)) {
			d.declare(in.X)
		}
		d.stack = append(d.stack, FuncRef)
	case OpGlobalGet:
		// Of the globals, only imported ones have a value before the module has run.
		if !d.index(in, "imported global", in.X, d.imported.globals) {
			return
		}
		if d.globals[in.X].Mutable {
			d.invalid(in.Offset, "constant expression: global %d is mutable", in.X)
			return
		}
		d.stack = append(d.stack, d.globals[in.X].Type)
	default:
		d.invalid(in.Offset, "%s is not a constant instruction", in.Info.Name)
	}
}

// sigResult returns the type of the one result of a signature.
func sigResult(sig string) ValueType {
	switch sig[len(sig)-1] {
	case 'i':
		return I32
	case 'I':
		return I64
	case 'f':
		return F32
	case 'F':
		return F64
	}
	return V128
}

// typeList prints types for a message, the first few of many.
func typeList(ts []ValueType) string {
	if len(ts) > 8 {
		ts = ts[:8]
	}
	t := FuncType{Params: ts}
	s := t.String()
	return s[:len(s)-len(" -> ()")]
}

// The bits of the flags of an element segment.
const (
	elemNotActive = 1 // passive or, with the next bit, declarative
	elemExplicit  = 2 // active: with the index of a table; else: declarative
	elemExprs     = 4 // the items are expressions, not indices of functions
)

func (d *decoder) elementSection() {
	n := d.count("element segments", 3, "elements", d.bounds.Elements)
	d.m.Elements = make([]Element, 0, n)
	for range n {
		e := d.element()
		if d.err != nil {
			return
		}
		d.m.Elements = append(d.m.Elements, e)
	}
}

func (d *decoder) element() Element {
	at := d.pos
	flags := d.u32()
	if flags > 7 {
		d.malformed(at, "flags %#x of a segment", flags)
	}
	e := Element{Type: FuncRef}
	switch {
	case flags&elemNotActive == 0:
		if flags&elemExplicit != 0 {
			e.Table = d.u32()
		}
		if d.err == nil && int64(e.Table) >= int64(len(d.tables)) {
			d.invalid(at, "table %d does not exist, there are %d", e.Table, len(d.tables))
		}
		e.Offset = d.constExpr(I32)
	case flags&elemExplicit != 0:
		e.Mode = Declarative
	default:
		e.Mode = Passive
	}
	if flags&(elemNotActive|elemExplicit) != 0 {
		d.elementType(&e, flags)
	}
	d.elementItems(&e, flags)
	if d.err == nil && e.Mode == Active && d.tables[e.Table].Elem != e.Type {
		d.invalid(at, "a segment of %s for a table of %s", e.Type, d.tables[e.Table].Elem)
	}
	if e.Mode == Passive {
		d.used |= BulkMemory
	}
	if e.Mode == Declarative || flags&elemExprs != 0 {
		d.used |= ReferenceTypes
	}
	return e
}

// elementType reads the type of the items, which the short forms leave out.
func (d *decoder) elementType(e *Element, flags uint32) {
	if flags&elemExprs != 0 {
		e.Type = d.refType()
		return
	}
	at := d.pos
	if kind := d.byte(); kind != 0 && d.err == nil {
		d.malformed(at, "%#02x is not a kind of elements", kind)
	}
}

func (d *decoder) elementItems(e *Element, flags uint32) {
	at, size := d.pos, 1
	if flags&elemExprs != 0 {
		size = 3
	}
	n := d.count("items", size, "element_items", d.bounds.ElementItems)
	d.items += uint64(n)
	if n == 0 || !d.within(at, "element_items", d.items, d.bounds.ElementItems) {
		return
	}
	if flags&elemExprs != 0 {
		e.Exprs = make([]Expr, n)
		for i := range e.Exprs {
			e.Exprs[i] = d.constExpr(e.Type)
			if d.err != nil {
				return
			}
		}
		return
	}
	e.Functions = make([]uint32, n)
	for i := range e.Functions {
		at := d.pos
		f := d.u32()
		if d.err == nil && int64(f) >= int64(len(d.funcTypes)) {
			d.invalid(at, "function %d does not exist, there are %d", f, len(d.funcTypes))
		}
		if d.err != nil {
			return
		}
		d.declare(f)
		e.Functions[i] = f
	}
}

func (d *decoder) dataSection() {
	n := d.count("data segments", 2, "data", d.bounds.Data)
	d.m.Data = make([]Data, n)
	for i := range d.m.Data {
		d.data(&d.m.Data[i])
		if d.err != nil {
			return
		}
	}
}

func (d *decoder) data(s *Data) {
	at := d.pos
	memory := uint32(0)
	switch flags := d.u32(); flags {
	case 0:
	case 1:
		s.Mode = Passive
		d.used |= BulkMemory
	case 2:
		memory = d.u32()
	default:
		d.malformed(at, "flags %#x of a segment", flags)
	}
	if s.Mode == Active {
		if d.err == nil && int64(memory) >= int64(d.memories) {
			d.invalid(at, "memory %d does not exist, there are %d", memory, d.memories)
		}
		s.Offset = d.constExpr(I32)
	}
	size := d.u32()
	if d.err == nil && int64(size) > int64(d.left()) {
		d.short(at, "segment")
	}
	if d.err == nil {
		s.Bytes = d.bytes(int(size))
	}
}

package wasmbin

// anyType is the type of an operand in code that cannot be reached, which may be whatever is wanted.
const anyType ValueType = 0

// frame is a block that is open.
type frame struct {
	op         Op
	dead       bool // the rest of the block cannot be reached
	start, end []ValueType
	height     int    // operands below the block
	slots      uint32 // and their slots
}

// label returns the types that a branch to the block takes.
func (f *frame) label() []ValueType {
	if f.op == OpLoop {
		return f.start
	}
	return f.end
}

// one has each type at its own place, so that a slice of one type takes no memory.
var one = [...]ValueType{
	I32: I32, I64: I64, F32: F32, F64: F64, V128: V128, FuncRef: FuncRef, ExternRef: ExternRef, ExnRef: ExnRef,
}

// letters has the types of the letters of OpInfo.Sig.
var letters = [128]ValueType{'i': I32, 'I': I64, 'f': F32, 'F': F64, 'v': V128}

// signature takes and gives the operands of an instruction of fixed type.
func (c *bodyCheck) signature(in *Instr) {
	sig := in.Info.Sig
	colon := 0
	for sig[colon] != ':' {
		colon++
	}
	for i := colon - 1; i >= 0; i-- {
		c.take(in, letters[sig[i]&0x7f])
	}
	for i := colon + 1; i < len(sig); i++ {
		c.give(letters[sig[i]&0x7f])
	}
}

func (c *bodyCheck) give(t ValueType) {
	c.operands = append(c.operands, t)
	c.slots++
	if t == V128 {
		c.slots++
	}
	if c.slots > c.function.Cost.Stack {
		c.function.Cost.Stack = c.slots
	}
}

// take takes an operand of type t.
func (c *bodyCheck) take(in *Instr, t ValueType) {
	if got := c.pop(in); got != t && got != anyType && c.err == nil {
		c.invalid(in.Offset, "%s: %s wanted, found %s", in.Info.Name, t, got)
	}
}

// pop takes an operand of whatever type it has.
func (c *bodyCheck) pop(in *Instr) ValueType {
	n := len(c.operands) - 1
	if n < c.base {
		if !c.frames[len(c.frames)-1].dead {
			c.invalid(in.Offset, "%s: an operand is missing", in.Info.Name)
		}
		return anyType
	}
	t := c.operands[n]
	c.operands = c.operands[:n]
	c.slots--
	if t == V128 {
		c.slots--
	}
	return t
}

func (c *bodyCheck) giveAll(ts []ValueType) {
	for _, t := range ts {
		c.give(t)
	}
}

func (c *bodyCheck) takeAll(in *Instr, ts []ValueType) {
	for i := len(ts) - 1; i >= 0; i-- {
		c.take(in, ts[i])
	}
}

// unreachable drops the operands of the block: what follows is not run.
func (c *bodyCheck) unreachable() {
	f := &c.frames[len(c.frames)-1]
	f.dead = true
	c.operands, c.slots = c.operands[:f.height], f.slots
}

// push opens a block whose parameters have been taken.
func (c *bodyCheck) push(op Op, start, end []ValueType) {
	c.base = len(c.operands)
	c.frames = append(c.frames, frame{op: op, start: start, end: end, height: c.base, slots: c.slots})
	c.giveAll(start)
}

// leave checks the results of the innermost block and closes it.
func (c *bodyCheck) leave(in *Instr) frame {
	f := c.frames[len(c.frames)-1]
	c.takeAll(in, f.end)
	if n := len(c.operands) - f.height; n > 0 {
		c.invalid(in.Offset, "%s: %d operands are left in the block", in.Info.Name, n)
	}
	c.frames = c.frames[:len(c.frames)-1]
	c.base = 0
	if n := len(c.frames); n > 0 {
		c.base = c.frames[n-1].height
	}
	return f
}

// operandsOf takes and gives the operands of the instructions from local.get on whose types are not fixed.
func (c *bodyCheck) operandsOf(in *Instr) {
	switch in.Op {
	case OpLocalGet:
		c.give(c.locals[in.X])
	case OpLocalSet:
		c.take(in, c.locals[in.X])
	case OpLocalTee:
		c.take(in, c.locals[in.X])
		c.give(c.locals[in.X])
	case OpGlobalGet:
		c.give(c.globals[in.X].Type)
	case OpGlobalSet:
		c.take(in, c.globals[in.X].Type)
	case OpTableGet:
		c.take(in, I32)
		c.give(c.tables[in.X].Elem)
	case OpTableSet:
		c.take(in, c.tables[in.X].Elem)
		c.take(in, I32)
	case OpTableGrow:
		c.take(in, I32)
		c.take(in, c.tables[in.X].Elem)
		c.give(I32)
	case OpTableFill:
		c.take(in, I32)
		c.take(in, c.tables[in.X].Elem)
		c.take(in, I32)
	case OpRefNull:
		c.give(ValueType(in.X))
	case OpRefFunc:
		c.give(FuncRef)
	case OpRefIsNull:
		if t := c.pop(in); !t.IsRef() && t != anyType {
			c.invalid(in.Offset, "ref.is_null: a reference is wanted, found %s", t)
		}
		c.give(I32)
	}
}

// selectOperands is select: with a type, both operands have it; without, both have the same and are no references.
func (c *bodyCheck) selectOperands(in *Instr) {
	c.take(in, I32)
	if in.Op == OpSelectTypes {
		t := ValueType(in.Raw[0])
		c.take(in, t)
		c.take(in, t)
		c.give(t)
		return
	}
	a, b := c.pop(in), c.pop(in)
	switch {
	case a.IsRef() || b.IsRef():
		c.invalid(in.Offset, "select of references without a type")
	case a != b && a != anyType && b != anyType:
		c.invalid(in.Offset, "select of %s and %s", b, a)
	}
	c.give(max(a, b))
}

// sameEach takes the operands of a label of br_table and gives them back as they were.
func (c *bodyCheck) sameEach(in *Instr, ts []ValueType) {
	got := c.stack[:0]
	for i := len(ts) - 1; i >= 0; i-- {
		t := c.pop(in)
		if t != ts[i] && t != anyType {
			c.invalid(in.Offset, "br_table: %s wanted, found %s", ts[i], t)
		}
		got = append(got, t)
	}
	for i := len(got) - 1; i >= 0; i-- {
		c.give(got[i])
	}
	c.stack = got
}

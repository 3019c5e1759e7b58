package wasmbin_test

import (
	"fmt"
	"slices"

	"github.com/dashhost/dashhost/guest/wasmbin"
)

// checkOperands checks the types of the operands in all bodies, as the specification's appendix describes it, with
// nothing but the opcode table for the instructions of fixed type. Valid modules must pass and modules whose fault
// is a type must not, or a row of the table is wrong.
func checkOperands(m *wasmbin.Module) error {
	for i := range m.Functions {
		f := &m.Functions[i]
		t := &m.Types[f.Type]
		c := &operands{m: m, locals: slices.Clone(t.Params), results: t.Results}
		for _, run := range f.Locals {
			for range run.Count {
				c.locals = append(c.locals, run.Type)
			}
		}
		c.push(false, nil, t.Results)
		it := wasmbin.NewInstrReader(f.Body)
		for in := (wasmbin.Instr{}); c.err == nil && it.Next(&in); {
			c.instr(&in)
		}
		if c.err == nil {
			c.err = it.Err()
		}
		if c.err != nil {
			return fmt.Errorf("function %d: %w", i, c.err)
		}
	}
	return nil
}

type values = []wasmbin.ValueType

// any is the type of a value that unreachable code is free to choose.
const anyType wasmbin.ValueType = 0

type block struct {
	loop, dead     bool
	ifBlock        bool
	params, result values
	height         int
}

func (b *block) label() values {
	if b.loop {
		return b.params
	}
	return b.result
}

type operands struct {
	m       *wasmbin.Module
	locals  values
	results values
	stack   values
	blocks  []block
	err     error
}

func (c *operands) fail(format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf(format, args...)
	}
}

func (c *operands) top() *block { return &c.blocks[len(c.blocks)-1] }

func (c *operands) give(ts ...wasmbin.ValueType) { c.stack = append(c.stack, ts...) }

func (c *operands) pop() wasmbin.ValueType {
	if b := c.top(); len(c.stack) == b.height {
		if !b.dead {
			c.fail("an operand is missing")
		}
		return anyType
	}
	t := c.stack[len(c.stack)-1]
	c.stack = c.stack[:len(c.stack)-1]
	return t
}

func (c *operands) want(ts ...wasmbin.ValueType) {
	for _, t := range slices.Backward(ts) {
		if got := c.pop(); got != t && got != anyType && t != anyType {
			c.fail("%s wanted, found %s", t, got)
		}
	}
}

func (c *operands) push(loop bool, params, result values) {
	c.blocks = append(c.blocks, block{loop: loop, params: params, result: result, height: len(c.stack)})
	c.give(params...)
}

func (c *operands) end() block {
	b := *c.top()
	c.want(b.result...)
	if len(c.stack) != b.height {
		c.fail("%d values too many at the end of a block", len(c.stack)-b.height)
	}
	c.blocks = c.blocks[:len(c.blocks)-1]
	return b
}

func (c *operands) dead() {
	b := c.top()
	c.stack, b.dead = c.stack[:b.height], true
}

func (c *operands) target(l uint32) values { return c.blocks[len(c.blocks)-1-int(l)].label() }

func (c *operands) blockType(b wasmbin.BlockType) (params, result values) {
	if i, ok := b.Index(); ok {
		return c.m.Types[i].Params, c.m.Types[i].Results
	}
	if t, ok := b.Value(); ok {
		return nil, values{t}
	}
	return nil, nil
}

func (c *operands) instr(in *wasmbin.Instr) {
	if sig := in.Info.Sig; sig != "" {
		take, give := signatureTypes(sig)
		c.want(take...)
		c.give(give...)
		return
	}
	switch in.Op {
	case wasmbin.OpUnreachable:
		c.dead()
	case wasmbin.OpBlock, wasmbin.OpLoop, wasmbin.OpIf, wasmbin.OpTryTable:
		if in.Op == wasmbin.OpIf {
			c.want(wasmbin.I32)
		}
		params, result := c.blockType(in.Block())
		c.want(params...)
		for k := range in.Catches() {
			var have values
			if k.Kind.HasTag() {
				have = slices.Clone(c.tagParams(k.Tag))
			}
			if k.Kind == wasmbin.CatchTagRef || k.Kind == wasmbin.CatchAllRef {
				have = append(have, wasmbin.ExnRef)
			}
			if !slices.Equal(have, c.target(k.Label)) {
				c.fail("clause gives %v", have)
			}
		}
		c.push(in.Op == wasmbin.OpLoop, params, result)
		c.top().ifBlock = in.Op == wasmbin.OpIf
	case wasmbin.OpElse:
		b := c.end()
		c.push(false, b.params, b.result)
	case wasmbin.OpEnd:
		b := c.end()
		if b.ifBlock && !slices.Equal(b.params, b.result) {
			c.fail("if without else gives other types than it takes")
		}
		c.give(b.result...)
	case wasmbin.OpBr:
		c.want(c.target(in.X)...)
		c.dead()
	case wasmbin.OpBrIf:
		c.want(wasmbin.I32)
		c.want(c.target(in.X)...)
		c.give(c.target(in.X)...)
	case wasmbin.OpBrTable:
		c.brTable(in)
	case wasmbin.OpReturn:
		c.want(c.results...)
		c.dead()
	case wasmbin.OpCall:
		c.call(c.m.FunctionType(in.X))
	case wasmbin.OpCallIndirect:
		c.want(wasmbin.I32)
		c.call(&c.m.Types[in.X])
	case wasmbin.OpThrow:
		c.want(c.tagParams(in.X)...)
		c.dead()
	case wasmbin.OpThrowRef:
		c.want(wasmbin.ExnRef)
		c.dead()
	default:
		c.parametric(in)
	}
}

func (c *operands) brTable(in *wasmbin.Instr) {
	c.want(wasmbin.I32)
	labels := slices.Collect(in.Labels())
	n := len(c.target(labels[len(labels)-1]))
	for _, l := range labels {
		ts := c.target(l)
		if len(ts) != n {
			c.fail("br_table to labels of %d and %d values", n, len(ts))
		}
		var got values
		for _, t := range slices.Backward(ts) {
			g := c.pop()
			if g != t && g != anyType {
				c.fail("%s wanted, found %s", t, g)
			}
			got = append(got, g)
		}
		slices.Reverse(got)
		c.give(got...)
	}
	c.dead()
}

func (c *operands) call(t *wasmbin.FuncType) {
	c.want(t.Params...)
	c.give(t.Results...)
}

func (c *operands) tagParams(i uint32) values {
	n := uint32(0)
	for k, imp := range c.m.ImportsOf(wasmbin.KindTag) {
		if n++; k == i {
			return c.m.Types[imp.Type].Params
		}
	}
	return c.m.Types[c.m.Tags[i-n]].Params
}

func (c *operands) parametric(in *wasmbin.Instr) {
	switch in.Op {
	case wasmbin.OpDrop:
		c.pop()
	case wasmbin.OpSelect:
		c.want(wasmbin.I32)
		a, b := c.pop(), c.pop()
		if a.IsRef() || b.IsRef() || a != b && a != anyType && b != anyType {
			c.fail("select of %s and %s", a, b)
		}
		c.give(max(a, b))
	case wasmbin.OpSelectTypes:
		t := wasmbin.ValueType(in.Raw[0])
		c.want(t, t, wasmbin.I32)
		c.give(t)
	case wasmbin.OpLocalGet:
		c.give(c.locals[in.X])
	case wasmbin.OpLocalSet:
		c.want(c.locals[in.X])
	case wasmbin.OpLocalTee:
		c.want(c.locals[in.X])
		c.give(c.locals[in.X])
	case wasmbin.OpGlobalGet:
		c.give(c.m.GlobalType(in.X).Type)
	case wasmbin.OpGlobalSet:
		c.want(c.m.GlobalType(in.X).Type)
	case wasmbin.OpTableGet:
		c.want(wasmbin.I32)
		c.give(c.m.TableType(in.X).Elem)
	case wasmbin.OpTableSet:
		c.want(wasmbin.I32, c.m.TableType(in.X).Elem)
	case wasmbin.OpTableGrow:
		c.want(c.m.TableType(in.X).Elem, wasmbin.I32)
		c.give(wasmbin.I32)
	case wasmbin.OpTableFill:
		c.want(wasmbin.I32, c.m.TableType(in.X).Elem, wasmbin.I32)
	case wasmbin.OpRefNull:
		c.give(wasmbin.ValueType(in.X))
	case wasmbin.OpRefIsNull:
		if t := c.pop(); !t.IsRef() && t != anyType {
			c.fail("ref.is_null of %s", t)
		}
		c.give(wasmbin.I32)
	case wasmbin.OpRefFunc:
		c.give(wasmbin.FuncRef)
	default:
		c.fail("%s has no signature in the table and none here", in.Op)
	}
}

// signatureTypes reads the notation of OpInfo.Sig.
func signatureTypes(sig string) (take, give values) {
	letters := map[rune]wasmbin.ValueType{
		'i': wasmbin.I32, 'I': wasmbin.I64, 'f': wasmbin.F32, 'F': wasmbin.F64, 'v': wasmbin.V128,
	}
	list := &take
	for _, r := range sig {
		if r == ':' {
			list = &give
			continue
		}
		*list = append(*list, letters[r])
	}
	return take, give
}

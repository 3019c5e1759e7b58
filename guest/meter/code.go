package meter

import "github.com/dashhost/dashhost/guest/wasmbin"

// code is a body that is being written.
type code []byte

func (c *code) op(ops ...wasmbin.Op) {
	for _, o := range ops {
		*c = wasmbin.AppendOp(*c, o)
	}
}

// index writes an instruction with one index: of a local, a global, a function, a label.
func (c *code) index(o wasmbin.Op, i uint32) { *c = wasmbin.AppendUint32(wasmbin.AppendOp(*c, o), i) }

func (c *code) i32(v int64) { *c = wasmbin.AppendInt64(wasmbin.AppendOp(*c, wasmbin.OpI32Const), v) }
func (c *code) i64(v int64) { *c = wasmbin.AppendInt64(wasmbin.AppendOp(*c, wasmbin.OpI64Const), v) }

func (c *code) get(local uint32) { c.index(wasmbin.OpLocalGet, local) }
func (c *code) set(local uint32) { c.index(wasmbin.OpLocalSet, local) }
func (c *code) tee(local uint32) { c.index(wasmbin.OpLocalTee, local) }

// open writes the beginning of a block, loop or if.
func (c *code) open(o wasmbin.Op, t wasmbin.BlockType) {
	*c = wasmbin.AppendInt64(wasmbin.AppendOp(*c, o), int64(t))
}

func (c *code) end() { c.op(wasmbin.OpEnd) }

// variable is a place that holds an i32: a local or a global.
type variable struct {
	global bool
	index  uint32
}

func (c *code) load(v variable) {
	if v.global {
		c.index(wasmbin.OpGlobalGet, v.index)
	} else {
		c.get(v.index)
	}
}

func (c *code) store(v variable) {
	if v.global {
		c.index(wasmbin.OpGlobalSet, v.index)
	} else {
		c.set(v.index)
	}
}

// take writes v = v - cost.
func (c *code) take(v variable, cost int64) {
	c.load(v)
	c.i32(cost)
	c.op(wasmbin.OpI32Sub)
	c.store(v)
}

// spent writes a test of whether v is negative.
func (c *code) spent(v variable) {
	c.load(v)
	c.i32(0)
	c.op(wasmbin.OpI32LtS)
}

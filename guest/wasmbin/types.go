package wasmbin

import "strings"

// ValueType is the type of a value, by its byte in the binary format.
type ValueType byte

// The value types that are accepted.
const (
	I32       ValueType = 0x7f
	I64       ValueType = 0x7e
	F32       ValueType = 0x7d
	F64       ValueType = 0x7c
	V128      ValueType = 0x7b
	FuncRef   ValueType = 0x70
	ExternRef ValueType = 0x6f
	ExnRef    ValueType = 0x69 // with Options.Exceptions only
)

// String returns the name of the text format.
func (t ValueType) String() string {
	switch t {
	case I32:
		return "i32"
	case I64:
		return "i64"
	case F32:
		return "f32"
	case F64:
		return "f64"
	case V128:
		return "v128"
	case FuncRef:
		return "funcref"
	case ExternRef:
		return "externref"
	case ExnRef:
		return "exnref"
	}
	return "unknown"
}

// IsRef tells whether t is a reference type.
func (t ValueType) IsRef() bool { return t == FuncRef || t == ExternRef || t == ExnRef }

// FuncType is the type of a function.
type FuncType struct {
	Params, Results []ValueType
}

// String returns the type in the form "(i32, i64) -> (f32)".
func (t *FuncType) String() string {
	var b strings.Builder
	writeTypes(&b, t.Params)
	b.WriteString(" -> ")
	writeTypes(&b, t.Results)
	return b.String()
}

func writeTypes(b *strings.Builder, ts []ValueType) {
	b.WriteByte('(')
	for i, t := range ts {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(t.String())
	}
	b.WriteByte(')')
}

// Limits is the size of a memory in pages of 64 KiB, or of a table in elements.
type Limits struct {
	Min uint32
	// Max means something only with HasMax.
	Max    uint32
	HasMax bool
}

// TableType is the type of a table.
type TableType struct {
	Elem ValueType // FuncRef or ExternRef
	Limits
}

// GlobalType is the type of a global.
type GlobalType struct {
	Type    ValueType
	Mutable bool
}

// Kind is what an import or export is.
type Kind byte

// The kinds of imports and exports, by their byte in the binary format.
const (
	KindFunc Kind = iota
	KindTable
	KindMemory
	KindGlobal
	KindTag // with Options.Exceptions only
)

// String returns the name of the text format: "func", "table", "memory", "global", "tag".
func (k Kind) String() string {
	switch k {
	case KindFunc:
		return "func"
	case KindTable:
		return "table"
	case KindMemory:
		return "memory"
	case KindGlobal:
		return "global"
	case KindTag:
		return "tag"
	}
	return "unknown"
}

// BlockType is the type of a block, loop, if or try_table: nothing, one result, or the index of a function type.
type BlockType int64

// BlockEmpty is the type of a block without parameters and results.
const BlockEmpty BlockType = -64

// BlockOf returns the type of a block without parameters and with one result.
func BlockOf(t ValueType) BlockType { return BlockType(int8(t<<1) >> 1) }

// BlockIndex returns the type of a block whose parameters and results are those of function type i.
func BlockIndex(i uint32) BlockType { return BlockType(i) }

// Index returns the index of the function type, and false if the block has none.
func (b BlockType) Index() (uint32, bool) { return uint32(b), b >= 0 }

// Value returns the type of the one result, and false if the block is not of that form.
func (b BlockType) Value() (ValueType, bool) {
	return ValueType(b & 0x7f), b < 0 && b != BlockEmpty
}

package abi

import (
	"slices"
	"strings"
)

// ValueType is the type of a parameter or result, in WebAssembly's own code.
type ValueType byte

const (
	I32 ValueType = 0x7f
	I64 ValueType = 0x7e
	F32 ValueType = 0x7d
	F64 ValueType = 0x7c
)

// String gives the name in WebAssembly's text format.
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
	}
	return "type " + itoa(int64(t))
}

// Kind says what a function's result means when it is not negative.
type Kind uint8

const (
	// Plain results mean what the function's own text says.
	Plain Kind = iota
	// Value functions take (buf, cap) and return the full length. They write only if it is <= cap.
	Value
	// Stream functions take (buf, cap) and return how much they wrote, at most cap, 0 at the end.
	Stream
)

// String gives the name used in the spec.
func (k Kind) String() string {
	switch k {
	case Plain:
		return "plain"
	case Value:
		return "VALUE"
	case Stream:
		return "STREAM"
	}
	return "kind " + itoa(int64(k))
}

// FuncID is the place of a function in the table: small, dense and not part of the ABI.
type FuncID uint8

// One ID per function of the module dash_v1, in the order of the table.
const (
	FnInputRead FuncID = iota
	FnConfigRead
	FnMetaRead
	FnOutputWrite
	FnFail
	FnLastError
	FnRouteTo
	FnRouteSend
	FnInterrupt
	FnAnswerRead
	FnLog
	FnLogEnabled
	FnEventEmit
	FnStreamWrite
	FnMetric
	FnCheckpointSave
	FnCheckpointLoad
	FnKVGet
	FnKVPut
	FnKVDelete
	FnKVList
	FnHTTPFetch
	FnHTTPHead
	FnHTTPBody
	FnHTTPClose
	FnClockNow
	FnRandom

	// FuncCount is the number of functions.
	FuncCount
)

// String gives the function's name, "function N" for an ID outside the table.
func (id FuncID) String() string {
	if id >= FuncCount {
		return "function " + itoa(int64(id))
	}
	return table[id].Name
}

// Func is one function that a guest may import from the module dash_v1.
type Func struct {
	ID      FuncID
	Name    string
	Group   string
	Args    []string // names of the parameters
	Params  []ValueType
	Results []ValueType // none or one
	Kind    Kind
	Grant   Grant  // GrantNone: needs none. clock_now answers without its grant too, in virtual time
	Phases  Phase  // where it may be called; in PhaseStart grants are not asked for
	Effect  Effect // EffectNone: not numbered
	Doc     string // one line
}

// Signature gives the function as the spec's headings write it: "name(arg type, ...) -> type".
func (f *Func) Signature() string {
	return signature(f.Name, f.Args, f.Params, f.Results)
}

// Functions gives the table. The slice is the caller's, what its elements refer to is shared.
func Functions() []Func { return slices.Clone(table[:]) }

// ByID gives the function with this ID, which must be below FuncCount.
func ByID(id FuncID) *Func { return &table[id] }

// Lookup gives the function with this name.
func Lookup(name string) (*Func, bool) {
	for i := range table {
		if table[i].Name == name {
			return &table[i], true
		}
	}
	return nil, false
}

func signature(name string, args []string, params, results []ValueType) string {
	var b strings.Builder
	b.WriteString(name)
	b.WriteByte('(')
	for i, p := range params {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(args[i])
		b.WriteByte(' ')
		b.WriteString(p.String())
	}
	b.WriteByte(')')
	for i, r := range results {
		if i == 0 {
			b.WriteString(" -> ")
		} else {
			b.WriteString(", ")
		}
		b.WriteString(r.String())
	}
	return b.String()
}

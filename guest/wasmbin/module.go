package wasmbin

import (
	"iter"
	"sort"
)

// Module is a decoded module. What Decode returns keeps every rule that the package comment lists, and holds views
// of the input: the input must not change while the Module is in use. A Module may be read by several goroutines;
// whoever changes one (package meter does) owns it, and answers for the rules from then on.
type Module struct {
	Types    []FuncType
	Imports  []Import
	Tables   []TableType // defined ones, as in all index spaces after the imported ones
	Memories []Limits    // at most one, imported or defined
	Tags     []uint32    // function types
	Globals  []Global
	Exports  []Export
	// Start is the start function, with HasStart.
	Start    uint32
	HasStart bool
	Elements []Element
	// HasDataCount: the number of data segments stands before the code, which memory.init and data.drop need.
	HasDataCount bool
	Functions    []Function
	Data         []Data
	Names        Names

	// Features is the set of features that the module uses.
	Features Feature
	// Sections are the sections of the input, in its order. Encode does not look at them.
	Sections []Section
}

// Import is an import. Which of the types it has depends on Kind.
type Import struct {
	Module, Name string
	Kind         Kind
	Type         uint32 // the function type of KindFunc and KindTag
	Table        TableType
	Memory       Limits
	Global       GlobalType
}

// Export is an export.
type Export struct {
	Name  string
	Kind  Kind
	Index uint32
}

// Expr is a constant expression with its end.
type Expr []byte

// Global is a defined global.
type Global struct {
	GlobalType
	Init Expr
}

// Mode is when a segment is copied.
type Mode byte

// The modes of segments.
const (
	Active      Mode = iota // when the module is instantiated, to Offset
	Passive                 // by memory.init or table.init
	Declarative             // never: the functions are named for ref.func. Elements only
)

// Element is an element segment. Its items are in Functions or, if there are Exprs, in these.
type Element struct {
	Mode      Mode
	Table     uint32 // of Active
	Offset    Expr   // of Active
	Type      ValueType
	Functions []uint32
	Exprs     []Expr
}

// Data is a data segment.
type Data struct {
	Mode   Mode
	Offset Expr // of Active
	Bytes  []byte
}

// LocalRun is a number of locals of one type.
type LocalRun struct {
	Count uint32
	Type  ValueType
}

// Function is a defined function.
type Function struct {
	Type   uint32
	Locals []LocalRun // without the parameters
	Body   []byte     // the instructions, with the end of the function
	Cost   Cost
}

// Cost is what was counted in a body: see the bounds of the same names, which Stack alone does not have.
type Cost struct {
	Locals      uint32 // with parameters
	Nesting     uint32
	LoopNesting uint32
	Blocks      uint32
	Branches    uint32
	BrTargets   uint32
	Values      uint32
	// Stack is how many slots of 8 bytes the operands take at most: two for v128, one for all else.
	Stack uint32
}

// BlockLocals returns the product that Bounds.BlockLocals limits.
func (c *Cost) BlockLocals() uint64 { return uint64(c.Blocks) * (uint64(c.Locals) + 1) }

// Section is a section of the input.
type Section struct {
	// Name is the section's name: "type", "code", ... or that of a custom section.
	Name   string
	Custom bool
	// Offset is where its content begins, Size how many bytes that has, name of a custom section included.
	Offset, Size int
}

// Names is the name section, as far as it is kept: the names of the module and its functions. The names of locals
// and everything else are dropped. A faulty name section is dropped whole, as the specification wants.
type Names struct {
	Module    string
	Functions []NamedFunction // in order of Index
	// Dropped is how many function names were over Bounds.NameBytes.
	Dropped int
	// Fault says why there are no names although the input had a name section; nil otherwise.
	Fault error
}

// NamedFunction is a function's name in the name section.
type NamedFunction struct {
	Index uint32
	Name  string
}

// Function returns the name of function i, "" if it has none.
func (n *Names) Function(i uint32) string {
	k := sort.Search(len(n.Functions), func(k int) bool { return n.Functions[k].Index >= i })
	if k < len(n.Functions) && n.Functions[k].Index == i {
		return n.Functions[k].Name
	}
	return ""
}

// Imported returns how many imports are of kind k: the index of the first defined one of that kind.
func (m *Module) Imported(k Kind) int {
	n := 0
	for i := range m.Imports {
		if m.Imports[i].Kind == k {
			n++
		}
	}
	return n
}

// Count returns the size of the index space of kind k: imported and defined.
func (m *Module) Count(k Kind) int {
	n := m.Imported(k)
	switch k {
	case KindFunc:
		n += len(m.Functions)
	case KindTable:
		n += len(m.Tables)
	case KindMemory:
		n += len(m.Memories)
	case KindGlobal:
		n += len(m.Globals)
	case KindTag:
		n += len(m.Tags)
	}
	return n
}

// ImportsOf yields the imports of kind k with their index in that kind's index space.
func (m *Module) ImportsOf(k Kind) iter.Seq2[uint32, *Import] {
	return func(yield func(uint32, *Import) bool) {
		n := uint32(0)
		for i := range m.Imports {
			if m.Imports[i].Kind == k {
				if !yield(n, &m.Imports[i]) {
					return
				}
				n++
			}
		}
	}
}

// FunctionType returns the type of function i of the index space, nil if there is none.
func (m *Module) FunctionType(i uint32) *FuncType {
	n := uint32(m.Imported(KindFunc))
	if i >= n {
		if i -= n; i < uint32(len(m.Functions)) {
			return &m.Types[m.Functions[i].Type]
		}
		return nil
	}
	for k, imp := range m.ImportsOf(KindFunc) {
		if k == i {
			return &m.Types[imp.Type]
		}
	}
	return nil
}

// Memory returns the limits of the module's memory and whether it is imported; nil if there is none.
func (m *Module) Memory() (limits *Limits, imported bool) {
	for _, imp := range m.ImportsOf(KindMemory) {
		return &imp.Memory, true
	}
	if len(m.Memories) > 0 {
		return &m.Memories[0], false
	}
	return nil, false
}

// TableType returns the type of table i of the index space, nil if there is none.
func (m *Module) TableType(i uint32) *TableType {
	n := uint32(0)
	for k, imp := range m.ImportsOf(KindTable) {
		if k == i {
			return &imp.Table
		}
		n++
	}
	if i -= n; i < uint32(len(m.Tables)) {
		return &m.Tables[i]
	}
	return nil
}

// GlobalType returns the type of global i of the index space, nil if there is none.
func (m *Module) GlobalType(i uint32) *GlobalType {
	n := uint32(0)
	for k, imp := range m.ImportsOf(KindGlobal) {
		if k == i {
			return &imp.Global
		}
		n++
	}
	if i -= n; i < uint32(len(m.Globals)) {
		return &m.Globals[i].GlobalType
	}
	return nil
}

// Export returns the export of that name, nil if there is none.
func (m *Module) Export(name string) *Export {
	for i := range m.Exports {
		if m.Exports[i].Name == name {
			return &m.Exports[i]
		}
	}
	return nil
}

// Totals is what Module.Totals adds up.
type Totals struct {
	// Functions, BodyBytes, DataBytes and the sums of the costs of all functions.
	Functions, BodyBytes, DataBytes int64
	Locals, Blocks, Branches        int64
	BrTargets, BlockLocals          int64
	// Worst has the highest of each cost, over all functions; MaxBody the longest body and MaxBlockLocals the
	// highest product.
	Worst          Cost
	MaxBody        int64
	MaxBlockLocals int64
}

// Totals adds up the static costs of the module.
func (m *Module) Totals() Totals {
	t := Totals{Functions: int64(len(m.Functions))}
	for i := range m.Functions {
		f, c := &m.Functions[i], &m.Functions[i].Cost
		t.BodyBytes += int64(len(f.Body))
		t.Locals += int64(c.Locals)
		t.Blocks += int64(c.Blocks)
		t.Branches += int64(c.Branches)
		t.BrTargets += int64(c.BrTargets)
		t.BlockLocals += int64(c.BlockLocals())
		t.MaxBody = max(t.MaxBody, int64(len(f.Body)))
		t.MaxBlockLocals = max(t.MaxBlockLocals, int64(c.BlockLocals()))
		w := &t.Worst
		w.Locals = max(w.Locals, c.Locals)
		w.Nesting = max(w.Nesting, c.Nesting)
		w.LoopNesting = max(w.LoopNesting, c.LoopNesting)
		w.Blocks = max(w.Blocks, c.Blocks)
		w.Branches = max(w.Branches, c.Branches)
		w.BrTargets = max(w.BrTargets, c.BrTargets)
		w.Values = max(w.Values, c.Values)
		w.Stack = max(w.Stack, c.Stack)
	}
	for i := range m.Data {
		t.DataBytes += int64(len(m.Data[i].Bytes))
	}
	return t
}

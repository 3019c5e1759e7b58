package wasmbin

// Bounds is how much a module may have of each thing. The zero value of a field is its default. Every claim of a
// module is compared with its bound, and with the bytes that are left, before memory is taken for it.
//
// The bounds per function exist because a compiler's time and memory are not linear in the size of a body. They are
// static: what they bound is counted, nothing is run. They do not replace limits on the time and memory of compiling:
// with the engine's compiler a body just below some of the defaults was seen to take seconds to tens of seconds and
// up to gigabytes. What is ten times over one would take minutes, or all memory.
//
// The defaults are five to a hundred times what large programs of real compilers need. The most that one function of
// each has:
//
//	                          bytes   locals  nesting  loops  blocks  branches  x locals  targets  values
//	CPython 3.12 (26 MB)    106,173      188      283      8   1,622     2,093   103,950      341   4,203
//	QuickJS-ng, clang -O2    75,149       56      293      5   1,402     2,357    79,914      760   5,550
//	a Go guest (3.5 MB)      29,233       21      549      1     799       994     7,128      965     460
//
// CPython as a whole has 11,448 functions with 15,592 locals and 24,171 data segments; compiling it took 234 MB and four
// to five seconds of one processor.
type Bounds struct {
	Types         uint32 // function types; 20,000
	Params        uint32 // parameters of one function type; 1,000
	Results       uint32 // results of one function type; 1,000
	TypeValues    uint32 // parameters and results of all types; 500,000
	Imports       uint32 // 10,000
	Exports       uint32 // 10,000
	Functions     uint32 // imported and defined; 200,000
	Tables        uint32 // imported and defined; 100
	TableElements uint32 // minimum sizes of all tables together; 1,000,000
	Globals       uint32 // imported and defined; 20,000
	Tags          uint32 // imported and defined; 1,000
	Elements      uint32 // element segments; 10,000
	ElementItems  uint32 // items of all element segments; 1,000,000
	Data          uint32 // data segments; 100,000
	Custom        uint32 // custom sections; 1,000
	NameLength    uint32 // bytes of one name of an import, export or custom section; 16,384. Longer names of the name section are cut
	NameBytes     uint32 // bytes of names kept from the name section, the rest is dropped; 4 MiB

	BodyBytes   uint32 // bytes of the body of one function; 1 MiB
	Locals      uint32 // parameters and locals of one function; 50,000
	LocalsTotal uint32 // locals of all functions; 4,000,000
	Nesting     uint32 // blocks open at one place; 1,000
	LoopNesting uint32 // loops open at one place; 100
	Blocks      uint32 // blocks of one function; 20,000
	Branches    uint32 // blocks, br_if and br_table of one function: about its basic blocks; 20,000
	BlockLocals uint32 // blocks of one function x (its parameters and locals + 1); 2,000,000
	BrTargets   uint32 // targets of all br_table of one function; 100,000
	Values      uint32 // values that the blocks, branches, returns and calls of one function take and give; 1,000,000
}

// WithDefaults returns b with every zero field replaced by its default.
func (b Bounds) WithDefaults() Bounds {
	for _, f := range []struct {
		field *uint32
		value uint32
	}{
		{&b.Types, 20_000},
		{&b.Params, 1_000},
		{&b.Results, 1_000},
		{&b.TypeValues, 500_000},
		{&b.Imports, 10_000},
		{&b.Exports, 10_000},
		{&b.Functions, 200_000},
		{&b.Tables, 100},
		{&b.TableElements, 1_000_000},
		{&b.Globals, 20_000},
		{&b.Tags, 1_000},
		{&b.Elements, 10_000},
		{&b.ElementItems, 1_000_000},
		{&b.Data, 100_000},
		{&b.Custom, 1_000},
		{&b.NameLength, 16_384},
		{&b.NameBytes, 4 << 20},
		{&b.BodyBytes, 1 << 20},
		{&b.Locals, 50_000},
		{&b.LocalsTotal, 4_000_000},
		{&b.Nesting, 1_000},
		{&b.LoopNesting, 100},
		{&b.Blocks, 20_000},
		{&b.Branches, 20_000},
		{&b.BlockLocals, 2_000_000},
		{&b.BrTargets, 100_000},
		{&b.Values, 1_000_000},
	} {
		if *f.field == 0 {
			*f.field = f.value
		}
	}
	return b
}

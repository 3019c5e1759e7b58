package wasmbin

import "iter"

// Op is an instruction: its byte, or prefix<<8 | number for the prefixes 0xfc and 0xfd.
type Op uint16

const (
	prefixMisc = 0xfc
	prefixSIMD = 0xfd
)

// Info returns the row of the opcode table, nil if there is no such instruction. Shared: do not change it.
func (op Op) Info() *OpInfo {
	var info *OpInfo
	switch prefix, n := op>>8, op&0xff; {
	case prefix == 0:
		info = &coreOps[n]
	case prefix == prefixMisc && int(n) < len(miscOps):
		info = &miscOps[n]
	case prefix == prefixSIMD:
		info = &simdOps[n]
	}
	if info == nil || info.Name == "" || info.Imm == immPrefix {
		return nil
	}
	return info
}

// String returns the name of the text format.
func (op Op) String() string {
	if info := op.Info(); info != nil {
		return info.Name
	}
	return "unknown"
}

// Imm is the form of an instruction's immediates. The comment says which fields of Instr hold them.
type Imm uint8

// The forms of immediates.
const (
	ImmNone         Imm = iota
	ImmRefused          // known by name and not accepted: no Instr has it
	ImmBlock            // Block()
	ImmLabel            // X: label
	ImmBrTable          // Labels(), the default last; X: their number
	ImmFunc             // X: function
	ImmCallIndirect     // X: type, Y: table
	ImmLocal            // X: local
	ImmGlobal           // X: global
	ImmTable            // X: table
	ImmTypes            // Raw: the value types; X: their number
	ImmMemArg           // Imm: offset, X: alignment (log2)
	ImmMemArgLane       // Imm: offset, X: alignment (log2), Y: lane
	ImmMemory           // a zero byte for memory 0
	ImmMemoryCopy       // two zero bytes
	ImmMemoryInit       // X: data segment, and a zero byte
	ImmData             // X: data segment
	ImmTableInit        // X: element segment, Y: table
	ImmTableCopy        // X: destination table, Y: source table
	ImmElem             // X: element segment
	ImmI32              // I32()
	ImmI64              // I64()
	ImmF32              // Imm: bits
	ImmF64              // Imm: bits
	ImmV128             // Raw: 16 bytes
	ImmShuffle          // Raw: 16 lanes
	ImmLane             // X: lane
	ImmRefType          // X: ValueType
	ImmTag              // X: tag
	ImmTryTable         // Block(), Catches(); X: their number
	immPrefix           // the first byte of a longer instruction
)

// Instr is one instruction, as InstrReader.Next fills it in. It holds views of the body and is reused by the next
// call; copy it (by value) to keep it.
type Instr struct {
	Op   Op
	Info *OpInfo // Op's row of the opcode table
	// Offset is where the instruction begins in the body, Len how many bytes it has there.
	Offset, Len int
	X, Y        uint32
	Imm         uint64
	Raw         []byte
}

// I32 returns the constant of i32.const.
func (in *Instr) I32() int32 { return int32(in.Imm) }

// I64 returns the constant of i64.const.
func (in *Instr) I64() int64 { return int64(in.Imm) }

// Block returns the type of a block, loop, if or try_table.
func (in *Instr) Block() BlockType { return BlockType(in.Imm) }

// Labels yields the labels of br, br_if and br_table (the default last) and those of the catch clauses of
// try_table. Labels of a try_table count from outside of it.
func (in *Instr) Labels() iter.Seq[uint32] {
	return func(yield func(uint32) bool) { in.eachLabel(yield) }
}

// eachLabel is the body of Labels, apart from it so that Labels is inlined and ranging over it takes no memory.
func (in *Instr) eachLabel(yield func(uint32) bool) {
	switch in.Info.Imm {
	case ImmLabel:
		yield(in.X)
	case ImmBrTable:
		r := reader{b: in.Raw}
		for r.pos < len(r.b) && yield(r.u32()) {
		}
	case ImmTryTable:
		in.eachCatch(func(c Catch) bool { return yield(c.Label) })
	}
}

// CatchKind is the kind of a catch clause of try_table.
type CatchKind byte

// The kinds of catch clauses.
const (
	CatchTag    CatchKind = iota // catch: the values of a tag
	CatchTagRef                  // catch_ref: these and the exception
	CatchAll                     // catch_all
	CatchAllRef                  // catch_all_ref: the exception
)

// HasTag tells whether clauses of the kind name a tag.
func (k CatchKind) HasTag() bool { return k <= CatchTagRef }

// Catch is a catch clause of try_table.
type Catch struct {
	Kind  CatchKind
	Tag   uint32 // with Kind.HasTag
	Label uint32
}

// Catches yields the catch clauses of a try_table.
func (in *Instr) Catches() iter.Seq[Catch] {
	return func(yield func(Catch) bool) { in.eachCatch(yield) }
}

func (in *Instr) eachCatch(yield func(Catch) bool) {
	if in.Info.Imm != ImmTryTable {
		return
	}
	for r := (reader{b: in.Raw}); r.pos < len(r.b); {
		c := Catch{Kind: CatchKind(r.byte())}
		if c.Kind.HasTag() {
			c.Tag = r.u32()
		}
		c.Label = r.u32()
		if !yield(c) {
			return
		}
	}
}

// InstrReader walks over the instructions of a body or constant expression without taking memory. It checks the
// form of instructions, not their indices and not how blocks nest: Decode has done that for the bodies of a Module.
//
//	it := wasmbin.NewInstrReader(f.Body)
//	var in wasmbin.Instr
//	for it.Next(&in) {
//		...
//	}
//	err := it.Err()
type InstrReader struct {
	r reader
}

// NewInstrReader returns a reader that stands at the first instruction of body.
func NewInstrReader(body []byte) InstrReader {
	return InstrReader{reader{b: body, section: secCode, fn: -1, refused: ^accepted}}
}

// Err returns nil at the end of the body, and the *Error that ended the walk otherwise.
func (it *InstrReader) Err() error {
	if it.r.err != nil {
		return it.r.err
	}
	return nil
}

// Next reads an instruction into in. It returns false at the end of the body and at the first fault.
func (it *InstrReader) Next(in *Instr) bool { return it.r.next(in) }

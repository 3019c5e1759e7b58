package wasmbin

import "encoding/binary"

// next is InstrReader.Next.
func (r *reader) next(in *Instr) bool {
	if r.pos >= len(r.b) {
		return false
	}
	in.Offset = r.pos
	in.Op = Op(r.b[r.pos])
	in.Info = &coreOps[in.Op&0xff]
	r.pos++
	if in.Info.Imm > ImmRefused {
		r.immediates(in)
	} else if in.Info.Name == "" {
		r.malformed(in.Offset, "%#02x is not an instruction", byte(in.Op))
	}
	if f := in.Info.Feature; f != 0 && r.err == nil {
		if r.used |= f; f&r.refused != 0 {
			r.use(in.Offset, f, "%s", in.Info.Name)
		}
	}
	in.Len = r.pos - in.Offset
	return r.err == nil
}

// immediates reads what follows the first byte.
func (r *reader) immediates(in *Instr) {
	switch in.Info.Imm {
	case ImmLabel, ImmFunc, ImmLocal, ImmGlobal, ImmTable, ImmData, ImmElem, ImmTag:
		in.X = r.u32()
	case ImmCallIndirect, ImmTableInit, ImmTableCopy:
		in.X = r.u32()
		in.Y = r.u32()
	case ImmI32:
		in.Imm = uint64(uint32(r.signed(32)))
	case ImmI64:
		in.Imm = uint64(r.signed(64))
	case ImmMemArg:
		r.memArg(in)
	case ImmBlock:
		in.Imm = uint64(r.blockType())
	case ImmMemory:
		r.memoryZero()
	case ImmBrTable:
		r.brTable(in)
	case immPrefix:
		r.prefixed(in)
	case ImmF32:
		if b := r.bytes(4); b != nil {
			in.Imm = uint64(binary.LittleEndian.Uint32(b))
		}
	case ImmF64:
		if b := r.bytes(8); b != nil {
			in.Imm = binary.LittleEndian.Uint64(b)
		}
	default:
		r.rareImmediates(in)
	}
}

func (r *reader) rareImmediates(in *Instr) {
	switch in.Info.Imm {
	case ImmTypes:
		r.types(in)
	case ImmMemArgLane:
		r.memArg(in)
		r.lane(in, &in.Y, 16>>in.Info.Arg)
	case ImmLane:
		r.lane(in, &in.X, in.Info.Arg)
	case ImmV128:
		in.Raw = r.bytes(16)
	case ImmShuffle:
		in.Raw = r.bytes(16)
		for _, lane := range in.Raw {
			if lane >= 32 {
				r.invalid(in.Offset, "%s: lane %d of 32", in.Info.Name, lane)
			}
		}
	case ImmMemoryCopy:
		r.memoryZero()
		r.memoryZero()
	case ImmMemoryInit:
		in.X = r.u32()
		r.memoryZero()
	case ImmRefType:
		at := r.pos
		t := r.valueType()
		if r.err == nil && !t.IsRef() {
			r.malformed(at, "%#02x is not a reference type", byte(t))
		}
		in.X = uint32(t)
	case ImmTryTable:
		r.tryTable(in)
	}
}

// prefixed reads the number after a prefix, and the immediates.
func (r *reader) prefixed(in *Instr) {
	n := r.u32()
	if r.err != nil {
		return
	}
	prefix := in.Op
	if prefix == prefixSIMD && n >= 0x100 && n < 0x180 {
		r.use(in.Offset, RelaxedSIMD, "instruction %#x %#x", byte(prefix), n)
		return
	}
	in.Info = nil
	if n <= 0xff {
		in.Op = prefix<<8 | Op(n)
		in.Info = in.Op.Info()
	}
	if in.Info == nil {
		in.Info = &coreOps[prefix]
		r.malformed(in.Offset, "%#x %#x is not an instruction", byte(prefix), n)
		return
	}
	if in.Info.Imm > ImmRefused {
		r.immediates(in)
	}
}

func (r *reader) blockType() BlockType {
	at := r.pos
	if r.pos < len(r.b) && r.b[r.pos] == 0x40 {
		r.pos++
		return BlockEmpty
	}
	v := BlockType(r.signed(33))
	if v >= 0 || r.err != nil {
		return v
	}
	r.pos = at // a negative number is the byte of a type, which no longer form can be
	r.valueType()
	return v
}

func (r *reader) memArg(in *Instr) {
	in.X = r.u32()
	in.Imm = uint64(r.u32())
	if in.X <= uint32(in.Info.Arg) || r.err != nil {
		return
	}
	switch {
	case in.X >= 0x40 && in.X < 0x80:
		r.use(in.Offset, MultiMemory, "%s with a memory index", in.Info.Name)
	case in.X >= 0x40:
		r.malformed(in.Offset, "%s: flags %#x", in.Info.Name, in.X)
	default:
		r.invalid(in.Offset, "%s: alignment 2^%d, at most 2^%d is natural", in.Info.Name, in.X, in.Info.Arg)
	}
}

func (r *reader) lane(in *Instr, lane *uint32, lanes uint8) {
	*lane = uint32(r.byte())
	if *lane >= uint32(lanes) {
		r.invalid(in.Offset, "%s: lane %d of %d", in.Info.Name, *lane, lanes)
	}
}

// memoryZero reads the byte that stands for the one memory.
func (r *reader) memoryZero() {
	at := r.pos
	switch c := r.byte(); {
	case c >= 0x80:
		r.malformed(at, "zero byte expected, found %#02x", c)
	case c != 0:
		r.use(at, MultiMemory, "memory %d", c)
	}
}

func (r *reader) types(in *Instr) {
	in.X = r.u32()
	if r.err == nil && in.X != 1 {
		r.invalid(in.Offset, "%s with %d types, 1 is wanted", in.Info.Name, in.X)
		return
	}
	at := r.pos
	r.valueType()
	in.Raw = r.b[at:r.pos:r.pos]
}

func (r *reader) brTable(in *Instr) {
	n := r.u32()
	if r.err == nil && int64(n)+1 > int64(r.left()) {
		r.malformed(in.Offset, "br_table of %d targets, %d bytes are left", n, r.left())
		return
	}
	at := r.pos
	for i := uint32(0); i <= n && r.err == nil; i++ {
		r.u32()
	}
	in.X = n + 1
	in.Raw = r.b[at:r.pos:r.pos]
}

func (r *reader) tryTable(in *Instr) {
	in.Imm = uint64(r.blockType())
	n := r.u32()
	if r.err == nil && int64(n)*2 > int64(r.left()) {
		r.malformed(in.Offset, "try_table of %d clauses, %d bytes are left", n, r.left())
		return
	}
	at := r.pos
	for i := uint32(0); i < n && r.err == nil; i++ {
		kind := CatchKind(r.byte())
		if kind > CatchAllRef {
			r.malformed(r.pos-1, "%#02x is not a catch clause", byte(kind))
			return
		}
		if kind.HasTag() {
			r.u32()
		}
		r.u32()
	}
	in.X = n
	in.Raw = r.b[at:r.pos:r.pos]
}

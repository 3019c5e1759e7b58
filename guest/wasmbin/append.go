package wasmbin

import "encoding/binary"

// AppendUint32 appends an unsigned number in its shortest form.
func AppendUint32(dst []byte, v uint32) []byte {
	for v >= 0x80 {
		dst = append(dst, byte(v)|0x80)
		v >>= 7
	}
	return append(dst, byte(v))
}

// AppendInt64 appends a signed number in its shortest form. It serves for 32 and 33 bits too.
func AppendInt64(dst []byte, v int64) []byte {
	for v < -64 || v > 63 {
		dst = append(dst, byte(v)|0x80)
		v >>= 7
	}
	return append(dst, byte(v)&0x7f)
}

// AppendOp appends the bytes of an instruction without its immediates.
func AppendOp(dst []byte, op Op) []byte {
	if op < 0x100 {
		return append(dst, byte(op))
	}
	return AppendUint32(append(dst, byte(op>>8)), uint32(op&0xff))
}

// Append appends the instruction in its shortest form. To change an index, set X, Y or Imm before.
func (in *Instr) Append(dst []byte) []byte { return in.AppendRelabelled(dst, nil) }

// AppendRelabelled is Append with every label, those of br_table and try_table too, replaced by what label
// returns for it. A nil label changes nothing.
func (in *Instr) AppendRelabelled(dst []byte, label func(uint32) uint32) []byte {
	dst = AppendOp(dst, in.Op)
	switch in.Info.Imm {
	case ImmFunc, ImmLocal, ImmGlobal, ImmTable, ImmData, ImmElem, ImmTag:
		return AppendUint32(dst, in.X)
	case ImmLabel:
		return appendLabel(dst, in.X, label)
	case ImmCallIndirect, ImmTableInit, ImmTableCopy:
		return AppendUint32(AppendUint32(dst, in.X), in.Y)
	case ImmI32:
		return AppendInt64(dst, int64(int32(in.Imm)))
	case ImmI64, ImmBlock:
		return AppendInt64(dst, int64(in.Imm))
	case ImmF32:
		return binary.LittleEndian.AppendUint32(dst, uint32(in.Imm))
	case ImmF64:
		return binary.LittleEndian.AppendUint64(dst, in.Imm)
	case ImmMemArg:
		return AppendUint32(AppendUint32(dst, in.X), uint32(in.Imm))
	case ImmMemArgLane:
		return append(AppendUint32(AppendUint32(dst, in.X), uint32(in.Imm)), byte(in.Y))
	case ImmMemory:
		return append(dst, 0)
	case ImmMemoryCopy:
		return append(dst, 0, 0)
	case ImmMemoryInit:
		return append(AppendUint32(dst, in.X), 0)
	case ImmTypes:
		return append(AppendUint32(dst, in.X), in.Raw...)
	case ImmV128, ImmShuffle:
		return append(dst, in.Raw...)
	case ImmLane, ImmRefType:
		return append(dst, byte(in.X))
	case ImmBrTable:
		dst = AppendUint32(dst, in.X-1)
		for l := range in.Labels() {
			dst = appendLabel(dst, l, label)
		}
	case ImmTryTable:
		dst = AppendUint32(AppendInt64(dst, int64(in.Imm)), in.X)
		for c := range in.Catches() {
			if dst = append(dst, byte(c.Kind)); c.Kind.HasTag() {
				dst = AppendUint32(dst, c.Tag)
			}
			dst = appendLabel(dst, c.Label, label)
		}
	}
	return dst
}

func appendLabel(dst []byte, l uint32, label func(uint32) uint32) []byte {
	if label != nil {
		l = label(l)
	}
	return AppendUint32(dst, l)
}

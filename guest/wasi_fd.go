package guest

import (
	"encoding/binary"

	"github.com/dashhost/dashhost/abi"
)

const (
	stdin  = 0
	stdout = 1
	stderr = 2
)

// fdRead finds standard input at its end.
func fdRead(in *instance, word []uint64) uint32 {
	read := in.u32(word[3])
	if uint32(word[0]) != stdin {
		return abi.WASIBadf
	}
	binary.LittleEndian.PutUint32(read, 0)
	return abi.WASISuccess
}

// fdWrite hands standard output and standard error to the host. All buffers are inside memory before the
// first is used.
func fdWrite(in *instance, word []uint64) uint32 {
	fd := uint32(word[0])
	vectors := in.table(word[1], word[2], 8)
	written := in.u32(word[3])
	in.charge(len(vectors) / bytesPerUnit)
	var total uint64
	for v := vectors; len(v) > 0; v = v[8:] {
		total += uint64(len(in.vector(v)))
		in.halt()
	}
	switch {
	case fd != stdout && fd != stderr:
		return abi.WASIBadf
	case total > abi.MaxSize:
		return abi.WASIInval
	}
	in.charge(int(total) / bytesPerUnit)
	for v := vectors; len(v) > 0; v = v[8:] {
		if b := in.spend(in.vector(v)); len(b) > 0 {
			in.host.Stdio(int(fd), b)
		}
		in.halt()
	}
	binary.LittleEndian.PutUint32(written, uint32(total))
	return abi.WASISuccess
}

// vector gives the view that one iovec describes.
func (in *instance) vector(v []byte) []byte {
	return in.view(binary.LittleEndian.Uint32(v), binary.LittleEndian.Uint32(v[4:]))
}

// fdStat says of the three standard descriptors that they are terminals one cannot seek in.
func fdStat(in *instance, word []uint64) uint32 {
	const (
		characterDevice = 2
		rightRead       = 1 << 1
		rightWrite      = 1 << 6
		rightPoll       = 1 << 27
	)
	out := in.view(uint32(word[1]), 24)
	var rights uint64
	switch uint32(word[0]) {
	case stdin:
		rights = rightRead | rightPoll
	case stdout, stderr:
		rights = rightWrite | rightPoll
	default:
		return abi.WASIBadf
	}
	clear(out)
	out[0] = characterDevice
	binary.LittleEndian.PutUint64(out[8:], rights)
	return abi.WASISuccess
}

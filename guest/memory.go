package guest

import "github.com/tetratelabs/wazero/experimental"

// memory is the linear memory of one instance. It grows up to a limit of its own, whatever the module
// declares, so that one compiled module serves pools with different limits.
//
// It is a plain Go slice, freed by the collector: a view that a Host kept by mistake is stale, but never
// points to memory that was given back.
type memory struct {
	limit   uint64 // bytes, whole pages
	buf     []byte
	refused uint64 // largest size that was asked for and refused
}

// Allocate implements experimental.MemoryAllocator. A module has one memory, an instance one allocator.
func (m *memory) Allocate(_, _ uint64) experimental.LinearMemory { return m }

// Reallocate implements experimental.LinearMemory. The first call asks for the declared minimum, which
// NewPool has compared with the limit: the runtime cannot take nil then.
func (m *memory) Reallocate(size uint64) []byte {
	if size > m.limit {
		m.refused = max(m.refused, size)
		return nil
	}
	if size > uint64(cap(m.buf)) {
		room := size
		if m.buf != nil { // growing once is a sign of more to come; the limit stays the limit
			room = min(size+size/4, m.limit)
		}
		grown := make([]byte, size, room)
		copy(grown, m.buf)
		m.buf = grown
	}
	// What lies between the old length and the capacity was never handed out: it is still zero.
	m.buf = m.buf[:size]
	return m.buf
}

// Free implements experimental.LinearMemory. The runtime may call it while guest code still runs, so it
// gives nothing back.
func (m *memory) Free() {}

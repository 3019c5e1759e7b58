package guest

import (
	"github.com/tetratelabs/wazero/experimental"

	"github.com/dashhost/dashhost/guest/wasmbin"
)

// memory is the linear memory of one instance. It grows up to limits of its own, whatever the runtime was
// told, so that one compiled module serves pools with different limits, and it can become smaller again.
//
// A small memory is a plain Go slice, freed by the collector. One that grows beyond mapFrom moves, once,
// into a mapping with room for the whole limit: further growth copies nothing, pages that are never touched
// cost nothing, and all of it goes back to the system when the instance is retired.
type memory struct {
	declared uint64 // maximum that the module declares, bytes
	limit    uint64 // the pool's, bytes in whole pages
	buf      []byte // what the guest has
	room     []byte // mapping of which buf is the beginning, nil for a slice
	paged    bool   // room begins with the image of the pool, see image.go
	next     []byte // what the runtime gets when it next asks, whatever it asks for; nil: what it asks for
	refused  uint64 // largest size that was asked for and refused because of limit
}

// mapFrom is the size from which a memory is worth a mapping, in bytes.
const mapFrom = 4 << 20

// spare raises the maximum that a module declares for its memory by one page. The runtime can only make
// memories larger; asked for one page more, memory hands it what it should have instead, smaller or not.
// So there must be one page more to ask for. The guest cannot have it: memory knows what was declared.
func spare(m *wasmbin.Module) {
	if mem, _ := m.Memory(); mem != nil && mem.HasMax && mem.Max < maxPages {
		mem.Max++
	}
}

// Allocate implements experimental.MemoryAllocator. A module has one memory, an instance one allocator.
func (m *memory) Allocate(_, _ uint64) experimental.LinearMemory { return m }

// Reallocate implements experimental.LinearMemory. The first call asks for the declared minimum, which
// NewPool has compared with the limit: the runtime cannot take nil then.
func (m *memory) Reallocate(size uint64) []byte {
	if m.next != nil {
		m.buf, m.next = m.next, nil
		return m.buf
	}
	if size > m.declared {
		return nil
	}
	if size > m.limit {
		m.refused = max(m.refused, size)
		return nil
	}
	if size > uint64(cap(m.buf)) {
		m.grow(size)
	}
	// What lies between the old length and the capacity was never handed out, or cleared since: it is zero.
	m.buf = m.buf[:size]
	return m.buf
}

// grow moves the memory to where it has room for size.
func (m *memory) grow(size uint64) {
	var room []byte
	if size > mapFrom {
		if room = reserve(m.limit); room != nil {
			m.room = room
		}
	}
	if room == nil {
		n := size
		if m.buf != nil { // growing once is a sign of more to come; the limit stays the limit
			n = min(size+size/4, m.limit)
		}
		room = make([]byte, n)
	}
	copy(room, m.buf)
	m.buf = room[:len(m.buf)]
}

// Free implements experimental.LinearMemory. The runtime may call it while guest code still runs, so it
// gives nothing back; release does.
func (m *memory) Free() {}

// release gives a mapping back. Nothing may look at the memory afterwards: it is called when no guest code
// runs any more, and no view of the memory outlives a host function.
func (m *memory) release() {
	if m.room != nil {
		unreserve(m.room)
	}
	m.buf, m.room, m.next = nil, nil, nil
}

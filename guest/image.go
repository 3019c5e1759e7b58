package guest

import (
	"bytes"
	"fmt"
	"unsafe"

	"github.com/tetratelabs/wazero/api"
)

// image is what the start phase left of an instance: all the state that code of the guest could have changed
// and that the runtime lets us set. Policy reset puts it back after each call. What cannot be put back
// (tables, dropped segments, globals of other types) no code of the module can change, or the pool falls
// back to fresh instances: see meter.Rewritten.Obstacles. What a call leaves on the host's side is in call
// and in the Host, which are new for each call.
//
// One image serves all instances of a pool, and it is how all but the first are started. An image is never
// changed. There are two ways to put it back:
//
//   - copying all of it, for small ones and where nothing better is known;
//   - with a sheet, which each instance maps privately over its memory: the system copies a page when the
//     guest writes to it, and says which pages those are. Only these are copied back. They stay the
//     instance's own, so that they cost a page fault once, and a copy after each call.
type image struct {
	globals []uint64
	size    int    // of the memory, bytes
	data    []byte // how the memory begins, whole pages; the rest of it is zero
	sheet   *sheet // holds data, nil: data is a copy
}

const (
	// copyUpTo is the largest image that is put back by copying all of it: 256 KiB take 5 us, and finding
	// out what to copy takes 1 to 2 us with page faults before.
	copyUpTo = 256 << 10
	// keepTail is how many bytes behind the image may have been touched and are cleared rather than given
	// back to the system: guests that need a little more memory do so in each call.
	keepTail = 1 << 20
)

// newImage makes an image of a memory. pages tells what instances touch, nil if nothing does.
func newImage(memory []byte, globals []uint64, pages *pagemap) (*image, error) {
	img := &image{globals: globals, size: len(memory)}
	used := memory[:usedPages(memory)]
	if len(used) > copyUpTo && pages != nil {
		var err error
		if img.sheet, err = newSheet(used); err == nil {
			img.data = img.sheet.data
			return img, nil
		}
		img.data = bytes.Clone(used)
		return img, fmt.Errorf("image: %w", err)
	}
	img.data = bytes.Clone(used)
	return img, nil
}

// usedPages is the length of b without the pages of zeroes at its end.
func usedPages(b []byte) int {
	var zero [4096]byte
	n := len(b)
	for n >= len(zero) && bytes.Equal(b[n-len(zero):n], zero[:]) {
		n -= len(zero)
	}
	return (n + PageSize - 1) &^ (PageSize - 1)
}

// free gives a sheet back. No instance may use the image any more.
func (img *image) free() {
	if img.sheet != nil {
		img.sheet.close()
	}
	img.data = nil
}

// bytes is what the image itself takes.
func (img *image) bytes() int64 { return int64(len(img.data)) }

// adopt makes the memory show the image, and says what the runtime must be given.
func (m *memory) adopt(img *image) []byte {
	if img.sheet == nil || !m.cover(img) {
		b, _ := m.restore(img, nil)
		return b
	}
	return m.room[:img.size]
}

// cover maps the sheet of an image over the beginning of the memory. It reports false if the system refuses;
// the memory is what it was then.
func (m *memory) cover(img *image) bool {
	room := m.room
	if room == nil {
		if room = reserve(m.limit); room == nil {
			return false
		}
	}
	if err := img.sheet.cover(room); err != nil {
		if m.room == nil {
			unreserve(room)
		}
		return false
	}
	if m.room != nil && len(m.buf) > len(img.data) {
		discard(room[len(img.data):len(m.buf)])
	}
	m.room, m.paged = room, true
	return true
}

// restore puts the bytes of the image back, gives what the runtime must have and how many bytes were written.
// What it had behind the image is zero again.
func (m *memory) restore(img *image, pages *pagemap) (b []byte, written int) {
	if m.paged && pages != nil {
		if n, err := m.restorePages(img, pages); err == nil {
			return m.room[:img.size], n
		}
	}
	if img.size > cap(m.buf) {
		m.grow(uint64(img.size))
	}
	b = m.buf[:max(len(m.buf), img.size)]
	copy(b, img.data)
	rest := b[len(img.data):]
	if m.room != nil && len(rest) > keepTail {
		discard(rest)
		return b[:img.size], len(img.data)
	}
	clear(rest)
	return b[:img.size], len(b)
}

// restorePages puts back the pages that are the instance's own.
func (m *memory) restorePages(img *image, pages *pagemap) (written int, err error) {
	err = pages.own(m.room[:len(img.data)], func(from, to int) {
		written += copy(m.room[from:to], img.data[from:to])
	})
	if err != nil || len(m.buf) <= len(img.data) {
		return written, err
	}
	rest := m.room[len(img.data):len(m.buf)]
	cleared := 0
	err = pages.own(rest, func(from, to int) {
		if cleared += to - from; cleared <= keepTail {
			clear(rest[from:to])
		}
	})
	if cleared > keepTail {
		discard(rest)
	}
	return written + min(cleared, keepTail), err
}

// capture makes the image of an instance that has just started.
func (in *instance) capture(pages *pagemap) (*image, error) {
	globals := make([]uint64, len(in.globals))
	for i, g := range in.globals {
		globals[i] = g.Get()
	}
	return newImage(in.memory.buf, globals, pages)
}

// adopt makes the instance what the image says. Before it, the instance was instantiated and no more.
func (in *instance) adopt(img *image) error {
	return in.set(img, in.memory.adopt(img))
}

// restore makes the instance what the image says, after calls that ended well. It gives the number of bytes
// that it wrote.
func (in *instance) restore(img *image, pages *pagemap) (int, error) {
	b, written := in.memory.restore(img, pages)
	return written, in.set(img, b)
}

// set gives the runtime the memory and the globals.
func (in *instance) set(img *image, b []byte) error {
	if now := in.memory.buf; len(b) != len(now) || unsafe.SliceData(b) != unsafe.SliceData(now) {
		in.memory.next = b
		if _, ok := in.mem.Grow(1); !ok {
			in.memory.next = nil
			return fmt.Errorf("the runtime does not let go of a memory of %d bytes", len(now))
		}
	}
	for i, g := range in.globals {
		g.Set(img.globals[i])
	}
	return nil
}

// findGlobals looks up the globals that can be put back.
func (in *instance) findGlobals() {
	names := in.pool.code.meter.Globals
	in.globals = make([]api.MutableGlobal, len(names))
	for i := range names {
		in.globals[i] = in.mod.ExportedGlobal(names[i].Export).(api.MutableGlobal)
	}
}

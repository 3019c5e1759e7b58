package streaming

import (
	"math"
	"math/bits"
)

// writer writes protobuf from the end of its buffer to the start, so that the length of a message is known when it is to be written.
// Fields therefore come last first. What was written is b[at:].
type writer struct {
	b  []byte
	at int
}

// Wire types of protobuf.
const (
	wireVarint  = 0
	wireFixed64 = 1
	wireLength  = 2
	wireFixed32 = 5
)

func (w *writer) reset() { w.at = len(w.b) }

// mark is a place to close a message at, valid whatever is written after.
func (w *writer) mark() int { return len(w.b) - w.at }

// back forgets what was written since the mark.
func (w *writer) back(mark int) { w.at = len(w.b) - mark }

// room makes place for n bytes.
func (w *writer) room(n int) {
	if w.at >= n {
		return
	}
	written := w.b[w.at:]
	grown := make([]byte, max(2*len(w.b), 1024)+n)
	w.at = len(grown) - len(written)
	copy(grown[w.at:], written)
	w.b = grown
}

func (w *writer) uvarint(v uint64) {
	if v < 0x80 && w.at > 0 {
		w.at--
		w.b[w.at] = byte(v)
		return
	}
	w.longUvarint(v)
}

func (w *writer) longUvarint(v uint64) {
	n := (bits.Len64(v|1) + 6) / 7
	w.room(n)
	w.at -= n
	to := w.b[w.at : w.at+n]
	for i := range n - 1 {
		to[i] = byte(v) | 0x80
		v >>= 7
	}
	to[n-1] = byte(v)
}

func (w *writer) tag(number, wire uint64) { w.uvarint(number<<3 | wire) }

// number writes a field unless it is 0.
func (w *writer) number(field, v uint64) {
	if v != 0 {
		w.uvarint(v)
		w.tag(field, wireVarint)
	}
}

func (w *writer) fixed64(field, v uint64) {
	w.room(8)
	w.at -= 8
	for i := range 8 {
		w.b[w.at+i] = byte(v >> (8 * i))
	}
	w.tag(field, wireFixed64)
}

func (w *writer) fixed32(field uint64, v float32) {
	w.room(4)
	w.at -= 4
	for i := range 4 {
		w.b[w.at+i] = byte(math.Float32bits(v) >> (8 * i))
	}
	w.tag(field, wireFixed32)
}

// text writes a field unless it is empty.
func (w *writer) text(field uint64, s string) {
	if s != "" {
		w.rawText(field, s)
	}
}

func (w *writer) rawText(field uint64, s string) {
	w.appendText(s)
	w.uvarint(uint64(len(s)))
	w.tag(field, wireLength)
}

func (w *writer) appendText(s string) {
	w.room(len(s))
	w.at -= len(s)
	copy(w.b[w.at:], s)
}

// bytes writes a field unless it is empty.
func (w *writer) bytes(field uint64, b []byte) {
	if len(b) > 0 {
		w.append(b)
		w.uvarint(uint64(len(b)))
		w.tag(field, wireLength)
	}
}

func (w *writer) append(b []byte) {
	w.room(len(b))
	w.at -= len(b)
	copy(w.b[w.at:], b)
}

// appendInt writes n, which is not negative, in decimal.
func (w *writer) appendInt(n int) {
	w.room(20)
	for {
		w.at--
		w.b[w.at] = byte('0' + n%10)
		if n /= 10; n == 0 {
			return
		}
	}
}

// close makes what was written since the mark a message or a packed value.
func (w *writer) close(field uint64, mark int) {
	w.uvarint(uint64(w.mark() - mark))
	w.tag(field, wireLength)
}

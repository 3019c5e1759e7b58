// Package frame is the form in which logs keep their entries: length and checksums around bytes, so that a reader tells an entry
// from damage, and damage from an entry that was still being written when the power went.
//
// A frame begins at a multiple of 8 in its file. All integers are little-endian.
//
//	 0  magic      4   d5 'd' 'h' 'f'
//	 4  version    1   1, or 2 if the body has what no reader of version 1 knows
//	 5  kind       1   of the first record in it; the log's own frames have their kinds too
//	 6  flags      2   1 stuffed, 2 last of its segment, 4 part of an import, 8 its last part
//	 8  sequence   8   of the first record in it
//	16  length     4   of the body as it stands here
//	20  count      2   records in the body; the next frame's sequence is sequence + count
//	22  key        2   id of the key the body is sealed with, 0 none
//	24  stream     8   hash of the stream (thread) the records belong to, 0 for the log's own
//	32  event      8   number of the first event the records make
//	40  events     4   how many they make
//	44  columns    4   how much of the body, before stuffing, is not sealed
//	48  promise    8   everything before this offset of the file was durable when the frame was made
//	56  before     8   stream of the frame before this one
//	64  before     8   its sequence
//	72  before     4   its length
//	76  ordinal    4   which of its stream's records the first one is, from 1, modulo 2^32; 0 for the log's own
//	80  epoch      8   of the stream
//	88  body sum   4   CRC32C of the body
//	92  head sum   4   CRC32C of bytes 0-91, the segment's random id, and the frame's offset in 8 bytes; 0 is written as 1
//	96  body     length
//	    mark       1   a5
//	    padding  0-7   zero, up to a multiple of 8
//
// The head sum makes bytes that come from elsewhere, or that somebody put inside a body, no frame here.
//
// # Torn or damaged
//
// A disk writes sectors of 512 bytes whole or not at all, into space that was zero. So a frame that was being written when the
// power went has a sector, or the part of one that is its own, all zero; a frame that was written never has: it begins with the
// magic, its head ends with a sum that is not 0, its last 8 bytes hold the mark, and a body with 128 zeros in a row is stuffed: a
// byte ff follows each 128 of it. Torn tells.
package frame

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// Parts of the format.
const (
	HeaderSize = 96
	Align      = 8
	Sector     = 512
	MaxBody    = 1<<30 + 1<<24 // bytes of a body, as stored
	Version    = 2             // greatest that can be read

	FlagStuffed = 1 << 0
	FlagLast    = 1 << 1
	// FlagImport marks the frames of a stream that was taken over from elsewhere: it counts when the one with FlagImported is there.
	FlagImport   = 1 << 2
	FlagImported = 1 << 3

	allFlags = FlagStuffed | FlagLast | FlagImport | FlagImported

	endMark    = 0xa5
	stuffEvery = 128
	stuffing   = 0xff
)

// Magic begins every frame. Part of the format.
const Magic = "\xd5dhf"

// Header is what stands in front of a body.
type Header struct {
	Version uint8 // of the body's form; 0 is written as 1
	Kind    uint8
	Flags   uint16
	Seq     uint64
	Length  uint32
	Count   uint16
	Key     uint16
	Stream  uint64
	Event   uint64
	Events  uint32
	Columns uint32
	Promise uint64
	Before  Neighbour
	Epoch   uint64
	Ordinal uint32
	BodySum uint32
}

// Neighbour names the frame before.
type Neighbour struct {
	Stream uint64
	Seq    uint64
	Length uint32
}

// Place is where a frame stands.
type Place struct {
	Segment [16]byte // random id of the file
	Offset  int64
}

// Errors of Parse and Check.
var (
	ErrZero    = errors.New("no frame: zero")
	ErrHeader  = errors.New("frame header does not match its checksum")
	ErrBody    = errors.New("frame body does not match its checksum")
	ErrEnd     = errors.New("frame does not end as it should")
	ErrVersion = errors.New("frame of a newer format version")
)

// Size is how many bytes a frame with a body of length bytes takes.
func Size(length uint32) int64 {
	return (HeaderSize + int64(length) + 1 + Align - 1) &^ (Align - 1)
}

// Neighbour is how the next frame names this one.
func (h *Header) Neighbour() Neighbour { return Neighbour{h.Stream, h.Seq, h.Length} }

// Put writes the header for its place.
func (h *Header) Put(b *[HeaderSize]byte, at Place) {
	le := binary.LittleEndian
	copy(b[0:], Magic)
	b[4], b[5] = max(h.Version, 1), h.Kind
	le.PutUint16(b[6:], h.Flags)
	le.PutUint64(b[8:], h.Seq)
	le.PutUint32(b[16:], h.Length)
	le.PutUint16(b[20:], h.Count)
	le.PutUint16(b[22:], h.Key)
	le.PutUint64(b[24:], h.Stream)
	le.PutUint64(b[32:], h.Event)
	le.PutUint32(b[40:], h.Events)
	le.PutUint32(b[44:], h.Columns)
	le.PutUint64(b[48:], h.Promise)
	le.PutUint64(b[56:], h.Before.Stream)
	le.PutUint64(b[64:], h.Before.Seq)
	le.PutUint32(b[72:], h.Before.Length)
	le.PutUint32(b[76:], h.Ordinal)
	le.PutUint64(b[80:], h.Epoch)
	le.PutUint32(b[88:], h.BodySum)
	le.PutUint32(b[92:], headSum(b[:92], at))
}

// Parse reads the header at the start of b, which stands at a place. ErrZero: there is no frame, so far. ErrVersion: there is one,
// of a later version.
func Parse(b []byte, at Place) (Header, error) {
	var h Header
	if len(b) < HeaderSize {
		return h, ErrHeader
	}
	b = b[:HeaderSize]
	if string(b[:4]) != Magic {
		if isZero(b) {
			return h, ErrZero
		}
		return h, ErrHeader
	}
	le := binary.LittleEndian
	if le.Uint32(b[92:]) != headSum(b[:92], at) {
		return h, ErrHeader
	}
	h = Header{
		Version: b[4], Kind: b[5], Flags: le.Uint16(b[6:]), Seq: le.Uint64(b[8:]), Length: le.Uint32(b[16:]), Count: le.Uint16(b[20:]),
		Key: le.Uint16(b[22:]), Stream: le.Uint64(b[24:]), Event: le.Uint64(b[32:]), Events: le.Uint32(b[40:]), Columns: le.Uint32(b[44:]),
		Promise: le.Uint64(b[48:]),
		Before:  Neighbour{le.Uint64(b[56:]), le.Uint64(b[64:]), le.Uint32(b[72:])},
		Ordinal: le.Uint32(b[76:]), Epoch: le.Uint64(b[80:]), BodySum: le.Uint32(b[88:]),
	}
	if h.Version > Version {
		return h, fmt.Errorf("%w: %d, this program reads up to %d", ErrVersion, h.Version, Version)
	}
	if h.Version == 0 || h.Length > MaxBody || h.Columns > h.Length || h.Flags&^allFlags != 0 {
		return h, ErrHeader
	}
	return h, nil
}

func headSum(b []byte, at Place) uint32 {
	var place [24]byte
	copy(place[:], at.Segment[:])
	binary.LittleEndian.PutUint64(place[16:], uint64(at.Offset))
	sum := Sum(Sum(0, b), place[:])
	return max(sum, 1)
}

// Sum adds b to a checksum.
func Sum(sum uint32, b []byte) uint32 { return crc32.Update(sum, castagnoli, b) }

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// AppendEnd appends what follows a body of length bytes.
func AppendEnd(b []byte, length uint32) []byte {
	n := Size(length) - HeaderSize - int64(length)
	return append(append(b, endMark), make([]byte, n-1)...)
}

// CheckEnd checks what follows a body.
func CheckEnd(b []byte) error {
	if len(b) == 0 || b[0] != endMark || !isZero(b[1:]) {
		return ErrEnd
	}
	return nil
}

// Check checks everything after the header: body, mark and padding. It returns the body as it was before stuffing; it is a view
// of b unless it was stuffed.
func (h *Header) Check(b []byte) ([]byte, error) {
	if int64(len(b)) != Size(h.Length)-HeaderSize {
		return nil, ErrEnd
	}
	body := b[:h.Length]
	if Sum(0, body) != h.BodySum {
		return nil, ErrBody
	}
	if err := CheckEnd(b[h.Length:]); err != nil {
		return nil, err
	}
	if h.Flags&FlagStuffed != 0 {
		return Unstuff(body)
	}
	return body, nil
}

// Torn says whether the n bytes of a frame at offset look as if the power went while they were written: a sector's share of them
// is all zero, or beyond the end of the file. b holds as many of the bytes as the file has.
func Torn(b []byte, offset, n int64) bool {
	if int64(len(b)) < n {
		return true
	}
	for at := int64(0); at < n; {
		end := min((offset+at)/Sector*Sector+Sector-offset, n)
		if isZero(b[at:end]) {
			return true
		}
		at = end
	}
	return false
}

var zeros [4096]byte

func isZero(b []byte) bool {
	for len(b) > len(zeros) {
		if !bytes.Equal(b[:len(zeros)], zeros[:]) {
			return false
		}
		b = b[len(zeros):]
	}
	return bytes.Equal(b, zeros[:len(b)])
}

// IsZero says whether b is all zero.
func IsZero(b []byte) bool { return isZero(b) }

// NeedsStuffing says whether a body that is the concatenation of parts has so many zeros in a row that it could be taken for torn.
// It may say yes for half as many.
func NeedsStuffing(parts ...[]byte) bool {
	for _, b := range parts {
		for i := 0; i+stuffEvery/2 <= len(b); i += stuffEvery / 2 {
			if b[i] == 0 && isZero(b[i:i+stuffEvery/2]) {
				return true
			}
		}
	}
	return false
}

// Stuff appends b to dst with a byte that is not zero after each 128.
func Stuff(dst, b []byte) []byte {
	for len(b) > stuffEvery {
		dst = append(append(dst, b[:stuffEvery]...), stuffing)
		b = b[stuffEvery:]
	}
	return append(dst, b...)
}

// StuffedSize is how many bytes of a stuffed body hold the first n of the body.
func StuffedSize(n int) int {
	if n == 0 {
		return 0
	}
	return n + (n-1)/stuffEvery
}

// Unstuff returns what Stuff was given, or any beginning of it.
func Unstuff(b []byte) ([]byte, error) {
	out := make([]byte, 0, len(b))
	for len(b) > stuffEvery {
		if b[stuffEvery] != stuffing {
			return nil, ErrBody
		}
		out = append(out, b[:stuffEvery]...)
		b = b[stuffEvery+1:]
	}
	return append(out, b...), nil
}

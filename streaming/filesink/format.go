package filesink

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/oklog/ulid/v2"

	"github.com/dashhost/dashhost/internal/frame"
	"github.com/dashhost/dashhost/streaming/driver"
)

// Parts of the format.
const (
	version     = 1
	magic       = "dashevt\n"
	headSize    = 96
	kindRecords = 1
	suffix      = ".dse"

	// MaxRecord is how many bytes of content a record may have.
	MaxRecord = 16 << 20

	maxBody  = MaxRecord + 1<<20 // of a frame, before stuffing
	maxCount = math.MaxUint16    // records in a frame
)

// head is what a file begins with.
type head struct {
	segment [16]byte
	writer  ulid.ULID
	number  uint32
	seq     uint64
	created int64
}

func fileName(writer ulid.ULID, number uint32) string {
	return fmt.Sprintf("%s-%08d%s", writer, number, suffix)
}

// parseName is the inverse of fileName; ok is false for files that are not ours.
func parseName(name string) (writer ulid.ULID, number uint32, ok bool) {
	base, ours := strings.CutSuffix(name, suffix)
	id, digits, cut := strings.Cut(base, "-")
	writer, err := ulid.ParseStrict(id)
	n, err2 := strconv.ParseUint(digits, 10, 32)
	return writer, uint32(n), ours && cut && err == nil && err2 == nil && name == fileName(writer, uint32(n))
}

func (h *head) encode() []byte {
	b := make([]byte, headSize)
	le := binary.LittleEndian
	copy(b, magic)
	le.PutUint32(b[8:], version)
	le.PutUint32(b[12:], h.number)
	copy(b[16:], h.segment[:])
	copy(b[32:], h.writer[:])
	le.PutUint64(b[48:], h.seq)
	le.PutUint64(b[56:], uint64(h.created))
	le.PutUint32(b[92:], frame.Sum(0, b[:92]))
	return b
}

var errHead = errors.New("the head does not match its checksum")

func parseHead(b []byte) (head, error) {
	var h head
	le := binary.LittleEndian
	if len(b) < headSize || string(b[:8]) != magic || le.Uint32(b[92:]) != frame.Sum(0, b[:92]) {
		return h, errHead
	}
	if v := le.Uint32(b[8:]); v != version {
		return h, fmt.Errorf("%w: %d, this program reads %d", ErrVersion, v, version)
	}
	h = head{number: le.Uint32(b[12:]), seq: le.Uint64(b[48:]), created: int64(le.Uint64(b[56:]))}
	copy(h.segment[:], b[16:])
	copy(h.writer[:], b[32:])
	return h, nil
}

// recordSize is how long a record is in a body, without its length.
func recordSize(r *driver.Record) int {
	n := 16 + 8 + uvarintSize(len(r.Key)) + len(r.Key) + uvarintSize(len(r.Headers)) + len(r.Value)
	for _, h := range r.Headers {
		n += uvarintSize(len(h.Key)) + len(h.Key) + uvarintSize(len(h.Value)) + len(h.Value)
	}
	return n
}

func uvarintSize(n int) int {
	size := 1
	for ; n >= 0x80; n >>= 7 {
		size++
	}
	return size
}

func appendRecord(b []byte, r *driver.Record) []byte {
	b = binary.AppendUvarint(b, uint64(recordSize(r)))
	b = append(b, r.ID[:]...)
	b = binary.LittleEndian.AppendUint64(b, uint64(r.Time))
	b = appendBytes(b, r.Key)
	b = binary.AppendUvarint(b, uint64(len(r.Headers)))
	for _, h := range r.Headers {
		b = append(binary.AppendUvarint(b, uint64(len(h.Key))), h.Key...)
		b = appendBytes(b, h.Value)
	}
	return append(b, r.Value...)
}

func appendBytes(b, v []byte) []byte { return append(binary.AppendUvarint(b, uint64(len(v))), v...) }

var errBody = errors.New("the frame is whole, and its body is not one of records")

// body reads a frame's body. The records are views of it.
type body struct {
	b   []byte
	bad bool
}

func (p *body) uvarint() int {
	v, n := binary.Uvarint(p.b)
	if n <= 0 || v > uint64(len(p.b)-n) {
		p.bad, p.b = true, nil
		return 0
	}
	p.b = p.b[n:]
	return int(v)
}

func (p *body) take(n int) []byte {
	if n > len(p.b) {
		p.bad, p.b = true, nil
		return nil
	}
	v := p.b[:n:n]
	p.b = p.b[n:]
	return v
}

func (p *body) bytes() []byte { return p.take(p.uvarint()) }

// parseBody returns what a frame holds; the count is that of the header.
func parseBody(b []byte, count int) (stream string, records []driver.Record, err error) {
	p := body{b: b}
	stream = string(p.bytes())
	for len(p.b) > 0 && len(records) < count {
		one := body{b: p.bytes()}
		r := driver.Record{}
		copy(r.ID[:], one.take(16))
		if t := one.take(8); len(t) == 8 {
			r.Time = int64(binary.LittleEndian.Uint64(t))
		}
		r.Key = one.bytes()
		for range one.uvarint() {
			if one.bad {
				break
			}
			r.Headers = append(r.Headers, driver.Header{Key: string(one.bytes()), Value: one.bytes()})
		}
		r.Value = one.b
		if p.bad = p.bad || one.bad; p.bad {
			return "", nil, errBody
		}
		records = append(records, r)
	}
	if p.bad || len(p.b) > 0 || len(records) != count {
		return "", nil, errBody
	}
	return stream, records, nil
}

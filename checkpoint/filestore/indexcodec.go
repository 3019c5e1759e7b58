package filestore

import (
	"bytes"
	"encoding/binary"
	"errors"
	"maps"
	"slices"

	"github.com/dashhost/dashhost/checkpoint/driver"
	"github.com/dashhost/dashhost/checkpoint/internal/table"
	"github.com/dashhost/dashhost/internal/frame"
)

// The index is
//
//	"dashidx\n"  version uvarint  store id 16  segment uvarint  segment id 16  offset uvarint  sequence uvarint
//	frame before: stream, sequence, length uvarint
//	threads uvarint, then each thread  CRC32C of all that, 4 bytes
//
// with a thread as encodeThread writes it: integers as uvarint, strings with their length in front, places of records as
// differences from the one before.
const (
	indexMagic   = "dashidx\n"
	indexVersion = 3
)

var (
	errIndex        = errors.New("index does not fit")
	errIndexVersion = errors.New("index of another version") // sound, and not for this program
)

// index is what the file holds.
type index struct {
	store   [16]byte
	segment uint32
	id      [16]byte
	off     int64
	seq     uint64
	before  frame.Neighbour
	table   *table.Table
}

// encodeIndex makes an index of the store up to its cursor.
func encodeIndex(s *store) []byte {
	e := &encoder{}
	e.b = append(e.b, indexMagic...)
	e.int(indexVersion)
	e.b = append(e.b, s.id[:]...)
	e.int(uint64(s.cur.seg.number))
	e.b = append(e.b, s.cur.seg.id[:]...)
	e.int(uint64(s.cur.off))
	e.int(s.cur.seq)
	e.int(s.cur.before.Stream)
	e.int(s.cur.before.Seq)
	e.int(uint64(s.cur.before.Length))
	names := s.table.Names()
	e.int(uint64(len(names)))
	for _, n := range names {
		e.thread(s.table.Entry(n))
	}
	return binary.LittleEndian.AppendUint32(e.b, frame.Sum(0, e.b))
}

type encoder struct{ b []byte }

func (e *encoder) int(v uint64) { e.b = binary.AppendUvarint(e.b, v) }

func (e *encoder) signed(v int64) { e.b = binary.AppendVarint(e.b, v) }

func (e *encoder) string(s string) {
	e.int(uint64(len(s)))
	e.b = append(e.b, s...)
}

func (e *encoder) thread(t *table.Thread) {
	e.string(t.Name)
	for _, v := range []uint64{t.Epoch, uint64(t.Count), uint64(t.Base), uint64(t.Moved)} {
		e.int(v)
	}
	e.state(t)
	e.int(uint64(len(t.Namespaces)))
	for _, ns := range t.Namespaces {
		e.string(ns)
	}
	e.refs(t)
}

// state writes what is known of a thread beside its numbers and records. It is part of the log's format too, see floor.
func (e *encoder) state(t *table.Thread) {
	flags := uint64(0)
	if t.Claimed {
		flags |= 1
	}
	if t.Deleted {
		flags |= 2
	}
	if t.Importing {
		flags |= 4
	}
	e.int(flags)
	e.string(t.Owner)
	e.string(t.MinID)
	for _, v := range []uint64{uint64(t.Due), uint64(t.Created), uint64(t.Updated), t.Events, t.LastSeq, t.Cancel, t.Accepted, t.Dropped} {
		e.int(v)
	}
	e.int(uint64(len(t.Heads)))
	for _, ns := range slices.Sorted(maps.Keys(t.Heads)) {
		h := t.Heads[ns]
		e.string(ns)
		e.string(h.ID)
		e.int(h.Seq)
		e.int(h.FirstEvent)
		e.int(h.Epoch)
	}
	e.int(uint64(len(t.Attrs)))
	for _, n := range slices.Sorted(maps.Keys(t.Attrs)) {
		e.string(n)
		e.string(t.Attrs[n])
	}
}

func (e *encoder) refs(t *table.Thread) {
	e.int(uint64(len(t.Refs)))
	var last table.Ref
	for _, r := range t.Refs { // records that were moved stand behind later ones: differences may be negative
		e.int(r.Seq - last.Seq)
		e.signed(int64(r.Segment) - int64(last.Segment))
		if r.Segment != last.Segment {
			last.Offset = 0
		}
		e.signed(int64(r.Offset) - int64(last.Offset))
		e.int(uint64(r.Index))
		e.int(uint64(r.NS)<<5 | uint64(r.Kind))
		last = r
	}
}

// minRef is the least a place takes, in bytes.
const minRef = 5

func decodeIndex(b []byte) (*index, error) {
	if len(b) < len(indexMagic)+4 || !bytes.HasPrefix(b, []byte(indexMagic)) {
		return nil, errIndex
	}
	body, sum := b[:len(b)-4], binary.LittleEndian.Uint32(b[len(b)-4:])
	if frame.Sum(0, body) != sum {
		return nil, errIndex
	}
	return parseIndex(body[len(indexMagic):])
}

// parseIndex reads what stands between magic and checksum. It allocates no more than b could fill.
func parseIndex(b []byte) (*index, error) {
	d := &decoder{b: b}
	if d.int() != indexVersion {
		return nil, errIndexVersion
	}
	x := &index{table: table.New()}
	copy(x.store[:], d.bytes(16))
	x.segment = d.uint32()
	copy(x.id[:], d.bytes(16))
	x.off = int64(d.uint32())
	x.seq = d.int()
	x.before = frame.Neighbour{Stream: d.int(), Seq: d.int(), Length: d.uint32()}
	for n := d.count(1); n > 0 && !d.bad; n-- {
		t := d.thread()
		if x.table.Entry(t.Name) != nil {
			d.bad = true
		}
		x.table.Put(t)
	}
	if d.bad || len(d.b) > 0 || x.off < firstFrame || x.before.Length > frame.MaxBody {
		return nil, errIndex
	}
	return x, nil
}

// decoder reads what encoder wrote; bad is set when that is not there.
type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) int() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.bad, d.b = true, nil
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) uint32() uint32 {
	v := d.int()
	if v > 1<<32-1 {
		d.bad = true
	}
	return uint32(v)
}

// moved reads a signed difference to v.
func (d *decoder) moved(v uint32) uint32 {
	diff, n := binary.Varint(d.b)
	if to := int64(v) + diff; n > 0 && diff >= -1<<32 && diff <= 1<<32 && to >= 0 && to <= 1<<32-1 {
		d.b = d.b[n:]
		return uint32(to)
	}
	d.bad, d.b = true, nil
	return 0
}

func (d *decoder) bytes(n uint64) []byte {
	if n > uint64(len(d.b)) {
		d.bad, d.b = true, nil
		return nil
	}
	b := d.b[:n]
	d.b = d.b[n:]
	return b
}

func (d *decoder) string() string { return string(d.bytes(d.int())) }

// count reads how many things follow that take at least size bytes each.
func (d *decoder) count(size int) int {
	n := d.int()
	if n > uint64(len(d.b)/size) {
		d.bad, d.b = true, nil
		return 0
	}
	return int(n)
}

func (d *decoder) thread() *table.Thread {
	t := &table.Thread{Name: d.string(), Epoch: d.int(), Count: d.uint32(), Base: d.uint32(), Moved: d.uint32()}
	d.state(t)
	for n := d.count(1); n > 0; n-- {
		t.Namespaces = append(t.Namespaces, d.string())
	}
	d.refs(t)
	return t
}

func (d *decoder) state(t *table.Thread) {
	flags := d.int()
	t.Claimed, t.Deleted, t.Importing = flags&1 != 0, flags&2 != 0, flags&4 != 0
	t.Owner, t.MinID = d.string(), d.string()
	t.Due, t.Created, t.Updated = int64(d.int()), int64(d.int()), int64(d.int())
	t.Events, t.LastSeq, t.Cancel, t.Accepted, t.Dropped = d.int(), d.int(), d.int(), d.int(), d.int()
	if n := d.count(5); n > 0 {
		t.Heads = make(map[string]table.Head, n)
		for ; n > 0; n-- {
			ns := d.string()
			t.Heads[ns] = table.Head{ID: d.string(), Seq: d.int(), FirstEvent: d.int(), Epoch: d.int()}
		}
	}
	if n := d.count(2); n > 0 {
		t.Attrs = make(map[string]string, n)
		for ; n > 0; n-- {
			name := d.string()
			t.Attrs[name] = d.string()
		}
	}
}

func (d *decoder) refs(t *table.Thread) {
	n := d.count(minRef)
	t.Refs = make([]table.Ref, 0, n)
	var last table.Ref
	for ; n > 0 && !d.bad; n-- {
		r := table.Ref{Seq: last.Seq + d.int(), Segment: d.moved(last.Segment)}
		if r.Segment != last.Segment {
			last.Offset = 0
		}
		r.Offset = d.moved(last.Offset)
		index, kind := d.int(), d.int()
		r.Index, r.Kind, r.NS = uint16(index), driver.Kind(kind&31), uint32(kind>>5)
		lost := kind == 0 // of what, cannot be known; that was accepted
		if index > 1<<16-1 || !lost && (kind>>5 >= uint64(len(t.Namespaces)) || !r.Kind.Valid()) || r.Seq <= last.Seq {
			d.bad = true
		}
		t.Refs = append(t.Refs, r)
		last = r
	}
}

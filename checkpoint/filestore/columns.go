package filestore

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"math"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/dashhost/dashhost/checkpoint/driver"
)

// Fields of the columns. Part of the format.
const (
	fieldThread = 1
	fieldRecord = 2

	fieldKind      = 1
	fieldNamespace = 2
	fieldID        = 3
	fieldParent    = 4
	fieldTask      = 5
	fieldOwner     = 6
	fieldAttr      = 7
	fieldTime      = 8
	fieldDue       = 9
	fieldEvents    = 10
	fieldFlags     = 11
	fieldCodec     = 12
	fieldSize      = 13
	fieldLength    = 14

	fieldName  = 1
	fieldValue = 2
)

var errColumns = errors.New("columns are malformed")

// stream is the hash that stands for a thread's name in frame headers. Never 0, which is the log itself.
func stream(thread string) uint64 {
	sum := sha256.Sum256([]byte(thread))
	return max(binary.LittleEndian.Uint64(sum[:]), 1)
}

func appendColumns(b []byte, thread string, recs []*driver.Record) []byte {
	b = appendString(b, fieldThread, thread)
	var r []byte
	for _, rec := range recs {
		r = appendRecord(r[:0], rec)
		b = protowire.AppendTag(b, fieldRecord, protowire.BytesType)
		b = protowire.AppendBytes(b, r)
	}
	return b
}

func appendRecord(b []byte, r *driver.Record) []byte {
	b = appendInt(b, fieldKind, uint64(r.Kind))
	b = appendString(b, fieldNamespace, r.Namespace)
	b = appendString(b, fieldID, r.ID)
	b = appendString(b, fieldParent, r.Parent)
	b = appendString(b, fieldTask, r.Task)
	b = appendString(b, fieldOwner, r.Owner)
	for _, a := range r.Attrs {
		b = protowire.AppendTag(b, fieldAttr, protowire.BytesType)
		b = protowire.AppendVarint(b, uint64(sizeString(a.Name)+sizeString(a.Value)))
		b = appendString(b, fieldName, a.Name)
		b = appendString(b, fieldValue, a.Value)
	}
	b = appendInt(b, fieldTime, uint64(r.Time))
	b = appendInt(b, fieldDue, uint64(r.Due))
	b = appendInt(b, fieldEvents, uint64(r.Events))
	b = appendInt(b, fieldFlags, uint64(r.Flags))
	b = appendInt(b, fieldCodec, uint64(r.Codec))
	b = appendInt(b, fieldSize, uint64(r.Size))
	return appendInt(b, fieldLength, uint64(len(r.Body)))
}

func sizeString(s string) int {
	if s == "" {
		return 0
	}
	return 1 + protowire.SizeBytes(len(s))
}

func appendString(b []byte, field protowire.Number, s string) []byte {
	if s == "" {
		return b
	}
	return protowire.AppendString(protowire.AppendTag(b, field, protowire.BytesType), s)
}

func appendInt(b []byte, field protowire.Number, v uint64) []byte {
	if v == 0 {
		return b
	}
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), v)
}

// columns is what parseColumns finds: records without bodies, and how long each body is.
type columns struct {
	thread  string
	recs    []*driver.Record
	floor   *floor // of a Floor record
	lengths []int64
	flags   uint16 // of the frame

	known bool             // thread is what the frame's stream stands for
	spare []*driver.Record // of a frame before, to be used again
}

// reuse makes c empty. What it held must not be used any more.
func (c *columns) reuse() *columns {
	*c = columns{recs: c.recs[:0], lengths: c.lengths[:0], spare: append(c.spare, c.recs...)}
	return c
}

func (c *columns) newRecord() *driver.Record {
	n := len(c.spare)
	if n == 0 {
		return &driver.Record{}
	}
	r := c.spare[n-1]
	c.spare = c.spare[:n-1]
	*r = driver.Record{}
	return r
}

// stored returns the records that stand in the frame.
func (c *columns) stored() []*driver.Record {
	if c.floor != nil {
		return c.floor.kept
	}
	return c.recs
}

func parseColumns(b []byte) (*columns, error) {
	c := &columns{}
	return c, c.parse(b, "")
}

// parse reads columns into c, which is empty. name is what the thread is, if it is that.
func (c *columns) parse(b []byte, name string) error {
	for len(b) > 0 {
		f, n := consume(b)
		if n < 0 || f.typ != protowire.BytesType {
			return errColumns
		}
		b = b[n:]
		switch {
		case f.num == fieldThread && c.thread == "" && len(c.recs) == 0:
			if c.known = string(f.bytes) == name; c.known {
				c.thread = name
			} else {
				c.thread = string(f.bytes)
			}
		case f.num == fieldRecord && c.floor == nil:
			if err := c.record(f.bytes, fieldLength); err != nil {
				return err
			}
		case f.num == fieldFloor && c.floor == nil && len(c.recs) == 1 && c.recs[0].Kind == driver.KindFloor:
			fl, err := parseFloor(f.bytes)
			if err != nil || c.lengths[0] != 0 {
				return errColumns
			}
			c.floor, c.lengths = fl, c.lengths[:0]
		case f.num == fieldKept && c.floor != nil:
			if err := c.record(f.bytes, fieldOrdinal); err != nil {
				return err
			}
		default:
			return errColumns
		}
	}
	if c.thread == "" || len(c.recs) == 0 || (c.recs[0].Kind == driver.KindFloor) != (c.floor != nil) {
		return errColumns
	}
	return nil
}

// record reads a record whose fields go up to most.
func (c *columns) record(b []byte, most protowire.Number) error {
	r := c.newRecord()
	var length uint64
	last := protowire.Number(0)
	for len(b) > 0 {
		f, n := consume(b)
		if n < 0 || f.num > most || f.num < last || f.num == last && f.num != fieldAttr || (f.typ == protowire.BytesType) != (f.num >= fieldNamespace && f.num <= fieldAttr) {
			return errColumns
		}
		b, last = b[n:], f.num
		switch f.num {
		case fieldKind:
			r.Kind = driver.Kind(f.int)
			if f.int > math.MaxUint8 {
				return errColumns
			}
		case fieldNamespace:
			r.Namespace = string(f.bytes)
		case fieldID:
			r.ID = string(f.bytes)
		case fieldParent:
			r.Parent = string(f.bytes)
		case fieldTask:
			r.Task = string(f.bytes)
		case fieldOwner:
			r.Owner = string(f.bytes)
		case fieldAttr:
			a, err := parseAttr(f.bytes)
			if err != nil {
				return err
			}
			r.Attrs = append(r.Attrs, a)
		case fieldTime:
			r.Time = int64(f.int)
		case fieldDue:
			r.Due = int64(f.int)
		case fieldEvents:
			r.Events = uint32(f.int)
			if f.int > math.MaxUint32 {
				return errColumns
			}
		case fieldFlags:
			r.Flags = driver.Flags(f.int)
			if f.int > math.MaxUint16 {
				return errColumns
			}
		case fieldCodec:
			r.Codec = driver.Codec(f.int)
			if f.int > math.MaxUint8 {
				return errColumns
			}
		case fieldSize:
			r.Size = int64(f.int)
		case fieldLength:
			length = f.int
		case fieldSeq:
			r.Seq = f.int
		case fieldEpoch:
			r.Epoch = f.int
		case fieldFirstEvent:
			r.FirstEvent = f.int
		case fieldOrdinal:
			r.Ordinal = uint32(f.int)
			if f.int > math.MaxUint32 {
				return errColumns
			}
		default:
			return errColumns
		}
	}
	if !r.Kind.Valid() || r.Time < 0 || r.Due < 0 || r.Size < 0 || length > math.MaxUint32 {
		return errColumns
	}
	if c.lengths = append(c.lengths, int64(length)); c.floor != nil {
		c.floor.kept = append(c.floor.kept, r)
	} else {
		c.recs = append(c.recs, r)
	}
	return nil
}

func parseAttr(b []byte) (driver.Attr, error) {
	var a driver.Attr
	last := protowire.Number(0)
	for len(b) > 0 {
		f, n := consume(b)
		if n < 0 || f.typ != protowire.BytesType || f.num <= last {
			return a, errColumns
		}
		b, last = b[n:], f.num
		switch f.num {
		case fieldName:
			a.Name = string(f.bytes)
		case fieldValue:
			a.Value = string(f.bytes)
		default:
			return a, errColumns
		}
	}
	if a.Name == "" {
		return a, errColumns
	}
	return a, nil
}

type field struct {
	num   protowire.Number
	typ   protowire.Type
	int   uint64
	bytes []byte
}

// consume reads one field; n < 0 if there is none.
func consume(b []byte) (f field, n int) {
	num, typ, n := protowire.ConsumeTag(b)
	if n < 0 {
		return f, n
	}
	f.num, f.typ = num, typ
	m := -1
	switch typ {
	case protowire.VarintType:
		f.int, m = protowire.ConsumeVarint(b[n:])
	case protowire.BytesType:
		f.bytes, m = protowire.ConsumeBytes(b[n:])
	}
	if m < 0 {
		return f, -1
	}
	return f, n + m
}

// bodies gives the records their parts of what follows the columns.
func (c *columns) bodies(b []byte) error {
	for i, r := range c.stored() {
		n := c.lengths[i]
		if n > int64(len(b)) {
			return errColumns
		}
		r.Body, b = b[:n:n], b[n:]
	}
	if len(b) > 0 {
		return errColumns
	}
	return nil
}

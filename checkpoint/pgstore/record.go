package pgstore

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"

	"github.com/dashhost/dashhost/checkpoint/driver"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// sum is the checksum of a record without its Seq, which the server mixes in: see stored.
func sum(thread string, r *driver.Record) uint32 {
	b := make([]byte, 0, 256)
	for _, s := range []string{thread, r.Namespace, r.ID, r.Parent, r.Task, r.Owner} {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	attrs := encodeAttrs(r.Attrs)
	b = binary.AppendUvarint(b, uint64(len(attrs)))
	b = append(b, attrs...)
	for _, n := range []uint64{
		uint64(r.Ordinal), r.Epoch, r.FirstEvent, uint64(r.Kind), uint64(r.Time), uint64(r.Due), uint64(r.Events), uint64(r.Flags),
		uint64(r.Codec), uint64(r.Size), uint64(len(r.Body)),
	} {
		b = binary.AppendUvarint(b, n)
	}
	return crc32.Update(crc32.Checksum(b, castagnoli), castagnoli, r.Body)
}

// stored is the column sum of a record that has its Seq.
func stored(thread string, r *driver.Record) int64 {
	return int64(sum(thread, r)) ^ int64(r.Seq&(1<<32-1))
}

// Attributes are kept as 00 name 01 value for each, and 00 behind the last. Within names and values the bytes 00, 01 and 02 are
// written as 02 30, 02 31 and 02 32, so a search for 00 name 01 value 00 finds an attribute and nothing else.
var (
	escape   = strings.NewReplacer("\x00", "\x020", "\x01", "\x021", "\x02", "\x022")
	unescape = strings.NewReplacer("\x020", "\x00", "\x021", "\x01", "\x022", "\x02")
)

// encodeAttrs encodes attributes in their order.
func encodeAttrs(attrs []driver.Attr) []byte {
	b := []byte{}
	for _, a := range attrs {
		b = append(b, attrName(a.Name)...)
		b = append(b, escape.Replace(a.Value)...)
	}
	if len(attrs) > 0 {
		b = append(b, 0)
	}
	return b
}

// attrName is what stands in front of the value of an attribute.
func attrName(name string) string { return "\x00" + escape.Replace(name) + "\x01" }

// parseAttrs is the inverse of encodeAttrs.
func parseAttrs(b []byte) ([]driver.Attr, error) {
	if len(b) == 0 {
		return nil, nil
	}
	text, ok := strings.CutPrefix(string(b), "\x00")
	text, ok2 := strings.CutSuffix(text, "\x00")
	if !ok || !ok2 {
		return nil, errors.New("the attributes are cut off")
	}
	var attrs []driver.Attr
	for pair := range strings.SplitSeq(text, "\x00") {
		name, value, ok := strings.Cut(pair, "\x01")
		if !ok {
			return nil, fmt.Errorf("attribute %d has no value", len(attrs))
		}
		attrs = append(attrs, driver.Attr{Name: unescape.Replace(name), Value: unescape.Replace(value)})
	}
	return attrs, nil
}

// sortedAttrs is a map of attributes as a list.
func sortedAttrs(m map[string]string) []driver.Attr {
	attrs := make([]driver.Attr, 0, len(m))
	for n, v := range m {
		attrs = append(attrs, driver.Attr{Name: n, Value: v})
	}
	slices.SortFunc(attrs, func(a, b driver.Attr) int { return cmp.Compare(a.Name, b.Name) })
	return attrs
}

// row is a record as the table has it.
type row struct {
	seq, ordinal, epoch, firstEvent          int64
	kind                                     int16
	namespace, id, parent, task, owner, attr []byte
	time, due, events                        int64
	flags                                    int32
	codec                                    int16
	size, sum                                int64
	wanted                                   bool   // by the query
	body                                     []byte // nil if it did not fit in the page, or is not wanted
	length                                   int64  // of the body
}

const rowColumns = "seq, ordinal, epoch, first_event, kind, namespace, id, parent, task, owner, attrs, time, due, events, flags, codec, size, sum"

// targets are what rowColumns are scanned into.
func (w *row) targets() []any {
	return []any{
		&w.seq, &w.ordinal, &w.epoch, &w.firstEvent, &w.kind, &w.namespace, &w.id, &w.parent, &w.task, &w.owner, &w.attr,
		&w.time, &w.due, &w.events, &w.flags, &w.codec, &w.size, &w.sum,
	}
}

// record checks a row against its checksum.
func (w *row) record(thread string) (*driver.Record, error) {
	attrs, err := parseAttrs(w.attr)
	if err != nil {
		return nil, err
	}
	r := &driver.Record{
		Kind: driver.Kind(w.kind), Namespace: string(w.namespace), ID: string(w.id), Parent: string(w.parent), Task: string(w.task),
		Owner: string(w.owner), Attrs: attrs, Time: w.time, Due: w.due, Events: uint32(w.events), Flags: driver.Flags(w.flags),
		Codec: driver.Codec(w.codec), Size: w.size, Body: w.body,
		Seq: uint64(w.seq), FirstEvent: uint64(w.firstEvent), Epoch: uint64(w.epoch), Ordinal: uint32(w.ordinal),
	}
	switch {
	case int64(r.Kind) != int64(w.kind) || int64(r.Events) != w.events || int64(r.Flags) != int64(w.flags) || int64(r.Codec) != int64(w.codec) || int64(r.Ordinal) != w.ordinal:
		return nil, fmt.Errorf("a number is out of its range")
	case stored(thread, r) != w.sum:
		return nil, fmt.Errorf("the record does not match its checksum")
	case !r.Kind.Valid():
		return nil, fmt.Errorf("unknown kind %d", w.kind)
	}
	return r, nil
}

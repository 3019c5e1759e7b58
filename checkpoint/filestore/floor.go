package filestore

import (
	"context"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/dashhost/dashhost/checkpoint/driver"
	"github.com/dashhost/dashhost/checkpoint/internal/table"
	"github.com/dashhost/dashhost/internal/frame"
)

// Fields of what a Floor record says. Part of the format.
const (
	fieldFloor = 3
	fieldKept  = 4

	fieldSeq        = 15
	fieldEpoch      = 16
	fieldFirstEvent = 17
	fieldOrdinal    = 18

	fieldBelow   = 1
	fieldSegment = 2
	fieldSince   = 3
	fieldState   = 4
)

// floor is what a Floor record says of its thread.
type floor struct {
	below   uint64           // records with a lower Seq are dropped
	kept    []*driver.Record // that were moved here, ascending; they are what they were
	state   *table.Thread    // all that is known of the thread, nil if this does not tell
	segment uint32           // with state: nothing is kept in segments before it
	since   uint32           // with state: ordinal from which on records tell everything that is kept
}

// Drop implements driver.Driver.
func (s *store) Drop(ctx context.Context, thread string, below uint64) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.life.RUnlock()
	if s.o.ReadOnly {
		return driver.ErrReadOnly
	}
	if cursor, err := s.lowestCursor(); err != nil {
		return err
	} else if cursor > 0 {
		below = min(below, cursor)
	}
	r := newFloor(thread, &floor{below: below})
	r.expect.Exists = true
	r.needless = func() bool { return s.table.Get(thread).Dropped >= below }
	if err := r.encode(); err != nil {
		return err
	}
	s.submit(ctx, r)
	return r.err
}

// newFloor is the request for a Floor record.
func newFloor(thread string, f *floor) *request {
	rec := &driver.Record{Kind: driver.KindFloor, Time: 1}
	return &request{thread: thread, expect: driver.Expect{AnyEpoch: true}, recs: []*driver.Record{rec}, floor: f, turn: make(chan bool, 1)}
}

func appendFloor(b []byte, f *floor) []byte {
	var m []byte
	m = appendInt(m, fieldBelow, f.below)
	m = appendInt(m, fieldSegment, uint64(f.segment))
	m = appendInt(m, fieldSince, uint64(f.since))
	if f.state != nil {
		m = protowire.AppendTag(m, fieldState, protowire.BytesType)
		e := &encoder{}
		e.state(f.state)
		m = protowire.AppendBytes(m, e.b)
	}
	b = protowire.AppendTag(b, fieldFloor, protowire.BytesType)
	b = protowire.AppendBytes(b, m)
	var k []byte
	for _, r := range f.kept {
		k = appendRecord(k[:0], r)
		k = appendInt(k, fieldSeq, r.Seq)
		k = appendInt(k, fieldEpoch, r.Epoch)
		k = appendInt(k, fieldFirstEvent, r.FirstEvent)
		k = appendInt(k, fieldOrdinal, uint64(r.Ordinal))
		b = protowire.AppendTag(b, fieldKept, protowire.BytesType)
		b = protowire.AppendBytes(b, k)
	}
	return b
}

func parseFloor(b []byte) (*floor, error) {
	f := &floor{}
	last := protowire.Number(0)
	for len(b) > 0 {
		in, n := consume(b)
		if n < 0 || in.num <= last || (in.typ == protowire.BytesType) != (in.num == fieldState) {
			return nil, errColumns
		}
		b, last = b[n:], in.num
		switch {
		case in.num == fieldBelow:
			f.below = in.int
		case in.num == fieldSegment && in.int <= 1<<32-1:
			f.segment = uint32(in.int)
		case in.num == fieldSince && in.int <= 1<<32-1:
			f.since = uint32(in.int)
		case in.num == fieldState:
			d := &decoder{b: in.bytes}
			f.state = &table.Thread{}
			d.state(f.state)
			if d.bad || len(d.b) > 0 {
				return nil, errColumns
			}
		default:
			return nil, errColumns
		}
	}
	return f, nil
}

// check says whether the frame of a Floor record can be what it says.
func (f *floor) check() error {
	for i, r := range f.kept {
		if r.Seq == 0 || i > 0 && r.Seq <= f.kept[i-1].Seq {
			return errBad
		}
	}
	return nil
}

// applyFloor takes in what the Floor record in a frame says. Its own record was applied.
func (s *store) applyFloor(c *columns, number uint32, off int64) {
	f, th := c.floor, s.table.Get(c.thread)
	if len(f.kept) > 0 {
		if th.Moved == 0 {
			th.Moved = c.recs[0].Ordinal
		}
		refs := make([]table.Ref, len(f.kept))
		for i := range refs {
			refs[i] = table.Ref{Segment: number, Offset: uint32(off), Index: uint16(i)}
		}
		th.Move(f.kept, refs)
	}
	th.Drop(f.below)
	if f.state == nil {
		return
	}
	th.Restate(f.state, f.segment, number)
	if first, ok := s.partial[c.thread]; ok {
		delete(s.partial, c.thread)
		if int32(f.since-first) < 0 {
			s.incomplete(c.thread)
		}
	}
}

// begin notes a thread whose first record in the log is not its first one, while the records that say what it was are still to come:
//
//	log:  ... | pruned | T 57, T 58 | T 59: kept records, T 60: state | head with the floor
//
// Numbers 57 to 60 show that nothing of what came after is missing, the state that nothing of what was kept is.
func (s *store) begin(c *columns, number uint32) {
	if first := c.recs[0].Ordinal; s.partial != nil && first != 1 && s.table.Entry(c.thread) == nil {
		s.partial[c.thread] = first
		s.table.Begin(c.thread, first-1, number)
	}
}

// reachFloor is called in front of a segment: if its head has the floor that reading began with, all that was kept has been seen.
func (s *store) reachFloor(g *segment) {
	if s.partial == nil || g.floor < s.floor {
		return
	}
	partial := s.partial
	s.partial = nil
	for name := range partial {
		if !s.table.Entry(name).Importing { // else it was never finished, and given up
			s.incomplete(name)
		}
	}
}

// incomplete records that what was kept of a thread is not all there.
func (s *store) incomplete(name string) {
	d := &driver.Damage{
		Thread: name, File: segmentName(s.floor), Offset: firstFrame, Seq: s.cur.seq, Reason: "what was kept of the thread when the log was pruned is missing",
	}
	if !s.table.Get(name).Damaged(d, d.Seq) {
		s.fault(d)
	}
}

// frame makes body and header of a request whose columns are known.
func (r *request) frame(cols []byte, bodies []*driver.Record) error {
	r.parts = append(make([][]byte, 0, len(bodies)+1), cols)
	length := int64(len(cols))
	for _, rec := range bodies {
		r.parts = append(r.parts, rec.Body)
		length += int64(len(rec.Body))
	}
	if length > frame.MaxBody {
		return &driver.TooLarge{What: "frame", Max: frame.MaxBody, Got: length}
	}
	h := &r.header
	h.Kind, h.Count, h.Stream, h.Columns = uint8(r.recs[0].Kind), uint16(len(r.recs)), stream(r.thread), uint32(len(cols))
	h.Version = minVersion
	if r.floor != nil || r.imports != nil {
		h.Version = version
	}
	if frame.NeedsStuffing(r.parts...) {
		h.Flags |= frame.FlagStuffed
		whole := slices.Concat(r.parts...)
		r.parts = [][]byte{frame.Stuff(make([]byte, 0, frame.StuffedSize(len(whole))), whole)}
		if length = int64(len(r.parts[0])); length > frame.MaxBody {
			return &driver.TooLarge{What: "frame", Max: frame.MaxBody, Got: length}
		}
	}
	h.BodySum = 0
	for _, p := range r.parts {
		h.BodySum = frame.Sum(h.BodySum, p)
	}
	h.Length = uint32(length)
	return nil
}

package filestore

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/dashhost/dashhost/checkpoint/driver"
	"github.com/dashhost/dashhost/internal/frame"
)

// request is one Append on its way.
type request struct {
	thread  string
	expect  driver.Expect
	recs    []*driver.Record
	header  frame.Header
	parts   [][]byte   // of the body; views of what the caller gave, until Append returns
	floor   *floor     // of a Floor record
	imports *importing // nil for an Append

	// Called under the lock, if they are set.
	needless func() bool  // whether there is nothing left to do
	ready    func() error // completes the request
	run      func() error // takes the place of writing

	turn   chan bool // true: lead; false: done
	err    error
	pos    uint64 // end of the frame
	cancel uint64
	low    int64
}

// Append implements driver.Driver.
func (s *store) Append(ctx context.Context, thread string, e driver.Expect, recs []*driver.Record) (*driver.Commit, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.life.RUnlock()
	if s.o.ReadOnly {
		return nil, driver.ErrReadOnly
	}
	r := &request{thread: thread, expect: e, recs: recs, turn: make(chan bool, 1)}
	if err := r.encode(); err != nil {
		return nil, err
	}
	s.submit(ctx, r)
	if r.err != nil {
		return nil, r.err
	}
	return &driver.Commit{Wait: func(ctx context.Context) error { return s.wait(ctx, r.pos) }, Cancel: r.cancel, Low: r.low}, nil
}

// encode makes the body and what the header says of it.
func (r *request) encode() error {
	if len(r.recs) == 0 {
		return nil
	}
	var length, events int64
	for i, rec := range r.recs {
		if i > 0 && (rec.Kind == driver.KindClaim || rec.Kind == driver.KindTombstone) {
			return fmt.Errorf("record %d: a %s comes first in its append", i, rec.Kind)
		}
		length += int64(len(rec.Body))
		events += int64(rec.Events)
	}
	if length > frame.MaxBody || events > 1<<32-1 || len(r.recs) > 1<<16-1 {
		return &driver.TooLarge{What: "frame", Max: frame.MaxBody, Got: length}
	}
	r.header.Events = uint32(events)
	bodies := r.recs
	cols := appendColumns(nil, r.thread, r.recs)
	if r.floor != nil {
		cols, bodies = appendFloor(cols, r.floor), r.floor.kept
	}
	return r.frame(cols, bodies)
}

// submit queues r and returns when it was dealt with. The first in the queue leads: it writes for all that are there.
func (s *store) submit(ctx context.Context, r *request) {
	s.qmu.Lock()
	s.queue = append(s.queue, r)
	lead := !s.leading
	s.leading = true
	s.qmu.Unlock()
	if !lead {
		select {
		case lead = <-r.turn:
		case <-ctx.Done():
			if s.withdraw(r) {
				r.err = ctx.Err()
				return
			}
			lead = <-r.turn // it is being written: what becomes of it must be known
		}
	}
	if lead {
		s.lead(ctx, r)
	}
}

// submitAll queues requests together and returns when all were dealt with.
func (s *store) submitAll(ctx context.Context, rs []*request) {
	s.qmu.Lock()
	s.queue = append(s.queue, rs...)
	lead := !s.leading
	s.leading = true
	s.qmu.Unlock()
	for i, r := range rs {
		if i == 0 && lead || <-r.turn {
			s.lead(ctx, r)
		}
	}
}

// withdraw takes r out of the queue, unless a leader has it or it has become the leader.
func (s *store) withdraw(r *request) bool {
	s.qmu.Lock()
	defer s.qmu.Unlock()
	i := slices.Index(s.queue, r)
	if i < 0 || len(r.turn) > 0 {
		return false
	}
	s.queue = slices.Delete(s.queue, i, i+1)
	return true
}

// lead writes everything that is queued, r among it, and hands the lead on.
func (s *store) lead(ctx context.Context, r *request) {
	unlock, err := s.lock(ctx)
	var index []byte
	var pos uint64
	s.qmu.Lock()
	batch := s.queue
	if err != nil && ctx.Err() != nil { // our own caller gave up; the others did not
		s.queue = slices.DeleteFunc(s.queue, func(q *request) bool { return q == r })
		batch = []*request{r}
	} else {
		s.queue = nil
	}
	s.qmu.Unlock()
	if err == nil {
		s.mu.Lock()
		s.writeBatch(batch)
		index, pos = s.snapshotIndex(), s.cur.place().pos()
		s.mu.Unlock()
		if err := unlock(); err != nil {
			s.refuse(batch, err)
		}
	} else {
		s.refuse(batch, err)
	}
	s.handOn(batch, r)
	if index != nil {
		s.saveIndex(index, pos)
	}
}

// handOn tells those whose requests were dealt with, and makes the next one in the queue lead.
func (s *store) handOn(batch []*request, leader *request) {
	s.qmu.Lock()
	defer s.qmu.Unlock()
	for _, q := range batch {
		if q != leader {
			q.turn <- false
		}
	}
	if len(s.queue) > 0 {
		s.queue[0].turn <- true
	} else {
		s.leading = false
	}
}

// refuse gives requests that have no error yet one.
func (s *store) refuse(batch []*request, err error) {
	for _, r := range batch {
		if r.err == nil {
			r.err = err
		}
	}
}

// prepare takes in what others appended and sees to it that a frame may be put at the cursor. The lock and s.mu are held.
func (s *store) prepare() error {
	if s.broken != nil {
		return s.broken
	}
	if !s.clean { // the first time under the lock: what looks unfinished now is
		s.checked = false
	}
	known := s.sized
	if err := s.advance(true); err != nil {
		return err
	}
	if s.cur.seg != nil && (!s.clean || s.cur.place() != known) { // others wrote: they may have grown the file, or trimmed it
		size, err := s.cur.seg.file.Size()
		if err != nil {
			return err
		}
		s.cur.seg.size = size
	}
	if g := s.cur.seg; g != nil && !g.named && s.cur.off == firstFrame {
		if err := s.name(g); err != nil {
			return err
		}
	}
	s.clean = true
	if err := s.heal(); err != nil {
		s.fail(err)
		return s.broken
	}
	if s.cur.seg == nil {
		return &driver.Damage{File: segmentName(1), Reason: "the log has no segment"}
	}
	return nil
}

// writeBatch checks and writes requests. The lock and s.mu are held.
func (s *store) writeBatch(batch []*request) {
	if err := s.prepare(); err != nil {
		s.refuse(batch, err)
		return
	}
	w := &writer{s: s, buf: s.buf[:0]}
	for _, r := range batch {
		if err := w.add(r); err != nil {
			r.err = err
		}
	}
	w.flush()
	if s.buf = w.buf[:0]; cap(s.buf) > 2*gather {
		s.buf = nil
	}
	if w.err != nil { // the table is ahead of the log
		if err := s.load(); err != nil {
			s.fail(err)
		}
	}
	if s.broken == nil {
		s.sized = s.cur.place()
		s.publish()
	}
}

// gather is up to which size frames are copied together, to be written in one call.
const gather = 256 << 10

// writer puts frames at the cursor.
type writer struct {
	s     *store
	buf   []byte
	off   int64      // where buf goes
	since []*request // whose frames are not written yet
	start int64      // of the first of them
	err   error      // of a write: nothing more is written then
}

// add checks r and puts its frame into the buffer, or writes it if it is large.
func (w *writer) add(r *request) error {
	s := w.s
	if w.err != nil {
		return w.err
	}
	if r.run != nil {
		if w.flush(); w.err != nil {
			return w.err
		}
		return r.run()
	}
	s.found(r.thread)
	done, err := s.check(r)
	if err != nil {
		return err
	}
	if !done && len(r.recs) > 0 {
		if err := w.room(frame.Size(r.header.Length)); err != nil {
			return err
		}
		w.put(r)
	}
	r.pos, r.low = s.cur.place().pos(), s.low
	if th := s.table.Get(r.thread); th != nil {
		r.cancel = th.Cancel
	}
	return nil
}

// check says whether r may be written. done: there is nothing to write.
func (s *store) check(r *request) (done bool, err error) {
	if r.imports != nil {
		err = s.table.CheckImport(r.thread, r.imports.after)
	} else {
		done, err = s.table.Check(r.thread, r.expect, r.recs)
	}
	if err != nil || done {
		return done, err
	}
	if r.needless != nil && r.needless() {
		return true, nil
	}
	if r.ready != nil {
		if err := r.ready(); err != nil {
			return false, err
		}
	}
	if r.header.Version > s.version {
		err = s.upgrade(r.header.Version)
	}
	return false, err
}

// room sees to it that a frame of size bytes fits at the cursor, and a mark behind it.
func (w *writer) room(size int64) error {
	s := w.s
	if s.cur.ended || s.cur.off > firstFrame && s.cur.off+size > s.o.SegmentSize {
		if w.flush(); w.err != nil {
			return w.err
		}
		if err := s.rotate(); err != nil {
			return err
		}
	}
	return s.grow(s.cur.seg, s.cur.off+size+frame.Size(0))
}

// put gives r its numbers, applies it and moves the cursor. It is visible when s.mu is given back; flush comes before that.
func (w *writer) put(r *request) {
	s := w.s
	if r.imports != nil {
		s.table.NumberImport(r.thread, r.recs, s.cur.seq, r.imports.after)
	} else {
		s.table.Number(r.thread, r.recs, s.cur.seq)
	}
	h := &r.header
	h.Seq, h.Event, h.Epoch, h.Ordinal = r.recs[0].Seq, r.recs[0].FirstEvent, r.recs[0].Epoch, r.recs[0].Ordinal
	h.Before, h.Promise = s.cur.before, s.promise()
	g, off := s.cur.seg, s.cur.off
	if len(w.buf) == 0 {
		w.off = off
	}
	if len(w.since) == 0 {
		w.start = off
	}
	w.since = append(w.since, r)
	var b [frame.HeaderSize]byte
	h.Put(&b, g.at(off))
	w.buf = append(w.buf, b[:]...)
	for _, p := range r.parts {
		if len(p) > gather/4 {
			w.write(w.buf)
			w.write(p)
			continue
		}
		w.buf = append(w.buf, p...)
	}
	w.buf = frame.AppendEnd(w.buf, h.Length)
	s.names[h.Stream] = r.thread
	s.apply(&columns{thread: r.thread, recs: r.recs, floor: r.floor, flags: h.Flags, known: true}, g.number, off)
	s.cur.off += frame.Size(h.Length)
	s.cur.seq, s.cur.before = h.Seq+uint64(h.Count), h.Neighbour()
	s.indexed.grown += frame.Size(h.Length)
	s.wrote = true
	if len(w.buf) > gather {
		w.flush()
	}
}

// write puts b at w.off.
func (w *writer) write(b []byte) {
	if len(b) > 0 && w.err == nil {
		_, w.err = w.s.cur.seg.file.WriteAt(b, w.off)
	}
	w.off += int64(len(b))
	w.buf = w.buf[:0]
}

// flush writes what is gathered. If that fails, what was written of it is taken back and the requests are refused; if that fails
// too, nobody can say what the log ends with, and the store takes no more.
func (w *writer) flush() {
	w.write(w.buf)
	if w.err != nil && len(w.since) > 0 {
		w.err = full(w.err)
		file := w.s.cur.seg.file
		err := writeZeros(file, w.start, w.s.cur.off)
		if err == nil {
			err = file.Sync()
		}
		if err != nil {
			w.s.fail(fmt.Errorf("%w, and then: %w", w.err, err))
			w.err = w.s.broken
		}
		w.s.refuse(w.since, w.err)
	}
	w.since = w.since[:0]
}

// mark writes a frame of the log's own at the cursor, which promises what is durable.
func (s *store) mark(flags uint16) error {
	g := s.cur.seg
	h := frame.Header{Kind: uint8(driver.KindMark), Flags: flags, Seq: s.cur.seq, Before: s.cur.before, Promise: s.promise()}
	var b [frame.HeaderSize]byte
	h.Put(&b, g.at(s.cur.off))
	if _, err := g.file.WriteAt(frame.AppendEnd(b[:], 0), s.cur.off); err != nil {
		s.fail(err)
		return s.broken
	}
	s.cur.off += frame.Size(0)
	s.cur.before = h.Neighbour()
	s.cur.ended = flags&frame.FlagLast != 0
	s.wrote = true
	return nil
}

// rotate ends the cursor's segment, durably, and goes on in a new one. The lock and s.mu are held.
func (s *store) rotate() error {
	old, complete := s.cur.seg, !s.cur.ended
	if complete {
		if err := s.mark(frame.FlagLast); err != nil {
			return err
		}
	}
	end := s.cur.off
	if err := s.settleTail(); err != nil {
		return err
	}
	if s.cur.seg != old { // the sync failed, and there is a new segment already
		return nil
	}
	g, err := s.createSegment(head{number: old.number + 1, seq: s.cur.seq, before: s.cur.before, floor: s.floor}, nil)
	if err != nil {
		return err
	}
	s.segments[g.number] = g
	s.newest = g.number
	s.cur = cursor{seg: g, off: firstFrame, seq: g.seq, before: g.before}
	s.promised(s.cur.place())
	if !complete {
		return s.use(g, true) // what stands behind the cursor there is damaged: it stays as it is
	}
	return errors.Join(trim(old, end), s.use(g, true))
}

// trim cuts the space ahead off a segment that is complete. A reader of it does not look behind its last frame.
func trim(g *segment, end int64) error {
	if g.size <= end {
		return nil
	}
	if err := g.file.Truncate(end); err != nil {
		return err
	}
	g.size = end
	return nil
}

package filestore

import (
	"context"
	"errors"
	"fmt"

	"github.com/dashhost/dashhost/checkpoint/driver"
	"github.com/dashhost/dashhost/checkpoint/internal/table"
	"github.com/dashhost/dashhost/internal/frame"
	"github.com/dashhost/dashhost/internal/vfs"
)

const (
	indexFile = "index"
	maxIndex  = 4 << 30
	// indexEvery is how many bytes of log, at least, come between two writes of the index: reading as many again is cheap.
	indexEvery = 8 << 20
)

// indexState is what is known of the index file. Guarded by store.mu.
type indexState struct {
	size    int64 // of the file, when we wrote or read it
	grown   int64 // bytes of log since the position it covers
	writing bool
}

// loadIndex takes table and cursor from the index, if it is sound and the log holds what it covers. If the log does not, it leaves
// them and keeps the index in s.ahead.
func (s *store) loadIndex() error {
	if s.blind {
		return nil
	}
	b, err := vfs.ReadFile(s.fs, s.path(indexFile), 0, maxIndex)
	if notExist(err) {
		return nil
	}
	if err != nil && !errors.Is(err, vfs.ErrTooLong) {
		return err
	}
	var x *index
	if err == nil {
		x, err = decodeIndex(b)
	}
	if err == nil && x.store != s.id {
		err = errIndex
	}
	if err != nil { // derived: what it held is in the log
		if s.verifying && !errors.Is(err, errIndexVersion) {
			s.fault(&driver.Damage{File: indexFile, Length: int64(len(b)), Reason: "does not match its checksum; it is not used"})
		}
		return nil
	}
	if s.verifying || s.distrust {
		s.ahead = x
		return nil
	}
	g, err := s.segment(x.segment)
	ended := false
	if err == nil {
		ended, err = x.check(g)
	}
	if err != nil {
		if !isBad(err) && !notExist(err) && !errors.Is(err, driver.ErrDamaged) && !errors.Is(err, errIndex) {
			return err
		}
		s.ahead = x
		return nil
	}
	if err := s.limit(g); err != nil {
		return err
	}
	if g.end > 0 && x.off > g.end { // what it covers last is in the next segment now
		return nil
	}
	s.table = x.table
	for _, name := range s.table.Names() {
		s.names[stream(name)] = name
	}
	s.cur = cursor{seg: g, off: x.off, seq: x.seq, before: x.before, ended: ended}
	s.indexed = indexState{size: int64(len(b))}
	s.promised(s.cur.place())
	return nil
}

// check says whether the log holds the frame that the index covers last, and whether that ends its segment.
func (x *index) check(g *segment) (ended bool, err error) {
	if g.id != x.id {
		return false, errIndex
	}
	if x.off == firstFrame {
		if g.seq != x.seq || g.before != x.before {
			return false, errIndex
		}
		return false, nil
	}
	off := x.off - frame.Size(x.before.Length)
	if off < firstFrame {
		return false, errIndex
	}
	w := window{file: g.file}
	h, _, err := readFrame(&w, g, off)
	if err != nil {
		return false, err
	}
	if h.Neighbour() != x.before || h.Seq+uint64(h.Count) != x.seq {
		return false, errIndex
	}
	return h.Flags&frame.FlagLast != 0, nil
}

// compare finds threads of which the index, which never covers more than was durable, knows more than the log holds.
func (s *store) compare() {
	if s.ahead == nil {
		return
	}
	for _, name := range s.ahead.table.Names() {
		known, have := s.ahead.table.Get(name), s.table.Entry(name)
		if known == nil {
			continue // of an import that had not come to its end
		}
		if have != nil && (have.LastSeq >= known.LastSeq || have.Damage != nil && !have.Damage.Suspect) {
			continue
		}
		d := &driver.Damage{
			File: s.cur.seg.name(), Offset: s.cur.off, Seq: known.LastSeq, Thread: name,
			Reason: fmt.Sprintf("the log does not hold record %d, which was durable when the index was written", known.LastSeq),
		}
		s.fault(d)
		s.names[stream(name)] = name
		s.table.Hurt(name, d, table.Ref{Seq: known.LastSeq, Segment: s.cur.seg.number, Offset: uint32(s.cur.off)})
		s.table.Raise(name, known.Epoch, known.Events, known.Count)
	}
	s.cur.seq = max(s.cur.seq, s.ahead.seq)
	if end := (place{s.ahead.segment, s.ahead.off}); s.cur.place().pos() < end.pos() {
		s.fault(&driver.Damage{
			File: s.cur.seg.name(), Offset: s.cur.off,
			Reason: fmt.Sprintf("the log ends here, and was durable up to %s offset %d when the index was written", segmentName(end.segment), end.offset),
		})
	}
}

// snapshotIndex encodes the index if enough has been appended since the last one, nil if not. s.mu is held.
func (s *store) snapshotIndex() []byte {
	if s.indexed.writing || s.indexed.grown < max(indexEvery, 2*s.indexed.size) || !s.sound() {
		return nil
	}
	s.indexed.writing = true
	return encodeIndex(s)
}

// sound says whether no thread is known to be damaged, but for what was accepted. The index has no place for damage: a log with
// damaged threads is read again each time.
func (s *store) sound() bool { return len(s.lost) == 0 && s.broken == nil && !s.table.Damaged() }

// writeIndex writes the index at Close. The log is durable up to the cursor, s.mu is held.
func (s *store) writeIndex() error {
	if !s.sound() {
		return nil
	}
	return s.putIndex(encodeIndex(s))
}

func (s *store) putIndex(b []byte) error {
	return full(vfs.WriteFile(s.fs, s.dir, indexFile, s.temp(indexFile), b))
}

// saveIndex writes what snapshotIndex returned, when the log is durable up to what it covers, its pos. It is a convenience for who
// opens the store next: a failure costs them time only, and Close tries again and reports it.
func (s *store) saveIndex(b []byte, pos uint64) {
	err := s.wait(context.Background(), pos)
	if err == nil {
		err = s.putIndex(b)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.indexed.writing, s.indexed.grown = false, 0
	if err == nil {
		s.indexed.size = int64(len(b))
	}
}

package filestore

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/dashhost/dashhost/checkpoint/driver"
	"github.com/dashhost/dashhost/checkpoint/internal/table"
	"github.com/dashhost/dashhost/internal/frame"
)

// judge looks at the bad frame at the cursor. done: it is the end of the log. Otherwise the cursor is behind the damage.
// h is its header if that is sound.
func (s *store) judge(h *frame.Header, cause error, locked bool) (done bool, err error) {
	g, off := s.cur.seg, s.cur.off
	next, promised, err := s.lookAhead(g, off)
	if err != nil {
		return true, err
	}
	follower, err := s.follower(g)
	if err != nil {
		return true, err
	}
	if next != nil && g.end > 0 && next.off >= g.end {
		next = nil
	}
	if !promised && follower == nil {
		s.checked = true
		if !locked { // not there yet
			return true, nil
		}
		if torn, err := s.torn(h, cause, g, off); err != nil || torn {
			if err == nil && !s.verifying {
				err = s.cut(g, off)
			}
			return true, err
		}
	}
	if !locked && s.late(g, off) {
		return false, nil
	}
	d := &driver.Damage{File: g.name(), Offset: off, Reason: cause.Error()}
	switch {
	case h != nil: // it names its thread and tells where the next frame is
		d.Length, d.Seq = frame.Size(h.Length), h.Seq
		s.hurt(h.Stream, d, h)
		s.cur.off, s.cur.seq, s.cur.before = off+d.Length, h.Seq+uint64(h.Count), h.Neighbour()
		s.cur.ended = h.Flags&frame.FlagLast != 0
		size, err := g.file.Size()
		if s.cur.off >= size {
			s.cur.ended = true
		}
		return false, err
	case next != nil:
		d.Length = next.off - off
		if err := s.gapAt(d, next.h.Before, next.h.Seq); err != nil {
			return true, err
		}
		s.cur.off, s.cur.seq, s.cur.before = next.off, next.h.Seq, next.h.Before
		return false, nil
	case follower != nil:
		if d.Length, err = tailLength(g, off); err != nil {
			return true, err
		}
		if err := s.gapAt(d, follower.before, follower.seq); err != nil {
			return true, err
		}
		s.cur.seq, s.cur.before, s.cur.ended = follower.seq, follower.before, true
		return false, nil
	}
	// A damaged end. Its frames are not known, so numbers go on far behind them, in a new segment.
	if d.Length, err = tailLength(g, off); err != nil {
		return true, err
	}
	if err := s.suspectAll(d); err != nil {
		return true, err
	}
	s.cur.seq, s.cur.ended = (s.cur.seq>>32+1)<<32, true
	return true, nil
}

// late reports that what is at off can be read after all. Without the lock others write while we look:
//
//	we:   read ahead, there are zeroes at off
//	they: write the frame at off, sync it, write one behind it that promises it
//	we:   look behind off and find the promise
//
// Whoever sees the promise sees the frame, so looking once more decides.
func (s *store) late(g *segment, off int64) bool {
	_, _, err := readFrame(&window{file: g.file}, g, off)
	return err == nil || !isBad(err)
}

// follower is the segment after g, nil if there is none.
func (s *store) follower(g *segment) (*segment, error) {
	next, err := s.segment(g.number + 1)
	if notExist(err) {
		if err = s.listSegments(); err == nil && s.floor > g.number { // both were pruned
			err = errReload
		}
		return nil, err
	}
	var d *driver.Damage
	if errors.As(err, &d) { // it is there, whatever it holds
		return &segment{head: head{number: g.number + 1, seq: s.cur.seq}}, nil
	}
	return next, err
}

// found is a sound header somewhere behind a bad frame.
type found struct {
	off int64
	h   frame.Header
}

// lookAhead finds the first sound header behind off, and whether it or a later one promises that what is at off was durable.
func (s *store) lookAhead(g *segment, off int64) (first *found, promised bool, err error) {
	const piece = 256 << 10
	buf := make([]byte, piece+frame.HeaderSize)
	for at := off + frame.Align; ; {
		n, err := readAt(g.file, buf, at)
		if err != nil {
			return nil, false, err
		}
		if n < frame.HeaderSize {
			return first, promised, nil
		}
		i := 0
		for i+frame.HeaderSize <= n {
			j := bytes.Index(buf[i:n], []byte(frame.Magic))
			if j < 0 {
				i = n
				break
			}
			i += (j + frame.Align - 1) &^ (frame.Align - 1)
			if j%frame.Align != 0 || i+frame.HeaderSize > n {
				continue
			}
			h, err := frame.Parse(buf[i:n], g.at(at+int64(i)))
			if err == nil {
				if first == nil {
					first = &found{at + int64(i), h}
				}
				if promised = int64(h.Promise) > off; promised {
					return first, true, nil
				}
			}
			i += frame.Align
		}
		if n < len(buf) {
			return first, promised, nil
		}
		at += piece &^ (frame.Align - 1)
	}
}

// lastByte is the end of what is not zero behind off.
func lastByte(g *segment, off int64) (int64, error) {
	buf := make([]byte, 256<<10)
	end := off
	for at := off; ; at += int64(len(buf)) {
		n, err := readAt(g.file, buf, at)
		if err != nil {
			return 0, err
		}
		if b := bytes.TrimRight(buf[:n], "\x00"); len(b) > 0 {
			end = at + int64(len(b))
		}
		if n < len(buf) {
			return end, nil
		}
	}
}

// tailLength is how many bytes from off on are not zero.
func tailLength(g *segment, off int64) (int64, error) {
	end, err := lastByte(g, off)
	return end - off, err
}

// torn says whether the bad frame at off looks like one that was being written when the power went.
func (s *store) torn(h *frame.Header, cause error, g *segment, off int64) (bool, error) {
	if errors.Is(cause, frame.ErrZero) {
		return true, nil
	}
	n := int64(frame.HeaderSize)
	if h != nil {
		n = frame.Size(h.Length)
	}
	buf := make([]byte, min(n+frame.Sector, 256<<10))
	for n > 0 {
		// Pieces end where sectors end, so that no share of a sector is looked at in two parts.
		size := int64(len(buf)) - (off+int64(len(buf)))%frame.Sector
		size = min(n, size)
		got, err := readAt(g.file, buf[:size], off)
		if err != nil {
			return false, err
		}
		if frame.Torn(buf[:got], off, size) {
			return true, nil
		}
		off, n = off+size, n-size
	}
	return false, nil
}

// cut keeps what is behind off in quarantine and zeroes it. The lock is held.
func (s *store) cut(g *segment, off int64) error {
	end, err := lastByte(g, off)
	if err != nil || end == off {
		return err
	}
	if err := s.quarantine(g, off, end); err != nil {
		return err
	}
	if err := writeZeros(g.file, off, end); err != nil {
		return full(err)
	}
	return g.file.Sync()
}

// quarantine copies bytes of a segment to a file of their own.
func (s *store) quarantine(g *segment, off, end int64) error {
	dir := s.path("quarantine")
	if err := s.fs.MkdirAll(dir); err != nil {
		return err
	}
	name := fmt.Sprintf("%s/%s", dir, s.temp(fmt.Sprintf("%08d-%d", g.number, off)))
	name = strings.TrimSuffix(name, ".new")
	f, err := s.fs.Create(name)
	if err != nil {
		return full(err)
	}
	buf := make([]byte, min(end-off, 1<<20))
	for at := off; at < end && err == nil; at += int64(len(buf)) {
		n := 0
		if n, err = readAt(g.file, buf[:min(int64(len(buf)), end-at)], at); err == nil {
			_, err = f.WriteAt(buf[:n], at-off)
		}
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(full(err), f.Close()); err != nil {
		return err
	}
	return errors.Join(s.fs.SyncDir(dir), s.fs.SyncDir(s.dir))
}

// hurt records damage of a stream. h may be nil.
func (s *store) hurt(id uint64, d *driver.Damage, h *frame.Header) {
	if id == 0 { // of the log itself: no thread lost anything
		s.fault(d)
		return
	}
	name, ok := s.names[id]
	d.Thread = name
	s.fault(d)
	if !ok {
		l := s.lost[id]
		if l == nil {
			l = &nameless{}
			s.lost[id] = l
		}
		l.damage = append(l.damage, d)
		if h != nil {
			l.epoch, l.events, l.count = h.Epoch, lastEvent(h), lastOrdinal(h)
		}
		return
	}
	ref := table.Ref{Seq: d.Seq, Segment: segmentNumber(d.File), Offset: uint32(d.Offset)}
	s.table.Hurt(name, d, ref)
	if h != nil {
		s.table.Raise(name, h.Epoch, lastEvent(h), lastOrdinal(h))
	}
}

// nameless is what is known of a thread of which only damaged frames were seen: they tell the hash of its name.
type nameless struct {
	damage        []*driver.Damage // ascending
	epoch, events uint64
	count         uint32
}

func lastEvent(h *frame.Header) uint64 { return h.Event + uint64(h.Events) - 1 }

func lastOrdinal(h *frame.Header) uint32 { return h.Ordinal + uint32(h.Count) - 1 }

// gap records that frames are missing before a sound one at off.
func (s *store) gap(g *segment, off int64, before frame.Neighbour, seq uint64, reason string) error {
	return s.gapAt(&driver.Damage{File: g.name(), Offset: off, Reason: reason}, before, seq)
}

// gapAt is damage whose frames are known only by their neighbours. If the frame before the next sound one has the number that
// was expected here, it is the only one.
func (s *store) gapAt(d *driver.Damage, before frame.Neighbour, seq uint64) error {
	if before.Seq == s.cur.seq && seq >= s.cur.seq {
		d.Seq = before.Seq
		s.hurt(before.Stream, d, nil)
		return nil
	}
	if before != s.cur.before && before.Stream != 0 {
		named := *d
		named.Seq = before.Seq
		s.hurt(before.Stream, &named, nil)
	}
	if s.ahead != nil && seq <= s.ahead.seq { // the index knows all that was there: compare finds whom it hit
		s.fault(d)
		return nil
	}
	return s.suspectAll(d)
}

// suspectAll is damage that may have hit any thread, unless the index knows what was there: compare then finds whom it hit.
func (s *store) suspectAll(d *driver.Damage) error {
	if g := s.segments[segmentNumber(d.File)]; s.ahead != nil && g != nil && s.ahead.segment == g.number {
		end, err := lastByte(g, d.Offset)
		if err != nil {
			return err
		}
		if end <= s.ahead.off {
			s.fault(d)
			return nil
		}
	}
	d.Suspect = true
	s.fault(d)
	s.table.Suspect(d)
	return nil
}

// skipSegment goes on behind a segment that cannot be read at all.
func (s *store) skipSegment(number uint32, d *driver.Damage) (bool, error) {
	if err := s.suspectAll(d); err != nil {
		return false, err
	}
	for n := number + 1; n <= s.newest; n++ {
		g, err := s.segment(n)
		var more *driver.Damage
		switch {
		case notExist(err):
			s.fault(&driver.Damage{File: segmentName(n), Reason: "the segment is missing", Suspect: true})
		case errors.As(err, &more):
			s.fault(more)
		case err != nil:
			return false, err
		default:
			s.cur = cursor{seg: g, off: firstFrame, seq: g.seq, before: g.before}
			return true, s.limit(g)
		}
	}
	whole := *d // nothing readable is left: there is no end to append to
	whole.Suspect = false
	return false, &whole
}

func segmentNumber(file string) uint32 {
	n, err := strconv.ParseUint(strings.TrimPrefix(file, "log/"), 10, 32)
	if err != nil {
		return 0
	}
	return uint32(n)
}

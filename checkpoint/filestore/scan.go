package filestore

import (
	"errors"
	"fmt"

	"github.com/dashhost/dashhost/checkpoint/driver"
	"github.com/dashhost/dashhost/checkpoint/internal/table"
	"github.com/dashhost/dashhost/internal/frame"
	"github.com/dashhost/dashhost/internal/vfs"
)

// errReload: what was read of the log has been replaced; read it again from the start.
var errReload = errors.New("log was replaced")

// maxWindow is how much is read ahead at most.
const maxWindow = 256 << 10

// window reads a file forwards in growing pieces.
type window struct {
	file vfs.File
	buf  []byte
	off  int64 // of buf in file
	n    int   // how much to read next

	cols  *columns          // of the frame read last
	names map[uint64]string // threads that are known
}

// reset goes on in another file, or reads this one anew.
func (w *window) reset(f vfs.File) { w.file, w.buf, w.off, w.n = f, w.buf[:0], 0, 0 }

// bytes returns n bytes at off, fewer at the end of the file. They are valid until the next call.
func (w *window) bytes(off int64, n int) ([]byte, error) {
	if off < w.off || off+int64(n) > w.off+int64(len(w.buf)) {
		w.n = min(max(2*w.n, 1<<10), maxWindow)
		want := max(n, w.n)
		if cap(w.buf) < want {
			w.buf = make([]byte, want)
		}
		got, err := readAt(w.file, w.buf[:want], off)
		w.buf, w.off = w.buf[:got], off
		if err != nil {
			w.buf = w.buf[:0]
			return nil, err
		}
	}
	b := w.buf[off-w.off:]
	return b[:min(n, len(b))], nil
}

// advance reads what follows the cursor and applies it. locked: we hold the lock, so nobody writes and a bad end of the log can be
// told. s.mu is held.
func (s *store) advance(locked bool) error {
	err := s.scan(locked)
	defer s.publish()
	for errors.Is(err, errReload) {
		if err = s.load(); err == nil && locked {
			err = s.scan(true)
		}
	}
	return err
}

func (s *store) scan(locked bool) error {
	w := window{buf: s.readBuf[:0], cols: s.readCols, names: s.names}
	defer func() {
		s.readCols = w.cols
		if s.readBuf = w.buf[:0]; cap(s.readBuf) > 2*maxWindow {
			s.readBuf = nil
		}
	}()
	for {
		if s.cur.seg == nil || s.cur.ended {
			more, err := s.follow()
			if err != nil || !more {
				return err
			}
		}
		if s.watch != nil {
			if err := s.watch(s.cur.place()); err != nil {
				return err
			}
		}
		g, off := s.cur.seg, s.cur.off
		if w.file != g.file {
			w.reset(g.file)
		}
		if g.end > 0 && off >= g.end {
			s.cur.ended = true
			continue
		}
		h, cols, err := readFrame(&w, g, off)
		if err == nil {
			err = s.accept(h, cols)
		}
		switch {
		case err == nil:
			continue
		case errors.Is(err, frame.ErrZero) && g.number >= s.newest && s.checked:
			return nil
		case errors.Is(err, frame.ErrVersion):
			return fmt.Errorf("%s offset %d: %w: %w", g.name(), off, driver.ErrVersion, err)
		case !isBad(err):
			return err
		}
		done, err := s.judge(h, err, locked)
		if err != nil || done {
			return err
		}
		w.reset(s.cur.seg.file)
	}
}

// errBad is a frame whose sums are right and whose content is not.
var errBad = errors.New("frame is malformed")

func isBad(err error) bool {
	for _, e := range []error{frame.ErrZero, frame.ErrHeader, frame.ErrBody, frame.ErrEnd, errBad, errColumns} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// readFrame checks the frame at off as a whole and returns its columns, nil for a mark. A header comes with an error if it is
// sound and something else is not. Bodies are summed in pieces and not kept.
func readFrame(w *window, g *segment, off int64) (*frame.Header, *columns, error) {
	b, err := w.bytes(off, frame.HeaderSize)
	if err != nil {
		return nil, nil, err
	}
	if len(b) < frame.HeaderSize && frame.IsZero(b) {
		return nil, nil, frame.ErrZero
	}
	h, err := frame.Parse(b, g.at(off))
	if err != nil {
		return nil, nil, err
	}
	if h.Key != 0 {
		return &h, nil, fmt.Errorf("%w: sealed with key %d", frame.ErrVersion, h.Key)
	}
	at := off + frame.HeaderSize
	raw := int(h.Columns)
	if h.Flags&frame.FlagStuffed != 0 {
		raw = min(frame.StuffedSize(raw), int(h.Length))
	}
	if b, err = w.bytes(at, raw); err != nil {
		return nil, nil, err
	}
	if len(b) < raw {
		return &h, nil, frame.ErrBody
	}
	sum := frame.Sum(0, b)
	var cols *columns
	var malformed error
	if h.Stream != 0 {
		if h.Flags&frame.FlagStuffed != 0 {
			b, malformed = frame.Unstuff(b)
		}
		if malformed == nil {
			if w.cols == nil {
				w.cols = &columns{}
			}
			cols = w.cols.reuse()
			malformed = cols.parse(b, w.names[h.Stream])
		}
	}
	for left := int64(h.Length) - int64(raw); left > 0; {
		at = off + frame.HeaderSize + int64(h.Length) - left
		if b, err = w.bytes(at, int(min(left, 64<<10))); err != nil {
			return nil, nil, err
		}
		if len(b) == 0 {
			return &h, nil, frame.ErrBody
		}
		sum = frame.Sum(sum, b)
		left -= int64(len(b))
	}
	if sum != h.BodySum {
		return &h, nil, frame.ErrBody
	}
	end := frame.Size(h.Length) - frame.HeaderSize - int64(h.Length)
	if b, err = w.bytes(off+frame.HeaderSize+int64(h.Length), int(end)); err != nil {
		return nil, nil, err
	}
	if int64(len(b)) < end {
		return &h, nil, frame.ErrEnd
	}
	if err := frame.CheckEnd(b); err != nil {
		return &h, nil, err
	}
	if malformed == nil && cols != nil {
		malformed = cols.number(&h)
	}
	if malformed != nil {
		return &h, nil, malformed
	}
	return &h, cols, nil
}

// number gives the records what the header says.
func (c *columns) number(h *frame.Header) error {
	if len(c.recs) != int(h.Count) || !c.known && stream(c.thread) != h.Stream || uint8(c.recs[0].Kind) != h.Kind || h.Event == 0 {
		return errBad
	}
	if c.floor != nil {
		if err := c.floor.check(); err != nil {
			return err
		}
	}
	event := h.Event
	for i, r := range c.recs {
		r.Seq, r.Epoch, r.FirstEvent, r.Ordinal = h.Seq+uint64(i), h.Epoch, event, h.Ordinal+uint32(i)
		event += uint64(r.Events)
	}
	if event != h.Event+uint64(h.Events) {
		return errBad
	}
	c.flags = h.Flags
	return nil
}

// accept applies a sound frame at the cursor.
func (s *store) accept(h *frame.Header, cols *columns) error {
	g, off := s.cur.seg, s.cur.off
	if h.Seq != s.cur.seq || h.Before != s.cur.before {
		if err := s.gap(g, off, h.Before, h.Seq, fmt.Sprintf("frame %d follows, expected %d", h.Seq, s.cur.seq)); err != nil {
			return err
		}
	}
	if cols != nil {
		s.apply(cols, g.number, off)
	}
	s.promised(place{g.number, int64(h.Promise)})
	s.cur.off += frame.Size(h.Length)
	s.indexed.grown += frame.Size(h.Length)
	s.cur.seq, s.cur.before = h.Seq+uint64(h.Count), h.Neighbour()
	s.cur.ended = h.Flags&frame.FlagLast != 0
	return nil
}

func (s *store) apply(c *columns, number uint32, off int64) {
	if !c.known {
		s.names[stream(c.thread)] = c.thread
	}
	s.begin(c, number)
	if len(s.lost) > 0 {
		s.found(c.thread)
	}
	for i, r := range c.recs {
		at := table.Ref{Segment: number, Offset: uint32(off), Index: uint16(i)}
		if c.flags&frame.FlagImport != 0 {
			s.table.Import(c.thread, r, at, c.flags&frame.FlagImported != 0 && i == len(c.recs)-1)
		} else {
			s.table.Apply(c.thread, r, at)
		}
	}
	if c.floor != nil {
		s.applyFloor(c, number, off)
	}
	if d := s.table.Entry(c.thread).Damage; d != nil && d.File == "" { // no other sign of it than that records are missing
		d.File, d.Offset = segmentName(number), off
		s.fault(d)
	}
}

// found gives a thread the damage of records that told only the hash of its name.
func (s *store) found(thread string) {
	id := stream(thread)
	l := s.lost[id]
	if l == nil {
		return
	}
	delete(s.lost, id)
	s.names[id] = thread
	for _, d := range l.damage {
		s.table.Hurt(thread, d, table.Ref{Seq: d.Seq, Segment: segmentNumber(d.File), Offset: uint32(d.Offset)})
	}
	s.table.Raise(thread, l.epoch, l.events, l.count)
}

// follow goes on in the next segment, if there is one.
func (s *store) follow() (bool, error) {
	number := max(s.floor, 1)
	if s.cur.seg != nil {
		number = s.cur.seg.number + 1
	}
	g, err := s.segment(number)
	if notExist(err) {
		if err := s.listSegments(); err != nil {
			return false, err
		}
		if s.floor > number { // a process has pruned the log since we looked
			return false, errReload
		}
		if number > s.newest {
			return false, nil
		}
		g, err = s.segment(number) // it may have come since
	}
	var d *driver.Damage
	if notExist(err) {
		d = &driver.Damage{File: segmentName(number), Reason: "the segment is missing"}
	} else if err != nil && !errors.As(err, &d) {
		return false, err
	}
	if d != nil { // go on with the segments after it
		return s.skipSegment(number, d)
	}
	if r := g.replaces; r.segment == number-1 && r.segment != 0 && s.cur.seg != nil {
		if s.cur.off > r.offset && s.cur.seg.end == 0 {
			s.cur.seg.end = r.offset
			return false, errReload
		}
	}
	switch {
	case number == 1:
		s.cur.seq = 1
	case s.cur.seg == nil: // what came before is not kept
		s.cur.seq, s.cur.before = g.seq, g.before
	}
	s.reachFloor(g)
	s.raiseFloor(g.floor)
	if g.seq != s.cur.seq || g.before != s.cur.before {
		if err := s.gap(g, 0, g.before, g.seq, fmt.Sprintf("the segment begins with frame %d, expected %d", g.seq, s.cur.seq)); err != nil {
			return false, err
		}
	}
	s.cur = cursor{seg: g, off: firstFrame, seq: g.seq, before: g.before}
	s.newest = max(s.newest, number)
	s.promised(s.cur.place())
	s.checked = false
	return true, s.limit(g)
}

// limit looks whether the segment after g replaces an end of it.
func (s *store) limit(g *segment) error {
	if g.number >= s.newest {
		return nil
	}
	next, err := s.segment(g.number + 1)
	if notExist(err) || errors.Is(err, driver.ErrDamaged) {
		return nil // follow will say so
	}
	if err == nil && next.replaces.segment == g.number {
		g.end = next.replaces.offset
	}
	return err
}

// segment returns an open segment.
func (s *store) segment(number uint32) (*segment, error) {
	if g := s.segments[number]; g != nil {
		return g, s.use(g, false)
	}
	g, err := s.openSegment(number)
	if err != nil {
		return nil, err
	}
	s.segments[number] = g
	return g, s.use(g, true)
}

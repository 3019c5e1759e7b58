package filestore

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/dashhost/dashhost/checkpoint/driver"
	"github.com/dashhost/dashhost/checkpoint/internal/table"
	"github.com/dashhost/dashhost/internal/frame"
)

// Read implements driver.Driver.
func (s *store) Read(ctx context.Context, thread string, q driver.Query) iter.Seq2[*driver.Record, error] {
	return func(yield func(*driver.Record, error) bool) {
		refs, err := s.refs(ctx, thread, q)
		if err != nil {
			yield(nil, err)
			return
		}
		var last loaded
		for _, ref := range refs {
			r, err := s.readRecord(ctx, thread, ref, &last)
			if errors.Is(err, errGone) {
				continue
			}
			if !yield(r, err) || err != nil && !errors.Is(err, driver.ErrDamaged) {
				return
			}
		}
	}
}

func (s *store) refs(ctx context.Context, thread string, q driver.Query) ([]table.Ref, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.life.RUnlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.refresh(); err != nil {
		return nil, err
	}
	s.found(thread)
	th := s.table.Get(thread)
	if th == nil {
		return nil, driver.ErrNotFound
	}
	return th.Select(q), nil
}

// loaded is the frame read last: an append of several records is read once.
type loaded struct {
	segment, offset uint32
	cols            *columns
}

func (s *store) readRecord(ctx context.Context, thread string, ref table.Ref, last *loaded) (*driver.Record, error) {
	if last.cols == nil || last.segment != ref.Segment || last.offset != ref.Offset {
		cols, err := s.readColumns(ctx, thread, ref)
		for errors.Is(err, errVanished) {
			if ref, err = s.moved(thread, ref.Seq); err == nil {
				cols, err = s.readColumns(ctx, thread, ref)
			}
		}
		if err != nil {
			return nil, err
		}
		*last = loaded{ref.Segment, ref.Offset, cols}
	}
	r := *last.cols.stored()[ref.Index]
	return &r, nil
}

// errVanished: a process has pruned the log, and the segment is gone.
var errVanished = errors.New("segment is not kept any more")

// errGone: the record was dropped, and pruned, after the caller had begun to read.
var errGone = errors.New("record is not kept any more")

// moved returns where a record is now that was moved, or errGone.
func (s *store) moved(thread string, seq uint64) (table.Ref, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.refresh(); err != nil {
		return table.Ref{}, err
	}
	if th := s.table.Get(thread); th != nil {
		if i, ok := th.Find(seq); ok {
			return th.Refs[i], nil
		}
	}
	return table.Ref{}, errGone
}

// readColumns reads the frame that ref is in, with its bodies, and checks it as a whole.
func (s *store) readColumns(ctx context.Context, thread string, ref table.Ref) (*columns, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.life.RUnlock()
	s.mu.Lock()
	g, err := s.segment(ref.Segment)
	s.mu.Unlock()
	var cols *columns
	if err == nil {
		cols, err = g.read(int64(ref.Offset))
	}
	if err == nil && (cols.thread != thread || !cols.has(ref)) {
		err = fmt.Errorf("%w: not the record that was written here", errBad)
	}
	if notExist(err) {
		err = s.vanished(ref.Segment)
	}
	if err == nil {
		return cols, nil
	}
	d := &driver.Damage{}
	if !errors.As(err, &d) {
		if !isBad(err) {
			return nil, fmt.Errorf("%s offset %d: %w", segmentName(ref.Segment), ref.Offset, err)
		}
		d = &driver.Damage{File: segmentName(ref.Segment), Offset: int64(ref.Offset), Reason: err.Error()}
	}
	own := *d
	own.Thread, own.Seq = thread, ref.Seq
	s.mu.Lock()
	s.fault(&own)
	if th := s.table.Get(thread); th != nil {
		own.Accepted = th.Damaged(&own, ref.Seq)
	}
	s.mu.Unlock()
	return nil, &own
}

// vanished says why a segment is not there.
func (s *store) vanished(number uint32) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.listSegments(); err != nil {
		return err
	}
	if number < s.floor {
		return errVanished
	}
	return &driver.Damage{File: segmentName(number), Reason: "the segment is missing"}
}

// has says whether the record that ref means stands in the frame.
func (c *columns) has(ref table.Ref) bool {
	recs := c.stored()
	return int(ref.Index) < len(recs) && recs[ref.Index].Seq == ref.Seq && recs[ref.Index].Kind == ref.Kind
}

// firstRead is how much is read before the length of a frame is known.
const firstRead = 4 << 10

// read returns the frame at off with its bodies.
func (g *segment) read(off int64) (*columns, error) {
	var first [firstRead]byte
	n, err := readAt(g.file, first[:], off)
	if err != nil {
		return nil, err
	}
	h, err := frame.Parse(first[:n], g.at(off))
	if err != nil {
		return nil, err
	}
	rest := frame.Size(h.Length) - frame.HeaderSize
	if size, err := g.file.Size(); err != nil {
		return nil, err
	} else if off+frame.HeaderSize+rest > size {
		return nil, frame.ErrEnd
	}
	b := make([]byte, rest)
	have := copy(b, first[frame.HeaderSize:n])
	if have < len(b) {
		n, err := readAt(g.file, b[have:], off+frame.HeaderSize+int64(have))
		if err != nil {
			return nil, err
		}
		b = b[:have+n]
	}
	body, err := h.Check(b)
	if err != nil {
		return nil, err
	}
	if h.Stream == 0 || int64(h.Columns) > int64(len(body)) {
		return nil, errBad
	}
	cols, err := parseColumns(body[:h.Columns])
	if err == nil {
		err = cols.bodies(body[h.Columns:])
	}
	if err == nil {
		err = cols.number(&h)
	}
	return cols, err
}

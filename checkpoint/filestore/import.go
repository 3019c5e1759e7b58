package filestore

import (
	"context"
	"iter"

	"github.com/dashhost/dashhost/checkpoint/driver"
	"github.com/dashhost/dashhost/internal/frame"
)

// importing is what makes a request a part of an import.
type importing struct {
	after uint64 // Seq of the record that the import wrote last, 0 at its begin
}

const (
	importRecords = 1 << 10 // of one frame
	importBytes   = 1 << 20 // of bodies in one frame, unless one alone is larger
)

// Import implements driver.Importer. The records of a thread are written as frames that are marked as parts, among those of others;
// the table shows the thread when the frame that is marked as the last is there. A reader that finds parts and no last one has
// found an import that was cut off: the next to write to that thread begins it anew.
func (s *store) Import(ctx context.Context, thread string, recs iter.Seq2[*driver.Record, error]) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.life.RUnlock()
	if s.o.ReadOnly {
		return driver.ErrReadOnly
	}
	w := &importer{s: s, ctx: ctx, thread: thread}
	for r, err := range recs {
		if err == nil {
			err = w.add(r)
		}
		if err != nil {
			return err
		}
	}
	if len(w.group) == 0 {
		return nil
	}
	pos, err := w.write(frame.FlagImported)
	if err != nil {
		return err
	}
	return s.wait(ctx, pos)
}

// importer gathers the records of a thread into frames.
type importer struct {
	s      *store
	ctx    context.Context //nolint:containedctx // of the one call that it is
	thread string
	group  []*driver.Record // of one epoch, their events without a gap
	bytes  int
	event  uint64 // number of the next record's first event, if it belongs to the group
	after  uint64
}

func (w *importer) add(r *driver.Record) error {
	own := *r
	if n := len(w.group); n > 0 && (own.Epoch != w.group[0].Epoch || own.FirstEvent != w.event || n == importRecords || w.bytes+len(own.Body) > importBytes) {
		if _, err := w.write(0); err != nil {
			return err
		}
	}
	w.group = append(w.group, &own)
	w.bytes += len(own.Body)
	w.event = own.FirstEvent + uint64(own.Events)
	return nil
}

// write makes a frame of the group and returns where it ends.
func (w *importer) write(flags uint16) (pos uint64, err error) {
	r := &request{thread: w.thread, recs: w.group, imports: &importing{after: w.after}, turn: make(chan bool, 1)}
	r.header.Flags = frame.FlagImport | flags
	if err := r.encode(); err != nil {
		return 0, err
	}
	w.s.submit(w.ctx, r)
	if r.err != nil {
		return 0, r.err
	}
	w.after = w.group[len(w.group)-1].Seq
	w.group, w.bytes = w.group[:0:0], 0
	return r.pos, nil
}

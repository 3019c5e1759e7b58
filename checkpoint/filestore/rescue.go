package filestore

import (
	"errors"
	"fmt"

	"github.com/dashhost/dashhost/internal/frame"
)

// errFailedSync: the cursor's segment must not be synced again.
var errFailedSync = errors.New("sync of the log failed")

// heal replaces the end of a segment whose sync failed, as far as it is not known to be durable, by a new segment. What is there
// comes from the cache, so it is checked. The lock and s.mu are held.
func (s *store) heal() error {
	s.smu.Lock()
	failed, durable := s.disk.failed, s.disk.durable
	s.smu.Unlock()
	if failed == nil {
		return nil
	}
	if s.cur.seg == failed { // else another process has replaced it
		from := int64(firstFrame)
		if uint32(durable>>32) == failed.number {
			from = max(from, int64(uint32(durable)))
		}
		if err := s.replace(failed, from); err != nil {
			return err
		}
	}
	s.smu.Lock()
	s.disk.failed = nil
	s.settle(0)
	s.smu.Unlock()
	return nil
}

// replace moves the frames of g from an offset on into a new segment, durably, and reads the log again.
func (s *store) replace(g *segment, from int64) error {
	old := s.cur
	at := cursor{seg: g, off: firstFrame, seq: g.seq, before: g.before}
	if err := walk(&at, from, nil); err != nil {
		return err
	}
	// The mark comes first, and in the cache is enough: a process that appended to g after its end was replaced would lose that.
	if !old.ended {
		if err := s.mark(frame.FlagLast); err != nil {
			return err
		}
	}
	h := head{number: g.number + 1, seq: at.seq, before: at.before, replaces: place{g.number, from}}
	var end int64
	next, err := s.createSegment(h, func(n *segment) error {
		before := at.before
		err := walk(&at, old.off, func(h frame.Header, b []byte) error {
			if h.Flags&frame.FlagLast != 0 {
				return nil
			}
			h.Before, h.Promise = before, firstFrame
			before = h.Neighbour()
			h.Put((*[frame.HeaderSize]byte)(b), n.at(n.size))
			if _, err := n.file.WriteAt(b, n.size); err != nil {
				return err
			}
			n.size += int64(len(b))
			return nil
		})
		end = n.size
		return err
	})
	if err != nil {
		return err
	}
	g.end = from
	s.segments[next.number] = next
	s.newest = next.number
	s.promised(place{next.number, end})
	return s.load()
}

// walk reads frames up to an offset and gives each whole one to visit, which may be nil and may change it.
func walk(at *cursor, to int64, visit func(frame.Header, []byte) error) error {
	for at.off < to {
		b := make([]byte, frame.HeaderSize)
		if _, err := readAt(at.seg.file, b, at.off); err != nil {
			return err
		}
		h, err := frame.Parse(b, at.seg.at(at.off))
		if err != nil {
			return fmt.Errorf("%s offset %d: %w", at.seg.name(), at.off, err)
		}
		if visit != nil {
			b = make([]byte, frame.Size(h.Length))
			n, err := readAt(at.seg.file, b, at.off)
			if err != nil {
				return err
			}
			if _, err := h.Check(b[frame.HeaderSize:n]); err != nil {
				return fmt.Errorf("%s offset %d: %w", at.seg.name(), at.off, err)
			}
			if err := visit(h, b); err != nil {
				return err
			}
		}
		at.off += frame.Size(h.Length)
		at.seq, at.before = h.Seq+uint64(h.Count), h.Neighbour()
	}
	return nil
}

package filestore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/dashhost/dashhost/checkpoint/driver"
	"github.com/dashhost/dashhost/checkpoint/internal/table"
	"github.com/dashhost/dashhost/internal/vfs"
)

// repairThread is the reserved thread with a record of each place that was repaired. Part of the format.
const repairThread = table.ReservedMark + "repair"

// Attributes of its records. Part of the format.
const (
	attrFile   = "file"
	attrOffset = "offset"
	attrLength = "length"
	attrReason = "reason"
)

// spot is a damaged place.
type spot struct {
	file   string
	offset int64
}

// Repair implements driver.Maintenance.
func (s *store) Repair(ctx context.Context, report func(*driver.Damage), p driver.Progress) error {
	if s.o.ReadOnly {
		return driver.ErrReadOnly
	}
	var found []*driver.Damage
	if err := s.Verify(ctx, func(d *driver.Damage) { found = append(found, d) }, p); err != nil {
		return err
	}
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.life.RUnlock()
	var done map[spot]bool
	if err := s.exclusive(ctx, func() error { done = s.repaired(); return nil }); err != nil {
		return err
	}
	for _, d := range found {
		if !d.Accepted && !done[spot{d.File, d.Offset}] {
			if err := s.repair(ctx, d); err != nil {
				return err
			}
		}
		report(d)
	}
	if !slices.ContainsFunc(found, func(d *driver.Damage) bool { return !d.Accepted }) {
		return nil
	}
	if err := s.exclusive(ctx, s.lookAgain); err != nil {
		return err
	}
	return s.vouch(ctx)
}

// lookAgain reads the log instead of the index, so that every damaged thread is known. The lock and s.mu are held.
func (s *store) lookAgain() error {
	s.distrust = true
	err := s.load()
	s.distrust = false
	if err == nil {
		err = s.advance(true)
	}
	return err
}

// vouch writes a record to each thread that is suspect to those who have no index, and of which the index has shown that nothing is
// missing. It says nothing, but has a number: whoever reads the log finds that no number before it is missing.
func (s *store) vouch(ctx context.Context) error {
	v, err := s.reread(ctx, true, nil)
	if v == nil {
		return err
	}
	if err = errors.Join(err, v.closeFiles()); err != nil {
		return err
	}
	var reqs []*request
	s.mu.Lock()
	for _, name := range v.table.Names() {
		th, own := v.table.Entry(name), s.table.Get(name)
		if th.Damage == nil || own == nil || own.Damage != nil {
			continue
		}
		r := newFloor(name, &floor{})
		if err = r.encode(); err != nil {
			break
		}
		reqs = append(reqs, r)
	}
	s.mu.Unlock()
	if err != nil || len(reqs) == 0 {
		return err
	}
	s.submitAll(ctx, reqs)
	var end uint64
	for _, r := range reqs {
		if r.err != nil {
			return r.err
		}
		end = max(end, r.pos)
	}
	return s.wait(ctx, end)
}

// repair keeps the bytes of a damaged place aside, makes good what it can, and writes down that it did. Cut off before that it is
// done again: the bytes are aside twice then.
func (s *store) repair(ctx context.Context, d *driver.Damage) error {
	err := s.exclusive(ctx, func() error {
		if number := segmentNumber(d.File); number != 0 {
			return s.repairSegment(number, d)
		}
		if d.File == indexFile { // derived
			if err := s.fs.Remove(s.path(indexFile)); err != nil && !notExist(err) {
				return err
			}
			return s.fs.SyncDir(s.dir)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("%s offset %d: %w", d.File, d.Offset, err)
	}
	r := &request{thread: repairThread, expect: driver.Expect{AnyEpoch: true, AcceptLoss: true}, turn: make(chan bool, 1)}
	r.recs = []*driver.Record{{Kind: driver.KindKV, Time: time.Now().UnixMicro(), Flags: driver.FlagAcceptLoss, Attrs: []driver.Attr{
		{Name: attrFile, Value: d.File}, {Name: attrOffset, Value: strconv.FormatInt(d.Offset, 10)}, {Name: attrLength, Value: strconv.FormatInt(d.Length, 10)},
		{Name: attrReason, Value: d.Reason},
	}}}
	if err := r.encode(); err != nil {
		return err
	}
	if s.submit(ctx, r); r.err != nil {
		return r.err
	}
	return s.wait(ctx, r.pos)
}

// repairSegment keeps damaged bytes of a segment aside. The head is there twice: a bad copy is written again. The lock is held.
func (s *store) repairSegment(number uint32, d *driver.Damage) error {
	f, err := s.fs.Open(s.path(segmentName(number)), true)
	if notExist(err) { // all of it is lost: there is nothing to keep
		return nil
	}
	if err != nil {
		return err
	}
	g := &segment{head: head{number: number}, file: s.pooled(f, s.path(segmentName(number)))}
	err = s.keepAside(g, d)
	if err == nil && d.Offset < firstFrame {
		err = s.restoreHead(f, number)
	}
	return errors.Join(err, f.Close())
}

// keepAside copies the bytes that d means to quarantine. Where it does not say how many, none are there: frames are missing.
func (s *store) keepAside(g *segment, d *driver.Damage) error {
	size, err := g.file.Size()
	if err != nil {
		return err
	}
	end := min(size, d.Offset+d.Length)
	if d.Offset >= end {
		return nil
	}
	return s.quarantine(g, d.Offset, end)
}

// restoreHead writes the sound copy of a head over the other one. Two bad copies stay as they are.
func (s *store) restoreHead(f vfs.File, number uint32) error {
	b := make([]byte, firstFrame)
	if n, err := readAt(f, b, 0); err != nil || n < firstFrame {
		return err
	}
	for i, at := range []int64{0, segmentHead} {
		if h, err := parseHead(b[at:at+segmentHead], segmentName(number)); err == nil && h.number == number && h.store == s.id {
			other := [...]int64{segmentHead, 0}[i]
			if _, err := f.WriteAt(b[at:at+segmentHead], other); err != nil {
				return err
			}
			return f.Sync()
		}
	}
	return nil
}

// repaired returns the places that were repaired. s.mu is held.
func (s *store) repaired() map[spot]bool {
	spots := map[spot]bool{}
	th := s.table.Get(repairThread)
	if th == nil {
		return spots
	}
	for _, ref := range th.Refs {
		g, err := s.segment(ref.Segment)
		if err != nil {
			continue // then it is reported again
		}
		cols, err := g.read(int64(ref.Offset))
		if err != nil || !cols.has(ref) {
			continue
		}
		var at spot
		for _, a := range cols.stored()[ref.Index].Attrs {
			switch a.Name {
			case attrFile:
				at.file = a.Value
			case attrOffset:
				at.offset, _ = strconv.ParseInt(a.Value, 10, 64)
			}
		}
		spots[at] = true
	}
	return spots
}

// markAccepted says of each place that was found whether it costs nothing any more. s.mu is held.
func (s *store) markAccepted() {
	spots := s.repaired()
	hurt := map[spot]bool{}
	for _, name := range s.table.Names() {
		if d := s.table.Entry(name).Damage; d != nil {
			hurt[spot{d.File, d.Offset}] = true
		}
	}
	for _, d := range s.faults {
		at := spot{d.File, d.Offset}
		th := s.table.Entry(d.Thread)
		d.Accepted = !hurt[at] && (spots[at] || d.Thread != "" && th != nil && th.Damage == nil)
	}
}

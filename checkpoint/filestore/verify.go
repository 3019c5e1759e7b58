package filestore

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/dashhost/dashhost/checkpoint/driver"
	"github.com/dashhost/dashhost/checkpoint/internal/table"
)

// Verify implements driver.Maintenance: it reads the whole log, not the index. Unless the store is read-only it looks at the end
// under the lock, so that a damaged end can be told from one that is being written.
func (s *store) Verify(ctx context.Context, report func(*driver.Damage), p driver.Progress) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.life.RUnlock()
	v, err := s.reread(ctx, false, p)
	if v == nil {
		return err
	}
	v.markAccepted()
	for _, d := range v.faults {
		report(d)
	}
	return errors.Join(err, v.closeFiles())
}

// reread reads the log as if nothing were known of it. blind: not even by the index. Nobody else has what it returns, nil if it
// could not begin.
func (s *store) reread(ctx context.Context, blind bool, p driver.Progress) (*store, error) {
	v := &store{fs: s.fs, dir: s.dir, o: s.o, locks: s.locks, verifying: true, blind: blind, disk: newDurability()}
	v.o.ReadOnly = true
	sizes, err := s.segmentSizes()
	if err != nil {
		return nil, err
	}
	v.watch = watcher(ctx, sizes, p)
	if err = v.readIdentity(); err == nil {
		err = v.load()
	}
	if err == nil && !s.o.ReadOnly {
		err = s.verifyEnd(ctx, v)
	}
	var d *driver.Damage
	if errors.As(err, &d) { // nothing can be read behind it
		v.fault(d)
		err = nil
	}
	if v.table == nil {
		v.table = table.New()
	}
	return v, err
}

// watchEvery is how many bytes are read between two looks at whether anybody still wants to know.
const watchEvery = 8 << 20

// watcher tells p how far reading has come, and ends it with ctx.
func watcher(ctx context.Context, sizes map[uint32]int64, p driver.Progress) func(place) error {
	before := map[uint32]int64{}
	var total int64
	for _, n := range slices.Sorted(maps.Keys(sizes)) {
		before[n] = total
		total += sizes[n]
	}
	var told int64
	return func(at place) error {
		done := before[at.segment] + at.offset
		if done-told < watchEvery && done >= told {
			return nil
		}
		told = done
		if p != nil {
			p(min(done, total), total)
		}
		return ctx.Err()
	}
}

func (s *store) verifyEnd(ctx context.Context, v *store) error {
	unlock, err := s.lock(ctx)
	if err != nil {
		return err
	}
	v.checked = false
	err = v.advance(true)
	v.compare()
	return errors.Join(err, unlock())
}

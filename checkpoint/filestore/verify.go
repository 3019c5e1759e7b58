package filestore

import (
	"context"
	"errors"

	"github.com/dashhost/dashhost/checkpoint/driver"
)

// Verify implements driver.Maintenance: it reads the whole log, not the index. Unless the store is read-only it looks at the end
// under the lock, so that a damaged end can be told from one that is being written.
func (s *store) Verify(ctx context.Context, report func(*driver.Damage), p driver.Progress) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.life.RUnlock()
	v := &store{fs: s.fs, dir: s.dir, o: s.o, locks: s.locks, verifying: true, disk: newDurability()}
	v.o.ReadOnly = true
	v.mu.Lock()
	defer v.mu.Unlock()
	err := v.readIdentity()
	if err == nil {
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
	v.markAccepted()
	for _, d := range v.faults {
		report(d)
	}
	return errors.Join(err, v.closeFiles())
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

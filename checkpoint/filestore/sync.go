package filestore

import (
	"context"
	"errors"
	"fmt"

	"github.com/dashhost/dashhost/checkpoint/driver"
)

// durability is what is known of the disk, guarded by store.smu.
type durability struct {
	tail    *segment // where the log ends, as written
	end     uint64   // pos of that end
	durable uint64   // pos up to which the log is on the disk
	syncing bool     // somebody has the turn to sync
	failed  *segment // whose sync failed: not to be synced again, but replaced
	err     error    // why nothing more can become durable
	changed chan struct{}
}

func newDurability() durability { return durability{changed: make(chan struct{})} }

// wait returns when the log is durable up to pos. Whoever comes first syncs for all.
func (s *store) wait(ctx context.Context, pos uint64) error {
	for {
		s.smu.Lock()
		d := &s.disk
		if d.durable >= pos || d.err != nil {
			defer s.smu.Unlock()
			if d.durable >= pos {
				return nil
			}
			return d.err
		}
		if !d.syncing && d.failed == nil {
			d.syncing = true
			s.smu.Unlock()
			if err := s.sync(); err != nil {
				return err
			}
			continue
		}
		changed := d.changed
		s.smu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// sync makes everything written so far durable. The caller has the turn, and this gives it back.
func (s *store) sync() error {
	s.smu.Lock()
	g, end := s.disk.tail, s.disk.end
	s.smu.Unlock()
	err := g.file.SyncData()
	if err == nil || notExist(err) { // pruned since: before that it was synced
		s.giveTurn(nil, end)
		return nil
	}
	s.giveTurn(g, 0)
	unlock, lockErr := s.lock(context.Background())
	s.mu.Lock()
	defer s.mu.Unlock()
	if lockErr != nil {
		s.fail(fmt.Errorf("%w, and then: %w", err, lockErr))
		return s.broken
	}
	if s.segments == nil {
		s.fail(driver.ErrClosed)
	} else if e := s.prepare(); e != nil {
		s.fail(fmt.Errorf("%w, and then: %w", err, e))
	}
	if e := unlock(); e != nil {
		s.fail(e)
	}
	return s.broken
}

// giveTurn ends a sync: failed is the segment it failed on, or nil, and durable what is known now.
func (s *store) giveTurn(failed *segment, durable uint64) {
	s.smu.Lock()
	defer s.smu.Unlock()
	s.disk.syncing = false
	if failed != nil {
		s.disk.failed = failed
	}
	s.settle(durable)
}

// settle raises what is durable and wakes who waits. s.smu is held.
func (s *store) settle(durable uint64) {
	s.disk.durable = max(s.disk.durable, durable)
	close(s.disk.changed)
	s.disk.changed = make(chan struct{})
}

// promised takes in that the log is durable up to p: another process says so, or it follows from the order of writing.
func (s *store) promised(p place) {
	s.smu.Lock()
	s.disk.durable = max(s.disk.durable, p.pos())
	s.smu.Unlock()
}

// promise is the offset in the cursor's segment before which all is durable.
func (s *store) promise() uint64 {
	s.smu.Lock()
	defer s.smu.Unlock()
	if uint32(s.disk.durable>>32) == s.cur.seg.number {
		return max(uint64(uint32(s.disk.durable)), firstFrame)
	}
	return firstFrame
}

// publish tells those who sync where the log ends. s.mu is held.
func (s *store) publish() {
	s.smu.Lock()
	s.disk.tail, s.disk.end = s.cur.seg, s.cur.place().pos()
	s.smu.Unlock()
}

// syncTail makes the log durable up to the cursor. The lock and s.mu are held, so it waits for the turn, which never waits for them.
func (s *store) syncTail() error {
	for {
		s.smu.Lock()
		if !s.disk.syncing {
			break
		}
		changed := s.disk.changed
		s.smu.Unlock()
		<-changed
	}
	g := s.cur.seg
	if s.disk.failed != nil {
		defer s.smu.Unlock()
		return errFailedSync
	}
	s.disk.syncing = true
	s.smu.Unlock()
	if err := g.file.SyncData(); err != nil {
		s.giveTurn(g, 0)
		return fmt.Errorf("%w: %w", errFailedSync, err)
	}
	s.giveTurn(nil, s.cur.place().pos())
	return nil
}

// settleTail is syncTail, and if that fails the end of the log goes to a new segment, durably.
func (s *store) settleTail() error {
	err := s.syncTail()
	if !errors.Is(err, errFailedSync) {
		return err
	}
	if err := s.heal(); err != nil {
		s.fail(err)
		return s.broken
	}
	return nil
}

// retire waits for a sync that is under way and lets none begin: files are about to be closed.
func (s *store) retire() {
	for {
		s.smu.Lock()
		if !s.disk.syncing {
			break
		}
		changed := s.disk.changed
		s.smu.Unlock()
		<-changed
	}
	if s.disk.err == nil {
		s.disk.err = fmt.Errorf("%w: %w", driver.ErrUnknown, driver.ErrClosed)
	}
	s.settle(0)
	s.smu.Unlock()
}

// fail makes the store refuse every append from now on: what the log ends with is not known any more.
func (s *store) fail(err error) {
	if s.broken != nil {
		return
	}
	s.broken = fmt.Errorf("%w: %w", driver.ErrUnknown, err)
	s.smu.Lock()
	s.disk.err = s.broken
	s.settle(0)
	s.smu.Unlock()
}

package filestore

import (
	"context"

	"github.com/dashhost/dashhost/checkpoint/driver"
)

// Stats implements driver.Maintenance.
func (s *store) Stats(ctx context.Context) (*driver.Stats, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.life.RUnlock()
	s.mu.Lock()
	err := s.refresh()
	st := s.table.Stats()
	s.mu.Unlock()
	if err != nil {
		return nil, err
	}
	st.Version, st.Free = uint32(s.version), -1
	if free, err := s.fs.Free(s.dir); err == nil {
		st.Free, st.Low = free, free < s.o.LowSpace
	}
	sizes, err := s.segmentSizes()
	if err != nil {
		return nil, err
	}
	st.Segments = len(sizes)
	for _, size := range sizes {
		st.Bytes += size
	}
	return st, s.statFiles(st)
}

// statFiles counts what is not the log.
func (s *store) statFiles(st *driver.Stats) error {
	var err error
	if st.Index, err = s.fileSize(indexFile); err != nil {
		return err
	}
	names, err := s.fs.ReadDir(s.path("quarantine"))
	if err != nil && !notExist(err) {
		return err
	}
	for _, n := range names {
		size, err := s.fileSize("quarantine/" + n)
		if err != nil {
			return err
		}
		st.Quarantine += size
	}
	ids, err := s.owners()
	if err != nil {
		return err
	}
	for _, id := range ids {
		if alive, err := s.locks.held(s.path(ownerPath(id))); err == nil && alive {
			st.Owners++
		}
	}
	return nil
}

// fileSize is the size of a file of the store, 0 if it is not there.
func (s *store) fileSize(name string) (int64, error) {
	f, err := s.fs.Open(s.path(name), false)
	if notExist(err) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	size, err := f.Size()
	if e := f.Close(); err == nil {
		err = e
	}
	return size, err
}

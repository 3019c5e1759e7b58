// Package memstore is a checkpoint driver that keeps everything in memory: for tests, and for runs that need no history. It has
// the same rules as every driver; durable means until the process ends.
package memstore

import (
	"context"
	"crypto/rand"
	"iter"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/dashhost/dashhost/checkpoint/driver"
	"github.com/dashhost/dashhost/checkpoint/internal/table"
)

// New returns a driver over memory of its own. It has driver.Owners and driver.Maintenance.
func New() driver.Driver { return NewMemory().Open() }

// Memory is a store that several drivers can be opened on, as processes open one folder. It is safe for concurrent use.
type Memory struct {
	id [16]byte

	mu      sync.Mutex
	table   *table.Table
	records []*driver.Record // by Seq-1, nil when it was dropped
	owners  map[string]driver.Owner
}

// NewMemory returns an empty store.
func NewMemory() *Memory {
	m := &Memory{table: table.New(), owners: map[string]driver.Owner{}}
	rand.Read(m.id[:])
	return m
}

// Open returns a driver over m. Closing it ends the owners that were registered through it and leaves m as it is.
func (m *Memory) Open() driver.Driver { return &store{m: m} }

type store struct {
	m      *Memory
	closed bool     // guarded by m.mu
	owners []string // guarded by m.mu
}

// lock takes the memory's lock, which the caller gives back, unless it returns an error.
func (s *store) lock(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.m.mu.Lock()
	if s.closed {
		s.m.mu.Unlock()
		return driver.ErrClosed
	}
	return nil
}

func (s *store) Append(ctx context.Context, thread string, e driver.Expect, recs []*driver.Record) (*driver.Commit, error) {
	if err := s.lock(ctx); err != nil {
		return nil, err
	}
	defer s.m.mu.Unlock()
	t := s.m.table
	done, err := t.Check(thread, e, recs)
	if err != nil {
		return nil, err
	}
	if !done && len(recs) > 0 {
		if th := t.Get(thread); th != nil && recs[0].Kind == driver.KindTombstone {
			s.free(th.Refs)
		}
		t.Number(thread, recs, uint64(len(s.m.records))+1)
		for _, r := range recs {
			kept := *r
			kept.Attrs, kept.Body = slices.Clone(r.Attrs), slices.Clone(r.Body)
			s.m.records = append(s.m.records, &kept)
			t.Apply(thread, &kept, table.Ref{})
		}
	}
	c := &driver.Commit{Wait: func(context.Context) error { return nil }}
	if th := t.Get(thread); th != nil {
		c.Cancel = th.Cancel
	}
	return c, nil
}

func (s *store) Read(ctx context.Context, thread string, q driver.Query) iter.Seq2[*driver.Record, error] {
	return func(yield func(*driver.Record, error) bool) {
		for more := true; more; {
			var found []*driver.Record
			var err error
			if found, more, err = s.read(ctx, thread, &q); err != nil {
				yield(nil, err)
				return
			}
			for _, r := range found {
				if err := ctx.Err(); err != nil {
					yield(nil, err)
					return
				}
				own := *r
				if !yield(&own, nil) {
					return
				}
			}
		}
	}
}

// piece is how many records a reader that goes back from the end gets at once.
const piece = 512

// read gives the next records for a reader, and makes q ask for those behind them.
func (s *store) read(ctx context.Context, thread string, q *driver.Query) (found []*driver.Record, more bool, err error) {
	if err := s.lock(ctx); err != nil {
		return nil, false, err
	}
	defer s.m.mu.Unlock()
	th := s.m.table.Get(thread)
	if th == nil {
		return nil, false, driver.ErrNotFound
	}
	var refs []table.Ref
	if q.Reverse {
		refs, *q, more = th.Newest(*q, piece)
	} else {
		refs = th.Select(*q)
	}
	found = make([]*driver.Record, len(refs))
	for i, ref := range refs {
		found[i] = s.m.records[ref.Seq-1]
	}
	return found, more, nil
}

func (s *store) Thread(ctx context.Context, thread string) (*driver.Thread, error) {
	if err := s.lock(ctx); err != nil {
		return nil, err
	}
	defer s.m.mu.Unlock()
	th := s.m.table.Get(thread)
	if th == nil {
		return nil, driver.ErrNotFound
	}
	return th.Info(), nil
}

func (s *store) Threads(ctx context.Context, f driver.Filter) iter.Seq2[*driver.Thread, error] {
	return func(yield func(*driver.Thread, error) bool) {
		if err := s.lock(ctx); err != nil {
			yield(nil, err)
			return
		}
		list := s.m.table.List(f)
		s.m.mu.Unlock()
		for _, t := range list {
			if !yield(t, nil) {
				return
			}
		}
	}
}

func (s *store) Due(ctx context.Context, before int64, limit int) ([]*driver.Thread, error) {
	if err := s.lock(ctx); err != nil {
		return nil, err
	}
	defer s.m.mu.Unlock()
	return s.m.table.Due(before, limit), nil
}

func (s *store) Drop(ctx context.Context, thread string, below uint64) error {
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.m.mu.Unlock()
	th := s.m.table.Get(thread)
	if th == nil || len(th.Refs) == 0 {
		return driver.ErrNotFound
	}
	s.free(th.Drop(below))
	return nil
}

// free lets go of records. s.m.mu is held.
func (s *store) free(refs []table.Ref) {
	for _, r := range refs {
		s.m.records[r.Seq-1] = nil
	}
}

func (s *store) Close() error {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	s.closed = true
	for _, id := range s.owners {
		delete(s.m.owners, id)
	}
	return nil
}

// Register implements driver.Owners.
func (s *store) Register(ctx context.Context, text string) (driver.Owner, func() error, error) {
	if err := s.lock(ctx); err != nil {
		return driver.Owner{}, nil, err
	}
	defer s.m.mu.Unlock()
	id, err := ulid.New(ulid.Timestamp(time.Now()), rand.Reader)
	if err != nil {
		return driver.Owner{}, nil, err
	}
	o := driver.Owner{ID: id.String(), PID: os.Getpid(), Host: "memory", Text: text}
	s.m.owners[o.ID] = o
	s.owners = append(s.owners, o.ID)
	return o, func() error {
		s.m.mu.Lock()
		defer s.m.mu.Unlock()
		delete(s.m.owners, o.ID)
		return nil
	}, nil
}

// Owner implements driver.Owners.
func (s *store) Owner(ctx context.Context, id string) (driver.Owner, bool, error) {
	if err := s.lock(ctx); err != nil {
		return driver.Owner{}, false, err
	}
	defer s.m.mu.Unlock()
	o, alive := s.m.owners[id]
	if !alive {
		o.ID = id
	}
	return o, alive, nil
}

// Import implements driver.Importer.
func (s *store) Import(ctx context.Context, thread string, recs iter.Seq2[*driver.Record, error]) error {
	var kept []*driver.Record
	for r, err := range recs { // outside the lock: they may come from this store
		if err != nil {
			return err
		}
		own := *r
		own.Attrs, own.Body = slices.Clone(r.Attrs), slices.Clone(r.Body)
		kept = append(kept, &own)
	}
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.m.mu.Unlock()
	t := s.m.table
	if err := t.CheckImport(thread, 0); err != nil {
		return err
	}
	t.NumberImport(thread, kept, uint64(len(s.m.records))+1, 0)
	for i, r := range kept {
		s.m.records = append(s.m.records, r)
		t.Import(thread, r, table.Ref{}, i == len(kept)-1)
	}
	return nil
}

// Identity implements driver.Maintenance.
func (s *store) Identity() ([16]byte, uint64) { return s.m.id, 1 }

// Stats implements driver.Maintenance.
func (s *store) Stats(ctx context.Context) (*driver.Stats, error) {
	if err := s.lock(ctx); err != nil {
		return nil, err
	}
	defer s.m.mu.Unlock()
	st := s.m.table.Stats()
	for _, r := range s.m.records {
		if r != nil {
			st.Bytes += int64(len(r.Body))
		}
	}
	st.Owners, st.Free = len(s.m.owners), -1
	return st, nil
}

// Verify implements driver.Maintenance. There is nothing that could be damaged.
func (s *store) Verify(ctx context.Context, _ func(*driver.Damage), _ driver.Progress) error {
	return ctx.Err()
}

// Repair implements driver.Maintenance. There is nothing that could be damaged.
func (s *store) Repair(ctx context.Context, _ func(*driver.Damage), _ driver.Progress) error {
	return ctx.Err()
}

// Prune implements driver.Maintenance. Memory is given back when a record is dropped, or its thread deleted: nothing is left to do.
func (s *store) Prune(ctx context.Context, _ *driver.PruneOptions) (*driver.PruneReport, error) {
	st, err := s.Stats(ctx)
	if err != nil {
		return nil, err
	}
	return &driver.PruneReport{Before: st.Bytes, After: st.Bytes}, nil
}

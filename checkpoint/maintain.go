package checkpoint

import (
	"context"
	"errors"
	"fmt"

	"github.com/dashhost/dashhost/checkpoint/driver"
)

// Stats is how large a store is.
type Stats = driver.Stats

// Stats says how large the store is and how much space is left. It is quick: it reads no records.
func (s *Store) Stats(ctx context.Context) (*Stats, error) {
	m, ok := s.d.(driver.Maintenance)
	if !ok {
		return nil, fmt.Errorf("stats: %w", errors.ErrUnsupported)
	}
	return m.Stats(ctx)
}

// ThreadStats is how large a thread is.
type ThreadStats struct {
	Info    *ThreadInfo
	Records map[Kind]int64 // that can be read
	Stored  int64          // bytes of their bodies as they are kept
	Size    int64          // and before compression
	Oldest  int64          // Time of the oldest step that is kept, microseconds since 1970 UTC, 0 if there is none
	Dropped bool           // older ones were
	Damaged int64          // records that cannot be read
}

// ThreadStats reads a thread and says how large it is.
func (s *Store) ThreadStats(ctx context.Context, thread string) (*ThreadStats, error) {
	if err := checkThread(thread); err != nil {
		return nil, err
	}
	t, err := s.thread(ctx, thread)
	if err != nil {
		return nil, err
	}
	st := &ThreadStats{Records: map[Kind]int64{}, Dropped: t.Dropped > 0}
	if st.Info, err = s.info(ctx, t, nil); err != nil {
		return nil, err
	}
	for r, err := range s.d.Read(ctx, thread, driver.Query{AllNamespaces: true}) {
		switch {
		case errors.Is(err, ErrDamaged):
			st.Damaged++
		case err != nil:
			return nil, s.appendError(thread, err)
		default:
			st.Records[r.Kind]++
			st.Stored += int64(len(r.Body))
			st.Size += r.Size
			if r.Kind == KindStep && st.Oldest == 0 {
				st.Oldest = r.Time
			}
		}
	}
	return st, nil
}

// VerifyOptions of Store.Verify. The zero value and nil are fine.
type VerifyOptions struct {
	// Report is given each damaged place as soon as it is found. Default nil; VerifyReport has them all.
	Report func(*DamageError)
	// Progress is told how many bytes of how many were read. Default nil.
	Progress func(done, total int64)
}

// VerifyReport is what Verify found.
type VerifyReport struct {
	// Places are the damaged places. One that has Accepted set was repaired, or its thread has gone on: it costs nothing any more.
	Places []*DamageError
	// Threads are the threads, and blobs, that cannot be written because of them, each with what is lost of it.
	Threads []*DamageError
}

// Sound says whether nothing was found that was not accepted before.
func (r *VerifyReport) Sound() bool {
	for _, p := range r.Places {
		if !p.Accepted {
			return false
		}
	}
	return len(r.Threads) == 0
}

// Verify reads everything and checks it. It changes nothing, and needs no key. Threads may run meanwhile.
func (s *Store) Verify(ctx context.Context, o *VerifyOptions) (*VerifyReport, error) {
	if o == nil {
		o = &VerifyOptions{}
	}
	rep := &VerifyReport{}
	m, ok := s.d.(driver.Maintenance)
	if !ok {
		return nil, fmt.Errorf("verify: %w", errors.ErrUnsupported)
	}
	err := m.Verify(ctx, func(d *driver.Damage) {
		p := damage(d.Thread, d, "")
		rep.Places = append(rep.Places, p)
		if o.Report != nil {
			o.Report(p)
		}
	}, o.Progress)
	if err != nil {
		return rep, err
	}
	if rep.Threads, err = s.damagedThreads(ctx, rep.Places); err != nil {
		return rep, err
	}
	return rep, nil
}

// damagedThreads returns the damage of each thread that has any, with what is lost. places were found by reading everything: the
// driver need not know of them yet.
func (s *Store) damagedThreads(ctx context.Context, places []*DamageError) ([]*DamageError, error) {
	at := map[string]*DamageError{}
	for _, p := range places {
		if !p.Accepted && at[p.Thread] == nil {
			own := *p
			at[p.Thread] = &own
		}
	}
	var found []*DamageError
	for t, err := range s.Threads(ctx, nil) {
		if err != nil {
			return found, err
		}
		d := t.Damage
		if d == nil {
			d = at[t.Thread]
		}
		if d == nil {
			continue
		}
		namespaces := []string{""}
		for ns := range t.Head {
			if ns != "" {
				namespaces = append(namespaces, ns)
			}
		}
		for _, ns := range namespaces {
			_, _, err := s.State(ctx, t.Thread, ns, "")
			var lost *DamageError
			if errors.As(err, &lost) && lost.Lost != "" {
				if d.Lost != "" {
					d.Lost += "; "
				}
				d.Lost += lost.Lost
				d.Gone = d.Gone || lost.Gone
			}
		}
		found = append(found, d)
	}
	return found, nil
}

// RepairOptions of Store.Repair.
type RepairOptions struct {
	// Consent must be set: repairing gives up what cannot be read. Default false, which reports what would be given up.
	Consent bool
	// Thread is the only thread to repair, default all.
	Thread string
	// DeleteGone deletes threads of which no complete step is left. Default false: they stay as they are, read-only.
	DeleteGone bool
	// Progress is told how many bytes of how many were read. Default nil.
	Progress func(done, total int64)
}

// RepairReport is what Repair did, or would do.
type RepairReport struct {
	Places   []*DamageError // damaged places, whose bytes are in quarantine now
	Repaired []*Repaired    // threads that can be written again
	Deleted  []string       // threads that were deleted
	Left     []*DamageError // threads that stay damaged: no complete step is left, or a live process holds them
}

// Repaired is a thread that goes on.
type Repaired struct {
	Thread string
	Loss   *Loss
}

// Repair makes damaged threads writable again: each goes on from its newest complete step, and what is lost of it is written
// into its history (Record.Loss). The damaged bytes are kept aside first, as they are. Nothing is changed without Consent; doing it
// twice is doing it once; cut off at any moment, it can be called again.
func (s *Store) Repair(ctx context.Context, o *RepairOptions) (*RepairReport, error) {
	if o == nil {
		o = &RepairOptions{}
	}
	m, ok := s.d.(driver.Maintenance)
	if !ok {
		return nil, fmt.Errorf("repair: %w", errors.ErrUnsupported)
	}
	rep := &RepairReport{}
	look := m.Verify
	if o.Consent {
		look = m.Repair
	}
	err := look(ctx, func(d *driver.Damage) { rep.Places = append(rep.Places, damage(d.Thread, d, "")) }, o.Progress)
	if err != nil {
		return rep, err
	}
	threads, err := s.damagedThreads(ctx, rep.Places)
	if err != nil {
		return rep, err
	}
	for _, d := range threads {
		if o.Thread != "" && d.Thread != o.Thread {
			continue
		}
		if !o.Consent {
			rep.Left = append(rep.Left, d)
			continue
		}
		if err := s.repairThread(ctx, d, o, rep); err != nil {
			return rep, err
		}
	}
	return rep, nil
}

func (s *Store) repairThread(ctx context.Context, d *DamageError, o *RepairOptions, rep *RepairReport) error {
	c, err := s.Claim(ctx, d.Thread, &ClaimOptions{AcceptLoss: true})
	var gone *DamageError
	switch {
	case errors.As(err, &gone):
		if !gone.Gone || !o.DeleteGone {
			rep.Left = append(rep.Left, gone)
			return nil
		}
		if err := s.Delete(ctx, d.Thread, false); err != nil {
			return err
		}
		rep.Deleted = append(rep.Deleted, d.Thread)
		return nil
	case errors.Is(err, ErrBusy):
		d.Lost = err.Error()
		rep.Left = append(rep.Left, d)
		return nil
	case err != nil:
		return err
	}
	rep.Repaired = append(rep.Repaired, &Repaired{Thread: d.Thread, Loss: c.Loss()})
	if err := c.Release(ctx, nil); err != nil {
		return errors.Join(err, c.Close())
	}
	return nil
}

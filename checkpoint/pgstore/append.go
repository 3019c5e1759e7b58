package pgstore

import (
	"context"
	"fmt"
	"slices"

	"github.com/dashhost/dashhost/checkpoint/driver"
)

// request is one Append on its way.
type request struct {
	thread string
	expect driver.Expect
	recs   []*driver.Record
	size   int64

	leads  bool      // it writes a batch, or will: no other batch takes it. Guarded by store.qmu
	turn   chan bool // true: lead; false: done
	err    error
	cancel uint64
}

// Limits of one append and of one batch.
const (
	maxAppend  = 512 << 20 // bytes: half of what a server takes in one message
	batchBytes = 8 << 20   // a batch ends with the append that reaches it
	batchCount = 512       // appends of a batch
	inFlight   = 3         // batches of one handle that are on their way at once
	recordCost = 256       // what a record takes beside its body
)

// Append implements driver.Driver. It returns when the records are durable, so Commit.Wait has nothing to wait for.
func (s *store) Append(ctx context.Context, thread string, e driver.Expect, recs []*driver.Record) (*driver.Commit, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.life.RUnlock()
	if s.o.ReadOnly {
		return nil, driver.ErrReadOnly
	}
	r := &request{thread: thread, expect: e, recs: recs, turn: make(chan bool, 1)}
	if err := r.check(); err != nil {
		return nil, err
	}
	s.submit(ctx, r)
	if r.err != nil {
		return nil, r.err
	}
	return &driver.Commit{Wait: func(context.Context) error { return nil }, Cancel: r.cancel}, nil
}

func (r *request) check() error {
	for i, rec := range r.recs {
		if i > 0 && (rec.Kind == driver.KindClaim || rec.Kind == driver.KindTombstone) {
			return fmt.Errorf("record %d: a %s comes first in its append", i, rec.Kind)
		}
		r.size += int64(len(rec.Body)) + recordCost
	}
	if r.size > maxAppend {
		return &driver.TooLarge{What: "append", Max: maxAppend, Got: r.size}
	}
	return nil
}

// submit queues r and returns when it was dealt with. As long as fewer than inFlight batches are on their way, the first in the
// queue leads another one: it writes for all that are there, but for those whose thread is in a batch already. While a batch
// waits for the disk the next ones are filled and written, and the server syncs for several at once.
func (s *store) submit(ctx context.Context, r *request) {
	s.qmu.Lock()
	s.queue = append(s.queue, r)
	r.leads = s.leading < inFlight && len(s.queue) == 1 && !s.flying[r.thread]
	lead := r.leads
	if lead {
		s.leading++
	}
	s.qmu.Unlock()
	if !lead {
		select {
		case lead = <-r.turn:
		case <-ctx.Done():
			if s.withdraw(r) {
				r.err = ctx.Err()
				return
			}
			lead = <-r.turn // it is being written: what becomes of it must be known
		}
	}
	if lead {
		s.lead(r)
	}
}

// withdraw takes r out of the queue, unless a leader has it or it has become the leader.
func (s *store) withdraw(r *request) bool {
	s.qmu.Lock()
	defer s.qmu.Unlock()
	i := slices.Index(s.queue, r)
	if i < 0 || r.leads {
		return false
	}
	s.queue = slices.Delete(s.queue, i, i+1)
	return true
}

// lead writes what is queued, r among it, and hands the lead on.
func (s *store) lead(r *request) {
	batch := s.batch(r)
	s.write(batch)
	for _, q := range batch[1:] {
		q.turn <- false
	}
	s.qmu.Lock()
	defer s.qmu.Unlock()
	for _, q := range batch {
		delete(s.flying, q.thread)
	}
	for _, q := range s.queue {
		if !q.leads && !s.flying[q.thread] {
			q.leads = true
			q.turn <- true
			return
		}
	}
	s.leading--
}

// batch takes r and what fits beside it out of the queue.
func (s *store) batch(r *request) []*request {
	s.qmu.Lock()
	defer s.qmu.Unlock()
	batch, size := []*request{r}, r.size
	s.queue = slices.DeleteFunc(s.queue, func(q *request) bool {
		if q.leads || s.flying[q.thread] || len(batch) == batchCount || size+q.size > batchBytes {
			return q == r
		}
		batch = append(batch, q)
		size += q.size
		return true
	})
	for _, q := range batch {
		s.flying[q.thread] = true
	}
	return batch
}

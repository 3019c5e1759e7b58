package checkpoint

import (
	"context"
	"errors"
	"fmt"

	"github.com/dashhost/dashhost/checkpoint/driver"
)

// Put appends records of KindKV to a thread, all or nothing, and sets their second group of fields. It needs no claim: any number
// of processes put to one thread at once, and the log's order decides what was first and what was last. A thread that does not
// exist is made.
//
// What a record means, and which of several with one ID counts, is the caller's business: nothing is folded, no head moves, and
// ids need not grow. Records of KindKV are kept until the thread is deleted or written anew.
func (s *Store) Put(ctx context.Context, thread string, recs ...*Record) (*Commit, error) {
	if err := checkThread(thread); err != nil {
		return nil, err
	}
	if len(recs) == 0 {
		return nil, &InvalidError{Field: "put", Reason: "no record"}
	}
	if err := checkPut(recs); err != nil {
		return nil, fmt.Errorf("thread %q: %w", thread, err)
	}
	return s.append(ctx, thread, driver.Expect{AnyEpoch: true}, recs...)
}

// Rewrite ends the present generation of a thread, as Delete does, and puts recs of KindKV in its place: one append, so a reader
// sees what was there or what is there now. last is ThreadInfo.Last of the state that recs were made from: ErrConflict says that
// somebody has appended since, nothing was written, and the caller looks again. Without recs the thread is gone.
//
// ErrNotFound: there is no such thread; *BusyError: a live process has claimed it.
func (s *Store) Rewrite(ctx context.Context, thread string, last uint64, recs ...*Record) (*Commit, error) {
	if err := checkThread(thread); err != nil {
		return nil, err
	}
	if err := checkPut(recs); err != nil {
		return nil, fmt.Errorf("thread %q: %w", thread, err)
	}
	t, err := s.thread(ctx, thread)
	if err != nil {
		return nil, err
	}
	if t.Claimed {
		h, alive, err := s.holder(ctx, t)
		if err != nil {
			return nil, err
		}
		if alive {
			return nil, &BusyError{Thread: thread, Holder: h}
		}
	}
	if last == 0 || t.LastSeq != last {
		return nil, fmt.Errorf("thread %q: %w", thread, ErrConflict)
	}
	all := append([]*Record{{Kind: KindTombstone}}, recs...)
	c, err := s.append(ctx, thread, driver.Expect{Epoch: t.Epoch, Last: last}, all...)
	if errors.Is(err, ErrFenced) {
		return nil, fmt.Errorf("thread %q: %w", thread, ErrConflict)
	}
	return c, err
}

// checkPut checks records that need no claim.
func checkPut(recs []*Record) error {
	if err := checkAppend(recs); err != nil {
		return err
	}
	for i, r := range recs {
		if r.Kind != KindKV {
			return &InvalidError{Field: fmt.Sprintf("record %d: kind", i), Reason: r.Kind.String() + " needs a claim"}
		}
		r.Owner, r.AcceptLoss, r.Time = "", false, 0
	}
	return nil
}

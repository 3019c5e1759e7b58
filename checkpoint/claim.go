package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/dashhost/dashhost/checkpoint/driver"
)

// ClaimOptions of a claim. The zero value and nil take only what is free.
type ClaimOptions struct {
	TakeOver   bool          // claim even if a live process holds the thread; that one gets ErrFenced at its next append
	AcceptLoss bool          // claim even if the thread is damaged, and go on from the newest complete step
	Wait       time.Duration // how long to wait for a live holder to release, default not at all
}

// Claim is the right to write one thread. Its methods are safe for concurrent use.
type Claim struct {
	s       *Store
	thread  string
	owner   string // id
	epoch   uint64
	seq     uint64 // of the claim's record
	crashed bool
	isNew   bool
	commit  *Commit // of the claim's record
	loss    *Loss

	mu     sync.Mutex
	heads  map[string]string  // by namespace
	deltas map[string]*deltas // by namespace, as far as it was measured
	minID  string
	last   int64 // greatest Time given out
	cancel uint64
	closed bool
}

// Claim takes a thread that nobody, or a dead process, holds; a thread that does not exist is made. The claim is written when it
// returns, and durable when any later Commit of it is: before an outside effect, wait for one.
//
// A live holder is a *BusyError, damage a *DamageError.
func (s *Store) Claim(ctx context.Context, thread string, o *ClaimOptions) (*Claim, error) {
	if o == nil {
		o = &ClaimOptions{}
	}
	if err := checkThread(thread); err != nil {
		return nil, err
	}
	me, err := s.register(ctx)
	if err != nil {
		return nil, err
	}
	deadline := time.Now().Add(o.Wait)
	damaged := false
	for {
		c, err := s.claim(ctx, thread, me, o)
		switch {
		case err == nil:
			return c, nil
		case errors.Is(err, ErrFenced): // somebody claimed in between: look again
			continue
		case o.AcceptLoss && errors.Is(err, ErrDamaged) && !damaged: // only the lock has shown it: now it is known
			damaged = true
			continue
		case !errors.As(err, new(*BusyError)) || !time.Now().Before(deadline):
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(min(claimPoll, time.Until(deadline))):
		}
	}
}

// claimPoll is how often a waiting claim looks. Holders are other processes: nothing tells us when they release.
const claimPoll = 20 * time.Millisecond

// claim tries once. ErrFenced: the thread changed while we looked.
func (s *Store) claim(ctx context.Context, thread string, me Owner, o *ClaimOptions) (*Claim, error) {
	t, err := s.d.Thread(ctx, thread)
	if errors.Is(err, ErrNotFound) {
		t = &driver.Thread{Name: thread}
	} else if err != nil {
		return nil, s.appendError(thread, err)
	}
	if t.Claimed {
		h, alive, err := s.holder(ctx, t)
		if err != nil {
			return nil, err
		}
		if alive && !o.TakeOver {
			return nil, &BusyError{Thread: thread, Holder: h}
		}
		s.log.Info("claim of an owner that did not release", "thread", thread, "owner", h.ID, "alive", alive)
	}
	recs := []*Record{{Kind: KindClaim, Owner: me.ID}}
	switch {
	case o.AcceptLoss && t.Records > 0:
		if recs, err = s.acceptLoss(ctx, t, recs[0]); err != nil {
			return nil, err
		}
	case t.Damage != nil:
		return nil, damage(thread, t.Damage, "reading goes on up to it, writing needs the loss to be accepted")
	}
	now := s.micros(t.Updated)
	for _, r := range recs {
		r.Time = now
	}
	commit, err := s.append(ctx, thread, driver.Expect{Epoch: t.Epoch, AcceptLoss: recs[0].AcceptLoss}, recs...)
	if err != nil {
		return nil, err
	}
	crashed, isNew := t.Claimed, t.Records == 0
	if t.Claimed { // the holder may have gone on since we looked; now that our claim stands it cannot
		if t, err = s.d.Thread(ctx, thread); err != nil {
			return nil, s.appendError(thread, err)
		}
		if t.Epoch != recs[0].Epoch {
			return nil, fmt.Errorf("thread %q: %w", thread, ErrFenced)
		}
	}
	c := &Claim{
		s: s, thread: thread, owner: me.ID, epoch: recs[0].Epoch, seq: recs[0].Seq, crashed: crashed, isNew: isNew, commit: commit,
		heads: make(map[string]string, len(t.Heads)), deltas: map[string]*deltas{}, minID: t.MinID, last: now,
	}
	for _, h := range t.Heads {
		c.heads[h.Namespace] = h.ID
	}
	if c.loss, err = recs[0].Loss(); err != nil {
		return nil, err
	}
	for _, r := range recs {
		if r.Kind == KindStep {
			c.heads[r.Namespace] = r.ID
		}
	}
	s.mu.Lock()
	s.claims[thread] = c
	s.mu.Unlock()
	return c, nil
}

// Thread is the claimed thread's name.
func (c *Claim) Thread() string { return c.thread }

// Epoch is the claim's number: each later claim of the thread has a greater one.
func (c *Claim) Epoch() uint64 { return c.epoch }

// Crashed says whether the owner before did not release.
func (c *Claim) Crashed() bool { return c.crashed }

// New says whether the thread had no record before this claim.
func (c *Claim) New() bool { return c.isNew }

// Loss is what the claim gave up, nil if there was no damage or ClaimOptions.AcceptLoss was not set.
func (c *Claim) Loss() *Loss { return c.loss }

// Commit is the claim's own record.
func (c *Claim) Commit() *Commit { return c.commit }

// Cancelled says whether somebody has asked the holder to stop since the claim, as far as the last append saw.
func (c *Claim) Cancelled() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cancel > c.seq
}

// Append writes recs at the end of the thread, all or nothing, and sets their second group of fields; steps without an id or
// parent get one. It refuses what another writer overtook: ErrFenced after another claim or a delete, ErrConflict for an id that
// is not greater than its head. recs may be reused or changed when it returned.
func (c *Claim) Append(ctx context.Context, recs ...*Record) (*Commit, error) {
	if len(recs) == 0 {
		return nil, &InvalidError{Field: "append", Reason: "no record"}
	}
	if err := checkAppend(recs); err != nil {
		return nil, fmt.Errorf("thread %q: %w", c.thread, err)
	}
	sealed := make([]*driver.Record, len(recs))
	steps := false
	for i, r := range recs {
		r.Owner, r.AcceptLoss = "", false
		sealed[i] = &driver.Record{}
		c.s.seal.seal(sealed[i], r)
		steps = steps || r.Kind == KindStep
	}
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return nil, fmt.Errorf("thread %q: claim: %w", c.thread, ErrClosed)
	}
	if steps {
		defer c.mu.Unlock()
		return c.appendSteps(ctx, recs, sealed)
	}
	c.stamp(recs, sealed)
	c.mu.Unlock()
	commit, err := c.s.write(ctx, c.thread, driver.Expect{Epoch: c.epoch}, recs, sealed)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	c.cancel = max(c.cancel, commit.c.Cancel)
	c.mu.Unlock()
	return commit, nil
}

// stamp sets Time and makes the columns of records that are sealed.
func (c *Claim) stamp(recs []*Record, sealed []*driver.Record) {
	c.last = c.s.micros(c.last)
	for i, r := range recs {
		r.Time = c.last
		d := toDriver(r)
		d.Body, d.Codec, d.Size = sealed[i].Body, sealed[i].Codec, sealed[i].Size
		*sealed[i] = *d
	}
}

// Release ends the claim and waits until that is durable. rec may carry attributes, events, due time and meta; nil is a plain
// release. The Claim is closed then; after an error it is not, and Release or Close may be called again.
func (c *Claim) Release(ctx context.Context, rec *Record) error {
	if rec == nil {
		rec = &Record{}
	}
	rec.Kind = KindRelease
	commit, err := c.Append(ctx, rec)
	if err != nil {
		return err
	}
	if err := commit.Wait(ctx); err != nil {
		return err
	}
	return c.Close()
}

// Close forgets the claim without writing anything: for one that was fenced, or failed. The thread stays claimed in the store;
// the next claim, of this process too, takes it over and is told by Crashed.
func (c *Claim) Close() error {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.s.mu.Lock()
	if c.s.claims[c.thread] == c {
		delete(c.s.claims, c.thread)
	}
	c.s.mu.Unlock()
	return nil
}

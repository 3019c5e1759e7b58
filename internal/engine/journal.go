package engine

import (
	"context"
	"sync"
	"time"

	"github.com/dashhost/dashhost/checkpoint"
)

// journal is where a run writes down what it does: a claim of a thread or, without one, nowhere. Then records
// are numbered, so that events are what they always are, and forgotten.
type journal struct {
	claim  *checkpoint.Claim
	thread string
	clock  Clock

	mu   sync.Mutex // guards what follows, which only a journal without a claim uses
	seq  uint64
	told uint64
	last time.Time
}

func newJournal(cfg *Config) *journal {
	j := &journal{claim: cfg.Claim, thread: cfg.Thread, clock: cfg.Clock}
	if j.claim != nil {
		j.thread = j.claim.Thread()
	}
	return j
}

// kept says whether what is written can be read again.
func (j *journal) kept() bool { return j.claim != nil }

func (j *journal) load(ctx context.Context, namespace string) (*checkpoint.Snapshot, error) {
	if j.claim == nil {
		return &checkpoint.Snapshot{}, nil
	}
	return j.claim.Load(ctx, namespace)
}

// commit is an append on its way to the disk.
type commit struct{ of *checkpoint.Commit }

func (c commit) wait(ctx context.Context) error {
	if c.of == nil {
		return nil
	}
	return c.of.Wait(ctx)
}

func (j *journal) append(ctx context.Context, recs ...*checkpoint.Record) (commit, error) {
	if j.claim != nil {
		c, err := j.claim.Append(ctx, recs...)
		return commit{c}, err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if now := j.clock.Now(); now.After(j.last) {
		j.last = now
	}
	for _, r := range recs {
		j.seq++
		r.Thread, r.Seq, r.Time = j.thread, j.seq, j.last.UnixMicro()
		if r.Events > 0 {
			r.FirstEvent = j.told + 1
			j.told += uint64(r.Events)
		}
	}
	return commit{}, nil
}

func (j *journal) cancelled() bool { return j.claim != nil && j.claim.Cancelled() }

func (j *journal) refresh(ctx context.Context) error {
	if j.claim == nil {
		return nil
	}
	return j.claim.Refresh(ctx)
}

func (j *journal) release(ctx context.Context, rec *checkpoint.Record) error {
	if j.claim != nil {
		return j.claim.Release(ctx, rec)
	}
	_, err := j.append(ctx, rec)
	return err
}

func (j *journal) close() error {
	if j.claim == nil {
		return nil
	}
	return j.claim.Close()
}

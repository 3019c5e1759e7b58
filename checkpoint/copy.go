package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/dashhost/dashhost/checkpoint/driver"
)

// CopyOptions of Copy and Export. The zero value and nil take everything.
type CopyOptions struct {
	// Threads to take. Default nil: all that are not deleted. One that does not exist is ErrNotFound.
	Threads []string
	// Blobs says which blobs a thread needs, by digest. Default nil: all blobs of the store go along. With Threads set, a function
	// keeps those of other threads out.
	Blobs func(ctx context.Context, s *Store, thread string) ([]string, error)
	// Progress is told how many of how many records are done, now and then, from the calling goroutine. Default nil.
	Progress func(done, total int64)
}

// CopyReport is what Copy, Export or Import did.
type CopyReport struct {
	Threads int   // that were taken over, or written
	Blobs   int   // likewise
	Records int64 // of the threads
	Present int   // threads and blobs that were there already, record for record the same
	// Running are threads that a live process holds: they were taken as far as they had come.
	Running []string
	// Damaged are the threads and blobs that were left out, each with what is wrong with it.
	Damaged []*DamageError

	presentThreads int // of Present
}

// CollisionError says that threads are in the target already and are not the same there, or were deleted there. It Is ErrConflict.
type CollisionError struct {
	Threads []string // the first few
	More    int      // how many there are beyond
}

// maxCollisions is how many threads a CollisionError names.
const maxCollisions = 10

func (e *CollisionError) Error() string {
	text := ""
	for i, t := range e.Threads {
		if i > 0 {
			text += ", "
		}
		text += fmt.Sprintf("%q", t)
	}
	if e.More > 0 {
		text += fmt.Sprintf(" and %d more", e.More)
	}
	return "already in the target, with another history or deleted: " + text
}

// Is matches ErrConflict.
func (e *CollisionError) Is(target error) bool { return target == ErrConflict }

func (e *CollisionError) add(thread string) {
	if len(e.Threads) < maxCollisions {
		e.Threads = append(e.Threads, thread)
	} else {
		e.More++
	}
}

// Copy makes threads of src, with the blobs they need, in dst: each record with its ids, times, event numbers and epochs, in its
// order. Only Seq is dst's own. Deleted threads are left out.
//
// A thread is in dst as a whole or not at all. One that is there already with the same history is left alone, so an interrupted
// Copy is just run again; if any is there with another one, or was deleted there, Copy writes nothing and returns a
// *CollisionError. A thread of src that is damaged is left out and reported; the others go on. Other processes may use both
// stores: a thread that runs is copied up to where it was.
//
// What was written is read back and compared by digest before a thread counts as copied.
func Copy(ctx context.Context, dst, src *Store, o *CopyOptions) (*CopyReport, error) {
	if o == nil {
		o = &CopyOptions{}
	}
	p, err := src.plan(ctx, o)
	if err != nil {
		return nil, err
	}
	c := &copying{dst: dst, src: src, plan: p, report: p.report()}
	if err := c.compare(ctx); err != nil {
		return nil, err
	}
	for _, digest := range p.blobs {
		if err := c.blob(ctx, digest); err != nil {
			return c.report, err
		}
	}
	for _, h := range c.missing {
		if err := c.one(ctx, h); err != nil {
			return c.report, err
		}
	}
	return c.report, nil
}

// plan is what goes along, blobs first.
type plan struct {
	blobs     []string // digests
	histories []*planned
	running   []string
	damaged   []*DamageError
	total     int64
	done      int64
	told      func(done, total int64)
}

// planned is a thread as far as it went when the plan was made.
type planned struct {
	thread  string
	last    uint64 // Seq
	records int64
}

func (p *plan) report() *CopyReport { return &CopyReport{Running: p.running, Damaged: p.damaged} }

// step counts a record.
func (p *plan) step(n int64) {
	before := p.done
	p.done += n
	if p.told != nil && (before/progressEvery != p.done/progressEvery || p.done == p.total) {
		p.told(p.done, p.total)
	}
}

// progressEvery is how many records go by between two calls of Progress.
const progressEvery = 256

func (p *plan) add(t *driver.Thread) {
	if t.Damage != nil {
		p.damaged = append(p.damaged, damage(t.Name, t.Damage, "left out"))
		return
	}
	p.histories = append(p.histories, &planned{t.Name, t.LastSeq, t.Records})
	p.total += t.Records
}

func (s *Store) plan(ctx context.Context, o *CopyOptions) (*plan, error) {
	p := &plan{told: o.Progress}
	threads, err := s.selected(ctx, o.Threads)
	if err != nil {
		return nil, err
	}
	blobs, err := s.blobsOf(ctx, threads, o.Blobs)
	if err != nil {
		return nil, err
	}
	p.blobs, p.total = blobs, int64(len(blobs))
	for _, t := range threads {
		if t.Claimed {
			_, alive, err := s.holder(ctx, t)
			if err != nil {
				return nil, err
			}
			if alive {
				p.running = append(p.running, t.Name)
			}
		}
		p.add(t)
	}
	return p, nil
}

// selected are the threads of that name, or all.
func (s *Store) selected(ctx context.Context, names []string) ([]*driver.Thread, error) {
	if names == nil {
		return collected(s.d.Threads(ctx, driver.Filter{}))
	}
	var threads []*driver.Thread
	for _, n := range slices.Compact(slices.Sorted(slices.Values(names))) {
		if err := checkThread(n); err != nil {
			return nil, err
		}
		t, err := s.thread(ctx, n)
		if err != nil {
			return nil, err
		}
		threads = append(threads, t)
	}
	return threads, nil
}

// blobsOf are the digests of the blobs that threads need, or all, in order. One that is needed and not kept is left to whoever
// needs it.
func (s *Store) blobsOf(ctx context.Context, threads []*driver.Thread, needs func(context.Context, *Store, string) ([]string, error)) ([]string, error) {
	need := map[string]bool{}
	for _, t := range threads {
		if needs == nil {
			break
		}
		digests, err := needs(ctx, s, t.Name)
		if err != nil {
			return nil, err
		}
		for _, d := range digests {
			need[d] = true
		}
	}
	all, err := collected(s.d.Threads(ctx, driver.Filter{Reserved: true, Prefix: blobPrefix}))
	if err != nil {
		return nil, err
	}
	var digests []string
	for _, t := range all {
		if d := plainName(t.Name); needs == nil || need[d] {
			digests = append(digests, d)
		}
	}
	return digests, nil
}

func collected(threads iter.Seq2[*driver.Thread, error]) ([]*driver.Thread, error) {
	var all []*driver.Thread
	for t, err := range threads {
		if err != nil {
			return nil, err
		}
		all = append(all, t)
	}
	return all, nil
}

// copying is one Copy.
type copying struct {
	dst, src *Store
	plan     *plan
	missing  []*planned
	report   *CopyReport
}

// compare finds what is missing in dst, and refuses if anything is there that is not the same.
func (c *copying) compare(ctx context.Context) error {
	var collision CollisionError
	for _, h := range c.plan.histories {
		t, err := c.dst.d.Thread(ctx, h.thread)
		if errors.Is(err, ErrNotFound) {
			c.missing = append(c.missing, h)
			continue
		}
		if err != nil {
			return c.dst.appendError(h.thread, err)
		}
		same := !t.Deleted
		if same {
			if same, err = c.same(ctx, h); err != nil {
				return err
			}
		}
		if !same {
			collision.add(h.thread)
			continue
		}
		c.report.Present++
		c.plan.step(h.records)
	}
	if len(collision.Threads) > 0 {
		return &collision
	}
	return nil
}

// blob copies a blob: its name says whether it arrived.
func (c *copying) blob(ctx context.Context, digest string) error {
	c.plan.step(1)
	there, err := c.dst.holds(ctx, digest)
	if err != nil {
		return err
	}
	if there {
		c.report.Present++
		return nil
	}
	b, err := c.src.Blob(ctx, digest)
	var bad *DamageError
	if errors.As(err, &bad) {
		bad.Lost = "left out"
		c.report.Damaged = append(c.report.Damaged, bad)
		return nil
	}
	if err != nil {
		return err
	}
	if err := c.dst.takeBlob(ctx, b); err != nil {
		return err
	}
	c.report.Blobs++
	return nil
}

// holds says whether a blob can be read, and sees to it that it stays.
func (s *Store) holds(ctx context.Context, digest string) (bool, error) {
	err := s.hasBlob(ctx, blobPrefix+digest)
	if err == nil {
		_, err = s.touch(ctx, blobPrefix+digest)
	}
	if errors.Is(err, ErrNotFound) || errors.Is(err, ErrDamaged) {
		return false, nil
	}
	return err == nil, err
}

// takeBlob keeps a blob, durably.
func (s *Store) takeBlob(ctx context.Context, b []byte) error {
	_, commit, err := s.PutBlob(ctx, b)
	if err != nil {
		return err
	}
	return commit.Wait(ctx)
}

// same says whether dst has the history.
func (c *copying) same(ctx context.Context, h *planned) (bool, error) {
	there, err := c.dst.digest(ctx, h.thread, 0, 0)
	if err != nil {
		return false, err
	}
	here, err := c.src.digest(ctx, h.thread, h.last, 0)
	var bad *DamageError
	if errors.As(err, &bad) {
		return false, nil
	}
	return here == there, err
}

// one copies a history and compares what arrived.
func (c *copying) one(ctx context.Context, h *planned) error {
	sum := newDigester()
	err := c.dst.importHistory(ctx, h.thread, func(yield func(*Record, error) bool) {
		for r, err := range c.src.history(ctx, h.thread, h.last) {
			if err == nil {
				sum.add(r)
				c.plan.step(1)
			}
			if !yield(r, err) {
				return
			}
		}
	})
	var bad *DamageError
	switch {
	case errors.As(err, &bad) && ctx.Err() == nil:
		bad.Lost = "left out"
		c.report.Damaged = append(c.report.Damaged, bad)
		c.plan.step(h.records - sum.records)
		return nil
	case err != nil:
		return err
	}
	there, err := c.dst.digest(ctx, h.thread, 0, sum.records)
	if err != nil {
		return err
	}
	if there != sum.text() {
		return &DamageError{Thread: h.thread, Reason: fmt.Sprintf("what was copied reads back as %s, and was %s", there, sum.text())}
	}
	c.report.Threads++
	c.report.Records += sum.records
	return nil
}

package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/dashhost/dashhost/checkpoint/driver"
)

// Snapshot is what a claim's holder starts from.
type Snapshot struct {
	Head  *Record // newest step of the namespace, nil if there is none
	State State   // at Head
	// Tail is what was appended after Head, oldest first: the namespace's own records, and claims, releases and cancels of the
	// thread. Claims and releases tell how often a process died over this head.
	Tail []*Record
}

// Load reads the head of a namespace, its state and what came after. Anything of that which cannot be read is a *DamageError,
// never left out: ClaimOptions.AcceptLoss goes on without. ErrFenced: another claim or a delete came later.
func (c *Claim) Load(ctx context.Context, namespace string) (*Snapshot, error) {
	if err := checkName("namespace", namespace, MaxNamespace); err != nil {
		return nil, err
	}
	c.mu.Lock()
	head := c.heads[namespace]
	c.mu.Unlock()
	snap := &Snapshot{}
	if head != "" {
		at, err := c.s.stateAt(ctx, c.thread, namespace, head)
		if err != nil {
			return nil, c.missing(ctx, head, err)
		}
		snap.Head, snap.State = at.step, at.state
		c.mu.Lock()
		if c.heads[namespace] == head && c.deltas[namespace] == nil {
			c.deltas[namespace] = &deltas{size: at.cost.size, snapshot: at.cost.snapshot}
		}
		c.mu.Unlock()
	}
	for r, err := range c.s.tail(ctx, c.thread, namespace, snap.Head) {
		if err != nil {
			return nil, err
		}
		snap.Tail = append(snap.Tail, r)
	}
	return snap, nil
}

// missing is the error for a head that this claim knows and that was not found.
func (c *Claim) missing(ctx context.Context, head string, err error) error {
	if !errors.Is(err, ErrNotFound) {
		return err
	}
	t, e := c.s.d.Thread(ctx, c.thread)
	switch {
	case e != nil:
		return c.s.appendError(c.thread, e)
	case t.Epoch != c.epoch:
		return fmt.Errorf("thread %q: %w", c.thread, ErrFenced)
	}
	return &DamageError{Thread: c.thread, Reason: fmt.Sprintf("step %q is missing", head)}
}

// Tail yields what was appended to a thread behind head, its newest step: what Snapshot.Tail holds. A record that cannot be read
// yields a *DamageError, and the iteration goes on after it.
func (s *Store) Tail(ctx context.Context, head *Record) iter.Seq2[*Record, error] {
	return s.tail(ctx, head.Thread, head.Namespace, head)
}

// tail is Tail; a head of nil stands before everything.
func (s *Store) tail(ctx context.Context, thread, ns string, head *Record) iter.Seq2[*Record, error] {
	return func(yield func(*Record, error) bool) {
		given, err := s.givenUp(ctx, thread)
		from := uint64(0)
		if err == nil && head != nil {
			from, err = s.since(ctx, head, given)
		}
		if err != nil {
			yield(nil, err)
			return
		}
		for r, err := range s.read(ctx, thread, driver.Query{Namespace: ns, From: from + 1}) {
			if given.has(err) || err == nil && (r.Kind == KindSnapshot || r.Kind == KindStep) {
				continue
			}
			if err == nil && r.Seq < head.seq() && (r.Kind == KindClaim || r.Kind == KindRelease) {
				continue // some may be lost: they tell nothing of who died
			}
			if !yield(r, err) {
				return
			}
		}
	}
}

// seq is r's Seq, 0 for nil.
func (r *Record) seq() uint64 {
	if r == nil {
		return 0
	}
	return r.Seq
}

// since is the Seq behind which records belong to what comes after step. One that accepted a loss stands where the step that it
// continues does: tasks that ended there have ended.
func (s *Store) since(ctx context.Context, step *Record, given *givenUp) (uint64, error) {
	from, want := step.Seq, step.Parent
	if !step.AcceptLoss {
		return from, nil
	}
	q := driver.Query{Namespace: step.Namespace, Kinds: driver.Kinds(KindStep), To: step.Seq - 1, Reverse: true}
	for r, err := range s.read(ctx, step.Thread, q) {
		switch {
		case given.has(err):
		case err != nil:
			return 0, err
		case r.ID != want:
		case r.AcceptLoss:
			from, want = r.Seq, r.Parent
		default:
			return r.Seq, nil
		}
	}
	return from, nil
}

// State returns a step of a thread and the state at it. id is a whole id, the beginning of exactly one, or "" for the newest.
//
// ErrNotFound: no such thread or step; *InvalidError: several ids begin so. On a damaged thread, id "" gives the newest complete
// step together with a *DamageError: both results are set.
func (s *Store) State(ctx context.Context, thread, namespace, id string) (*Record, State, error) {
	t, err := s.reading(ctx, thread, namespace, id)
	if err != nil {
		return nil, State{}, err
	}
	if id != "" {
		if id, err = s.complete(ctx, thread, namespace, id); err != nil {
			return nil, State{}, err
		}
		at, err := s.stateAt(ctx, thread, namespace, id)
		if err != nil {
			return nil, State{}, err
		}
		return at.step, at.state, nil
	}
	for {
		r, st, err := s.newest(ctx, t, namespace)
		if !errors.Is(err, ErrNotFound) {
			return r, st, err
		}
		now, e := s.thread(ctx, thread)
		if e != nil {
			return nil, State{}, e
		}
		if now.Dropped <= t.Dropped {
			return nil, State{}, err
		}
		t = now // what was the newest has been dropped since
	}
}

// newest is State for the newest step.
func (s *Store) newest(ctx context.Context, t *driver.Thread, ns string) (*Record, State, error) {
	head := ""
	for _, h := range t.Heads {
		if h.Namespace == ns {
			head = h.ID
		}
	}
	var bad *DamageError
	switch {
	case t.Damage != nil:
		bad = damage(t.Name, t.Damage, "")
	case head == "":
		return nil, State{}, fmt.Errorf("thread %q: namespace %q: no step: %w", t.Name, ns, ErrNotFound)
	default:
		at, err := s.stateAt(ctx, t.Name, ns, head)
		if err == nil {
			return at.step, at.state, nil
		}
		if !errors.As(err, &bad) {
			return nil, State{}, err
		}
	}
	at, lost, err := s.newestComplete(ctx, t.Name, ns)
	if err != nil {
		return nil, State{}, err
	}
	if at == nil {
		bad.Gone, bad.Lost = head != "", fmt.Sprintf("no complete step of namespace %q is left", ns)
		return nil, State{}, bad
	}
	bad.Lost = fmt.Sprintf("the newest complete step is %s, %d later ones are not", at.step.ID, lost)
	return at.step, at.state, bad
}

func (s *Store) reading(ctx context.Context, thread, namespace, id string) (*driver.Thread, error) {
	if err := checkThread(thread); err != nil {
		return nil, err
	}
	if err := checkName("namespace", namespace, MaxNamespace); err != nil {
		return nil, err
	}
	if err := checkName("id", id, MaxID); err != nil {
		return nil, err
	}
	return s.thread(ctx, thread)
}

// complete finds the only id that begins with prefix, or is it.
func (s *Store) complete(ctx context.Context, thread, ns, prefix string) (string, error) {
	found := ""
	for r, err := range s.d.Read(ctx, thread, driver.Query{Namespace: ns, Kinds: driver.Kinds(KindStep), Reverse: true}) {
		if errors.Is(err, ErrDamaged) {
			continue
		}
		if err != nil {
			return "", s.appendError(thread, err)
		}
		if r.ID == prefix {
			return prefix, nil
		}
		if strings.HasPrefix(r.ID, prefix) {
			if found != "" {
				return "", &InvalidError{Field: fmt.Sprintf("thread %q: id %q", thread, prefix), Reason: "several ids begin so: " + r.ID + ", " + found}
			}
			found = r.ID
		}
	}
	if found == "" {
		return "", fmt.Errorf("thread %q: step %q: %w", thread, prefix, ErrNotFound)
	}
	return found, nil
}

// Records yields everything of a thread's present generation, oldest first, all kinds and namespaces. A record that cannot be
// read yields a *DamageError, and the iteration goes on after it; what a claim has given up is left out, and that claim's Loss
// says what it was.
func (s *Store) Records(ctx context.Context, thread string) iter.Seq2[*Record, error] {
	return s.RecordsBetween(ctx, thread, 0, 0)
}

// RecordsBetween is Records for those whose Seq is from first to last; a last of 0 is the end.
func (s *Store) RecordsBetween(ctx context.Context, thread string, first, last uint64) iter.Seq2[*Record, error] {
	return func(yield func(*Record, error) bool) {
		if _, err := s.reading(ctx, thread, "", ""); err != nil {
			yield(nil, err)
			return
		}
		given, err := s.givenUp(ctx, thread)
		if err != nil {
			yield(nil, err)
			return
		}
		for r, err := range s.read(ctx, thread, driver.Query{AllNamespaces: true, From: first, To: last}) {
			if !given.has(err) && !yield(r, err) {
				return
			}
		}
	}
}

// read opens the records that q selects.
func (s *Store) read(ctx context.Context, thread string, q driver.Query) iter.Seq2[*Record, error] {
	return func(yield func(*Record, error) bool) {
		for d, err := range s.d.Read(ctx, thread, q) {
			var r *Record
			if err == nil {
				r, err = s.fromDriver(thread, d)
			} else {
				err = s.appendError(thread, err)
			}
			if !yield(r, err) {
				return
			}
			if err != nil && !errors.Is(err, ErrDamaged) {
				return
			}
		}
	}
}

// position is a step, the state at it, and what it cost to read.
type position struct {
	step  *Record
	state State
	cost  deltas
}

// stateAt folds the chain that ends in step id. If records were dropped while it was read it is read again.
func (s *Store) stateAt(ctx context.Context, thread, ns, id string) (*position, error) {
	dropped := uint64(0)
	for {
		at, err := s.foldTo(ctx, thread, ns, id)
		if err == nil || !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrNotFound) {
			return at, err
		}
		t, e := s.d.Thread(ctx, thread)
		if e != nil || t.Dropped <= dropped {
			return nil, err
		}
		dropped = t.Dropped
	}
}

// foldTo walks from the newest record back: the chain ends at a snapshot of a step that it needs, or at a step without a parent.
func (s *Store) foldTo(ctx context.Context, thread, ns, id string) (*position, error) {
	var at position
	passed := map[string]uint64{} // snapshots of steps that were not wanted yet: Prune writes some behind those that need them
	var chain []*Record           // newest first
	var bad error
	want, whole := id, false
	q := driver.Query{Namespace: ns, Kinds: driver.Kinds(KindStep, KindSnapshot), Reverse: true}
	for d, err := range s.d.Read(ctx, thread, q) {
		if err != nil {
			if err = s.appendError(thread, err); !errors.Is(err, ErrDamaged) {
				return nil, err
			}
			bad = err
			continue
		}
		if d.Kind == KindSnapshot && d.ID != want && !whole {
			passed[d.ID] = max(passed[d.ID], d.Seq)
		}
		if d.ID != want || whole && d.Kind == KindSnapshot {
			continue
		}
		r, err := s.fromDriver(thread, d)
		if err != nil {
			bad = err
			continue
		}
		if d.Kind == KindSnapshot {
			at.cost.snapshot, whole = d.Size, true
			chain = append(chain, r)
			if at.step != nil {
				break
			}
			continue // the step itself is further back
		}
		if at.step == nil {
			at.step = r
		}
		if whole {
			break
		}
		at.cost.size += d.Size + recordCost
		chain, want = append(chain, r), r.Parent
		if whole = want == ""; whole {
			break
		}
		if seq := passed[want]; seq > 0 {
			if r, err = s.snapshotAt(ctx, thread, ns, seq); err == nil {
				at.cost.snapshot, whole = bodySize(r), true
				chain = append(chain, r)
				break
			}
			bad = err
		}
	}
	if at.step == nil && bad == nil {
		return nil, fmt.Errorf("thread %q: namespace %q: step %q: %w", thread, ns, id, ErrNotFound)
	}
	if at.step == nil || !whole {
		return nil, s.broken(ctx, thread, ns, want, bad)
	}
	slices.Reverse(chain)
	for _, r := range chain {
		if err := at.state.fold(r.Ops); err != nil {
			return nil, &DamageError{Thread: thread, Reason: fmt.Sprintf("record %d does not fold: %v", r.Seq, err)}
		}
	}
	return &at, nil
}

// snapshotAt reads one record.
func (s *Store) snapshotAt(ctx context.Context, thread, ns string, seq uint64) (*Record, error) {
	for r, err := range s.read(ctx, thread, driver.Query{Namespace: ns, Kinds: driver.Kinds(KindSnapshot), From: seq, To: seq}) {
		return r, err
	}
	return nil, ErrNotFound
}

// broken is the error for a chain whose step want cannot be read.
func (s *Store) broken(ctx context.Context, thread, ns, want string, bad error) error {
	e := &DamageError{Thread: thread, Reason: fmt.Sprintf("namespace %q: step %q is missing", ns, want)}
	if errors.As(bad, &e) {
		e.Lost = fmt.Sprintf("namespace %q: step %q is not readable", ns, want)
		return e
	}
	if t, err := s.d.Thread(ctx, thread); err == nil && t.Damage != nil {
		return damage(thread, t.Damage, e.Reason)
	}
	return e
}

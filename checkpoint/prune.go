package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/dashhost/dashhost/checkpoint/driver"
)

// PruneOptions of Store.Prune. The zero value and nil drop no checkpoint, and give back the space of what was dropped or deleted.
type PruneOptions struct {
	Thread string  // only this one's checkpoints, default all that Filter selects
	Filter *Filter // which threads' checkpoints, default all
	// A checkpoint is kept if KeepLast or MaxAge says so. If neither is set all are. They count in the top level namespace, or in the
	// newest if that has no checkpoint; of the others, those are kept that were made since. The newest one of each namespace
	// always is, with the tasks, questions and answers that belong to it.
	KeepLast int           // the newest so many, default 0
	MaxAge   time.Duration // those that are younger, default 0
	// Blobs says which blobs a thread needs, by digest. Blobs that none needs are deleted, unless somebody has put them within a day.
	// Default nil: no blob is.
	Blobs  func(ctx context.Context, s *Store, thread string) ([]string, error)
	Now    bool // rewrite files that hold anything that is not wanted; default: where little is left that is wanted
	DryRun bool // change nothing, report what would be
	// Progress is told how many of how many threads, and then files, have been looked at. Default nil.
	Progress func(done, total int64)

	cheap bool // cut only where a snapshot stands already: more is kept, and no state is written
}

// PruneReport is what a Prune did, or would do.
type PruneReport struct {
	Threads  int   // that lost a checkpoint
	Steps    int64 // checkpoints dropped
	Records  int64 // all that was dropped: checkpoints, and what belongs to them
	Blobs    int   // graphs and modules that no record names any more
	Segments int   // files removed
	Before   int64 // bytes of the log
	After    int64
	Moved    int64          // bytes that were copied because they are still wanted
	Damaged  []*DamageError // threads that were left as they are
}

// Prune drops checkpoints that are not to be kept and gives back the space of what is not wanted. What is kept can be read, forked
// and resumed as before. Threads may run meanwhile, here and in other processes. It may be cut off at any moment, and called again.
//
// A damaged thread is left alone and reported; damage in the way of the files is a *DamageError, and Repair helps.
func (s *Store) Prune(ctx context.Context, o *PruneOptions) (*PruneReport, error) {
	if o == nil {
		o = &PruneOptions{}
	}
	if o.KeepLast < 0 || o.MaxAge < 0 {
		return nil, &InvalidError{Field: "prune", Reason: "KeepLast and MaxAge must not be negative"}
	}
	rep := &PruneReport{}
	if o.KeepLast > 0 || o.MaxAge > 0 {
		if err := s.pruneThreads(ctx, o, rep); err != nil {
			return rep, err
		}
	}
	if o.Blobs != nil {
		if err := s.pruneBlobs(ctx, o, rep); err != nil {
			return rep, err
		}
	}
	m, ok := s.d.(driver.Maintenance)
	if !ok {
		return rep, nil
	}
	files, err := m.Prune(ctx, &driver.PruneOptions{Now: o.Now, DryRun: o.DryRun, Progress: o.Progress})
	if files != nil {
		rep.Segments, rep.Before, rep.After, rep.Moved = files.Segments, files.Before, files.After, files.Moved
	}
	var d *driver.Damage
	if errors.As(err, &d) {
		err = damage(d.Thread, d, "files before it were pruned, those behind it were not")
	}
	return rep, err
}

// pruneThreads drops checkpoints of the threads that o selects.
func (s *Store) pruneThreads(ctx context.Context, o *PruneOptions, rep *PruneReport) error {
	names := []string{o.Thread}
	if o.Thread == "" {
		names = nil
		for t, err := range s.Threads(ctx, o.Filter) {
			if err != nil {
				return err
			}
			names = append(names, t.Thread)
		}
	} else if err := checkThread(o.Thread); err != nil {
		return err
	}
	for i, name := range names {
		err := s.pruneThread(ctx, name, o, rep)
		var d *DamageError
		switch {
		case errors.As(err, &d):
			rep.Damaged = append(rep.Damaged, d)
		case errors.Is(err, ErrNotFound) && o.Thread == "": // deleted meanwhile
		case err != nil:
			return err
		}
		if o.Progress != nil {
			o.Progress(int64(i+1), int64(len(names)))
		}
	}
	return nil
}

// cut is where a thread is cut.
type cut struct {
	below   uint64             // records with a lower Seq go
	bases   map[string]*Record // by namespace: the oldest step that stays, and has to be readable alone
	records int64
	steps   int64
}

func (s *Store) pruneThread(ctx context.Context, name string, o *PruneOptions, rep *PruneReport) error {
	t, err := s.thread(ctx, name)
	if err != nil {
		return err
	}
	if t.Damage != nil {
		return damage(name, t.Damage, "nothing of it was dropped")
	}
	c, err := s.planCut(ctx, t, o)
	if err != nil || c == nil {
		return err
	}
	if !o.DryRun {
		if err := s.snapshotBases(ctx, name, c); err != nil {
			return err
		}
		if err := s.d.Drop(ctx, name, c.below); err != nil {
			return s.appendError(name, err)
		}
	}
	rep.Threads++
	rep.Records += c.records
	rep.Steps += c.steps
	return nil
}

// chain is the steps of a namespace, oldest first, and where there are snapshots of them.
type chain struct {
	steps     []*Record
	snapshots map[string]uint64 // newest, by id
}

func (c *chain) head() *Record { return c.steps[len(c.steps)-1] }

// keptFrom is the index of the oldest step that is kept.
func (c *chain) keptFrom(o *PruneOptions, now time.Time) int {
	from := len(c.steps) - 1
	if o.KeepLast > 0 {
		from = max(0, len(c.steps)-o.KeepLast)
	}
	if o.MaxAge > 0 {
		oldest := now.Add(-o.MaxAge).UnixMicro()
		for from > 0 && c.steps[from-1].Time >= oldest {
			from--
		}
	}
	return from
}

// alone says whether the oldest step that is left can be read without what goes, and what continues it too: a head below the cut goes
// as soon as another step is the head.
func (c *chain) alone(st *Record, below uint64) bool {
	return c.snapshots[st.ID] >= below || st.Seq >= below && (st.Parent == "" || c.snapshots[st.Parent] >= below)
}

// layout is where the records of a thread are.
type layout struct {
	chains map[string]*chain // namespaces that have a step
	all    []place
	oldest uint64 // head
}

type place struct {
	seq  uint64
	ns   string
	kind Kind
}

func (s *Store) layout(ctx context.Context, thread string) (*layout, error) {
	l := &layout{chains: map[string]*chain{}}
	for d, err := range s.d.Read(ctx, thread, driver.Query{AllNamespaces: true}) {
		if err != nil {
			return nil, s.appendError(thread, err)
		}
		l.all = append(l.all, place{d.Seq, d.Namespace, d.Kind})
		if d.Kind != KindStep && d.Kind != KindSnapshot {
			continue
		}
		c := l.chains[d.Namespace]
		if c == nil {
			c = &chain{snapshots: map[string]uint64{}}
			l.chains[d.Namespace] = c
		}
		if d.Kind == KindSnapshot {
			c.snapshots[d.ID] = d.Seq
			continue
		}
		c.steps = append(c.steps, &Record{
			Thread: thread, Namespace: d.Namespace, ID: d.ID, Parent: d.Parent, Seq: d.Seq, Time: d.Time, AcceptLoss: d.Flags&driver.FlagAcceptLoss != 0,
		})
	}
	maps.DeleteFunc(l.chains, func(_ string, c *chain) bool { return len(c.steps) == 0 })
	for _, c := range l.chains {
		if seq := c.head().Seq; l.oldest == 0 || seq < l.oldest {
			l.oldest = seq
		}
	}
	return l, nil
}

// main is the namespace that KeepLast and MaxAge count in: the top level, or the newest if that has no step.
func (l *layout) main() *chain {
	if c := l.chains[""]; c != nil {
		return c
	}
	var newest *chain
	for _, c := range l.chains {
		if newest == nil || c.head().Seq > newest.head().Seq {
			newest = c
		}
	}
	return newest
}

// goes says whether a driver drops a record.
func (l *layout) goes(p place, below uint64) bool {
	head := l.oldest
	if !driver.ThreadKinds.Has(p.kind) {
		c := l.chains[p.ns]
		if c == nil {
			return false
		}
		head = c.head().Seq
	}
	return p.seq < below && p.seq < head
}

// planCut says where t is cut, nil if it is not.
func (s *Store) planCut(ctx context.Context, t *driver.Thread, o *PruneOptions) (*cut, error) {
	l, err := s.layout(ctx, t.Name)
	if err != nil || len(l.chains) == 0 {
		return nil, err
	}
	c := l.main()
	from := c.keptFrom(o, s.now())
	for o.cheap && from > 0 && !c.alone(c.steps[from], c.cutBefore(c.steps[from])) {
		from--
	}
	plan := &cut{below: c.cutBefore(c.steps[from]), bases: map[string]*Record{}}
	if err := s.keepAccepted(ctx, t.Name, l, plan); err != nil {
		return nil, err
	}
	for _, p := range l.all {
		if l.goes(p, plan.below) {
			plan.records++
			if p.kind == KindStep {
				plan.steps++
			}
		}
	}
	if plan.steps == 0 {
		return nil, nil
	}
	for ns, c := range l.chains {
		for _, st := range c.steps {
			if !l.goes(place{st.Seq, ns, KindStep}, plan.below) {
				if !c.alone(st, plan.below) {
					plan.bases[ns] = st
				}
				break
			}
		}
	}
	if o.cheap && len(plan.bases) > 0 {
		return nil, nil
	}
	return plan, nil
}

// cutBefore is the Seq to cut at so that st is the oldest step: its own, or that of the snapshot that was written in front of it.
func (c *chain) cutBefore(st *Record) uint64 {
	if snap := c.snapshots[st.Parent]; snap > 0 && snap == st.Seq-1 {
		return snap
	}
	return st.Seq
}

// keepAccepted keeps what came after the step that a head stands for which has accepted a loss: tasks that ended there have ended.
func (s *Store) keepAccepted(ctx context.Context, thread string, l *layout, plan *cut) error {
	for _, c := range l.chains {
		if !c.head().AcceptLoss {
			continue
		}
		given, err := s.givenUp(ctx, thread)
		if err != nil {
			return err
		}
		since, err := s.since(ctx, c.head(), given)
		if err != nil {
			return err
		}
		plan.below = min(plan.below, since)
	}
	return nil
}

// snapshotBases writes the state at each base, so that it needs nothing before it.
func (s *Store) snapshotBases(ctx context.Context, thread string, c *cut) error {
	for ns, st := range c.bases {
		at, err := s.stateAt(ctx, thread, ns, st.ID)
		if err != nil {
			return err
		}
		r := &Record{Kind: KindSnapshot, Namespace: ns, ID: st.ID, Ops: at.state.puts()}
		if n := bodySize(r); n > MaxRecord {
			return fmt.Errorf("thread %q: %w", thread, &LimitError{Field: "state", Max: MaxRecord, Got: n})
		}
		if _, err := s.append(ctx, thread, driver.Expect{AnyEpoch: true, Exists: true}, r); err != nil {
			return err
		}
	}
	return nil
}

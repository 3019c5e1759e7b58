package checkpoint

import (
	"context"
	"fmt"

	"github.com/dashhost/dashhost/checkpoint/driver"
)

// snapshotFrom is the least size of deltas, in bytes, that makes a snapshot worth it.
const snapshotFrom = 64 << 10

// recordCost is what a record costs to read beside its body, in bytes: many small deltas are as slow as a few large ones.
const recordCost = 256

// deltas is what reading a head costs.
type deltas struct {
	size     int64 // of the bodies since the snapshot, and recordCost for each
	snapshot int64 // size of its body, 0 if there is none
}

func (d *deltas) due() bool { return d.size > max(snapshotFrom, d.snapshot) }

// appendSteps writes recs of which some are steps, and snapshots of parents where they are due. c.mu is held.
func (c *Claim) appendSteps(ctx context.Context, recs []*Record, sealed []*driver.Record) (*Commit, error) {
	w := &stepWriter{c: c, heads: map[string]string{}, deltas: map[string]deltas{}}
	for i, r := range recs {
		if r.Kind == KindStep {
			if err := w.step(ctx, r, sealed[i].Size); err != nil {
				return nil, err
			}
		}
		w.recs, w.sealed = append(w.recs, r), append(w.sealed, sealed[i])
	}
	c.stamp(w.recs, w.sealed)
	commit, err := c.s.write(ctx, c.thread, driver.Expect{Epoch: c.epoch, Heads: w.expect}, w.recs, w.sealed)
	if err != nil {
		return nil, err
	}
	for ns, id := range w.heads {
		c.heads[ns] = id
		d := w.deltas[ns]
		c.deltas[ns] = &d
	}
	c.cancel = max(c.cancel, commit.c.Cancel)
	return commit, nil
}

// stepWriter collects one append: what it expects, writes, and leaves behind.
type stepWriter struct {
	c      *Claim
	expect []driver.Head
	heads  map[string]string
	deltas map[string]deltas
	recs   []*Record
	sealed []*driver.Record
}

// step gives r an id and a parent and puts a snapshot in front of it if one is due.
func (w *stepWriter) step(ctx context.Context, r *Record, size int64) error {
	c, ns := w.c, r.Namespace
	head, again := w.heads[ns]
	if !again {
		head = c.heads[ns]
		w.expect = append(w.expect, driver.Head{Namespace: ns, ID: head})
	}
	if r.ID == "" {
		r.ID = NewID(c.s.now(), max(head, c.minID))
	}
	if r.Parent == "" {
		r.Parent = head
	}
	if r.ID == head && !again { // appended before: the driver will say so
		w.heads[ns] = head
		d, err := c.measure(ctx, ns)
		w.deltas[ns] = d
		return err
	}
	if r.Parent == r.ID || head == "" && r.Parent != "" {
		return fmt.Errorf("thread %q: %w", c.thread, &InvalidError{Field: "parent", Reason: fmt.Sprintf("no step %q in namespace %q", r.Parent, ns)})
	}
	d, ok := w.deltas[ns]
	if !ok {
		var err error
		if d, err = c.measure(ctx, ns); err != nil {
			return err
		}
	}
	if !again && (r.Parent != head || d.due()) {
		snap, err := w.snapshot(ctx, ns, r.Parent)
		if err != nil {
			return err
		}
		d = deltas{snapshot: snap}
	} else if again && r.Parent != head {
		return fmt.Errorf("thread %q: %w", c.thread, &InvalidError{Field: "parent", Reason: "a second step of one append continues the first"})
	}
	d.size += size + recordCost
	w.heads[ns], w.deltas[ns] = r.ID, d
	return nil
}

// snapshot puts the state at id into the append and returns its size.
func (w *stepWriter) snapshot(ctx context.Context, ns, id string) (int64, error) {
	st, err := w.c.s.stateAt(ctx, w.c.thread, ns, id)
	if err != nil {
		return 0, err
	}
	r := &Record{Kind: KindSnapshot, Namespace: ns, ID: id, Ops: st.state.puts()}
	if n := bodySize(r); n > MaxRecord {
		return 0, fmt.Errorf("thread %q: %w", w.c.thread, &LimitError{Field: "state", Max: MaxRecord, Got: n})
	}
	d := &driver.Record{}
	w.c.s.seal.seal(d, r)
	w.recs, w.sealed = append(w.recs, r), append(w.sealed, d)
	return d.Size, nil
}

// measure says what reading the head of ns costs now. The first time it reads.
func (c *Claim) measure(ctx context.Context, ns string) (deltas, error) {
	if d := c.deltas[ns]; d != nil {
		return *d, nil
	}
	var d deltas
	if head := c.heads[ns]; head != "" {
		st, err := c.s.stateAt(ctx, c.thread, ns, head)
		if err != nil {
			return d, err
		}
		d = st.cost
	}
	c.deltas[ns] = &d
	return d, nil
}

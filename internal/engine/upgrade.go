package engine

import (
	"context"
	"fmt"

	"github.com/dashhost/dashhost/checkpoint"
)

// Upgrade records that the thread goes on with this Run's graph instead of the
// one it was recorded with. It is called after Resume, which has checked that
// every node that is due exists in the new graph. The step keeps its number
// and its tasks their identity; results of the coming step are written again
// behind the new record, in the same append, so that they stay known.
func (r *Run) Upgrade(ctx context.Context) error {
	snap, err := r.log.load(ctx, r.cfg.Namespace)
	if err != nil {
		return err
	}
	if snap.Head == nil {
		return ErrNothing
	}
	m, err := DecodeStep(snap.Head)
	if err != nil {
		return err
	}
	m.Source, m.Graph, m.Status, m.Done, m.Errors = SourceUpgrade, r.digest, StatusRunning, nil, nil
	step := &checkpoint.Record{
		Kind: checkpoint.KindStep, Namespace: r.cfg.Namespace, Parent: snap.Head.ID, Parts: snap.Head.Parts,
		Meta: mustJSON(m), Events: m.count(), Attrs: stepAttrs(r.graph.Name, m),
	}
	recs := []*checkpoint.Record{step}
	for _, old := range snap.Tail {
		if old.Kind != checkpoint.KindTaskDone && old.Kind != checkpoint.KindTaskFailed {
			continue
		}
		tm, err := DecodeTask(old)
		if err != nil {
			return err
		}
		tm.Copy = true
		recs = append(recs, &checkpoint.Record{Kind: old.Kind, Namespace: old.Namespace, Task: old.Task, Meta: mustJSON(tm), Parts: old.Parts})
	}
	if len(recs) > checkpoint.MaxRecords {
		return fmt.Errorf("thread %s: %d results of the present step are more than one append takes: resume with the recorded graph until the step is complete",
			r.log.thread, len(recs)-1)
	}
	commit, err := r.log.append(ctx, recs...)
	if err != nil {
		return err
	}
	r.note(step, m.events())
	if err := commit.wait(ctx); err != nil {
		return err
	}
	r.head, r.at = step.ID, step.Time
	r.flush()
	return nil
}

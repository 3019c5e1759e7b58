package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/dashhost/dashhost/checkpoint"
	"github.com/dashhost/dashhost/host/workflow"
)

// Edit is a change to a thread that no run makes. Each writes one step record
// under a claim and leaves the thread stopped, done or cancelled.
type Edit struct {
	Claim     *checkpoint.Claim
	Namespace string
	Clock     Clock // default SystemClock

	note func(*checkpoint.Record, []Event) // of a Run that is being cancelled
}

// Fork makes the checkpoint from the newest one of the thread: what comes after
// it stays in the history. Tasks that are due get new identities, and what was
// written for the step to come is left behind. It returns the new checkpoint's
// id, durable.
func (e *Edit) Fork(ctx context.Context, from *checkpoint.Record) (string, error) {
	m, err := DecodeStep(from)
	if err != nil {
		return "", err
	}
	return e.commit(ctx, from, m, SourceFork, nil)
}

// Update writes to channels as a node would, on top of the checkpoint from,
// whose state is given. Writes are a JSON object of channels; "name!" replaces.
// The error is an *Error for writes that do not fit.
func (e *Edit) Update(ctx context.Context, g *workflow.Graph, from *checkpoint.Record, st checkpoint.State, writes []byte) (string, error) {
	m, err := DecodeStep(from)
	if err != nil {
		return "", err
	}
	ws, bad := takeObject(g, writes, func(string) bool { return true }, "the update")
	if bad != nil {
		return "", bad
	}
	red, bad := reduceOnly(newState(st.All()), ws)
	if bad != nil {
		return "", bad
	}
	after := newState(st.All())
	after.apply(red.ops)
	if bad := recount(g, after, m.Next); bad != nil {
		return "", bad
	}
	m.Graph = g.Digest()
	return e.commit(ctx, from, m, SourceUpdate, red.ops)
}

// recount sets how many tasks the each nodes of a frontier have.
func recount(g *workflow.Graph, s *state, next []Pending) *Error {
	for i := range next {
		n := g.Node(next[i].Node)
		if n == nil || n.Each == nil || next[i].Each == nil {
			continue
		}
		count, bad := eachCount(s, n)
		if bad != nil {
			return bad
		}
		next[i].Each = &count
	}
	return nil
}

// reduceOnly reduces writes without ending the life of channels that were not
// written: no step goes by.
func reduceOnly(s *state, ws []Write) (*reduction, *Error) {
	r := &reduction{}
	for _, w := range ws {
		if err := r.channel(s, w.Channel, []written{{w, "the update"}}); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// Cancel ends the thread's run: the newest checkpoint has nothing due.
func (e *Edit) Cancel(ctx context.Context) (string, error) {
	snap, err := e.Claim.Load(ctx, e.Namespace)
	if err != nil {
		return "", err
	}
	if snap.Head == nil {
		return "", ErrNothing
	}
	m, err := DecodeStep(snap.Head)
	if err != nil {
		return "", err
	}
	if len(m.Next) == 0 {
		return "", ErrOver
	}
	m.Next = nil
	return e.commit(ctx, snap.Head, m, SourceCancel, nil)
}

// ErrOver is returned by Cancel for a run that has ended.
var ErrOver = errors.New("the run has ended")

func (e *Edit) commit(ctx context.Context, from *checkpoint.Record, m *StepMeta, source string, ops []checkpoint.Op) (string, error) {
	clock := e.Clock
	if clock == nil {
		clock = SystemClock{}
	}
	m.Source, m.Done, m.Errors = source, nil, nil
	m.Branch = checkpoint.NewID(clock.Now(), "")
	switch {
	case source == SourceCancel:
		m.Status = StatusCancelled
	case len(m.Next) == 0:
		m.Status = StatusDone
	default:
		m.Status = StatusStopped
	}
	rec := &checkpoint.Record{
		Kind: checkpoint.KindStep, Namespace: e.Namespace, Parent: from.ID, Ops: ops, Meta: mustJSON(m), Events: m.count(),
		Attrs: stepAttrs("", m),
	}
	if source != SourceCancel {
		rec.Parts = from.Parts
	}
	rel := &ReleaseMeta{Branch: m.Branch, Step: m.Step + 1, Status: m.Status}
	release := &checkpoint.Record{
		Kind: checkpoint.KindRelease, Namespace: e.Namespace, Attrs: []checkpoint.Attr{{Name: AttrStatus, Value: m.Status}},
		Meta: mustJSON(rel), Events: uint32(len(rel.events())),
	}
	commit, err := e.Claim.Append(ctx, rec, release)
	if err != nil {
		return "", err
	}
	if e.note != nil {
		e.note(rec, m.events())
		e.note(release, rel.events())
	}
	if err := commit.Wait(ctx); err != nil {
		return "", fmt.Errorf("%s: %w", source, err)
	}
	return rec.ID, e.Claim.Close()
}

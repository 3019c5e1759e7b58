package host

import (
	"context"
	"errors"
	"fmt"

	"github.com/dashhost/dashhost/checkpoint"
	"github.com/dashhost/dashhost/internal/engine"
)

// ForkOptions of Fork. Nil forks the newest checkpoint, which leaves behind
// what was done since.
type ForkOptions struct {
	Checkpoint string // id, or the beginning of exactly one; "" = the newest
}

// Fork makes an earlier checkpoint the newest one of its thread, so that the
// next Resume goes on from there. Nothing of the history is lost, and nothing
// that was written since counts. It returns the new checkpoint's id, durable.
//
// Errors: ErrNotFound, *checkpoint.BusyError, *checkpoint.DamageError, and
// others of the store.
func (h *Host) Fork(ctx context.Context, thread string, o *ForkOptions) (string, error) {
	if o == nil {
		o = &ForkOptions{}
	}
	return h.edit(ctx, thread, o.Checkpoint, func(e *engine.Edit, from *checkpoint.Record, _ checkpoint.State) (string, error) {
		return e.Fork(ctx, from)
	})
}

// UpdateOptions of Update. Nil updates the newest checkpoint.
type UpdateOptions struct {
	Checkpoint string // id, or the beginning of exactly one, that the update builds on; "" = the newest
	Graph      *Graph // nil = the one that the store keeps
	Nodes      Nodes  // for native nodes of a graph from the store
}

// Update writes to channels of a thread, as a node would: values are a JSON
// object of channels, reduced and checked against schemas; "name!" replaces. It
// returns the new checkpoint's id, durable. What the run has due stays due.
//
// Errors: those of Fork, and an *Error for values that do not fit.
func (h *Host) Update(ctx context.Context, thread string, values []byte, o *UpdateOptions) (string, error) {
	if o == nil {
		o = &UpdateOptions{}
	}
	g := o.Graph
	if err := h.usable(g); err != nil {
		return "", err
	}
	s, err := h.Store(ctx)
	if err != nil {
		return "", err
	}
	if g != nil {
		if err := g.keep(ctx, s); err != nil {
			return "", err
		}
	} else {
		info, err := existingThread(ctx, s, thread)
		if err != nil {
			return "", err
		}
		if g, _, err = h.resumeGraph(ctx, s, info, &ResumeOptions{Nodes: o.Nodes}); err != nil {
			return "", err
		}
		defer g.Close(context.WithoutCancel(ctx)) //nolint:errcheck // nothing ran on it
	}
	return h.edit(ctx, thread, o.Checkpoint, func(e *engine.Edit, from *checkpoint.Record, st checkpoint.State) (string, error) {
		return e.Update(ctx, g.graph, from, st, values)
	})
}

func existingThread(ctx context.Context, s *checkpoint.Store, thread string) (*checkpoint.ThreadInfo, error) {
	info, err := s.Thread(ctx, thread)
	if errors.Is(err, checkpoint.ErrNotFound) {
		err = fmt.Errorf("%w: %w", ErrNotFound, err)
	}
	return info, err
}

// edit claims a thread, changes it, and gives it back.
func (h *Host) edit(ctx context.Context, thread, id string,
	change func(*engine.Edit, *checkpoint.Record, checkpoint.State) (string, error),
) (string, error) {
	s, err := h.Store(ctx)
	if err != nil {
		return "", err
	}
	if _, err := existingThread(ctx, s, thread); err != nil {
		return "", err
	}
	claim, err := s.Claim(ctx, thread, nil)
	if err != nil {
		return "", err
	}
	from, st, err := s.State(ctx, thread, "", id)
	if err != nil {
		return "", errors.Join(err, giveBack(ctx, claim))
	}
	made, err := change(&engine.Edit{Claim: claim, Clock: h.opts.Clock}, from, st)
	if err != nil {
		return "", errors.Join(err, giveBack(ctx, claim))
	}
	return made, nil
}

// Cancel ends a thread's run for good: nothing is due any more, and the next
// start is a new turn. If a process holds the thread, it is asked, and Cancel
// returns asked = true at once; the holder stops its nodes within about a
// second. Otherwise the thread is cancelled when Cancel returns.
//
// Errors: ErrNotFound, *FinishedError, *checkpoint.DamageError, and others of
// the store.
func (h *Host) Cancel(ctx context.Context, thread string) (asked bool, err error) {
	s, err := h.Store(ctx)
	if err != nil {
		return false, err
	}
	info, err := existingThread(ctx, s, thread)
	if err != nil {
		return false, err
	}
	if ThreadFinished(info) {
		return false, &FinishedError{Thread: thread, Status: ThreadStatus(info)}
	}
	claim, err := s.Claim(ctx, thread, nil)
	if errors.Is(err, checkpoint.ErrBusy) {
		commit, err := s.Cancel(ctx, thread, nil)
		if err != nil {
			return false, err
		}
		return true, commit.Wait(ctx)
	}
	if err != nil {
		return false, err
	}
	_, err = (&engine.Edit{Claim: claim, Clock: h.opts.Clock}).Cancel(ctx)
	if err != nil {
		err = errors.Join(err, giveBack(ctx, claim))
	}
	if errors.Is(err, engine.ErrOver) || errors.Is(err, engine.ErrNothing) {
		return false, &FinishedError{Thread: thread, Status: ThreadStatus(info)}
	}
	return false, err
}

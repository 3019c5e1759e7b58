package checkpoint

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/dashhost/dashhost/checkpoint/driver"
)

// newestComplete is State for the newest step of a damaged thread whose whole chain can be read.
func (s *Store) newestComplete(ctx context.Context, t *driver.Thread, ns string) (*Record, State, error) {
	id, lost, err := s.sound(ctx, t.Name, ns)
	if err != nil {
		return nil, State{}, err
	}
	if id == "" {
		return nil, State{}, damage(t.Name, t.Damage, fmt.Sprintf("no complete step of namespace %q is left", ns))
	}
	at, err := s.stateAt(ctx, t.Name, ns, id)
	if err != nil {
		return nil, State{}, err
	}
	return at.step, at.state, damage(t.Name, t.Damage, fmt.Sprintf("newest complete step is %s, %d later ones are not", id, lost))
}

// sound finds the newest step of ns whose chain can be read to its end, "" if there is none, and how many readable steps after
// it have a broken chain.
func (s *Store) sound(ctx context.Context, thread, ns string) (id string, lost int, err error) {
	parents := map[string]string{}
	whole := map[string]bool{"": true}
	var ids []string
	q := driver.Query{Namespace: ns, Kinds: driver.Kinds(KindStep, KindSnapshot)}
	for r, err := range s.read(ctx, thread, q) {
		switch {
		case errors.Is(err, ErrDamaged):
		case err != nil:
			return "", 0, err
		case r.Kind == KindSnapshot:
			whole[r.ID] = true
		default:
			parents[r.ID] = r.Parent
			ids = append(ids, r.ID)
			whole[r.ID] = whole[r.ID] || whole[r.Parent]
		}
	}
	// A snapshot may stand after the step it folds up to, and make steps whole that were read before it: once more.
	for _, id := range ids {
		whole[id] = whole[id] || whole[parents[id]]
	}
	for _, id := range slices.Backward(ids) {
		if whole[id] {
			return id, lost, nil
		}
		lost++
	}
	return "", lost, nil
}

// acceptLoss returns the records that go on over damage: the claim with what was given up in its Meta, and for each namespace a
// step that continues the newest complete one, with its Meta and Parts and the attribute source=accepted_loss.
func (s *Store) acceptLoss(ctx context.Context, t *driver.Thread, claim *Record) ([]*Record, error) {
	type namespace struct {
		Namespace string `json:"namespace"`
		From      string `json:"from"`
		Steps     int    `json:"incomplete_steps"`
	}
	what := struct {
		File       string      `json:"file"`
		Offset     int64       `json:"offset"`
		Reason     string      `json:"reason"`
		Suspect    bool        `json:"suspect,omitempty"`
		Namespaces []namespace `json:"namespaces"`
	}{File: t.Damage.File, Offset: t.Damage.Offset, Reason: t.Damage.Reason, Suspect: t.Damage.Suspect}
	claim.AcceptLoss = true
	recs := []*Record{claim}
	for _, h := range t.Heads {
		id, lost, err := s.sound(ctx, t.Name, h.Namespace)
		if err != nil {
			return nil, err
		}
		if id == "" {
			return nil, damage(t.Name, t.Damage, fmt.Sprintf("no complete step of namespace %q is left to go on from: delete the thread", h.Namespace))
		}
		at, err := s.stateAt(ctx, t.Name, h.Namespace, id)
		if err != nil {
			return nil, err
		}
		step := &Record{
			Kind: KindStep, Namespace: h.Namespace, ID: NewID(s.now(), max(h.ID, t.MinID)), Parent: id, AcceptLoss: true,
			Due: at.step.Due, Meta: at.step.Meta, Parts: at.step.Parts,
		}
		for _, a := range at.step.Attrs {
			if a.Name != "source" {
				step.Attrs = append(step.Attrs, a)
			}
		}
		step.Attrs = append(step.Attrs, Attr{Name: "source", Value: "accepted_loss"})
		recs = append(recs, &Record{Kind: KindSnapshot, Namespace: h.Namespace, ID: id, Ops: at.state.puts(), AcceptLoss: true}, step)
		what.Namespaces = append(what.Namespaces, namespace{h.Namespace, id, lost})
	}
	meta, err := json.Marshal(what)
	if err != nil {
		return nil, err
	}
	claim.Meta = meta
	s.log.Warn("going on over damage", "thread", t.Name, "file", t.Damage.File, "offset", t.Damage.Offset, "reason", t.Damage.Reason)
	return recs, nil
}

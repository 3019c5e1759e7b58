package host

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/dashhost/dashhost/checkpoint"
	"github.com/dashhost/dashhost/internal/engine"
)

// Question is what a run waits for somebody to answer.
type Question struct {
	ID      string          `json:"id"`
	Kind    string          `json:"kind"` // before or after a node, as the manifest says, or inside one
	Node    string          `json:"node"`
	Path    string          `json:"path,omitempty"`
	N       int             `json:"n"`                 // which question of its task, from 0
	If      string          `json:"if,omitempty"`      // the manifest's condition, which holds
	Channel string          `json:"channel,omitempty"` // that the answer is written to
	Text    json.RawMessage `json:"text,omitempty"`    // of a node that asks
}

// Answer is an answer to a Question.
type Answer struct {
	ID    string // "" if only one question is open
	Value []byte // JSON
}

func questionsOf(qs []*engine.Question) []Question {
	var out []Question
	for _, q := range qs {
		out = append(out, Question{ID: q.ID, Kind: q.Kind, Node: q.Node, Path: q.Path, N: q.N, If: q.If, Channel: q.Channel, Text: q.Text})
	}
	return out
}

// Questions reads which questions of a thread are open, in the order in which
// they were asked. An error that Is checkpoint.ErrDamaged comes with what could
// be read.
func Questions(ctx context.Context, s *checkpoint.Store, thread string) ([]Question, error) {
	head, _, damage := s.State(ctx, thread, "", "")
	if errors.Is(damage, checkpoint.ErrNotFound) {
		_, err := s.Thread(ctx, thread)
		return nil, err
	}
	if head == nil {
		return nil, damage
	}
	step, err := engine.DecodeStep(head)
	if err != nil {
		return nil, err
	}
	var open []Question
	for r, err := range s.Tail(ctx, head) {
		switch {
		case errors.Is(err, checkpoint.ErrDamaged):
			damage = err
		case err != nil:
			return nil, err
		case r.Kind == checkpoint.KindInterrupt:
			m, err := engine.DecodeInterrupt(r)
			if err != nil {
				return nil, err
			}
			if m.Branch != step.Branch || m.Step != step.Step+1 {
				continue // of steps that were lost
			}
			if len(r.Parts) > 0 {
				m.Text = r.Parts[0]
			}
			open = append(open, questionsOf([]*engine.Question{&m.Question})...)
		case r.Kind == checkpoint.KindAnswer:
			m, err := engine.DecodeAnswer(r)
			if err != nil {
				return nil, err
			}
			open = without(open, m.ID)
		}
	}
	return open, damage
}

func without(qs []Question, id string) []Question {
	kept := qs[:0]
	for _, q := range qs {
		if q.ID != id {
			kept = append(kept, q)
		}
	}
	return kept
}

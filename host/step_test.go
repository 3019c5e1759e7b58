package host_test

import (
	"errors"
	"testing"

	"github.com/dashhost/dashhost/checkpoint"
	"github.com/dashhost/dashhost/host"
)

// TestDescribe: what the records of a thread say is what its run did.
func TestDescribe(t *testing.T) {
	h := newHost(t, nil)
	g := load(t, h, project(t, `
channels: {list: {}, out: {reduce: append}, end: {}}
nodes:
  each: {native: each, each: {over: list}, writes: [out]}
  last: {native: last, reads: [out], writes: [end]}
edges:
  - {from: START, to: each}
  - {from: each, to: last}
`), host.Nodes{
		"each": func(t *host.Task) error { return t.Write([]byte(`{"out":[1]}`)) },
		"last": func(*host.Task) error { return &host.Error{Code: "unlucky", Message: "no", Final: true} },
	})
	r, err := h.Start(t.Context(), g, []byte(`{"list":[1,2,3]}`), &host.RunOptions{Thread: "t"})
	if err != nil {
		t.Fatal(err)
	}
	if res, err := r.Wait(t.Context()); err != nil || res.Status != "failed" {
		t.Fatalf("%+v, %v", res, err)
	}
	s, err := h.Store(t.Context())
	if err != nil {
		t.Fatal(err)
	}

	done := map[int]int{} // tasks by step
	var steps []*host.Step
	for rec, err := range s.Records(t.Context(), "t") {
		if err != nil {
			t.Fatal(err)
		}
		switch rec.Kind {
		case checkpoint.KindStep:
			step, err := host.DescribeStep(rec)
			if err != nil {
				t.Fatal(err)
			}
			steps = append(steps, step)
			done[step.Number] += len(step.Done)
		case checkpoint.KindTaskDone, checkpoint.KindTaskFailed:
			task, err := host.DescribeTask(rec)
			if err != nil {
				t.Fatal(err)
			}
			if !task.Failed {
				done[task.Step]++
			}
		}
	}
	if len(steps) != 2 || steps[0].Source != "input" || steps[0].Next[0] != (host.NextTask{Node: "each", Tasks: 3}) {
		t.Errorf("steps: %+v", steps)
	}
	if done[1] != 3 || len(done) > 2 {
		t.Errorf("tasks done by step: %v, want 3 in step 1", done)
	}

	head, state, err := s.State(t.Context(), "t", "", "")
	if err != nil {
		t.Fatal(err)
	}
	tail, err := host.DescribeTail(t.Context(), s, head)
	if err != nil || tail.Err == nil || tail.Err.Code != "unlucky" || len(tail.Done) != 0 {
		t.Errorf("tail: %+v, %v", tail, err)
	}
	got := map[string]string{}
	for name, raw := range host.Channels(state) {
		got[name] = string(raw)
	}
	if len(got) != 2 || got["out"] != "[1,1,1]" || got["list"] != "[1,2,3]" {
		t.Errorf("channels: %v", got)
	}
}

// TestDescribeForeign: a record that somebody else wrote is an error, not a panic.
func TestDescribeForeign(t *testing.T) {
	for _, meta := range []string{"", "null", "[]", `{"next":[{"each":"x"}]}`, "\xff"} {
		for _, kind := range []checkpoint.Kind{checkpoint.KindStep, checkpoint.KindTaskDone} {
			rec := &checkpoint.Record{Kind: kind, Thread: "t", Meta: []byte(meta)}
			_, errStep := host.DescribeStep(rec)
			_, errTask := host.DescribeTask(rec)
			if errStep == nil && errTask == nil && meta != "null" {
				t.Errorf("%q: no error", meta)
			}
			if errors.Is(errStep, checkpoint.ErrDamaged) {
				t.Errorf("%q: foreign metadata is not damage", meta)
			}
		}
	}
}

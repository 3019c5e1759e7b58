package host_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/dashhost/dashhost/checkpoint"
	"github.com/dashhost/dashhost/checkpoint/memstore"
	"github.com/dashhost/dashhost/host"

	"context"
)

const editable = `
output: {channel: log}
channels: {items: {}, n: {reduce: add}, log: {reduce: append}}
nodes:
  plan: {native: plan, reads: [n], writes: [n]}
  work: {native: work, each: {over: items}, reads: [n], writes: [log]}
edges: [{from: START, to: plan}, {from: plan, to: work}]
`

func editNodes(broken *bool) host.Nodes {
	return host.Nodes{
		"plan": func(t *host.Task) error { return t.Write([]byte(`{"n":1}`)) },
		"work": host.Func(func(_ *host.Task, in struct{ Item, N int }) (map[string]any, error) {
			if *broken {
				return nil, &host.Error{Code: "broken", Message: "not yet"}
			}
			return map[string]any{"log": []string{fmt.Sprintf("%d of %d", in.Item, in.N)}}, nil
		}),
	}
}

func TestForkUpdateCancel(t *testing.T) {
	h := newHost(t, nil)
	broken := true
	g := load(t, h, project(t, editable), editNodes(&broken))
	run, err := h.Start(t.Context(), g, []byte(`{"items":[1,2]}`), &host.RunOptions{Thread: "t"})
	if res := wait(t, run, err); res.Status != "failed" {
		t.Fatalf("%+v", res)
	}
	// Values that do not fit change nothing.
	var bad *host.Error
	for _, v := range []string{`{"nope":1}`, `{"n":"x"}`, `[]`, `{`, `{"log":1}`} {
		if _, err := h.Update(t.Context(), "t", []byte(v), &host.UpdateOptions{Graph: g}); !errors.As(err, &bad) {
			t.Errorf("update %s: %v", v, err)
		}
	}
	// The list that is due changes with the update, also to nothing.
	if _, err := h.Update(t.Context(), "t", []byte(`{"items":[7,8,9],"n":10}`), &host.UpdateOptions{Graph: g}); err != nil {
		t.Fatal(err)
	}
	broken = false
	run, err = h.Resume(t.Context(), "t", &host.ResumeOptions{Graph: g})
	if res := wait(t, run, err); res.Status != "done" || string(res.Output) != `["7 of 11","8 of 11","9 of 11"]` {
		t.Fatalf("%+v %s", res, res.Output)
	}
	s, err := h.Store(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ids := checkpoints(t, s, "t")
	if len(ids) != 4 { // input, plan, update, work
		t.Fatalf("checkpoints %v", ids)
	}
	// A fork of the first step runs again what came after it, under another identity.
	forked, err := h.Fork(t.Context(), "t", &host.ForkOptions{Checkpoint: ids[1]})
	if err != nil {
		t.Fatal(err)
	}
	if info, err := s.Thread(t.Context(), "t"); err != nil || host.ThreadStatus(info) != "stopped" || info.Head[""] != forked {
		t.Errorf("after the fork: %+v, %v", info, err)
	}
	run, err = h.Resume(t.Context(), "t", &host.ResumeOptions{Graph: g})
	if res := wait(t, run, err); res.Status != "done" || string(res.Output) != `["1 of 1","2 of 1"]` {
		t.Errorf("fork: %+v %s", res, res.Output)
	}
	if n := len(checkpoints(t, s, "t")); n != 6 {
		t.Errorf("%d checkpoints: the fork overwrote history", n)
	}
	if _, err := h.Update(t.Context(), "t", []byte(`{"items":[]}`), &host.UpdateOptions{Graph: g, Checkpoint: ids[1]}); err != nil {
		t.Fatal(err)
	}
	run, err = h.Resume(t.Context(), "t", &host.ResumeOptions{Graph: g})
	if res := wait(t, run, err); res.Status != "done" {
		t.Errorf("nothing left to do: %+v", res)
	}
	for _, err := range []error{second(h.Fork(t.Context(), "t", &host.ForkOptions{Checkpoint: "nope"})), second(h.Fork(t.Context(), "nobody", nil))} {
		if !errors.Is(err, checkpoint.ErrNotFound) {
			t.Errorf("%v", err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func checkpoints(t *testing.T, s *checkpoint.Store, thread string) []string {
	t.Helper()
	var ids []string
	for rec, err := range s.Records(t.Context(), thread) {
		if err != nil {
			t.Fatal(err)
		}
		if rec.Kind == checkpoint.KindStep {
			ids = append(ids, rec.ID)
		}
	}
	return ids
}

func TestCancelOfARunElsewhere(t *testing.T) {
	mem := memstore.NewMemory()
	open := func(context.Context, string) (*checkpoint.Store, error) { return checkpoint.New(mem.Open(), nil), nil }
	h, other := newHost(t, &host.Options{OpenStore: open}), newHost(t, &host.Options{OpenStore: open})
	started := make(chan struct{})
	g := load(t, h, project(t, "channels: {v: {}}\nnodes: {a: {native: a, deadline: 60s}}\nedges: [{from: START, to: a}]\n"), host.Nodes{"a": func(task *host.Task) error {
		close(started)
		<-task.Context().Done()
		return task.Context().Err()
	}})
	run, err := h.Start(t.Context(), g, []byte(`{}`), &host.RunOptions{Thread: "t"})
	if err != nil {
		t.Fatal(err)
	}
	<-started
	asked, err := other.Cancel(t.Context(), "t")
	if err != nil || !asked {
		t.Fatalf("asked %v, %v", asked, err)
	}
	var last host.Event
	for e := range run.Events() {
		last = e
	}
	if res := wait(t, run, nil); res.Status != "cancelled" || last.Type != "run_stop" || last.Status != "cancelled" {
		t.Fatalf("%+v, last event %+v", res, last)
	}
	var finished *host.FinishedError
	if _, err := other.Cancel(t.Context(), "t"); !errors.As(err, &finished) || finished.Status != "cancelled" {
		t.Errorf("second cancel: %v", err)
	}
	if _, err := h.Resume(t.Context(), "t", &host.ResumeOptions{Graph: g}); !errors.As(err, &finished) {
		t.Errorf("resume of a cancelled run: %v", err)
	}
	// A stopped run is cancelled at once, and a cancelled thread takes a new turn.
	broken := true
	g = load(t, h, project(t, editable), editNodes(&broken))
	run, err = h.Start(t.Context(), g, []byte(`{"items":[1]}`), &host.RunOptions{Thread: "u"})
	if res := wait(t, run, err); res.Status != "failed" {
		t.Fatalf("%+v", res)
	}
	if asked, err := other.Cancel(t.Context(), "u"); err != nil || asked {
		t.Fatalf("asked %v, %v", asked, err)
	}
	broken = false
	run, err = h.Start(t.Context(), g, []byte(`{"items":[5]}`), &host.RunOptions{Thread: "u"})
	if res := wait(t, run, err); res.Status != "done" || !strings.Contains(string(res.Output), "5 of") {
		t.Errorf("%+v %s", res, res.Output)
	}
}

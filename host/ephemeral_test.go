package host_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/dashhost/dashhost/checkpoint"
	"github.com/dashhost/dashhost/checkpoint/memstore"
	"github.com/dashhost/dashhost/host"
)

// TestEphemeralRun: a run of which nothing is kept gives what a kept one gives, events included, and opens no store.
func TestEphemeralRun(t *testing.T) {
	outcome := func(o *host.RunOptions) (*host.Result, []string) {
		opened := 0
		h := newHost(t, &host.Options{OpenStore: func(context.Context, string) (*checkpoint.Store, error) {
			opened++
			return checkpoint.New(memstore.New(), nil), nil
		}})
		g := load(t, h, project(t, adder, "echo.wasm"), adderNodes)
		r, err := h.Start(t.Context(), g, []byte(`21`), o)
		if err != nil {
			t.Fatal(err)
		}
		var events []string
		for e := range r.Events() {
			events = append(events, strings.Join([]string{e.Type, e.Thread, e.Node, e.Status}, " "))
			if e.Seq == 0 || e.Time.IsZero() {
				t.Errorf("event %+v", e)
			}
		}
		if want := 1; (opened == want) == o.Ephemeral {
			t.Errorf("ephemeral %v: %d stores were opened", o.Ephemeral, opened)
		}
		slices.Sort(events) // two nodes of a step end in any order
		return wait(t, r, nil), events
	}
	kept, keptEvents := outcome(&host.RunOptions{Thread: "t"})
	res, events := outcome(&host.RunOptions{Thread: "t", Ephemeral: true})
	if string(res.Output) != string(kept.Output) || res.Status != kept.Status || res.Steps != kept.Steps || res.Tasks != kept.Tasks {
		t.Errorf("ephemeral %+v\nkept %+v", res, kept)
	}
	if !slices.Equal(events, keptEvents) {
		t.Errorf("ephemeral %q\nkept %q", events, keptEvents)
	}
	if res.Checkpoint != "" || res.Resumable {
		t.Errorf("there is something to resume: %+v", res)
	}
}

// TestEphemeralFailure: it fails, is cancelled and waits as any run, and cannot be taken up again.
func TestEphemeralFailure(t *testing.T) {
	h := newHost(t, nil)
	fails := func(*host.Task) error { return &host.Error{Code: "no", Message: "no"} }
	g := load(t, h, project(t, one), host.Nodes{"a": fails})
	r, err := h.Start(t.Context(), g, []byte(`1`), &host.RunOptions{Ephemeral: true})
	if res := wait(t, r, err); res.Status != "failed" || res.Err == nil || res.Err.Code != "no" || res.Resumable {
		t.Errorf("%+v", res)
	}
	entered := make(chan struct{})
	g = load(t, h, project(t, one), host.Nodes{"a": func(task *host.Task) error {
		close(entered)
		<-task.Context().Done()
		return task.Context().Err()
	}})
	r, err = h.Start(t.Context(), g, []byte(`1`), &host.RunOptions{Ephemeral: true})
	if err != nil {
		t.Fatal(err)
	}
	<-entered
	r.Cancel()
	if res := wait(t, r, nil); res.Status != "stopped" || res.Resumable {
		t.Errorf("%+v", res)
	}
	if _, err := h.Start(t.Context(), g, []byte(`{`), &host.RunOptions{Ephemeral: true}); err == nil {
		t.Error("bad input is taken")
	}
}

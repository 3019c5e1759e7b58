package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const reviewManifest = `
channels: {findings: {reduce: append}, waivers: {reduce: merge}, report: {}}
nodes:
  check:  {native: check, writes: [findings]}
  other:  {native: other, writes: [findings]}
  report: {native: report, reads: [findings, waivers], writes: [report]}
edges: [{from: START, to: [check, other]}, {from: [check, other], to: report}]
interrupt: {before: [report], if: "findings.exists(f, !(f in waivers))", answer: waivers}
`

func (b *bench) answer(id, value string) (*Run, *Result, error) {
	b.t.Helper()
	c := b.claim()
	r := b.newRun(c)
	if err := r.Resume(b.t.Context()); err != nil {
		b.t.Fatal(err)
	}
	if err := r.Answer(b.t.Context(), id, []byte(value)); err != nil {
		if e := c.Release(b.t.Context(), nil); e != nil {
			b.t.Fatal(e)
		}
		return nil, nil, err
	}
	return r, b.loop(r), nil
}

func TestInterruptBefore(t *testing.T) {
	b := newBench(t, reviewManifest, map[string]nodeFunc{
		"check": constant(`{"findings":["a","b"]}`),
		"report": func(in map[string]json.RawMessage, _ *Task) (string, error) {
			return `{"report":` + string(in["waivers"]) + `}`, nil
		},
	})
	_, res := b.run(`{}`)
	status(t, res, StatusWaiting)
	if len(res.Questions) != 1 || res.Questions[0].Node != "report" || res.Questions[0].Kind != AskBefore || res.Questions[0].Channel != "waivers" {
		t.Fatalf("questions %+v", res.Questions)
	}
	first := res.Questions[0].ID
	if _, res = b.resume(); res.Status != StatusWaiting || res.Questions[0].ID != first {
		t.Fatalf("resume without an answer: %+v", res)
	}
	var e *Error
	for _, bad := range []string{`[]`, `{`, `{"a":1,"a":2}`} {
		if _, _, err := b.answer("", bad); !errors.As(err, &e) {
			t.Errorf("answer %s: %v", bad, err)
		}
	}
	if _, _, err := b.answer("0123", `{}`); !errors.Is(err, ErrNoQuestion) {
		t.Errorf("unknown id: %v", err)
	}
	// The condition still holds: it asks again, under another id.
	_, res, err := b.answer("", `{"a":"known"}`)
	if err != nil {
		t.Fatal(err)
	}
	status(t, res, StatusWaiting)
	if res.Questions[0].ID == first || res.Questions[0].N != 1 {
		t.Errorf("second question %+v", res.Questions[0])
	}
	if _, _, err := b.answer(first, `{}`); !errors.Is(err, ErrAnswered) {
		t.Errorf("second answer to one question: %v", err)
	}
	r, res, err := b.answer(res.Questions[0].ID, `{"b":"known too"}`)
	if err != nil {
		t.Fatal(err)
	}
	status(t, res, StatusDone)
	b.want(r, `findings=["a","b"] waivers={"a":"known","b":"known too"} report={"a":"known","b":"known too"}`)
	if d := cmp.Diff([]string{"check[]#1", "other[]#1", "report[]#1"}, sorted(b.calls)); d != "" {
		t.Errorf("calls:\n%s", d)
	}
	// The next turn asks only about what is new.
	b.nodes["check"] = NodeFunc(func(context.Context, *Task) (Outcome, error) {
		return Outcome{Output: []byte(`{"findings!":["b"]}`)}, nil
	})
	if _, res = b.run(`{}`); res.Status != StatusDone {
		t.Errorf("second turn: %+v", res)
	}
}

func sorted(s []string) []string {
	out := append([]string(nil), s...)
	for i := range out {
		for j := i; j > 0 && out[j] < out[j-1]; j-- {
			out[j], out[j-1] = out[j-1], out[j]
		}
	}
	return out
}

func TestInterruptAfterHoldsTheNextStep(t *testing.T) {
	b := newBench(t, `
channels: {v: {}}
nodes: {a: {native: a}, b: {native: b}}
edges: [{from: START, to: a}, {from: a, to: b}]
interrupt: {after: [a], answer: v}
`, nil)
	_, res := b.run(`{}`)
	status(t, res, StatusWaiting)
	if len(b.calls) != 1 || res.Questions[0].Kind != AskAfter {
		t.Errorf("calls %v, question %+v", b.calls, res.Questions[0])
	}
	r, res, err := b.answer("", `"yes"`)
	if err != nil {
		t.Fatal(err)
	}
	status(t, res, StatusDone)
	b.want(r, `v="yes"`)
}

func TestNodesAsk(t *testing.T) {
	b := newBench(t, `
channels: {items: {}, log: {reduce: append}}
nodes: {ask: {native: ask, each: {over: items}, writes: [log], interrupts: true}}
edges: [{from: START, to: ask}]
`, nil)
	b.nodes["ask"] = NodeFunc(func(_ context.Context, task *Task) (Outcome, error) {
		b.mu.Lock()
		b.calls = append(b.calls, fmt.Sprintf("%s#%d/%d%s", task.Path, task.Attempt, len(task.Asked), task.Calls))
		b.mu.Unlock()
		want := map[string]int{"0": 0, "1": 1, "2": 2}[task.Path]
		if n := len(task.Asked); n < want {
			return Outcome{Output: []byte(`{"log":["dropped"]}`), Ask: &Ask{Question: fmt.Appendf(nil, `"q%d"`, n), Calls: fmt.Appendf(nil, " seen%d", n)}}, nil
		}
		var words []string
		for _, a := range task.Asked {
			words = append(words, string(a.Question)+":"+string(a.Answer))
		}
		line, _ := json.Marshal(task.Path + " " + strings.Join(words, " "))
		return Outcome{Output: fmt.Appendf(nil, `{"log":[%s]}`, line)}, nil
	})
	_, res := b.run(`{"items":[1,2,3]}`)
	status(t, res, StatusWaiting)
	if len(res.Questions) != 2 {
		t.Fatalf("questions %+v", res.Questions)
	}
	if _, _, err := b.answer("", `1`); !errors.Is(err, ErrAmbiguous) {
		t.Errorf("answer without an id: %v", err)
	}
	byPath := map[string]string{}
	for _, q := range res.Questions {
		byPath[q.Path] = q.ID
	}
	b.calls = nil
	_, res, err := b.answer(byPath["2"], `"x"`)
	if err != nil {
		t.Fatal(err)
	}
	status(t, res, StatusWaiting)
	if d := cmp.Diff([]string{"2#1/1 seen0"}, b.calls); d != "" {
		t.Errorf("only the task that was answered runs:\n%s", d)
	}
	if _, res, err = b.answer(byPath["1"], `"y"`); err != nil || res.Status != StatusWaiting {
		t.Fatalf("%+v %v", res, err)
	}
	r, res, err := b.answer("", `"z"`)
	if err != nil {
		t.Fatal(err)
	}
	status(t, res, StatusDone)
	b.want(r, `items=[1,2,3] log=["0 ","1 \"q0\":\"y\"","2 \"q0\":\"x\" \"q1\":\"z\""]`)
}

package host_test

import (
	"encoding/json"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/dashhost/dashhost/host"
)

// TestNativeNodeAsks: what the node did through its Task before the question is
// told to it again, and the answer ends up in its output.
func TestNativeNodeAsks(t *testing.T) {
	h := newHost(t, nil)
	var calls atomic.Int32
	var first []byte
	g := load(t, h, project(t, `
output: {channel: v}
channels: {v: {}}
nodes: {a: {native: a, writes: [v], interrupts: true, grants: {random: true, clock: true}}}
edges: [{from: START, to: a}]
`), host.Nodes{"a": func(task *host.Task) error {
		calls.Add(1)
		token := make([]byte, 16)
		if err := task.Random(token); err != nil {
			return err
		}
		if first == nil {
			first = token
		} else if string(first) != string(token) {
			t.Errorf("random before the question: %x, then %x", first, token)
		}
		answer, err := task.Ask([]byte(`{"deploy":true}`))
		if err != nil {
			return err
		}
		return task.Write([]byte(`{"v":` + string(answer) + `}`))
	}})
	run, err := h.Start(t.Context(), g, []byte(`{}`), &host.RunOptions{Thread: "t"})
	res := wait(t, run, err)
	if res.Status != "waiting" || len(res.Questions) != 1 || string(res.Questions[0].Text) != `{"deploy":true}` || res.Questions[0].Kind != "inside" {
		t.Fatalf("%+v", res)
	}
	s, err := h.Store(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	open, err := host.Questions(t.Context(), s, "t")
	if err != nil || len(open) != 1 || open[0].ID != res.Questions[0].ID || string(open[0].Text) != `{"deploy":true}` {
		t.Errorf("open questions %+v, %v", open, err)
	}
	info, err := s.Thread(t.Context(), "t")
	if err != nil || host.ThreadStatus(info) != "waiting" {
		t.Errorf("status %s, %v", host.ThreadStatus(info), err)
	}
	var bad *host.Error
	if _, err := h.Resume(t.Context(), "t", &host.ResumeOptions{Graph: g, Answers: []host.Answer{{Value: []byte(`{`)}}}); !errors.As(err, &bad) {
		t.Errorf("answer that is not JSON: %v", err)
	}
	if _, err := h.Resume(t.Context(), "t", &host.ResumeOptions{Graph: g, Answers: []host.Answer{{ID: "00", Value: []byte(`1`)}}}); !errors.Is(err, host.ErrNoQuestion) {
		t.Errorf("answer to nothing: %v", err)
	}
	run, err = h.Resume(t.Context(), "t", &host.ResumeOptions{Graph: g, Answers: []host.Answer{{ID: open[0].ID, Value: []byte(`"go"`)}}})
	if res := wait(t, run, err); res.Status != "done" || string(res.Output) != `"go"` || calls.Load() != 2 {
		t.Errorf("%+v after %d calls", res, calls.Load())
	}
	if open, err = host.Questions(t.Context(), s, "t"); err != nil || len(open) != 0 {
		t.Errorf("open questions after the end: %+v, %v", open, err)
	}
}

// TestReviewFlow: the manifest interrupts on high findings, waivers stay in the
// thread, the next push asks about new ones only.
func TestReviewFlow(t *testing.T) {
	h := newHost(t, nil)
	g := load(t, h, project(t, `
input: {channel: findings}
output: {channel: report}
channels: {findings: {}, waivers: {reduce: merge}, report: {}}
nodes: {report: {native: report, reads: [findings, waivers], writes: [report]}}
edges: [{from: START, to: report}]
interrupt: {before: [report], if: "findings.exists(f, f.high && !(f.id in waivers))", answer: waivers}
`), host.Nodes{"report": host.Func(func(_ *host.Task, in struct {
		Findings []struct {
			ID string `json:"id"`
		} `json:"findings"`
		Waivers map[string]string `json:"waivers"`
	}) (map[string]any, error) {
		return map[string]any{"report": len(in.Findings) - len(in.Waivers)}, nil
	})})
	push := func(findings string) *host.Result {
		run, err := h.Start(t.Context(), g, []byte(findings), &host.RunOptions{Thread: "pr-42"})
		return wait(t, run, err)
	}
	if res := push(`[{"id":"a","high":true},{"id":"b","high":false}]`); res.Status != "waiting" || res.Questions[0].Channel != "waivers" {
		t.Fatalf("%+v", res)
	}
	waiver, _ := json.Marshal(map[string]string{"a": "known"})
	run, err := h.Resume(t.Context(), "pr-42", &host.ResumeOptions{Graph: g, Answers: []host.Answer{{Value: waiver}}})
	if res := wait(t, run, err); res.Status != "done" || string(res.Output) != "1" {
		t.Fatalf("%+v", res)
	}
	if res := push(`[{"id":"a","high":true}]`); res.Status != "done" {
		t.Errorf("second push asks again: %+v", res)
	}
	if res := push(`[{"id":"a","high":true},{"id":"c","high":true}]`); res.Status != "waiting" {
		t.Errorf("a new finding does not ask: %+v", res)
	}
}

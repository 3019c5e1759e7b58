package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dashhost/dashhost/checkpoint"
	"github.com/dashhost/dashhost/checkpoint/driver"
	"github.com/dashhost/dashhost/checkpoint/memstore"
)

// mortal is a driver whose process dies at a chosen append: that one, and all
// that follow, are not written. Commits of what was written stay durable.
type mortal struct {
	driver.Driver
	mu   sync.Mutex
	left int // appends until death; negative = immortal
	dead bool
}

var errDead = errors.New("the process is dead")

func (m *mortal) Append(ctx context.Context, thread string, e driver.Expect, recs []*driver.Record) (*driver.Commit, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.dead || m.left == 0 {
		m.dead = true
		return nil, errDead
	}
	m.left--
	return m.Driver.Append(ctx, thread, e, recs)
}

func (m *mortal) Close() error { return nil }

const crashManifest = `
channels: {n: {reduce: add}, log: {reduce: append}, items: {}}
nodes:
  plan: {native: plan, writes: [items, n]}
  work: {native: work, each: {over: items}, writes: [log, n], retry: {attempts: 3, initial: 1ms, on: [flaky]}}
  sum: {native: sum, reads: [n], writes: [log]}
edges:
  - {from: START, to: plan}
  - {from: plan, to: work}
  - {from: work, to: sum}
  - {from: sum, when: [{if: "n < 20", to: plan}, {to: END}]}
`

// witness counts, outside the store, how often each task ended well.
type witness struct {
	mu   sync.Mutex
	done map[TaskID]int
}

// acknowledged returns how often each task ran whose end the log holds.
func (w *witness) acknowledged(t *testing.T, mem driver.Driver) map[TaskID]int {
	t.Helper()
	out := map[TaskID]int{}
	for rec, err := range checkpoint.New(mem, nil).Records(t.Context(), "t") {
		if errors.Is(err, checkpoint.ErrNotFound) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		var ended []Ended
		var branch string
		var step int
		switch rec.Kind {
		case checkpoint.KindStep:
			m, err := DecodeStep(rec)
			if err != nil {
				t.Fatal(err)
			}
			ended, branch, step = m.Done, m.Branch, m.Step
		case checkpoint.KindTaskDone:
			m, err := DecodeTask(rec)
			if err != nil {
				t.Fatal(err)
			}
			ended, branch, step = []Ended{m.Ended}, m.Branch, m.Step
		}
		for _, e := range ended {
			id := newTaskID("t", "", branch, step, e.Node, e.Path)
			if out[id] = w.done[id]; out[id] == 0 {
				t.Fatalf("the log says that %s[%s] of step %d ended, it never ran", e.Node, e.Path, step)
			}
		}
	}
	return out
}

func crashNodes(w *witness) map[string]Node {
	node := func(f func(in map[string]json.RawMessage, t *Task) (string, error)) Node {
		return NodeFunc(func(_ context.Context, t *Task) (Outcome, error) {
			var in map[string]json.RawMessage
			if err := json.Unmarshal(t.Input, &in); err != nil {
				return Outcome{}, err
			}
			out, err := f(in, t)
			if err != nil {
				return Outcome{}, err
			}
			w.mu.Lock()
			w.done[t.ID]++
			w.mu.Unlock()
			return Outcome{Output: []byte(out)}, nil
		})
	}
	return map[string]Node{
		"plan": node(func(map[string]json.RawMessage, *Task) (string, error) { return `{"items":[1,2,3,4],"n":1}`, nil }),
		"work": node(func(in map[string]json.RawMessage, t *Task) (string, error) {
			if t.Path == "2" && t.Attempt == 1 {
				return "", &Error{Code: "flaky", Message: "once"}
			}
			return fmt.Sprintf(`{"log":["%s:%s"],"n":%s}`, t.Path, in["item"], in["item"]), nil
		}),
		"sum": node(func(in map[string]json.RawMessage, _ *Task) (string, error) {
			return `{"log":[` + string(in["n"]) + `]}`, nil
		}),
	}
}

const crashWant = `[0:1 1:2 2:3 3:4 11 0:1 1:2 2:3 3:4 22]`

// TestCrashAtEveryAppend lets the process die at each append in turn, resumes,
// and lets it die again one append later, until the run is done: the result is
// always the one of a run that nothing disturbs, and a task whose end was
// written never runs again.
func TestCrashAtEveryAppend(t *testing.T) {
	g := parse(t, crashManifest)
	for first := 0; ; first++ {
		mem := memstore.New()
		w := &witness{done: map[TaskID]int{}}
		clock := &fakeClock{now: time.UnixMicro(1_700_000_000_000_000)}
		deaths := 0
		for life := 0; ; life++ {
			d := &mortal{Driver: mem, left: first + life}
			store := checkpoint.New(d, &checkpoint.Options{Now: clock.Now})
			before := w.acknowledged(t, mem)
			ended, err := liveOnce(t, store, Config{Graph: g, Nodes: crashNodes(w), Clock: clock, UserGrant: true})
			for id, n := range before {
				if w.done[id] != n {
					t.Fatalf("first death %d, life %d: task %v ran again although its end was written", first, life, id)
				}
			}
			if ended {
				break
			}
			if !errors.Is(err, errDead) {
				t.Fatalf("first death %d, life %d: %v", first, life, err)
			}
			deaths++
			if life > 200 {
				t.Fatalf("first death %d: no progress", first)
			}
		}
		checkCrashed(t, mem, w)
		if deaths == 0 {
			if first < 9 {
				t.Fatalf("the run has only %d appends: the test kills nothing", first)
			}
			return
		}
	}
}

// liveOnce is one life of a process: claim, begin or resume, loop.
func liveOnce(t *testing.T, store *checkpoint.Store, cfg Config) (ended bool, err error) {
	claim, err := store.Claim(t.Context(), "t", &checkpoint.ClaimOptions{TakeOver: true})
	if err != nil {
		return false, err
	}
	cfg.Claim = claim
	r := New(cfg)
	err = r.Resume(t.Context())
	if errors.Is(err, ErrNothing) {
		err = r.Begin(t.Context(), Input{Value: []byte(`{}`)})
	}
	if err != nil {
		return false, err
	}
	res, err := r.Loop(t.Context())
	if err != nil {
		return false, err
	}
	status(t, res, StatusDone)
	return true, nil
}

func checkCrashed(t *testing.T, mem driver.Driver, w *witness) {
	t.Helper()
	store := checkpoint.New(mem, nil)
	_, st, err := store.State(t.Context(), "t", "", "")
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := st.Get("log")
	var log []any
	if err := json.Unmarshal(raw, &log); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(log); got != crashWant {
		t.Fatalf("log %s, want %s", got, crashWant)
	}
	// Every number is used once, without gaps, and no acknowledged end twice.
	next := uint64(1)
	ends := map[string]int{}
	for rec, err := range store.Records(t.Context(), "t") {
		if err != nil {
			t.Fatal(err)
		}
		evs, err := Events(rec)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range evs {
			if e.Seq != next {
				t.Fatalf("event %d has number %d", next, e.Seq)
			}
			next++
			if e.Type == EventNodeEnd {
				ends[fmt.Sprint(e.Step, e.Node, e.Path)]++
			}
		}
	}
	for task, n := range ends {
		if n != 1 {
			t.Errorf("task %s ended %d times in the log", task, n)
		}
	}
	if len(ends) != 12 {
		t.Errorf("%d tasks ended, want 12", len(ends))
	}
}

// TestAttemptsAreChargedForCrashes: without a person asking, a task whose
// process dies again and again uses up its attempts.
func TestAttemptsAreChargedForCrashes(t *testing.T) {
	g := parse(t, "channels: {v: {}}\nnodes: {a: {native: a, writes: [v], retry: {attempts: 2}}}\nedges: [{from: START, to: a}]\n")
	store := checkpoint.New(memstore.New(), nil)
	var attempts []int
	lives := 0
	for {
		claim, err := store.Claim(t.Context(), "t", &checkpoint.ClaimOptions{TakeOver: true})
		if err != nil {
			t.Fatal(err)
		}
		r := New(Config{Graph: g, Claim: claim, Nodes: map[string]Node{"a": NodeFunc(func(_ context.Context, task *Task) (Outcome, error) {
			attempts = append(attempts, task.Attempt)
			return Outcome{}, nil
		})}})
		if err := r.Resume(t.Context()); errors.Is(err, ErrNothing) {
			err = r.Begin(t.Context(), Input{Value: []byte(`{}`)})
			if err != nil {
				t.Fatal(err)
			}
		} else if err != nil {
			t.Fatal(err)
		}
		lives++
		if lives <= 2 {
			continue // dies before the task ends: the claim is never released
		}
		res, err := r.Loop(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if status(t, res, StatusFailed); res.Err.Node != "a" || res.Err.Attempt != 2 {
			t.Errorf("%+v", res.Err)
		}
		break
	}
	if len(attempts) != 0 {
		t.Errorf("attempts %v", attempts)
	}
	// A person may ask for more.
	claim, err := store.Claim(t.Context(), "t", nil)
	if err != nil {
		t.Fatal(err)
	}
	r := New(Config{Graph: g, Claim: claim, UserGrant: true, Nodes: map[string]Node{"a": NodeFunc(func(_ context.Context, task *Task) (Outcome, error) {
		attempts = append(attempts, task.Attempt)
		return Outcome{Output: []byte(`{"v":1}`)}, nil
	})}})
	if err := r.Resume(t.Context()); err != nil {
		t.Fatal(err)
	}
	res, err := r.Loop(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	status(t, res, StatusDone)
	if d := cmp.Diff([]int{3}, attempts); d != "" {
		t.Errorf("attempts:\n%s", d)
	}
}

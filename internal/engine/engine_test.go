package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dashhost/dashhost/checkpoint"
	"github.com/dashhost/dashhost/checkpoint/memstore"
	"github.com/dashhost/dashhost/host/workflow"
)

// bench is a graph with its nodes and a store.
type bench struct {
	t     *testing.T
	graph *workflow.Graph
	nodes map[string]Node
	store *checkpoint.Store
	clock *fakeClock

	mu     sync.Mutex
	calls  []string // node[path]#attempt, in order of completion
	events []Event
}

// fakeClock moves only when somebody sleeps.
type fakeClock struct {
	mu    sync.Mutex
	now   time.Time
	slept []time.Duration
}

func (c *fakeClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *fakeClock) Sleep(ctx context.Context, d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	c.slept = append(c.slept, d)
	return ctx.Err()
}

func parse(t testing.TB, manifest string) *workflow.Graph {
	t.Helper()
	g, _, err := workflow.Parse(t.Context(), "test.yaml", []byte("version: 1\n"+manifest), nil)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

type nodeFunc func(in map[string]json.RawMessage, task *Task) (string, error)

func newBench(t *testing.T, manifest string, nodes map[string]nodeFunc) *bench {
	t.Helper()
	b := &bench{t: t, graph: parse(t, manifest), nodes: map[string]Node{}, clock: &fakeClock{now: time.UnixMicro(1_700_000_000_000_000)}}
	b.store = checkpoint.New(memstore.New(), &checkpoint.Options{Now: b.clock.Now})
	t.Cleanup(func() {
		if err := b.store.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, n := range b.graph.Nodes {
		f := nodes[n.Name]
		if f == nil {
			f = func(map[string]json.RawMessage, *Task) (string, error) { return "", nil }
		}
		b.nodes[n.Name] = NodeFunc(func(_ context.Context, task *Task) (Outcome, error) {
			var in map[string]json.RawMessage
			if n.RawIn == "" {
				if err := json.Unmarshal(task.Input, &in); err != nil {
					t.Errorf("input of %s: %v: %s", n.Name, err, task.Input)
				}
			}
			out, err := f(in, task)
			b.mu.Lock()
			b.calls = append(b.calls, fmt.Sprintf("%s[%s]#%d", task.Node.Name, task.Path, task.Attempt))
			b.mu.Unlock()
			if out == "" {
				return Outcome{}, err
			}
			return Outcome{Output: []byte(out)}, err
		})
	}
	return b
}

func (b *bench) claim() *checkpoint.Claim {
	b.t.Helper()
	c, err := b.store.Claim(b.t.Context(), "t", nil)
	if err != nil {
		b.t.Fatal(err)
	}
	return c
}

func (b *bench) newRun(c *checkpoint.Claim) *Run {
	return New(Config{Graph: b.graph, Nodes: b.nodes, Claim: c, Clock: b.clock, UserGrant: true, Emit: func(e Event) { b.events = append(b.events, e) }})
}

// run starts a turn and drives it to its end.
func (b *bench) run(input string) (*Run, *Result) {
	b.t.Helper()
	r := b.newRun(b.claim())
	if err := r.Begin(b.t.Context(), Input{Value: []byte(input)}); err != nil {
		b.t.Fatal(err)
	}
	return r, b.loop(r)
}

func (b *bench) resume() (*Run, *Result) {
	b.t.Helper()
	r := b.newRun(b.claim())
	if err := r.Resume(b.t.Context()); err != nil {
		b.t.Fatal(err)
	}
	return r, b.loop(r)
}

func (b *bench) loop(r *Run) *Result {
	b.t.Helper()
	res, err := r.Loop(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	b.agree(r)
	b.checkEvents()
	return res
}

// agree checks that the run and the store, which fold the same ops with code of
// their own, have the same state.
func (b *bench) agree(r *Run) {
	b.t.Helper()
	if len(r.answered) > 0 {
		return // what answers wrote goes into the next step record
	}
	_, st, err := b.store.State(b.t.Context(), "t", "", "")
	if err != nil {
		b.t.Fatal(err)
	}
	want := map[string]string{}
	for name, v := range st.All() {
		want[name] = string(v)
	}
	got := map[string]string{}
	for name := range r.state.values {
		got[name] = string(r.state.get(name))
	}
	if d := cmp.Diff(want, got); d != "" {
		b.t.Errorf("state of the store (-) and of the run (+) differ:\n%s", d)
	}
}

// checkEvents checks that the emitted events are those that the log gives,
// numbered without gaps.
func (b *bench) checkEvents() {
	b.t.Helper()
	var want []Event
	for rec, err := range b.store.Records(b.t.Context(), "t") {
		if err != nil {
			b.t.Fatal(err)
		}
		evs, err := Events(rec)
		if err != nil {
			b.t.Fatal(err)
		}
		if len(evs) != int(rec.Events) {
			b.t.Errorf("record %d (kind %v) says that it makes %d events, it makes %d", rec.Seq, rec.Kind, rec.Events, len(evs))
		}
		want = append(want, evs...)
	}
	if d := cmp.Diff(want, b.events); d != "" {
		b.t.Errorf("events of the log (-) and emitted (+) differ:\n%s", d)
	}
	for i, e := range want {
		if e.Seq != uint64(i+1) {
			b.t.Fatalf("event %d has number %d", i+1, e.Seq)
		}
	}
}

func (b *bench) want(r *Run, channels string) {
	b.t.Helper()
	out := []string{}
	for name, v := range r.Channels() {
		out = append(out, name+"="+string(v))
	}
	if got := strings.Join(out, " "); got != channels {
		b.t.Errorf("channels:\n got %s\nwant %s", got, channels)
	}
}

func status(t *testing.T, res *Result, want string) {
	t.Helper()
	if res.Status != want {
		t.Fatalf("status %s (%v), want %s", res.Status, res.Err, want)
	}
}

func constant(out string) nodeFunc {
	return func(map[string]json.RawMessage, *Task) (string, error) { return out, nil }
}

func TestReducers(t *testing.T) {
	b := newBench(t, `
channels:
  v: {}
  f: {reduce: first}
  l: {reduce: append}
  u: {reduce: union}
  m: {reduce: merge}
  n: {reduce: add}
  hi: {reduce: max}
  lo: {reduce: min}
nodes:
  a: {native: a, reads: [v], writes: [v, f, l, u, m, n, hi, lo]}
  b: {native: b, writes: [f, l, u, m, n, hi, lo]}
  c: {native: c, reads: [v, l], writes: ["l"]}
edges:
  - {from: START, to: [a, b]}
  - {from: [a, b], to: c}
`, map[string]nodeFunc{
		"a": constant(`{"v":9007199254740993,"f":"a","l":[1, {"x": 2}],"u":[{"k":1, "j":2},3],"m":{"p":1,"q":2},"n":9007199254740993,"hi":9007199254740993,"lo":1.5}`),
		"b": constant(`{"f":"b","l":[],"u":[ {"j":2,"k":1},4 ],"m":{"q":3,"r":4},"n":2,"hi":9007199254740992.0,"lo":2}`),
		"c": func(in map[string]json.RawMessage, _ *Task) (string, error) {
			return `{"l":[` + string(in["v"]) + `,` + string(in["l"]) + `]}`, nil
		},
	})
	r, res := b.run(`{"v":0,"l":["in"]}`)
	status(t, res, StatusDone)
	b.want(r, `v=9007199254740993 f="a" l=["in",1, {"x": 2},9007199254740993,["in",1, {"x": 2}]] u=[{"k":1, "j":2},3,4] m={"p":1,"q":3,"r":4} n=9007199254740995 hi=9007199254740993 lo=1.5`)
	if res.Steps != 2 || res.Tasks != 3 {
		t.Errorf("steps %d, tasks %d", res.Steps, res.Tasks)
	}
	// A new turn goes on with the state, and "!" replaces.
	r, res = b.run(`{"l!":["again"],"n!":-1}`)
	status(t, res, StatusDone)
	b.want(r, `v=9007199254740993 f="a" l=["again",1, {"x": 2},9007199254740993,["again",1, {"x": 2}]] u=[{"k":1, "j":2},3,4] m={"p":1,"q":3,"r":4} n=9007199254740994 hi=9007199254740993 lo=1.5`)
}

func TestBadWrites(t *testing.T) {
	manifest := `
channels: {v: {}, l: {reduce: append}, m: {reduce: merge}, n: {reduce: add}, s: {schema: {type: string}}, other: {}}
nodes:
  a: {native: a, writes: [v, l, m, n, s]}
  b: {native: b, writes: [v]}
edges: [{from: START, to: [a, b]}]
`
	for out, want := range map[string][2]string{
		`{"other":1}`:                     {CodeOutput, `"other" is not among the channels`},
		`{"nope":1}`:                      {CodeOutput, `"nope" is not among`},
		`{"v":1,"v":2}`:                   {CodeOutput, `duplicate key "v"`},
		`{"l":1}`:                         {CodeReduce, "channel l: reducer append wants an array, a wrote 1"},
		`{"m":[]}`:                        {CodeReduce, "wants an object"},
		`{"n":"1"}`:                       {CodeReduce, "wants a number"},
		`{"n":1e999}`:                     {CodeReduce, "wants a number"},
		`{"n":99999999999999999999}`:      {CodeReduce, "wants a number"},
		`{"s":1}`:                         {CodeSchema, "channel s"},
		`[1]`:                             {CodeOutput, "expected an object"},
		`{"v":1},"approved":true`:         {CodeOutput, "expected the end"},
		`{"v":1`:                          {CodeOutput, "the text ends"},
		`{"m":{"a":1,"a":2}}`:             {CodeReduce, `duplicate key "a"`},
		`{"n":9223372036854775807,"v":0}`: {CodeReduce, "out of range"},
	} {
		b := newBench(t, manifest, map[string]nodeFunc{"a": constant(out)})
		_, res := b.run(`{"n":1}`)
		status(t, res, StatusFailed)
		if res.Err.Code != want[0] || !strings.Contains(res.Err.Message, want[1]) {
			t.Errorf("output %s: %v, want code %s and %q", out, res.Err, want[0], want[1])
		}
	}
	b := newBench(t, manifest, map[string]nodeFunc{"a": constant(`{"v":1}`), "b": constant(`{"v":2}`)})
	r, res := b.run(`{}`)
	if status(t, res, StatusFailed); res.Err.Code != CodeConflict || !strings.Contains(res.Err.Message, "both a and b wrote it") {
		t.Errorf("two writers: %v", res.Err)
	}
	b.want(r, ``)
	// What the tasks did is kept: the resume reduces again, it does not run them.
	n := len(b.calls)
	if _, res = b.resume(); res.Status != StatusFailed || len(b.calls) != n {
		t.Errorf("resume: %s, calls %v", res.Status, b.calls[n:])
	}
}

func TestRouting(t *testing.T) {
	b := newBench(t, `
channels: {n: {reduce: add}, log: {reduce: append}, items: {}}
nodes:
  loop: {native: loop, writes: [n]}
  each: {native: each, each: {over: items, batch: 2}, writes: [log]}
  one: {native: one, each: {over: items}, writes: [log]}
  last: {native: last, defer: true, reads: [n], writes: [log]}
  join: {native: join, writes: [log]}
edges:
  - {from: START, to: [loop, last]}
  - {from: loop, when: [{if: "n < 3", to: loop}, {to: [each, one]}]}
  - {from: [each, one], to: join}
`, map[string]nodeFunc{
		"loop": constant(`{"n":1}`),
		"each": func(in map[string]json.RawMessage, _ *Task) (string, error) {
			return `{"log":["each ` + strings.ReplaceAll(string(in["item"]), `"`, "") + `"]}`, nil
		},
		"one": func(in map[string]json.RawMessage, _ *Task) (string, error) {
			return `{"log":[` + string(in["item"]) + `]}`, nil
		},
		"last": func(in map[string]json.RawMessage, _ *Task) (string, error) {
			return `{"log":["last ` + string(in["n"]) + `"]}`, nil
		},
		"join": constant(`{"log":["join"]}`),
	})
	r, res := b.run(`{"items":["a","b","c"]}`)
	status(t, res, StatusDone)
	b.want(r, `n=3 log=["each [a,b]","each [c]","a","b","c","join","last 3"] items=["a","b","c"]`)
	// Nothing to do for each: its edges fire all the same.
	r, res = b.run(`{"items":[],"n!":2,"log!":[]}`)
	status(t, res, StatusDone)
	b.want(r, `n=3 log=["join","last 3"] items=[]`)
}

func TestNodeChoosesRoute(t *testing.T) {
	b := newBench(t, `
channels: {log: {reduce: append}}
nodes:
  plan: {native: plan, writes: [log]}
  work: {native: work, writes: [log]}
  sum: {native: sum, writes: [log]}
edges:
  - {from: START, to: plan}
  - {from: plan, route: [work, sum, END]}
  - {from: work, to: sum}
`, map[string]nodeFunc{
		"work": func(in map[string]json.RawMessage, task *Task) (string, error) {
			return `{"log":["` + task.Path + `",` + string(in["item"]) + `]}`, nil
		},
		"sum": constant(`{"log":["sum"]}`),
	})
	b.nodes["plan"] = NodeFunc(func(context.Context, *Task) (Outcome, error) {
		return Outcome{Sends: []Send{{Node: "work", Input: []byte(`{"big":9007199254740993}`)}, {Node: "work", Input: []byte(`2`)}}}, nil
	})
	r, res := b.run(`{}`)
	status(t, res, StatusDone)
	b.want(r, `log=["send/0",{"big":9007199254740993},"send/1",2,"sum"]`)
	b.nodes["plan"] = NodeFunc(func(context.Context, *Task) (Outcome, error) {
		return Outcome{Sends: []Send{{Node: "sum"}, {Node: "sum"}, {Node: "END"}}}, nil
	})
	r, res = b.run(`{"log!":[]}`)
	status(t, res, StatusDone)
	b.want(r, `log=["sum"]`)
}

func TestEphemeralAndBarrier(t *testing.T) {
	b := newBench(t, `
channels:
  flash: {kind: ephemeral}
  both: {kind: barrier, writers: [a, b]}
  seen: {reduce: append}
nodes:
  a: {native: a, reads: [flash], writes: [flash, both, seen]}
  b: {native: b, reads: [flash, both], writes: [both, seen]}
  c: {native: c, reads: [flash, both], writes: [seen]}
edges:
  - {from: START, to: a}
  - {from: a, to: b}
  - {from: b, when: [{if: "both != null", to: c}, {to: END}]}
  - {from: c, to: END}
`, map[string]nodeFunc{
		"a": constant(`{"flash":1,"both":"A","seen":[]}`),
		"b": func(in map[string]json.RawMessage, _ *Task) (string, error) {
			return fmt.Sprintf(`{"both":"B","seen":["flash %s both %s"]}`, in["flash"], in["both"]), nil
		},
		"c": func(in map[string]json.RawMessage, _ *Task) (string, error) {
			both, _ := json.Marshal(string(in["both"]))
			return fmt.Sprintf(`{"seen":["flash %s",%s]}`, in["flash"], both), nil
		},
	})
	r, res := b.run(`{}`)
	status(t, res, StatusDone)
	b.want(r, `seen=["flash 1 both ","flash ","{\"a\":\"A\",\"b\":\"B\"}"]`)
}

func TestRetry(t *testing.T) {
	tries := 0
	b := newBench(t, `
channels: {v: {}}
nodes:
  a: {native: a, writes: [v], retry: {attempts: 4, initial: 100ms, factor: 2, max: 300ms, jitter: 0, on: [unavailable]}}
edges: [{from: START, to: a}]
`, map[string]nodeFunc{"a": func(map[string]json.RawMessage, *Task) (string, error) {
		if tries++; tries < 4 {
			return `{"v":"discarded"}`, &Error{Code: "unavailable", Message: "try later"}
		}
		return `{"v":1}`, nil
	}})
	r, res := b.run(`{}`)
	status(t, res, StatusDone)
	b.want(r, `v=1`)
	if d := cmp.Diff([]time.Duration{100 * time.Millisecond, 200 * time.Millisecond, 300 * time.Millisecond}, b.clock.slept); d != "" {
		t.Errorf("back-off:\n%s", d)
	}
	// A code that is not listed is not tried again, and neither is a final one.
	for _, e := range []*Error{{Code: "trap", Message: "x", Retryable: true}, {Code: "unavailable", Message: "x", Final: true}} {
		tries = 0
		b.nodes["a"] = NodeFunc(func(context.Context, *Task) (Outcome, error) { tries++; return Outcome{}, e })
		b.store = checkpoint.New(memstore.New(), &checkpoint.Options{Now: b.clock.Now})
		b.events = nil
		_, res = b.run(`{}`)
		if status(t, res, StatusFailed); tries != 1 || res.Err.Attempt != 1 || res.Err.Node != "a" {
			t.Errorf("%d tries, %+v", tries, res.Err)
		}
	}
}

func TestFailureKeepsSiblingsAndResumes(t *testing.T) {
	broken := true
	b := newBench(t, `
channels: {log: {reduce: append}}
nodes:
  a: {native: a, writes: [log]}
  b: {native: b, writes: [log]}
  c: {native: c, writes: [log]}
edges: [{from: START, to: [a, b]}, {from: [a, b], to: c}]
`, map[string]nodeFunc{
		"a": func(map[string]json.RawMessage, *Task) (string, error) {
			if broken {
				return `{"log":["lost"]}`, errors.New("no disk")
			}
			return `{"log":["a"]}`, nil
		},
		"b": constant(`{"log":["b"]}`),
		"c": constant(`{"log":["c"]}`),
	})
	r, res := b.run(`{}`)
	status(t, res, StatusFailed)
	if res.Err.Code != CodeInternal || res.Err.Message != "no disk" || res.Err.Node != "a" || res.Err.Attempt != 1 {
		t.Errorf("error %+v", res.Err)
	}
	b.want(r, ``)
	info, err := b.store.Thread(t.Context(), "t")
	if err != nil || info.Attrs[AttrStatus] != StatusFailed || info.Claimed {
		t.Fatalf("thread %+v, %v", info, err)
	}
	broken = false
	b.calls = nil
	r, res = b.resume()
	status(t, res, StatusDone)
	b.want(r, `log=["a","b","c"]`)
	if d := cmp.Diff([]string{"a[]#2", "c[]#1"}, b.calls); d != "" {
		t.Errorf("calls of the resume:\n%s", d)
	}
}

func TestOnErrorAndVerdict(t *testing.T) {
	b := newBench(t, `
channels: {log: {reduce: append}}
nodes:
  a: {native: a, writes: [log], on_error: fix}
  fix: {native: fix, writes: [log]}
  report: {native: report, writes: [log]}
edges: [{from: START, to: a}, {from: a, to: report}, {from: fix, to: report}]
`, map[string]nodeFunc{
		"a": func(map[string]json.RawMessage, *Task) (string, error) {
			return "", &Error{Code: "boom", Message: "it broke", Details: json.RawMessage(`{"x":1}`)}
		},
		"fix": func(in map[string]json.RawMessage, _ *Task) (string, error) {
			var e Error
			if err := json.Unmarshal(in["item"], &e); err != nil {
				return "", err
			}
			return fmt.Sprintf(`{"log":["%s %s %s"]}`, e.Node, e.Code, e.Message), nil
		},
		"report": func(map[string]json.RawMessage, *Task) (string, error) {
			return `{"log":["report"]}`, &Error{Code: "findings", Message: "2 high", KeepOutput: true, Retryable: true}
		},
	})
	r, res := b.run(`{}`)
	status(t, res, StatusFailed)
	b.want(r, `log=["a boom it broke","report"]`)
	if res.Err.Code != "findings" || res.Err.Node != "report" {
		t.Errorf("verdict %+v", res.Err)
	}
	// The verdict ended the run: the thread takes a new turn.
	if r, res = b.run(`{"log!":[]}`); res.Status != StatusFailed {
		t.Errorf("second turn: %s", res.Status)
	}
	b.want(r, `log=["a boom it broke","report"]`)
}

// TestRunFuel: what attempts use counts however they end, and a step that is complete is kept.
func TestRunFuel(t *testing.T) {
	b := newBench(t, `
run: {fuel: 100}
channels: {n: {reduce: add}}
nodes: {a: {native: a, writes: [n], retry: {attempts: 2, on: [luck]}}}
edges: [{from: START, to: a}, {from: a, to: a}]
`, nil)
	b.nodes["a"] = NodeFunc(func(_ context.Context, task *Task) (Outcome, error) {
		if task.Step == 2 && task.Attempt == 1 {
			return Outcome{Fuel: 30}, &Error{Code: "luck"}
		}
		return Outcome{Fuel: 20, Output: []byte(`{"n":1}`)}, nil
	})
	r, res := b.run(`{}`) // 20, 30 and 20, 20, 20
	if status(t, res, StatusFailed); res.Err.Code != CodeRunFuel || res.Fuel != 110 || !strings.Contains(res.Err.Hint, "test.yaml:3") {
		t.Errorf("%+v, %d units", res.Err, res.Fuel)
	}
	b.want(r, `n=4`)
	if r, res = b.resume(); res.Err == nil || res.Err.Code != CodeRunFuel || res.Fuel != 120 {
		t.Errorf("%+v", res)
	}
	b.want(r, `n=10`)
}

func TestLimits(t *testing.T) {
	b := newBench(t, `
run: {max_steps: 3, max_tasks: 2, state: 1KiB}
channels: {n: {reduce: add}, items: {}}
nodes: {a: {native: a, writes: [n]}, e: {native: e, each: {over: items}}}
edges: [{from: START, when: [{if: "items == null", to: a}, {to: e}]}, {from: a, to: a}]
`, map[string]nodeFunc{"a": constant(`{"n":1}`)})
	r, res := b.run(`{}`)
	if status(t, res, StatusFailed); res.Err.Code != CodeMaxSteps || !strings.Contains(res.Err.Hint, "test.yaml:3") {
		t.Errorf("%+v", res.Err)
	}
	b.want(r, `n=3`)
	if r, res = b.resume(); res.Err == nil || res.Err.Code != CodeMaxSteps {
		t.Errorf("%+v", res)
	}
	b.want(r, `n=6`)

	fresh := func() { b.store, b.events = checkpoint.New(memstore.New(), &checkpoint.Options{Now: b.clock.Now}), nil }
	fresh()
	if _, res = b.run(`{"items":[1,2,3]}`); res.Status != StatusFailed || res.Err.Code != CodeMaxTasks {
		t.Errorf("%+v", res)
	}
	fresh()
	run := b.newRun(b.claim())
	var e *Error
	if err := run.Begin(t.Context(), Input{Value: []byte(`{"items":["` + strings.Repeat("x", 2000) + `"]}`)}); !errors.As(err, &e) || e.Code != CodeState {
		t.Errorf("%v", err)
	}
}

func TestConditionAndRouteFaults(t *testing.T) {
	manifest := `
channels: {v: {}, l: {reduce: append}}
nodes: {a: {native: a, writes: [v, l]}, b: {native: b}}
edges: [{from: START, to: a}, {from: a, when: [{if: "%s", to: b}]}]
`
	for cond, code := range map[string]string{"v == 2": CodeNoRoute, "v.x.y == 1": CodeCondition} {
		b := newBench(t, fmt.Sprintf(manifest, cond), map[string]nodeFunc{"a": constant(`{"v":1,"l":[1]}`)})
		r, res := b.run(`{}`)
		if status(t, res, StatusFailed); res.Err.Code != code || res.Err.Node != "a" {
			t.Errorf("%s: %+v", cond, res.Err)
		}
		b.want(r, ``)
		if _, res = b.resume(); res.Status != StatusFailed || len(b.calls) != 1 {
			t.Errorf("%s: resume %s, calls %v", cond, res.Status, b.calls)
		}
	}
}

func TestPanicOfANode(t *testing.T) {
	b := newBench(t, "channels: {v: {}}\nnodes: {a: {native: a}}\nedges: [{from: START, to: a}]\n",
		map[string]nodeFunc{"a": func(map[string]json.RawMessage, *Task) (string, error) { panic("oops") }})
	_, res := b.run(`{}`)
	if status(t, res, StatusFailed); res.Err.Code != CodePanic || res.Err.Message != "oops" {
		t.Errorf("%+v", res.Err)
	}
}

func TestBadInput(t *testing.T) {
	b := newBench(t, "channels: {v: {schema: {type: string}}, l: {reduce: append}}\nnodes: {a: {native: a, reads: [v]}}\nedges: [{from: START, to: a}]\n", nil)
	for in, code := range map[string]string{`{"v":1}`: CodeSchema, `{"nope":1}`: CodeOutput, `[]`: CodeOutput, `{`: CodeOutput, `{"l":{}}`: CodeReduce, ``: CodeOutput} {
		if bad := CheckInput(b.graph, Input{Value: []byte(in)}); bad == nil || bad.Code != code {
			t.Errorf("input %q: %v, want %s", in, bad, code)
		}
	}
	if bad := CheckInput(b.graph, Input{Channel: "v", Value: []byte(`"x"`)}); bad != nil {
		t.Error(bad)
	}
}

func TestDrainStopsAndResumes(t *testing.T) {
	var r *Run
	b := newBench(t, `
channels: {n: {reduce: add}}
nodes: {a: {native: a, writes: [n]}}
edges: [{from: START, to: a}, {from: a, when: [{if: "n < 5", to: a}, {to: END}]}]
`, nil)
	b.nodes["a"] = NodeFunc(func(_ context.Context, task *Task) (Outcome, error) {
		if task.Step == 2 {
			r.Drain()
		}
		return Outcome{Output: []byte(`{"n":1}`)}, nil
	})
	r = b.newRun(b.claim())
	if err := r.Begin(t.Context(), Input{Value: []byte(`{}`)}); err != nil {
		t.Fatal(err)
	}
	res := b.loop(r)
	status(t, res, StatusStopped)
	b.want(r, `n=2`)
	var unfinished *UnfinishedError
	again := b.newRun(b.claim())
	if err := again.Begin(t.Context(), Input{Value: []byte(`{}`)}); !errors.As(err, &unfinished) {
		t.Fatalf("new turn on a stopped thread: %v", err)
	}
	if err := again.cfg.Claim.Release(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if r, res = b.resume(); res.Status != StatusDone {
		t.Fatalf("%+v", res)
	}
	b.want(r, `n=5`)
}

func TestTaskIDs(t *testing.T) {
	seen := map[TaskID]string{}
	for _, p := range [][6]string{
		{"t", "", "b", "1", "n", ""}, {"t", "", "b", "2", "n", ""}, {"t", "", "b", "1", "n", "0"}, {"t", "", "b", "1", "n0", ""},
		{"tb", "", "", "1", "n", ""}, {"", "t", "b", "1", "n", ""}, {"t", "x", "b", "1", "n", ""}, {"t", "", "c", "1", "n", ""},
	} {
		step := int(p[3][0] - '0')
		id := newTaskID(p[0], p[1], p[2], step, p[4], p[5])
		if other, dup := seen[id]; dup {
			t.Errorf("%q and %s have one id", p, other)
		}
		seen[id] = fmt.Sprint(p)
	}
	// The bytes are part of the format: effects outside the host are keyed by them.
	if got := newTaskID("t", "", "b", 1, "n", "").String(); got != goldenTaskID {
		t.Errorf("task id %s, want %s", got, goldenTaskID)
	}
}

const goldenTaskID = "8e0ae77e75a2b8d55a5b1f353fead9e0"

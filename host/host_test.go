package host_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dashhost/dashhost/checkpoint"
	"github.com/dashhost/dashhost/checkpoint/memstore"
	"github.com/dashhost/dashhost/host"
	"github.com/dashhost/dashhost/host/workflow"
)

// newHost is a host on a memory store.
func newHost(t *testing.T, o *host.Options) *host.Host {
	t.Helper()
	h, err := host.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return h
}

// project writes a manifest, and the named guests of package guest's tests
// beside it, and returns its path.
func project(t *testing.T, manifest string, guests ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, g := range guests {
		b, err := os.ReadFile(filepath.Join("..", "guest", "testdata", g))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, g), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, "workflow.yaml")
	if err := os.WriteFile(path, []byte("version: 1\n"+manifest), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func load(t *testing.T, h *host.Host, path string, nodes host.Nodes) *host.Graph {
	t.Helper()
	g, err := h.Load(t.Context(), path, &host.LoadOptions{Nodes: nodes})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func wait(t *testing.T, r *host.Run, err error) *host.Result {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	res, err := r.Wait(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return res
}

const adder = `
input: {channel: n}
output: {channel: sum}
channels: {n: {}, sum: {reduce: add}}
nodes:
  double: {native: double, reads: [n], writes: [sum]}
  echo: {module: echo, reads: [n], writes: [n]}
modules: {echo: {path: echo.wasm}}
edges: [{from: START, to: [double, echo]}]
`

type number struct {
	N int `json:"n"`
}

type sum struct {
	Sum int `json:"sum"`
}

var adderNodes = host.Nodes{"double": host.Func(func(_ *host.Task, in number) (sum, error) { return sum{2 * in.N}, nil })}

func TestNativeAndWasmNodes(t *testing.T) {
	h := newHost(t, nil)
	g := load(t, h, project(t, adder, "echo.wasm"), adderNodes)
	r, err := h.Start(t.Context(), g, []byte(`21`), &host.RunOptions{Thread: "t"})
	if err != nil {
		t.Fatal(err)
	}
	var types []string
	for e := range r.Events() {
		types = append(types, e.Type)
	}
	res := wait(t, r, nil)
	if res.Status != "done" || string(res.Output) != "42" || res.Steps != 1 || res.Tasks != 2 || res.Thread != "t" {
		t.Errorf("%+v", res)
	}
	if n := slices.Index(types, "step"); types[0] != "run_start" || n < 0 || types[len(types)-1] != "run_end" {
		t.Errorf("events %v", types)
	}
	// The next turn goes on with the state.
	run, err := h.Start(t.Context(), g, []byte(`1`), &host.RunOptions{Thread: "t"})
	if res := wait(t, run, err); string(res.Output) != "44" {
		t.Errorf("second turn: %s", res.Output)
	}
}

func TestIfExists(t *testing.T) {
	h := newHost(t, nil)
	fail := true
	g := load(t, h, project(t, `
input: {channel: n}
output: {channel: n}
channels: {n: {}}
nodes: {a: {native: a, reads: [n], writes: [n]}}
edges: [{from: START, to: a}]
`), host.Nodes{"a": func(task *host.Task) error {
		if fail {
			return errors.New("not now")
		}
		return task.Write([]byte(`{"n":"ran"}`))
	}})
	start := func(ifExists string) (*host.Run, error) {
		return h.Start(t.Context(), g, []byte(`0`), &host.RunOptions{Thread: "t", IfExists: ifExists})
	}
	run, err := start("fail")
	if res := wait(t, run, err); res.Status != "failed" || res.Err.Code != "failed" || res.Err.Message != "not now" || res.Err.Node != "a" {
		t.Fatalf("%+v", res)
	}
	for _, how := range []string{"", "fail"} {
		var exists *host.ExistsError
		if _, err := start(how); !errors.As(err, &exists) || !errors.Is(err, host.ErrExists) || exists.Status != "failed" {
			t.Errorf("if exists %q, failed thread: %v", how, err)
		}
	}
	run, err = start("skip")
	if res := wait(t, run, err); !res.Skipped || res.Status != "failed" || string(res.Output) != "0" {
		t.Errorf("skip: %+v", res)
	}
	fail = false
	run, err = start("resume")
	if res := wait(t, run, err); res.Skipped || res.Status != "done" || string(res.Output) != `"ran"` {
		t.Errorf("resume: %+v", res)
	}
	run, err = start("resume")
	if res := wait(t, run, err); !res.Skipped || res.Status != "done" || string(res.Output) != `"ran"` {
		t.Errorf("resume of a finished thread: %+v", res)
	}
	if _, err = start("fail"); !errors.Is(err, host.ErrExists) {
		t.Errorf("fail, finished thread: %v", err)
	}
	run, err = start("")
	if res := wait(t, run, err); res.Skipped || res.Status != "done" {
		t.Errorf("new turn: %+v", res)
	}
	var finished *host.FinishedError
	if _, err := h.Resume(t.Context(), "t", nil); !errors.As(err, &finished) || finished.Status != "done" {
		t.Errorf("resume of a finished thread: %v", err)
	}
	if _, err := h.Resume(t.Context(), "nobody", nil); !errors.Is(err, host.ErrNotFound) {
		t.Errorf("resume of no thread: %v", err)
	}
}

// TestThreadWithoutInput: a process died between its claim and the first input.
func TestThreadWithoutInput(t *testing.T) {
	for _, how := range []string{"", "fail", "resume", "skip"} {
		mem := memstore.NewMemory()
		dead := checkpoint.New(mem.Open(), nil)
		if _, err := dead.Claim(t.Context(), "t", nil); err != nil {
			t.Fatal(err)
		}
		if err := dead.Close(); err != nil {
			t.Fatal(err)
		}
		h := newHost(t, &host.Options{OpenStore: func(context.Context, string) (*checkpoint.Store, error) { return checkpoint.New(mem.Open(), nil), nil }})
		if _, err := h.Resume(t.Context(), "t", nil); !errors.Is(err, host.ErrFinished) {
			t.Errorf("resume: %v", err)
		}
		run, err := h.Start(t.Context(), load(t, h, project(t, adder, "echo.wasm"), adderNodes), []byte(`21`), &host.RunOptions{Thread: "t", IfExists: how})
		if res := wait(t, run, err); res.Status != "done" || res.Skipped || string(res.Output) != "42" {
			t.Errorf("if exists %q: %+v", how, res)
		}
	}
}

// TestResumeNeedsNoFiles: manifest and wasm are gone, the run goes on.
func TestResumeNeedsNoFiles(t *testing.T) {
	mem := memstore.NewMemory()
	open := func(context.Context, string) (*checkpoint.Store, error) { return checkpoint.New(mem.Open(), nil), nil }
	path := project(t, `
input: {channel: v}
output: {channel: v}
modules: {echo: {path: echo.wasm}}
channels: {v: {}, w: {}}
nodes:
  stop: {native: stop, reads: [v], writes: [w]}
  echo: {module: echo, raw: {in: v, out: v}}
edges: [{from: START, to: stop}, {from: stop, to: echo}]
`, "echo.wasm")
	h := newHost(t, &host.Options{OpenStore: open})
	broken := host.Nodes{"stop": func(*host.Task) error { return &host.Error{Code: "broken", Message: "stop here"} }}
	run, err := h.Start(t.Context(), load(t, h, path, broken), []byte(`"text"`), &host.RunOptions{Thread: "t"})
	if res := wait(t, run, err); res.Status != "failed" {
		t.Fatalf("%+v", res)
	}
	if err := os.RemoveAll(filepath.Dir(path)); err != nil {
		t.Fatal(err)
	}
	h2 := newHost(t, &host.Options{OpenStore: open})
	run, err = h2.Resume(t.Context(), "t", &host.ResumeOptions{Nodes: host.Nodes{"stop": func(*host.Task) error { return nil }}})
	if res := wait(t, run, err); res.Status != "done" || string(res.Output) != `"text"` {
		t.Errorf("%+v", res)
	}
	// Without the Go function the graph cannot be run, and says which one it wants.
	h3 := newHost(t, &host.Options{OpenStore: open})
	run, err = h3.Start(t.Context(), load(t, h3, project(t, "channels: {n: {}}\nnodes: {a: {native: gone}}\nedges: [{from: START, to: a}]\n"),
		host.Nodes{"gone": func(*host.Task) error { return errors.New("x") }}), []byte(`{}`), &host.RunOptions{Thread: "u"})
	wait(t, run, err)
	var invalid *workflow.Invalid
	if _, err := h3.Resume(t.Context(), "u", nil); !errors.As(err, &invalid) || !strings.Contains(err.Error(), "gone") {
		t.Errorf("resume without the native node: %v", err)
	}
}

func TestGraphChanged(t *testing.T) {
	h := newHost(t, nil)
	manifest := func(code string) string {
		return `
output: {channel: v}
channels: {v: {}}
nodes: {a: {native: a, writes: [v], config: {say: ` + code + `}}}
edges: [{from: START, to: a}]
`
	}
	ready := false
	nodes := host.Nodes{"a": func(task *host.Task) error {
		if !ready {
			return errors.New("later")
		}
		var c struct{ Say json.RawMessage }
		if err := json.Unmarshal(task.Config(), &c); err != nil {
			return err
		}
		return task.Write([]byte(`{"v":` + string(c.Say) + `}`))
	}}
	one, two := load(t, h, project(t, manifest("1")), nodes), load(t, h, project(t, manifest("2")), nodes)
	for thread, o := range map[string]*host.ResumeOptions{"pinned": {Graph: two, Pinned: true}, "upgrade": {Graph: two, Upgrade: true}} {
		ready = false
		run, err := h.Start(t.Context(), one, []byte(`{}`), &host.RunOptions{Thread: thread})
		wait(t, run, err)
		ready = true
		var changed *host.GraphChangedError
		if _, err := h.Resume(t.Context(), thread, &host.ResumeOptions{Graph: two}); !errors.As(err, &changed) || len(changed.Diff) != 1 || !strings.Contains(changed.Diff[0], "node a") {
			t.Fatalf("%s: %v", thread, err)
		}
		run, err = h.Resume(t.Context(), thread, o)
		want := map[string]string{"pinned": "1", "upgrade": "2"}[thread]
		if res := wait(t, run, err); res.Status != "done" || string(res.Output) != want {
			t.Errorf("%s: %+v, want output %s", thread, res, want)
		}
	}
	ready = false
	run, err := h.Start(t.Context(), one, []byte(`{}`), &host.RunOptions{Thread: "u"})
	wait(t, run, err)
	other := load(t, h, project(t, "nodes: {b: {native: a}}\nedges: [{from: START, to: b}]\n"), nodes)
	var up *host.UpgradeError
	if _, err := h.Resume(t.Context(), "u", &host.ResumeOptions{Graph: other, Upgrade: true}); !errors.As(err, &up) || up.Nodes[0] != "a" {
		t.Errorf("upgrade without a node that is due: %v", err)
	}
}

func TestFailuresOfNativeNodes(t *testing.T) {
	h := newHost(t, nil)
	manifest := `
channels: {v: {}}
nodes: {a: {native: a, writes: [v], deadline: 50ms}}
edges: [{from: START, to: a}]
`
	var released atomic.Bool
	block := make(chan struct{})
	defer close(block)
	for code, node := range map[string]host.Node{
		"panic":    func(*host.Task) error { panic("oops") },
		"deadline": func(*host.Task) error { <-block; released.Store(true); return nil },
		"denied":   func(task *host.Task) error { return task.Random(make([]byte, 1)) },
		"invalid":  func(task *host.Task) error { return task.Write([]byte(`{"v":1},"approved":true`)) },
		"custom":   func(*host.Task) error { return fmt.Errorf("wrapped: %w", &host.Error{Code: "custom", Message: "m"}) },
		"input":    host.Func(func(*host.Task, []int) (sum, error) { return sum{}, nil }),
	} {
		g := load(t, h, project(t, manifest), host.Nodes{"a": node})
		run, err := h.Start(t.Context(), g, []byte(`{}`), nil)
		res := wait(t, run, err)
		if res.Status != "failed" || res.Err.Code != code || res.Err.Node != "a" || res.Err.Attempt != 1 {
			t.Errorf("%s: %+v %+v", code, res, res.Err)
		}
	}
	if released.Load() {
		t.Error("the blocked node was awaited")
	}
}

func TestFailuresOfGuests(t *testing.T) {
	h := newHost(t, nil)
	path := project(t, `
input: {channel: i}
modules: {m: {path: misbehave.wasm}}
channels: {i: {}, o: {}}
limits: {deadline: 100ms, output: 64KiB}
nodes: {a: {module: m, raw: {in: i, out: o}}}
edges: [{from: START, to: a}]
`, "misbehave.wasm")
	g := load(t, h, path, nil)
	for in, want := range map[string]string{
		"\x00\x01": "failed", "\x00\x02": "violation", "\x00\x09": "violation", "\x01": "deadline", "\x03": "trap", "\x05": "trap", "\x06\x00": "exited",
		"\x0b\x41": "output", "\x02": "stack",
	} {
		b, _ := json.Marshal(in)
		run, err := h.Start(t.Context(), g, b, nil)
		res := wait(t, run, err)
		if res.Status != "failed" || !strings.Contains(want, res.Err.Code) || res.Err.Node != "a" {
			t.Errorf("%q: %s %+v, want code %s", in, res.Status, res.Err, want)
		}
		if want == "deadline" && !strings.Contains(res.Err.Hint, "workflow.yaml:6") {
			t.Errorf("hint %q does not name the line of the limit", res.Err.Hint)
		}
	}
}

// TestRunFuel: the calls of a run share a budget. What was done is kept, and a resumed run gets a budget of its own.
func TestRunFuel(t *testing.T) {
	h := newHost(t, nil)
	const manifest = `
modules: {m: {path: counter.wasm}}
channels: {o: {}, n: {reduce: add}}
run: {fuel: FUEL}
nodes: {a: {module: m, raw: {out: o}, reads: []}}
edges: [{from: START, to: a}, {from: a, to: a}]
`
	steps := map[string]int{}
	for _, fuel := range []string{"1000", "4000"} {
		g := load(t, h, project(t, strings.Replace(manifest, "FUEL", fuel, 1), "counter.wasm"), nil)
		run, err := h.Start(t.Context(), g, []byte(`{}`), &host.RunOptions{Thread: "fuel" + fuel})
		res := wait(t, run, err)
		if res.Status != "failed" || res.Err.Code != "run_fuel" || !strings.Contains(res.Err.Hint, "workflow.yaml:5") || res.Steps < 2 {
			t.Fatalf("fuel %s: %s after %d steps, %+v", fuel, res.Status, res.Steps, res.Err)
		}
		steps[fuel] = res.Steps
		run, err = h.Resume(t.Context(), "fuel"+fuel, &host.ResumeOptions{Graph: g})
		if res = wait(t, run, err); res.Err == nil || res.Err.Code != "run_fuel" || res.Steps != steps[fuel] {
			t.Errorf("resumed with fuel %s: %d steps, %+v, the first time %d", fuel, res.Steps, res.Err, steps[fuel])
		}
	}
	if a, b := steps["1000"], steps["4000"]; b < 3*a {
		t.Errorf("%d steps with 1000 units, %d with 4000", a, b)
	}
}

func TestCancelDrainAndClose(t *testing.T) {
	h := newHost(t, nil)
	started := make(chan struct{}, 1)
	g := load(t, h, project(t, "channels: {n: {reduce: add}}\nnodes: {a: {native: a, writes: [n]}}\nedges: [{from: START, to: a}, {from: a, to: a}]\n"),
		host.Nodes{"a": func(task *host.Task) error {
			select {
			case started <- struct{}{}:
			default:
			}
			if task.Attempt() == 1 && task.Thread() == "cancel" {
				<-task.Context().Done()
				return task.Context().Err()
			}
			return task.Write([]byte(`{"n":1}`))
		}})
	run, err := h.Start(t.Context(), g, []byte(`{}`), &host.RunOptions{Thread: "cancel"})
	if err != nil {
		t.Fatal(err)
	}
	<-started
	run.Cancel()
	if res := wait(t, run, nil); res.Status != "stopped" || res.Steps != 0 {
		t.Errorf("cancel: %+v", res)
	}
	run, err = h.Start(t.Context(), g, []byte(`{}`), &host.RunOptions{Thread: "drain"})
	if err != nil {
		t.Fatal(err)
	}
	for e := range run.Events() {
		if e.Type == "step" && e.Step == 3 {
			break
		}
	}
	if err := run.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	res := wait(t, run, nil)
	if res.Status != "stopped" || res.Steps < 3 {
		t.Errorf("drain: %+v", res)
	}
	s, err := h.Store(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	info, err := s.Thread(t.Context(), "drain")
	if err != nil || host.ThreadStatus(info) != "stopped" || info.Claimed {
		t.Errorf("%+v, %v", info, err)
	}
	if _, err := h.Start(t.Context(), g, []byte(`{}`), &host.RunOptions{Thread: "close"}); err != nil {
		t.Fatal(err)
	}
	if err := h.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := h.Start(t.Context(), g, []byte(`{}`), nil); !errors.Is(err, host.ErrClosed) {
		t.Errorf("start on a closed host: %v", err)
	}
}

func TestInputs(t *testing.T) {
	h := newHost(t, nil)
	node := host.Nodes{"a": func(*host.Task) error { return nil }}
	text := load(t, h, project(t, "input: {channel: v, as: text}\noutput: {channel: v, as: text}\nchannels: {v: {}}\nnodes: {a: {native: a}}\nedges: [{from: START, to: a}]\n"), node)
	run, err := h.Start(t.Context(), text, []byte("a\xff\"\n\x00b\xc3"), nil)
	if res := wait(t, run, err); string(res.Output) != "a\ufffd\"\n\x00b\ufffd" || !res.OutputText || res.Replaced != 2 {
		t.Errorf("%+v %q", res, res.Output)
	}
	run, err = h.Start(t.Context(), text, []byte(`{"is":"json"}`), &host.RunOptions{InputJSON: true})
	if res := wait(t, run, err); string(res.Output) != `{"is":"json"}` || res.OutputText {
		t.Errorf("%+v", res)
	}
	var bad *host.Error
	if _, err := h.Start(t.Context(), text, nil, nil); !errors.As(err, &bad) || bad.Code != "input" {
		t.Errorf("no input: %v", err)
	}
	obj := load(t, h, project(t, "channels: {v: {}}\nnodes: {a: {native: a}}\nedges: [{from: START, to: a}]\n"), node)
	for _, in := range []string{"", "{", "[]", `{"x":1}`, "\xff", `{"v":1}{}`} {
		if _, err := h.Start(t.Context(), obj, []byte(in), &host.RunOptions{Thread: "bad"}); !errors.As(err, &bad) {
			t.Errorf("input %q: %v", in, err)
		}
	}
	s, err := h.Store(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Thread(t.Context(), "bad"); !errors.Is(err, checkpoint.ErrNotFound) {
		t.Errorf("a bad input left a thread behind: %v", err)
	}
	for _, thread := range []string{strings.Repeat("x", 300), "a\xffb", "a\x00b"} {
		if _, err := h.Start(t.Context(), obj, []byte(`{}`), &host.RunOptions{Thread: thread}); err == nil {
			t.Errorf("thread name %q accepted", thread)
		}
	}
}

func TestSameInputsSameResult(t *testing.T) {
	h := newHost(t, nil)
	g := load(t, h, project(t, `
output: {channel: log}
channels: {items: {}, log: {reduce: append}, all: {reduce: merge}}
nodes:
  a: {native: a, each: {over: items}, writes: [log, all]}
edges: [{from: START, to: a}]
`), host.Nodes{"a": host.Func(func(task *host.Task, in struct{ Item int }) (map[string]any, error) {
		time.Sleep(time.Duration(in.Item*7919%5) * time.Millisecond) // completion order differs from task order
		return map[string]any{"log": []string{task.Path()}, "all": map[string]any{"k": in.Item, task.Path(): task.Now().UnixMicro() % 2}}, nil
	})})
	items := make([]int, 40)
	for i := range items {
		items[i] = i
	}
	in, _ := json.Marshal(map[string]any{"items": items})
	var first string
	for range 5 {
		run, err := h.Start(t.Context(), g, in, nil)
		res := wait(t, run, err)
		if first == "" {
			first = string(res.Output)
		}
		if string(res.Output) != first {
			t.Fatalf("results differ:\n%s\n%s", first, res.Output)
		}
	}
}

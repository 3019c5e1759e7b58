package host_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dashhost/dashhost/checkpoint"
	"github.com/dashhost/dashhost/checkpoint/memstore"
	"github.com/dashhost/dashhost/host"
)

// one is a graph with one native node, "a", that copies nothing: it reads and writes v.
const one = `
input: {channel: v}
output: {channel: v}
channels: {v: {}}
nodes: {a: {native: a, reads: [v], writes: [v]}}
edges: [{from: START, to: a}]
`

// soon is a context for what must not take long.
func soon(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// TestClosedHost: whatever is asked of a closed host, the answer is the same.
func TestClosedHost(t *testing.T) {
	h := newHost(t, nil)
	path := project(t, adder, "echo.wasm")
	g := load(t, h, path, adderNodes)
	if err := h.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := h.Close(t.Context()); err != nil {
		t.Errorf("second close: %v", err)
	}
	if err := g.Close(t.Context()); err != nil {
		t.Errorf("close of a graph of a closed host: %v", err)
	}
	for what, call := range map[string]func() error{
		"load":   func() error { _, err := h.Load(t.Context(), path, &host.LoadOptions{Nodes: adderNodes}); return err },
		"start":  func() error { _, err := h.Start(t.Context(), g, []byte(`1`), nil); return err },
		"resume": func() error { _, err := h.Resume(t.Context(), "t", nil); return err },
		"store":  func() error { _, err := h.Store(t.Context()); return err },
		"call":   func() error { _, err := h.CallModule(t.Context(), "echo", testGuest(t, "echo"), nil); return err },
	} {
		if err := call(); !errors.Is(err, host.ErrClosed) {
			t.Errorf("%s: %v, want host.ErrClosed", what, err)
		}
	}
}

// TestNilNode: a nil function is a missing one, and that is known before a run.
func TestNilNode(t *testing.T) {
	h := newHost(t, nil)
	if _, err := h.Load(t.Context(), project(t, one), &host.LoadOptions{Nodes: host.Nodes{"a": nil}}); err == nil || !strings.Contains(err.Error(), `a`) {
		t.Errorf("load with a nil node: %v", err)
	}
}

// TestNilErrorOfANode: Go's typed nil is not nil, and must not take the process down.
func TestNilErrorOfANode(t *testing.T) {
	h := newHost(t, nil)
	g := load(t, h, project(t, one), host.Nodes{"a": func(*host.Task) error {
		var none *host.Error
		return none
	}})
	run, err := h.Start(t.Context(), g, []byte(`1`), nil)
	if res := wait(t, run, err); res.Status != "failed" || res.Err.Node != "a" {
		t.Errorf("%+v", res)
	}
}

// TestNodeThatExits: runtime.Goexit, as t.Fatal calls it, ends the node's goroutine without a result.
func TestNodeThatExits(t *testing.T) {
	h := newHost(t, nil)
	g := load(t, h, project(t, one), host.Nodes{"a": func(*host.Task) error { runtime.Goexit(); return nil }})
	run, err := h.Start(t.Context(), g, []byte(`1`), nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := run.Wait(soon(t))
	if err != nil || res.Status != "failed" || res.Err.Code != "panic" {
		t.Errorf("%+v, %v", res, err)
	}
}

// TestBadIfExists: an option that does not exist is refused whatever the thread is like.
func TestBadIfExists(t *testing.T) {
	h := newHost(t, nil)
	g := load(t, h, project(t, one), host.Nodes{"a": func(*host.Task) error { return nil }})
	for range 2 {
		if _, err := h.Start(t.Context(), g, []byte(`1`), &host.RunOptions{Thread: "t", IfExists: "replace"}); err == nil || !strings.Contains(err.Error(), "replace") {
			t.Errorf("if exists replace: %v", err)
		}
		run, err := h.Start(t.Context(), g, []byte(`1`), &host.RunOptions{Thread: "t"})
		wait(t, run, err)
	}
}

// TestInputIsNotShared: the caller may use the buffer again when Start has returned.
func TestInputIsNotShared(t *testing.T) {
	h := newHost(t, nil)
	changed := make(chan struct{})
	g := load(t, h, project(t, `
input: {channel: v}
output: {channel: w}
channels: {v: {}, w: {}}
nodes:
  first:  {native: first}
  second: {native: second, reads: [v], writes: [w]}
edges: [{from: START, to: first}, {from: first, to: second}]
`), host.Nodes{
		"first": func(*host.Task) error { <-changed; return nil },
		"second": host.Func(func(_ *host.Task, in struct{ V int }) (map[string]int, error) {
			return map[string]int{"w": in.V}, nil
		}),
	})
	input := []byte(`1234`)
	run, err := h.Start(t.Context(), g, input, nil)
	copy(input, `9999`)
	close(changed)
	if res := wait(t, run, err); string(res.Output) != "1234" {
		t.Errorf("output %s: the run saw what the caller wrote to its buffer later", res.Output)
	}
}

// TestResumeTwice: of two that go on with one thread at once, one is told that it is busy.
func TestResumeTwice(t *testing.T) {
	h := newHost(t, nil)
	fail := true
	release := make(chan struct{})
	nodes := host.Nodes{"a": func(task *host.Task) error {
		if fail {
			return errors.New("not now")
		}
		<-release
		return task.Write([]byte(`{"v":2}`))
	}}
	g := load(t, h, project(t, one), nodes)
	run, err := h.Start(t.Context(), g, []byte(`1`), &host.RunOptions{Thread: "t"})
	wait(t, run, err)
	fail = false
	const n = 8
	runs, errs := make([]*host.Run, n), make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { runs[i], errs[i] = h.Resume(t.Context(), "t", &host.ResumeOptions{Nodes: nodes}) })
	}
	wg.Wait()
	close(release)
	took := 0
	for i := range n {
		switch {
		case errs[i] == nil:
			took++
			if res := wait(t, runs[i], nil); res.Status != "done" {
				t.Errorf("%+v", res)
			}
		case !errors.Is(errs[i], checkpoint.ErrBusy):
			t.Errorf("the others: %v", errs[i])
		}
	}
	if took != 1 {
		t.Errorf("%d of %d went on", took, n)
	}
}

// TestResumeRacesWithTheEnd: the thread ends between the look at it and the claim. The claim must not stay.
//
//	Resume: looks, the thread is unfinished
//	run:    records its last step, releases
//	Resume: claims, finds nothing to do
func TestResumeRacesWithTheEnd(t *testing.T) {
	h := newHost(t, nil)
	release := make(chan struct{})
	nodes := host.Nodes{"double": host.Func(func(_ *host.Task, in number) (sum, error) { <-release; return sum{2 * in.N}, nil })}
	g := load(t, h, project(t, adder, "echo.wasm"), nodes)
	run, err := h.Start(t.Context(), g, []byte(`21`), &host.RunOptions{Thread: "t"})
	if err != nil {
		t.Fatal(err)
	}
	end := sync.OnceFunc(func() {
		close(release)
		wait(t, run, nil)
	})
	again, err := h.Resume(t.Context(), "t", &host.ResumeOptions{Nodes: nodes, Progress: func(string, bool) { end() }})
	if err == nil {
		if res := wait(t, again, nil); res.Status != "done" {
			t.Errorf("%+v", res)
		}
	} else if !errors.Is(err, host.ErrFinished) {
		t.Errorf("resume: %v", err)
	}
	next, err := h.Start(t.Context(), g, []byte(`1`), &host.RunOptions{Thread: "t"})
	if err != nil {
		t.Fatalf("a new turn afterwards: %v", err)
	}
	wait(t, next, nil)
}

// TestResumedGraphsAreGivenBack: a service that resumes many threads by name does not keep a graph of each.
func TestResumedGraphsAreGivenBack(t *testing.T) {
	h := newHost(t, nil)
	fail := true
	nodes := host.Nodes{"a": func(*host.Task) error {
		if fail {
			return errors.New("not now")
		}
		return nil
	}}
	g := load(t, h, project(t, one), nodes)
	for range 3 {
		fail = true
		run, err := h.Start(t.Context(), g, []byte(`1`), &host.RunOptions{Thread: "t"})
		wait(t, run, err)
		run, err = h.Resume(t.Context(), "t", &host.ResumeOptions{Nodes: nodes})
		wait(t, run, err)
		fail = false
		run, err = h.Resume(t.Context(), "t", &host.ResumeOptions{Nodes: nodes})
		wait(t, run, err)
	}
	if n := h.Graphs(); n != 1 {
		t.Errorf("the host keeps %d graphs, want the one that was loaded", n)
	}
	hold := make(chan struct{})
	busy := host.Nodes{"a": func(*host.Task) error { <-hold; return nil }}
	g2 := load(t, h, project(t, one), busy)
	run, err := h.Start(t.Context(), g2, []byte(`1`), &host.RunOptions{Thread: "u"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Resume(t.Context(), "u", &host.ResumeOptions{Nodes: busy}); !errors.Is(err, checkpoint.ErrBusy) {
		t.Errorf("resume of a thread that runs: %v", err)
	}
	close(hold)
	wait(t, run, nil)
	if n := h.Graphs(); n != 2 {
		t.Errorf("after a resume that was refused the host keeps %d graphs, want the two that were loaded", n)
	}
}

// fanOut has a first step that schedules more tasks than a feed holds events.
func fanOut(t *testing.T, h *host.Host) *host.Run {
	t.Helper()
	g := load(t, h, project(t, `
channels: {items: {}, n: {reduce: add}}
nodes:
  list: {native: list, writes: [items]}
  a: {native: a, each: {over: items}, writes: [n]}
edges: [{from: START, to: list}, {from: list, to: a}]
`), host.Nodes{
		"list": func(task *host.Task) error {
			return task.Write([]byte(`{"items":[1` + strings.Repeat(",1", 9999) + `]}`))
		},
		"a": func(task *host.Task) error { return task.Write([]byte(`{"n":1}`)) },
	})
	run, err := h.Start(t.Context(), g, []byte(`{}`), nil)
	if err != nil {
		t.Fatal(err)
	}
	return run
}

// TestReaderThatStops: whoever stops reading events slows the run down, but cannot keep it from being cancelled.
func TestReaderThatStops(t *testing.T) {
	h := newHost(t, nil)
	run := fanOut(t, h)
	stopped, goOn, left := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(left)
		first := true
		for range run.Events() {
			if first {
				first = false
				close(stopped)
				<-goOn
			}
		}
	}()
	defer func() { close(goOn); <-left }()
	<-stopped
	run.Cancel()
	if _, err := run.Wait(soon(t)); err != nil {
		t.Errorf("wait after cancel: %v", err)
	}
}

// TestDrainInsideTheLoop: the most natural place to call Drain is where an event says that it is time to.
func TestDrainInsideTheLoop(t *testing.T) {
	h := newHost(t, nil)
	run := fanOut(t, h)
	for e := range run.Events() {
		if e.Type == host.EventStep {
			if err := run.Drain(soon(t)); err != nil {
				t.Fatalf("drain: %v", err)
			}
		}
	}
	wait(t, run, nil)
}

// TestEventsAfterBreak: a loop that was left and begun again misses nothing.
func TestEventsAfterBreak(t *testing.T) {
	h := newHost(t, nil)
	g := load(t, h, project(t, adder, "echo.wasm"), adderNodes)
	run, err := h.Start(t.Context(), g, []byte(`21`), nil)
	wait(t, run, err)
	last := host.Event{}
	for n := uint64(1); last.Type != host.EventRunEnd; n++ {
		last = host.Event{}
		for e := range run.Events() {
			last = e
			break
		}
		if last.Seq < n || last.Seq > n+1 { // the checkpoint of the input is no event
			t.Fatalf("event %d of the log is %d: %+v", n, last.Seq, last)
		}
		n = last.Seq
	}
}

// TestPanicInsideTheLoop: the panic of a loop body is the caller's to recover.
func TestPanicInsideTheLoop(t *testing.T) {
	h := newHost(t, nil)
	g := load(t, h, project(t, one), host.Nodes{"a": func(*host.Task) error { return nil }})
	run, err := h.Start(t.Context(), g, []byte(`1`), nil)
	wait(t, run, err)
	defer func() {
		if p := recover(); p != "mine" {
			t.Errorf("recovered %v", p)
		}
		for range run.Events() { // still works
		}
	}()
	for range run.Events() {
		panic("mine")
	}
}

// standing is a clock that does not go.
type standing struct{ now time.Time }

func (c standing) Now() time.Time                                 { return c.now }
func (standing) Sleep(ctx context.Context, _ time.Duration) error { return ctx.Err() }

// TestClockOfAnotherTime: with a clock of its own a host does not mix in the system's.
func TestClockOfAnotherTime(t *testing.T) {
	at := time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC)
	h := newHost(t, &host.Options{Clock: standing{at}})
	g := load(t, h, project(t, one+"run: {wall_time: 1h}\n"), host.Nodes{"a": func(*host.Task) error { return nil }})
	run, err := h.Start(t.Context(), g, []byte(`1`), nil)
	if err != nil {
		t.Fatal(err)
	}
	for e := range run.Events() {
		if !e.Time.Equal(at) || e.Duration != 0 {
			t.Errorf("%s at %v took %v", e.Type, e.Time.UTC(), e.Duration)
		}
	}
	if res := wait(t, run, nil); res.Status != "done" || res.Duration != 0 {
		t.Errorf("%s after %v, %v", res.Status, res.Duration, res.Err)
	}
}

// TestCloseDuringStart: a Start that a Close overtakes has run nothing, or its run was stopped; nothing hangs.
func TestCloseDuringStart(t *testing.T) {
	for range 20 {
		mem := memstore.NewMemory()
		h := newHost(t, &host.Options{OpenStore: func(context.Context, string) (*checkpoint.Store, error) { return checkpoint.New(mem.Open(), nil), nil }})
		g := load(t, h, project(t, one), host.Nodes{"a": func(task *host.Task) error { <-task.Context().Done(); return task.Context().Err() }})
		ctx := soon(t)
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				run, err := h.Start(ctx, g, []byte(`1`), nil)
				if err != nil {
					if !errors.Is(err, host.ErrClosed) {
						t.Errorf("start: %v, want host.ErrClosed", err)
					}
					return
				}
				if res, err := run.Wait(ctx); err != nil || res.Status != "stopped" {
					t.Errorf("wait: %+v, %v", res, err)
				}
			})
		}
		if err := h.Close(ctx); err != nil {
			t.Error(err)
		}
		wg.Wait()
	}
}

// TestCancelledStart: a context that has ended starts nothing and leaves no thread behind.
func TestCancelledStart(t *testing.T) {
	h := newHost(t, nil)
	g := load(t, h, project(t, one), host.Nodes{"a": func(*host.Task) error { return nil }})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.Start(ctx, g, []byte(`1`), &host.RunOptions{Thread: "t"}); !errors.Is(err, context.Canceled) {
		t.Errorf("start: %v", err)
	}
	run, err := h.Start(t.Context(), g, []byte(`1`), &host.RunOptions{Thread: "t", IfExists: host.IfExistsFail})
	if res := wait(t, run, err); res.Status != "done" {
		t.Errorf("%+v", res)
	}
}

// TestForeignGraph: a graph belongs to the host that loaded it.
func TestForeignGraph(t *testing.T) {
	mine, other := newHost(t, nil), newHost(t, nil)
	g := load(t, other, project(t, adder, "echo.wasm"), adderNodes)
	if run, err := mine.Start(t.Context(), g, []byte(`1`), nil); err == nil {
		wait(t, run, nil)
		t.Error("start with a graph of another host was accepted")
	}
}

// TestOddManifests: what is no manifest says so, with its name.
func TestOddManifests(t *testing.T) {
	h := newHost(t, nil)
	dir := t.TempDir()
	for _, path := range []string{dir, "", dir + "/none.yaml", "/dev/zero"} {
		_, err := h.Load(t.Context(), path, nil)
		if err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("load of %q: %v", path, err)
		}
	}
}

// TestUpdateWithAnotherGraph: an update brings its graph along, or the thread could not be resumed by name.
func TestUpdateWithAnotherGraph(t *testing.T) {
	h := newHost(t, nil)
	fail := true
	nodes := host.Nodes{"a": func(task *host.Task) error {
		if fail {
			return errors.New("not now")
		}
		return task.Write([]byte(`{"v":"ran"}`))
	}}
	g := load(t, h, project(t, one), nodes)
	run, err := h.Start(t.Context(), g, []byte(`1`), &host.RunOptions{Thread: "t"})
	wait(t, run, err)
	fail = false
	other := load(t, h, project(t, one+"limits: {memory: 16MiB}\n"), nodes)
	if other.Digest() == g.Digest() {
		t.Fatal("the graphs are the same")
	}
	if _, err := h.Update(t.Context(), "t", []byte(`{"v":2}`), &host.UpdateOptions{Graph: other}); err != nil {
		t.Logf("refused: %v", err) // as good
	}
	run, err = h.Resume(t.Context(), "t", &host.ResumeOptions{Nodes: nodes})
	if res := wait(t, run, err); res.Status != "done" || string(res.Output) != `"ran"` {
		t.Errorf("%+v", res)
	}
}

// TestAnswerIsNotShared: what a node does to the bytes of an answer, its next attempt does not see.
func TestAnswerIsNotShared(t *testing.T) {
	h := newHost(t, nil)
	g := load(t, h, project(t, `
output: {channel: v}
channels: {v: {}}
nodes: {a: {native: a, writes: [v], interrupts: true, retry: {attempts: 2, initial: 1ms}}}
edges: [{from: START, to: a}]
`), host.Nodes{"a": func(task *host.Task) error {
		answer, err := task.Ask([]byte(`"?"`))
		if err != nil {
			return err
		}
		out := `{"v":` + string(answer) + `}`
		copy(answer, `999`)
		if task.Attempt() == 1 {
			return errors.New("once more")
		}
		return task.Write([]byte(out))
	}})
	run, err := h.Start(t.Context(), g, []byte(`{}`), &host.RunOptions{Thread: "t"})
	wait(t, run, err)
	run, err = h.Resume(t.Context(), "t", &host.ResumeOptions{Graph: g, Answers: []host.Answer{{Value: []byte(`123`)}}})
	if res := wait(t, run, err); string(res.Output) != "123" {
		t.Errorf("output %s", res.Output)
	}
}

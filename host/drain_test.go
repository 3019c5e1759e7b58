package host_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/dashhost/dashhost/guest"
	"github.com/dashhost/dashhost/host"
)

// TestHotReload: a new version of a workflow is loaded beside the old one and takes new runs, while the old one
// finishes its own and is given back.
func TestHotReload(t *testing.T) {
	h := newHost(t, nil)
	entered, release := make(chan struct{}), make(chan struct{})
	nodes := host.Nodes{"double": func(task *host.Task) error {
		close(entered)
		<-release
		return task.Write([]byte(`{"sum":1}`))
	}}
	old := load(t, h, project(t, adder, "echo.wasm"), nodes)
	run, err := h.Start(t.Context(), old, []byte(`1`), nil)
	if err != nil {
		t.Fatal(err)
	}
	<-entered
	next := load(t, h, project(t, adder, "echo.wasm"), adderNodes)

	short, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := old.Drain(short); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "1 runs go on") {
		t.Errorf("drain under a run: %v", err)
	}
	if _, err := h.Start(t.Context(), old, []byte(`1`), nil); !errors.Is(err, host.ErrClosed) {
		t.Errorf("start with a drained graph: %v", err)
	}
	r, err := h.Start(t.Context(), next, []byte(`1`), nil)
	if res := wait(t, r, err); res.Err != nil {
		t.Errorf("run of the new version: %v", res.Err)
	}
	close(release)
	if err := old.Drain(soon(t)); err != nil {
		t.Errorf("drain: %v", err)
	}
	if res := wait(t, run, nil); res.Err != nil {
		t.Errorf("the run that was under way: %v", res.Err)
	}
	if err := old.Drain(soon(t)); err != nil {
		t.Errorf("drain again: %v", err)
	}
	for name, s := range old.Stats() {
		if s.Started != s.Retired {
			t.Errorf("node %s of the old version keeps instances: %+v", name, s)
		}
	}
}

// TestWarmAtStart: the nodes of a graph have an instance before their first call, and it is put back after each.
func TestWarmAtStart(t *testing.T) {
	h := newHost(t, nil)
	hold := make(chan struct{})
	g := load(t, h, project(t, `
input: {channel: n}
channels: {n: {}}
nodes: {first: {native: first}, echo: {module: echo, reads: [n], writes: [n]}}
modules: {echo: {path: echo.wasm}}
edges: [{from: START, to: first}, {from: first, to: echo}]
`, "echo.wasm"), host.Nodes{"first": func(*host.Task) error { <-hold; return nil }})
	if s := g.Stats()["echo"]; s.Started != 0 || s.Policy != guest.PolicyReset {
		t.Fatalf("before the first run: %+v", s)
	}
	run, err := h.Start(t.Context(), g, []byte(`1`), nil)
	if err != nil {
		t.Fatal(err)
	}
	for ctx := soon(t); g.Stats()["echo"].Idle != 1; {
		if ctx.Err() != nil {
			t.Fatalf("no instance: %+v", g.Stats())
		}
		time.Sleep(time.Millisecond)
	}
	close(hold)
	if res := wait(t, run, nil); res.Err != nil {
		t.Fatal(res.Err)
	}
	if s := g.Stats()["echo"]; s.Started != 1 || s.Calls != 1 {
		t.Errorf("after the run: %+v", s)
	}
}

// TestNodesOfOneModuleStayApart: a hundred nodes with one module and as many configurations.
func TestNodesOfOneModuleStayApart(t *testing.T) {
	const n = 100
	var b strings.Builder
	b.WriteString("modules: {conf: {path: config.wasm}}\nchannels: {")
	for i := range n {
		fmt.Fprintf(&b, "c%d: {}, ", i)
	}
	b.WriteString("}\nrun: {parallel: 8}\nnodes:\n")
	for i := range n {
		fmt.Fprintf(&b, "  n%d: {module: conf, raw: {out: c%d}, config: \"this is node %d\"}\n", i, i, i)
	}
	b.WriteString("edges: [{from: START, to: [")
	for i := range n {
		fmt.Fprintf(&b, "n%d, ", i)
	}
	b.WriteString("]}]\n")
	h := newHost(t, nil)
	g := load(t, h, project(t, b.String(), "config.wasm"), nil)
	for range 3 {
		r, err := h.Start(t.Context(), g, []byte(`{}`), nil)
		res := wait(t, r, err)
		if res.Err != nil {
			t.Fatal(res.Err)
		}
		for i := range n {
			if want := fmt.Sprintf(`"c%d":"\"this is node %d\""`, i, i); !strings.Contains(string(res.Output), want) {
				t.Fatalf("no %s in %s", want, res.Output)
			}
		}
	}
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/dashhost/dashhost/host"
)

// cache is where all tests keep the compiled modules: compiling takes seconds.
var cache string

func TestMain(m *testing.M) {
	var err error
	if cache, err = os.MkdirTemp("", "embed-cache"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		if err := os.RemoveAll(cache); err != nil {
			code = max(code, 1)
		}
		os.Exit(code)
	}))
}

// Example runs the program on the sample patch of merge-gate and prints what its own node has found.
func Example() {
	dir, err := os.MkdirTemp("", "embed")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	patch, err := os.ReadFile(sample)
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	g := gate{
		manifest: "workflow.yaml", store: dir, cache: cache, log: os.Stdout,
		nodes: host.Nodes{"policy": policy(owners{"deploy/": "the platform team"})},
	}
	res, err := g.run(ctx, ctx, "change-1", patch)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(res.Status)
	for line := range strings.Lines(string(res.Output)) {
		if strings.Contains(line, "`owner`") {
			fmt.Print(line)
		}
	}
	// Unordered output:
	// step 1: split
	// step 2: secrets
	// step 2: policy
	// step 3: report
	// done
	// | `deploy/values.yaml` | `owner` | modified: the platform team must agree | `0eaefa5b187165e8` |
}

const sample = "../merge-gate/sample.patch"

func samplePatch(t *testing.T) []byte {
	t.Helper()
	patch, err := os.ReadFile(sample)
	if err != nil {
		t.Fatal(err)
	}
	return patch
}

// newGate is a gate with a store of its own.
func newGate(t *testing.T, n host.Node) *gate {
	t.Helper()
	return &gate{manifest: "workflow.yaml", store: t.TempDir(), cache: cache, nodes: host.Nodes{"policy": n}, log: io.Discard}
}

// TestInterrupted: what ends the context in the middle of a node stops the run, and the next start finishes it.
func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	mine := policy(owners{"deploy/": "me"})
	g := newGate(t, func(task *host.Task) error {
		cancel()
		<-task.Context().Done()
		return task.Context().Err()
	})
	res, err := g.run(ctx, t.Context(), "t", samplePatch(t))
	if err != nil || res.Status != "stopped" {
		t.Fatalf("%+v, %v", res, err)
	}
	calls := 0
	g.nodes["policy"] = func(task *host.Task) error { calls++; return mine(task) }
	for range 2 { // the second time there is nothing left to do
		res, err = g.run(t.Context(), t.Context(), "t", samplePatch(t))
		if err != nil || res.Status != "done" || !strings.Contains(string(res.Output), "me must agree") || calls != 1 {
			t.Errorf("%+v, %v, %d calls", res, err, calls)
		}
	}
}

// TestDrainedAnywhere: stopped after any of its tasks, a run ends with the same report.
func TestDrainedAnywhere(t *testing.T) {
	g := newGate(t, policy(owners{"deploy/": "me"}))
	want, err := g.run(t.Context(), t.Context(), "whole", samplePatch(t))
	if err != nil {
		t.Fatal(err)
	}
	stopped := 0
	for after := range 4 {
		stop, cancel := context.WithCancel(t.Context())
		g.log = &nth{left: after, do: cancel}
		if after == 0 {
			cancel()
		}
		thread := fmt.Sprint("after ", after)
		res, err := g.run(t.Context(), stop, thread, samplePatch(t))
		cancel()
		if err != nil {
			t.Fatal(err)
		}
		if res.Status == "stopped" {
			stopped++
			g.log = io.Discard
			if res, err = g.run(t.Context(), t.Context(), thread, samplePatch(t)); err != nil {
				t.Fatal(err)
			}
		}
		if res.Status != "done" || string(res.Output) != string(want.Output) {
			t.Errorf("stopped after %d tasks: %s\n%s\nwant\n%s", after, res.Status, res.Output, want.Output)
		}
	}
	if stopped == 0 {
		t.Error("no run was stopped before its end")
	}
}

// nth calls do at the nth write.
type nth struct {
	mu   sync.Mutex
	left int
	do   func()
}

func (n *nth) Write(b []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.left--; n.left == 0 {
		n.do()
	}
	return len(b), nil
}

// TestPolicyFails: an error of the program's own node has its name and code.
func TestPolicyFails(t *testing.T) {
	g := newGate(t, func(*host.Task) error {
		return &host.Error{Code: "no_owners", Message: "the list cannot be read", Final: true}
	})
	_, err := g.run(t.Context(), t.Context(), "t", samplePatch(t))
	var failed *host.Error
	if !errors.As(err, &failed) || failed.Code != "no_owners" || failed.Node != "policy" {
		t.Errorf("error %v", err)
	}
}

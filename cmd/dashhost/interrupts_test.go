package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// watcher is a stderr that calls a function once when a text appears.
type watcher struct {
	mu   sync.Mutex
	buf  bytes.Buffer
	on   []string
	call []func()
}

func (w *watcher) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.buf.Write(b)
	for len(w.on) > 0 && strings.Contains(w.buf.String(), w.on[0]) {
		go w.call[0]()
		w.on, w.call = w.on[1:], w.call[1:]
	}
	return len(b), nil
}

func (w *watcher) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.buf.String()
}

// project writes a manifest beside the test guests and returns its path.
func project(t *testing.T, manifest string) string {
	t.Helper()
	dir := t.TempDir()
	if err := copyGuests(dir); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "workflow.yaml")
	if err := os.WriteFile(path, []byte(manifest), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// ticking is a graph that never ends by itself, with steps of 50 ms.
const ticking = `
version: 1
name: ticking
input: {channel: text}
modules: {clock: {path: clock.wasm}}
channels: {text: {}, now: {}}
nodes: {tick: {module: clock, writes: [now], grants: {clock: true}}}
edges:
  - {from: START, to: tick}
  - {from: tick, to: tick}
`

// TestFirstSignalStopsAtStepBoundary: each signal that asks to end lets the step in progress finish, exit code 5, and the thread
// can be resumed.
func TestFirstSignalStopsAtStepBoundary(t *testing.T) {
	for _, sig := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		t.Run(sig.String(), func(t *testing.T) {
			e := newEnviron(t, "run", project(t, ticking), "--input-json", "1", "--thread", "t")
			signals := make(chan chan<- os.Signal, 1)
			e.Notify = func(c chan<- os.Signal) func() { signals <- c; return func() {} }
			w := &watcher{on: []string{"step 2 "}, call: []func(){func() { c := <-signals; c <- sig }}}
			e.Stderr = w
			if code := e.run(); code != exitStopped {
				t.Fatalf("exit code %d, want %d:\n%s", code, exitStopped, w)
			}
			if out := e.Stdout.(interface{ String() string }).String(); out != "" {
				t.Errorf("a run that stopped has no output yet: %q", out)
			}
			for _, want := range []string{"stopping at the end of this step", "stopped ", "next      dashhost resume t --store "} {
				if !strings.Contains(w.String(), want) {
					t.Errorf("stderr lacks %q:\n%s", want, w)
				}
			}
			if _, after, _ := strings.Cut(w.String(), "stopping at"); strings.Count(after, "\nstep ") > 1 {
				t.Errorf("more than the step in progress ran:\n%s", w)
			}
		})
	}
}

// spinning has one node that does not end within any test's patience.
const spinning = `
version: 1
name: spinning
input: {channel: text}
modules: {spin: {path: spin.wasm}}
channels: {text: {}}
nodes: {spin: {module: spin, reads: [text], deadline: 10m}}
edges: [{from: START, to: spin}]
`

// TestSecondSignalCancels: the second signal ends a node that would run for minutes, exit code 130.
func TestSecondSignalCancels(t *testing.T) {
	e := newEnviron(t, "run", project(t, spinning), "--input-json", "1", "--thread", "t")
	signals := make(chan chan<- os.Signal, 1)
	e.Notify = func(c chan<- os.Signal) func() { signals <- c; return func() {} }
	var c chan<- os.Signal
	w := &watcher{
		on: []string{"thread    t", "interrupt again"},
		call: []func(){
			func() { c = <-signals; c <- os.Interrupt },
			func() { c <- os.Interrupt },
		},
	}
	e.Stderr = w
	if code := e.run(); code != exitInterrupted {
		t.Fatalf("exit code %d, want %d:\n%s", code, exitInterrupted, w)
	}
	if !strings.Contains(w.String(), "cancelling what runs") || !strings.Contains(w.String(), "next      dashhost resume t") {
		t.Errorf("stderr:\n%s", w)
	}
}

// blocked is a stdin from which nothing comes.
type blocked struct{ begun chan struct{} }

func (b blocked) Read([]byte) (int, error) {
	close(b.begun)
	select {}
}

// TestSignalBeforeRun: while the input is awaited there is nothing to finish, and nothing was kept.
func TestSignalBeforeRun(t *testing.T) {
	path := project(t, ticking)
	e := newEnviron(t, "run", path, "--input", "-")
	stdin := blocked{begun: make(chan struct{})}
	e.Stdin = stdin
	e.Notify = func(c chan<- os.Signal) func() {
		go func() { <-stdin.begun; c <- os.Interrupt }()
		return func() {}
	}
	w := &watcher{}
	e.Stderr = w
	if code := e.run(); code != exitStopped {
		t.Fatalf("exit code %d, want %d:\n%s", code, exitStopped, w)
	}
	if !strings.Contains(w.String(), "error: stopped before anything was run\n") {
		t.Errorf("stderr:\n%s", w)
	}
	if _, err := os.Stat(filepath.Join(filepath.Dir(path), ".dashhost")); !os.IsNotExist(err) {
		t.Errorf("a store was made: %v", err)
	}
}

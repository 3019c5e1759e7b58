package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// counting takes ten steps and its output says how often each half of it ran.
const counting = `
version: 1
name: counting
input: {channel: text}
output: {channel: count}
modules: {say: {path: say.wasm}, clock: {path: clock.wasm}}
channels: {text: {}, now: {}, count: {reduce: append}}
nodes:
  tick: {module: clock, writes: [now], grants: {clock: true}}
  count: {module: say, writes: [count], config: {count: [1]}}
edges:
  - {from: START, to: tick}
  - {from: tick, to: count}
  - {from: count, when: [{if: "size(count) < 5", to: tick}, {to: END}]}
`

// TestSignalAtRandomSteps: a run that is stopped again and again, each time at another step, comes to the result of one that is
// not.
func TestSignalAtRandomSteps(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	path := project(t, counting)
	store := filepath.Join(filepath.Dir(path), ".dashhost", "store")
	args := []string{"run", path, "--input-json", "1", "--thread", "t"}
	for taken, resumes := 0, 0; ; resumes++ {
		code, out, talk := signalled(t, fmt.Sprintf("step %d ", min(taken+1+random.IntN(3), 10)), args...)
		taken += strings.Count("\n"+talk, "\nstep ")
		if code == exitDone {
			if want := "[1,1,1,1,1]\n"; out != want {
				t.Errorf("output %q, want %q", out, want)
			}
			if resumes == 0 || taken != 10 {
				t.Errorf("%d resumes, %d steps, want some, and 10", resumes, taken)
			}
			return
		}
		if code != exitStopped || out != "" {
			t.Fatalf("exit code %d, output %q:\n%s", code, out, talk)
		}
		args = []string{"resume", "t", "--store", store}
	}
}

// signalled runs a command line and sends SIGTERM when stderr shows a text.
func signalled(t *testing.T, when string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	e := newEnviron(t, args...)
	signals := make(chan chan<- os.Signal, 1)
	e.Notify = func(c chan<- os.Signal) func() { signals <- c; return func() {} }
	w := &watcher{on: []string{when}, call: []func(){func() { c := <-signals; c <- syscall.SIGTERM }}}
	var out strings.Builder
	e.Stdout, e.Stderr = &out, w
	code = e.run()
	return code, out.String(), w.String()
}

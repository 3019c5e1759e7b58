package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// command runs a command line in this process and returns its exit code and what it printed.
func command(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	e := newEnviron(t, args...)
	var out, talk strings.Builder
	e.Stdout, e.Stderr = &out, &talk
	code = e.run()
	return code, out.String(), talk.String()
}

// while runs the ticking graph on thread t until others, called at its second step with the store's folder, has returned; then it
// sends an interrupt. It returns the exit code and stderr of the run.
func while(t *testing.T, others func(store string)) (code int, stderr string) {
	t.Helper()
	path := project(t, ticking)
	store := filepath.Join(filepath.Dir(path), ".dashhost", "store")
	e := newEnviron(t, "run", path, "--input-json", "1", "--thread", "t")
	signals := make(chan chan<- os.Signal, 1)
	e.Notify = func(c chan<- os.Signal) func() { signals <- c; return func() {} }
	done := make(chan struct{})
	w := &watcher{on: []string{"step 2 "}, call: []func(){func() {
		defer close(done)
		others(store)
		c := <-signals
		c <- os.Interrupt
	}}}
	e.Stderr = w
	code = e.run()
	<-done
	return code, w.String()
}

// TestOthersWhileRunning: what other processes are told about a thread that one runs.
func TestOthersWhileRunning(t *testing.T) {
	code, talk := while(t, func(store string) {
		for _, c := range []struct {
			args           []string
			exit           int
			stdout, stderr string
		}{
			{[]string{"thread", "list", "--json"}, exitDone, `"thread":"t","status":"running"`, ""},
			{[]string{"thread", "show", "t"}, exitDone, "held by", ""},
			{[]string{"thread", "state", "t"}, exitDone, `"now":true`, ""},
			{[]string{"thread", "list", "--status", "stopped"}, exitDone, "", "no threads match"},
			{[]string{"resume", "t"}, exitFailed, "", "--take-over"},
			{[]string{"thread", "delete", "t"}, exitFailed, "", "thread delete t --force"},
		} {
			code, out, talk := command(t, append(c.args, "--store", store)...)
			if code != c.exit || !strings.Contains(out, c.stdout) || !strings.Contains(talk, c.stderr) {
				t.Errorf("%v: exit code %d, want %d\nstdout: %s, want %q\nstderr: %s, want %q", c.args, code, c.exit, out, c.stdout, talk, c.stderr)
			}
		}
	})
	if code != exitStopped {
		t.Errorf("the run: exit code %d\n%s", code, talk)
	}
}

// TestDeletedWhileRunning: a forced delete ends the run that holds the thread, with an error that says so.
func TestDeletedWhileRunning(t *testing.T) {
	code, talk := while(t, func(store string) {
		if code, _, talk := command(t, "thread", "delete", "t", "--force", "--store", store); code != exitDone {
			t.Errorf("delete: exit code %d\n%s", code, talk)
		}
	})
	if code != exitFailed || !strings.Contains(talk, "fenced") || !strings.Contains(talk, "hint: another process") {
		t.Errorf("the run: exit code %d\n%s", code, talk)
	}
}

package main

import (
	"fmt"
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

// TestCancelledWhileRunning: the process that holds the thread is asked, and stops; the one that asked waits for that.
func TestCancelledWhileRunning(t *testing.T) {
	code, talk := while(t, func(store string) {
		code, out, talk := command(t, "thread", "cancel", "t", "--store", store, "--json")
		if code != exitDone || out != `{"thread":"t","status":"cancelled","asked":true}`+"\n" || !strings.Contains(talk, "asked     pid ") {
			t.Errorf("cancel: exit code %d, %q\n%s", code, out, talk)
		}
	})
	if code != exitStopped || !strings.Contains(talk, "\ncancelled ") || strings.Contains(talk, "dashhost resume") {
		t.Errorf("the run: exit code %d\n%s", code, talk)
	}
}

// TestCancelDoesNotWaitForever: a process that does not react in time is named, and what can be done about it.
func TestCancelDoesNotWaitForever(t *testing.T) {
	while(t, func(store string) {
		code, out, talk := command(t, "thread", "cancel", "t", "--wait", "0s", "--store", store)
		if code != exitFailed || out != "" || !strings.Contains(talk, "was asked to stop, and still runs it after 0s") || !strings.Contains(talk, "hint: or take the thread away from it: dashhost resume t --take-over") {
			t.Errorf("cancel: exit code %d, %q\n%s", code, out, talk)
		}
	})
}

// TestFollow: events of a run come while it goes on, each once, and following ends without an error when it is interrupted.
func TestFollow(t *testing.T) {
	w := &watcher{}
	code, _ := while(t, func(store string) {
		e := newEnviron(t, "events", "--follow", "--json", "--type", "step", "--store", store)
		signals := make(chan chan<- os.Signal, 1)
		e.Notify = func(c chan<- os.Signal) func() { signals <- c; return func() {} }
		w.on = []string{`"step":6,`}
		w.call = []func(){func() { c := <-signals; c <- os.Interrupt }}
		e.Stdout = w
		if code := e.run(); code != exitDone {
			t.Errorf("exit code %d\n%s", code, e.Stderr)
		}
	})
	if code != exitStopped {
		t.Errorf("the run: exit code %d", code)
	}
	for i := range 6 {
		if n := strings.Count(w.String(), fmt.Sprintf(`"step":%d,`, i)); n != 1 {
			t.Errorf("step %d came %d times:\n%s", i, n, w)
		}
	}
}

// TestCancelledWhileStopping: a holder that is told to stop by two sides at once.
func TestCancelledWhileStopping(t *testing.T) {
	path := project(t, ticking)
	store := filepath.Join(filepath.Dir(path), ".dashhost", "store")
	e := newEnviron(t, "run", path, "--input-json", "1", "--thread", "t")
	signals := make(chan chan<- os.Signal, 1)
	e.Notify = func(c chan<- os.Signal) func() { signals <- c; return func() {} }
	done := make(chan struct{})
	e.Stderr = &watcher{on: []string{"step 2 "}, call: []func(){func() {
		defer close(done)
		other := newEnviron(t, "thread", "cancel", "t", "--store", store, "--json")
		other.Stderr = &watcher{on: []string{"asked     pid "}, call: []func(){func() { c := <-signals; c <- os.Interrupt }}}
		if code, out := other.run(), fmt.Sprint(other.Stdout); code != exitDone || out != `{"thread":"t","status":"cancelled","asked":true}`+"\n" {
			t.Errorf("cancel: exit code %d, %q\n%s", code, out, other.Stderr)
		}
	}}}
	if code := e.run(); code != exitStopped {
		t.Errorf("the run: exit code %d\n%s", code, e.Stderr)
	}
	<-done
	if code, out, _ := command(t, "thread", "list", "--status", "cancelled", "--store", store); code != exitDone || !strings.Contains(out, "t ") {
		t.Errorf("thread list: exit code %d, %q", code, out)
	}
}

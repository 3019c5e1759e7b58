package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestStoreCommandsWhileRunning: a store is checked, copied, backed up and pruned while a process runs a thread of it; what was
// taken is sound, and the thread can be resumed from it.
func TestStoreCommandsWhileRunning(t *testing.T) {
	dir := t.TempDir()
	code, talk := while(t, func(store string) {
		for _, c := range []struct {
			args []string
			want string // on stderr
		}{
			{[]string{"fsck"}, "sound"},
			{[]string{"stats", "t"}, ""},
			{[]string{"backup", dir + "/b.tar"}, "backed up "},
			{[]string{"copy", dir + "/copied"}, "running   t: taken as far as it had come"},
			{[]string{"export", "-o", dir + "/t.jsonl"}, "exported  1 thread"},
			{[]string{"prune", "--keep-last", "1", "--now"}, "dropped   "},
			{[]string{"fsck"}, "sound"},
		} {
			code, out, talk := command(t, append(append([]string{"store"}, c.args...), "--store", store)...)
			if code != exitDone || !strings.Contains(talk, c.want) {
				t.Errorf("%v: exit code %d\n%s%s", c.args, code, out, talk)
			}
		}
		if code, _, talk := command(t, "store", "restore", dir+"/b.tar", "--store", dir+"/restored"); code != exitDone {
			t.Errorf("restore: exit code %d\n%s", code, talk)
		}
	})
	if code != exitStopped {
		t.Fatalf("the run: exit code %d\n%s", code, talk)
	}
	for _, name := range []string{"restored", "copied"} {
		store := filepath.Join(dir, name)
		if code, out, _ := command(t, "thread", "show", "t", "--store", store); code != exitDone || !strings.Contains(out, "stopped") {
			t.Errorf("%s: exit code %d\n%s", name, code, out)
		}
		e := newEnviron(t, "resume", "t", "--store", store)
		signals := make(chan chan<- os.Signal, 1)
		e.Notify = func(c chan<- os.Signal) func() { signals <- c; return func() {} }
		w := &watcher{on: []string{"\nstep "}, call: []func(){func() { c := <-signals; c <- os.Interrupt }}}
		e.Stderr = w
		if code := e.run(); code != exitStopped {
			t.Errorf("resume in %s: exit code %d\n%s", name, code, w)
		}
		if code, _, talk := command(t, "store", "fsck", "--store", store); code != exitDone {
			t.Errorf("fsck of %s: exit code %d\n%s", name, code, talk)
		}
	}
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/dashhost/dashhost/checkpoint"
	"github.com/dashhost/dashhost/guest"
	"github.com/dashhost/dashhost/host"
	"github.com/dashhost/dashhost/host/workflow"
	"github.com/dashhost/dashhost/streaming/filesink"
	"github.com/dashhost/dashhost/streaming/kafkasink"
)

// TestExplain: every error that a command may meet has its exit code, and a hint where there is something to do.
func TestExplain(t *testing.T) {
	pos := workflow.Pos{File: "w.yaml", Line: 3, Col: 1}
	cases := []struct {
		err  error
		exit int
		hint string // part of one, "" = none is needed
	}{
		{&usageError{Text: "x", Hints: []string{"try y"}}, exitUsage, "try y"},
		{&notYetError{What: "x", Instead: "use y"}, exitUsage, "use y"},
		{&fileError{What: "manifest", Path: "w.yaml", Err: os.ErrNotExist}, exitUsage, "--manifest"},
		{&fileError{What: "input", Path: "i", Err: os.ErrNotExist}, exitUsage, "working directory"},
		{&fileError{What: "input", Path: "i", Err: os.ErrPermission}, exitUsage, ""},
		{&tooLargeError{What: "input", Path: "i", Max: 1, Raise: "raise run.state"}, exitUsage, "raise run.state"},
		{&notEmptyError{Dir: "d"}, exitUsage, "an empty one"},
		{&noStoreError{Dir: "d"}, exitFailed, "--store"},
		{&threadNotFoundError{Prefix: "t"}, exitFailed, "dashhost thread list"},
		{&ambiguousError{Prefix: "t", Matches: []string{"t1", "t2"}}, exitUsage, "dashhost thread list t"},
		{&channelNotFoundError{Channel: "c", Known: []string{"a"}}, exitFailed, "a"},
		{&internalError{Value: "x"}, exitFailed, "--log-level debug"},
		{&outputError{Err: os.ErrClosed}, exitFailed, "thread state t"},
		{&storeUnknownError{Err: &workflow.Invalid{File: "w.yaml", Faults: []workflow.Fault{{Pos: pos, Text: "x"}}}}, exitUsage, "--store DIR"},

		{&workflow.Invalid{File: "w.yaml", Faults: []workflow.Fault{{Pos: pos, Text: "x"}}}, exitUsage, ""},
		{&host.NotInVersionError{Faults: []workflow.Fault{{Pos: pos, Text: "x"}}}, exitUsage, ""},
		{&host.GraphChangedError{Thread: "t", Diff: []string{"node a: changed"}}, exitUsage, "--upgrade"},
		{&host.UpgradeError{Thread: "t", Nodes: []string{"a"}}, exitUsage, "--pinned"},
		{&host.ExistsError{Thread: "t", Status: "failed"}, exitFailed, "dashhost resume t"},
		{&host.ExistsError{Thread: "t", Status: "waiting"}, exitFailed, "dashhost thread show t"},
		{host.ErrNoQuestion, exitUsage, "dashhost thread show t"},
		{host.ErrAnswered, exitUsage, "dashhost thread show t"},
		{host.ErrAmbiguous, exitUsage, "dashhost thread show t"},
		{&host.FinishedError{Thread: "t", Status: "done"}, exitFailed, "run --thread t"},
		{&host.SchemeError{URL: "x:y"}, exitUsage, "file:DIR"},
		{&host.InputTooLargeError{Max: 1, Got: 2}, exitUsage, ""},
		{&host.Error{Code: "schema", Message: "x", Hint: "mend it"}, exitUsage, "mend it"},
		{&guest.LoadError{Module: "m", Offset: -1, Text: "x", Hint: "build it as y"}, exitUsage, "build it as y"},
		{&fs.PathError{Op: "open", Path: "x", Err: os.ErrNotExist}, exitUsage, ""},

		{&checkpoint.BusyError{Thread: "t"}, exitFailed, "--take-over"},
		{&checkpoint.DamageError{Thread: "t", File: "f", Reason: "r"}, exitDamaged, "--accept-loss"},
		{&checkpoint.InvalidError{Field: "thread", Reason: "r"}, exitUsage, ""},
		{&checkpoint.LimitError{Field: "thread", Max: 1, Got: 2}, exitUsage, ""},
		{checkpoint.ErrFenced, exitFailed, "took the thread over"},
		{checkpoint.ErrFull, exitFailed, "make room"},
		{checkpoint.ErrNotFound, exitFailed, "thread history t"},
		{fmt.Errorf("%w: %w", host.ErrNotFound, checkpoint.ErrNotFound), exitFailed, "thread history t"},
		{&unreadableError{Records: 2, First: errors.New("x")}, exitDamaged, "other records"},
		{&kafkasink.URLError{Part: "host", Text: "x"}, exitUsage, "kafka://"},
		{kafkasink.ErrTopic, exitFailed, "--create"},
		{kafkasink.ErrDenied, exitFailed, "password"},
		{kafkasink.ErrConnect, exitFailed, "tls"},
		{kafkasink.ErrUnreachable, exitFailed, "broker"},
		{&filesink.DamageError{File: "f", Reason: "r"}, exitDamaged, "dashhost events"},
		{&stillRunningError{Thread: "t"}, exitFailed, "thread show t"},

		{context.Canceled, exitStopped, ""},
		{errors.New("something new"), exitFailed, ""},
	}
	for _, c := range cases {
		t.Run(fmt.Sprintf("%T", c.err), func(t *testing.T) {
			e := newEnviron(t)
			a := &app{environ: &e.environ, scene: scene{store: "file:s", thread: "t", manifest: "w.yaml"}}
			for _, err := range []error{c.err, fmt.Errorf("wrapped: %w", c.err)} {
				f := a.explain(err)
				if f.Exit != c.exit {
					t.Errorf("%v: exit %d, want %d", err, f.Exit, c.exit)
				}
				if f.Error == "" {
					t.Errorf("%v: no text", err)
				}
				if hints := strings.Join(f.Hints, "\n"); !strings.Contains(hints, c.hint) {
					t.Errorf("%v: hints %q, want one with %q", err, hints, c.hint)
				}
			}
		})
	}
}

// TestHintsNameTheStore: a command to type next goes to the store that this one used.
func TestHintsNameTheStore(t *testing.T) {
	t.Chdir(t.TempDir())
	e := newEnviron(t)
	a := &app{environ: &e.environ}
	for _, c := range []struct{ store, env, want string }{
		{"file:.dashhost/store", "", "dashhost thread list"},
		{"file:other", "", "dashhost thread list --store other"},
		{"file:it's here", "", `dashhost thread list --store 'it'\''s here'`},
		{"file:other", "other", "dashhost thread list"},
		{"file:.dashhost/store", "other", "dashhost thread list --store .dashhost/store"},
		{"mem:", "", "dashhost thread list --store mem:"},
	} {
		a.scene.store, e.vars["DASHHOST_STORE"] = c.store, c.env
		if got := a.command("thread list", ""); got != c.want {
			t.Errorf("store %q, environment %q: %s, want %s", c.store, c.env, got, c.want)
		}
	}
}

// TestCommandWithDashes: a thread whose name looks like a flag.
func TestCommandWithDashes(t *testing.T) {
	t.Chdir(t.TempDir())
	e := newEnviron(t)
	a := &app{environ: &e.environ, scene: scene{store: "file:other"}}
	if got, want := a.command("resume", "--pinned", "-x", "w.yaml"), "dashhost resume --pinned --store other -- -x w.yaml"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestVisible(t *testing.T) {
	for in, want := range map[string]string{
		"plain\ttext":      "plain\ttext",
		"two\nlines\n":     "two lines",
		"\x1b[2Jgone\r":    `\x1b[2Jgone`,
		"bell\a c1\u009b2": `bell\x07 c1\x9b2`,
		"größer 你好":        "größer 你好",
	} {
		if got := visible(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

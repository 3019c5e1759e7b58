package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain lets scripts run this test binary as dashhost.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"dashhost": func() { main() },
	})
}

// TestScripts runs every script of testdata/script: one for each behaviour of the command and each kind of misuse. The guests of
// testdata/guests lie in the folder that a script starts in.
func TestScripts(t *testing.T) { testscript.Run(t, scripts(t.TempDir(), "testdata/script")) }

// scripts are the scripts of a folder, with what they can do.
func scripts(cache, dir string) testscript.Params {
	return testscript.Params{
		Dir:                 dir,
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("DASHHOST_CACHE_DIR", cache)
			return copyGuests(e.WorkDir)
		},
		Condition: func(name string) (bool, error) {
			if name != "root" {
				return false, fmt.Errorf("unknown condition %q", name)
			}
			return os.Geteuid() == 0, nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits,
			"same":  same,
			"flip":  flip,
			"grab":  grab,

			"broker":  broker,
			"produce": produce,
			"publish": publish,
		},
	}
}

func copyGuests(dir string) error {
	files, err := filepath.Glob("testdata/guests/*.wasm")
	if err != nil || len(files) == 0 {
		return errors.New("no guests in testdata/guests")
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(f)), b, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// exits runs a command and checks its exit code: exits CODE PROGRAM ARGS...
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARGS...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// same checks that a text occurs in stdout as often as given: same COUNT TEXT.
func same(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: same COUNT TEXT")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	if got := strings.Count(ts.ReadFile("stdout"), args[1]); got != want {
		ts.Fatalf("%q occurs %d times, want %d", args[1], got, want)
	}
}

// grab puts the first group that matches stdout into an environment variable: grab NAME REGEXP.
func grab(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: grab NAME REGEXP")
	}
	re, err := regexp.Compile("(?m)" + args[1])
	ts.Check(err)
	m := re.FindStringSubmatch(ts.ReadFile("stdout"))
	if len(m) != 2 {
		ts.Fatalf("stdout has no %q", args[1])
	}
	ts.Setenv(args[0], m[1])
}

// flip changes one bit in every file of a folder that holds the text: flip DIR TEXT. It fails if there is none.
func flip(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: flip DIR TEXT")
	}
	done := false
	ts.Check(filepath.WalkDir(ts.MkAbs(args[0]), func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		at := strings.LastIndex(string(b), args[1])
		if at < 0 {
			return nil
		}
		b[at] ^= 1
		done = true
		return os.WriteFile(path, b, 0o644)
	}))
	if !done {
		ts.Fatalf("no file of %s holds %q", args[0], args[1])
	}
}

// testEnviron is an environment for commands that run in the test's own process.
type testEnviron struct {
	environ
	vars map[string]string
}

// newEnviron gives a command line an empty environment with a cache of its own.
func newEnviron(t *testing.T, args ...string) *testEnviron {
	t.Helper()
	e := &testEnviron{vars: map[string]string{"DASHHOST_CACHE_DIR": t.TempDir()}}
	e.Args = args
	e.Stdin, e.Stdout, e.Stderr = strings.NewReader(""), &strings.Builder{}, &strings.Builder{}
	e.Getenv = func(name string) string { return e.vars[name] }
	e.Notify = func(chan<- os.Signal) func() { return func() {} }
	e.Exit = func(code int) { t.Fatalf("the process ended with %d", code) }
	return e
}

func (e *testEnviron) run() int { return run(context.Background(), &e.environ) }

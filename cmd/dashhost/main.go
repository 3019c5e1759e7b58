// Command dashhost runs workflow graphs whose nodes are WebAssembly modules, and shows what it kept of them.
//
// What acts on a project is a verb (new, run, resume, validate, graph), what is stored is a noun, with verbs of its own
// where there are several (thread, module, events). The package holds flags, wiring and text; everything a run needs is in packages host, guest and
// checkpoint. One file holds one command.
//
// # Voice
//
// Data goes to stdout, talk to stderr. A run prints a line on stderr for each step and, at the end, where it is kept
// and the command to type next; -q silences that. --json turns what a command prints into JSON: one object, or one
// object a line for lists; errors then are one JSON object on stderr. An error is one line that starts with "error:",
// followed by "hint:" lines.
//
// # Where things are
//
// A setting comes from the first of these that names it: flag, environment (DASHHOST_STORE, DASHHOST_STREAM,
// DASHHOST_CACHE_DIR, DASHHOST_SIGNERS, DASHHOST_LOG, DASHHOST_LOG_FORMAT), manifest, default. README has the table. The default store is .dashhost/store beside the manifest, or
// in the working directory if there is no manifest. Paths on the command line and in the environment are relative to
// the working directory, paths in a manifest to the manifest.
//
// # Exit codes
//
//	  0  done
//	  1  the run or the check failed
//	  2  wrong usage or invalid manifest
//	  3  the run waits for an answer, a timer or a retry
//	  4  stored data is damaged
//	  5  the run was stopped before its end, nothing is lost
//	130  a second interrupt cancelled what was running
package main

import (
	"context"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"golang.org/x/term"
)

// softMemory is how much memory of its own the process takes before the garbage collector works harder to stay below it, in
// bytes. Large inputs pass through several forms that are dead as soon as the next one is made. GOMEMLIMIT overrides it;
// guest memories are limited by the manifest and not part of it.
const softMemory = 448 << 20

func main() {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(softMemory)
	}
	// A reader of stderr that goes away must not kill a run: writes then return EPIPE instead.
	signal.Ignore(syscall.SIGPIPE)
	program, err := os.Executable()
	if err != nil {
		program = "" // without /proc, for example
	}
	os.Exit(run(context.Background(), &environ{
		Program:   program,
		Args:      os.Args[1:],
		Stdin:     os.Stdin,
		Stdout:    os.Stdout,
		Stderr:    os.Stderr,
		Getenv:    os.Getenv,
		Notify:    notify,
		Exit:      os.Exit,
		StdinTTY:  term.IsTerminal(int(os.Stdin.Fd())),
		StderrTTY: term.IsTerminal(int(os.Stderr.Fd())),
	}))
}

// notify sends interrupts and requests to end to c until stop is called.
func notify(c chan<- os.Signal) (stop func()) {
	signal.Notify(c, os.Interrupt, syscall.SIGTERM)
	return func() { signal.Stop(c) }
}

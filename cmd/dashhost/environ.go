package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"syscall"

	"github.com/spf13/cobra"
)

// environ is everything the command takes from the process around it, so that tests run it inside their own.
type environ struct {
	Args      []string // without the name of the program
	Stdin     io.Reader
	Stdout    io.Writer
	Stderr    io.Writer
	Getenv    func(string) string
	Notify    func(chan<- os.Signal) (stop func())
	Exit      func(code int) // ends the process at once, for a second interrupt while nothing can be cancelled
	Program   string         // this program's own file, to run again; "" when that cannot be
	StdinTTY  bool
	StderrTTY bool
}

// app is one execution of the command.
type app struct {
	*environ
	flags   flags
	stdout  *output
	talk    *talk
	scene   scene
	masters *masters // keys of the store, once they were read
	started bool     // a command's own code began: errors from here on are not about usage
}

// run executes the command line in e and returns the exit code. It prints everything there is to say, errors included.
func run(ctx context.Context, e *environ) int {
	a := &app{environ: e, stdout: &output{w: e.Stdout}}
	a.talk = &talk{w: e.Stderr, terminal: e.StderrTTY, color: e.StderrTTY && e.Getenv("NO_COLOR") == "" && e.Getenv("TERM") != "dumb"}
	root := a.rootCommand()
	root.SetArgs(e.Args)
	root.SetIn(e.Stdin)
	root.SetOut(a.stdout)
	root.SetErr(e.Stderr)
	err := a.execute(ctx, root)
	if internal := (*internalError)(nil); err != nil && !a.started && !errors.As(err, &internal) {
		err = asUsage(err)
	}
	code := a.report(err)
	if werr := a.stdout.err; werr != nil && !errors.Is(werr, syscall.EPIPE) {
		told := a.report(&outputError{Err: werr})
		if code == exitDone {
			code = told
		}
	}
	return code
}

// execute runs the command. A fault of the program itself is told like any other; the log has its stack.
func (a *app) execute(ctx context.Context, root *cobra.Command) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &internalError{Value: p}
			if a.started {
				a.logger().Debug("panic", "value", p, "stack", string(debug.Stack()))
			}
		}
	}()
	return root.ExecuteContext(ctx)
}

// internalError is a fault of the program itself.
type internalError struct{ Value any }

// Error implements error.
func (e *internalError) Error() string { return fmt.Sprint("internal error: ", e.Value) }

// output is stdout. It remembers the first error: a reader that went away ends the printing quietly, any other fault is
// reported once at the end, so no command has to look at each write.
type output struct {
	w   io.Writer
	err error
}

// Write writes b unless an earlier write failed.
func (o *output) Write(b []byte) (int, error) {
	if o.err != nil {
		return 0, o.err
	}
	n, err := o.w.Write(b)
	o.err = err
	return n, err
}

// outputError says that what a command printed did not reach stdout.
type outputError struct{ Err error }

// Error implements error.
func (e *outputError) Error() string { return "stdout: " + cause(e.Err) }

// Unwrap returns what the write returned.
func (e *outputError) Unwrap() error { return e.Err }

// cause is the text of err without the path and operation that the operating system's errors carry.
func cause(err error) string {
	var pe *os.PathError
	if errors.As(err, &pe) {
		return pe.Err.Error()
	}
	return err.Error()
}

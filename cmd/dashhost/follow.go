package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/dashhost/dashhost/host"
	"github.com/dashhost/dashhost/host/openurl"
)

// runReport is what run --json and resume --json print.
type runReport struct {
	Thread     string          `json:"thread"`
	Run        string          `json:"run"`
	Status     string          `json:"status"`
	Output     json.RawMessage `json:"output,omitempty"` // text as a JSON string
	Checkpoint string          `json:"checkpoint,omitempty"`
	Steps      int             `json:"steps"`
	Tasks      int             `json:"tasks"`
	Duration   int64           `json:"duration_us"`
	Replaced   int             `json:"replaced,omitempty"` // invalid UTF-8 sequences of the input
	Skipped    bool            `json:"skipped,omitempty"`  // --if-exists skip, and it did
	Loss       string          `json:"accepted_loss,omitempty"`
	Questions  []host.Question `json:"questions,omitempty"`
	Error      *host.Error     `json:"error,omitempty"`
	Store      string          `json:"store"`
	Next       string          `json:"next,omitempty"` // command line
	Exit       int             `json:"exit"`
}

// follow tells what a run does until it ends, prints its output, and says where it is kept and what to type next.
func (a *app) follow(ctx context.Context, r *host.Run, signals *interrupts) error {
	a.scene.thread = r.Thread()
	signals.attach(ctx, r)
	a.talk.linef("thread    %s", r.Thread())
	s := steps{talk: a.talk}
	for e := range r.Events() {
		s.event(&e)
	}
	res, err := r.Wait(context.WithoutCancel(ctx))
	a.talk.clear()
	if res == nil {
		return err
	}
	code := exitOf(res.Status)
	if res.Skipped {
		code = exitDone
	}
	if signals.cancelled() && code == exitStopped {
		code = exitInterrupted
	}
	var of *host.Error
	if err != nil && !errors.As(err, &of) {
		// The run as such is not told by its result: the store failed, another process took the thread.
		return err
	}
	a.printResult(res, code)
	if code == exitDone {
		return nil
	}
	return &exitError{code: code}
}

// exitOf is the exit code for the status a run ended with.
func exitOf(status string) int {
	switch status {
	case statusDone:
		return exitDone
	case statusWaiting:
		return exitWaiting
	case statusStopped, statusCancelled:
		return exitStopped
	case statusDamaged:
		return exitDamaged
	}
	return exitFailed
}

func (a *app) printResult(res *host.Result, code int) {
	if code != exitDone && code != exitFailed {
		res.Output = nil // what a run that goes on later has so far is no output
	}
	inOrder(res.Questions)
	next := a.nextFor(res.Thread, res.Status, res.Questions)
	if res.Status == statusDone || res.Status == statusFailed && !res.Resumable { // a verdict leaves nothing to do
		next = a.nextLook(res.Thread)
	}
	if a.flags.json {
		a.printJSON(&runReport{
			Thread: res.Thread, Run: res.Run, Status: res.Status, Output: outputJSON(res), Checkpoint: res.Checkpoint, Steps: res.Steps,
			Tasks: res.Tasks, Duration: res.Duration.Microseconds(), Replaced: res.Replaced, Skipped: res.Skipped, Loss: res.Loss,
			Questions: res.Questions, Error: res.Err, Store: openurl.Redact(a.scene.store), Next: next, Exit: code,
		})
	} else {
		a.printOutput(res)
	}
	a.tellResult(res, next)
}

// printOutput prints text as it is, and JSON as one line.
func (a *app) printOutput(res *host.Result) {
	if len(res.Output) == 0 {
		return
	}
	_, _ = a.stdout.Write(res.Output) // the error is told at the end
	if !res.OutputText {
		a.printf("\n")
	}
}

func outputJSON(res *host.Result) json.RawMessage {
	if res.Output == nil || !res.OutputText {
		return res.Output
	}
	var b strings.Builder
	writeJSON(&b, string(res.Output))
	return json.RawMessage(b.String())
}

// tellResult says on stderr how it ended.
func (a *app) tellResult(res *host.Result, next string) {
	t := a.talk
	if res.Replaced > 0 {
		t.linef("%s input: %s not UTF-8, replaced by U+FFFD", t.paint(yellow, "warning:"), count(res.Replaced, "sequence"))
	}
	if res.Loss != "" {
		t.linef("%s the loss is accepted and written down: %s", t.paint(yellow, "warning:"), visible(res.Loss))
	}
	switch {
	case res.Skipped && res.Loss != "":
		t.linef("sound     the thread is %s, nothing is left to run", res.Status)
	case res.Skipped:
		t.linef("skipped   the thread exists and is %s", res.Status)
	default:
		color := yellow
		switch res.Status {
		case statusDone:
			color = green
		case statusFailed:
			color = red
		}
		t.linef("%s %s, %s, %s", t.paint(color, fmt.Sprintf("%-9s", res.Status)), count(res.Steps, "step"), count(res.Tasks, "task"), durationText(res.Duration))
	}
	if res.Err != nil {
		a.tellError(res.Err)
	}
	a.tellQuestions(res.Questions)
	t.linef("kept      %s", a.keptText())
	if next != "" {
		t.linef("next      %s", next)
	}
}

// tellError prints why a run failed, also with -q. With --json it is part of what stdout got.
func (a *app) tellError(e *host.Error) {
	if a.flags.json {
		return
	}
	a.talk.print(a.talk.paint(red, "error:") + " " + visible(e.Error()) + "\n")
	for _, c := range e.Cause {
		a.talk.print("  cause: " + visible(c) + "\n")
	}
	if e.Hint != "" {
		a.talk.print(a.talk.paint(yellow, "hint:") + " " + visible(e.Hint) + "\n")
	}
}

func (a *app) keptText() string {
	if !lasts(a.scene.store) {
		return "nowhere: the store is " + storeName(a.scene.store)
	}
	return storeName(a.scene.store)
}

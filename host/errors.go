package host

import (
	"errors"
	"fmt"
	"strings"

	"github.com/dashhost/dashhost/host/workflow"
	"github.com/dashhost/dashhost/internal/engine"
)

// Identities of errors, to be tested with errors.Is. Errors of the store
// (checkpoint), of manifests (*workflow.Invalid) and of modules (*guest.LoadError)
// pass through unchanged.
var (
	ErrClosed   = errors.New("host: closed")
	ErrNotFound = errors.New("no such thread")  // Resume of a thread that the store does not have
	ErrExists   = errors.New("thread exists")   // *ExistsError
	ErrFinished = errors.New("thread finished") // *FinishedError
	ErrForeign  = errors.New("the graph was loaded by another host")

	ErrPending    = errors.New("the question waits for its answer") // Task.Ask
	ErrNoQuestion = engine.ErrNoQuestion                            // an answer to what was not asked
	ErrAnswered   = engine.ErrAnswered                              // a second answer to one question
	ErrAmbiguous  = engine.ErrAmbiguous                             // an answer without an id, and several open questions
)

var systemClock Clock = engine.SystemClock{}

// Error is why a run, or a node of it, failed: code, message, node, attempt,
// duration, whether another try may help, causes.
type Error = engine.Error

// ExistsError is a start on a thread whose last run is not finished, or, with
// RunOptions.IfExists "fail", on any thread that exists. It Is ErrExists.
type ExistsError struct{ Thread, Status string }

func (e *ExistsError) Error() string {
	return fmt.Sprintf("thread %q: exists and is %s", e.Thread, e.Status)
}

// Is matches ErrExists.
func (e *ExistsError) Is(target error) bool { return target == ErrExists }

// FinishedError is a resume of a thread that has nothing left to do. It Is
// ErrFinished.
type FinishedError struct {
	Thread, Status string
	Loss           string // what was accepted before that was found, "" if nothing was
}

func (e *FinishedError) Error() string {
	if e.Loss != "" {
		return fmt.Sprintf("thread %q: the loss is accepted and written down (%s), and nothing is left to resume: it is %s", e.Thread, e.Loss, e.Status)
	}
	return fmt.Sprintf("thread %q: nothing to resume, it is %s", e.Thread, e.Status)
}

// Is matches ErrFinished.
func (e *FinishedError) Is(target error) bool { return target == ErrFinished }

// GraphChangedError is a resume with a graph that is not the recorded one,
// without ResumeOptions.Pinned or Upgrade.
type GraphChangedError struct {
	Thread string
	Diff   []string // what differs, one line each
}

func (e *GraphChangedError) Error() string {
	return fmt.Sprintf("thread %q: the graph is not the one it was started with: %s", e.Thread, strings.Join(e.Diff, "; "))
}

// UpgradeError is a resume with ResumeOptions.Upgrade and a graph that lacks
// nodes which are due.
type UpgradeError struct {
	Thread string
	Nodes  []string
}

func (e *UpgradeError) Error() string {
	return fmt.Sprintf("thread %q: the new graph lacks what is due: node %s", e.Thread, strings.Join(e.Nodes, ", "))
}

// NotInVersionError is a graph that uses what this version cannot run yet.
type NotInVersionError struct{ Faults []workflow.Fault }

func (e *NotInVersionError) Error() string {
	lines := make([]string, len(e.Faults))
	for i, f := range e.Faults {
		lines[i] = f.String()
	}
	return strings.Join(lines, "\n")
}

// SchemeError is a store URL that nothing was given to open with.
type SchemeError struct{ URL string }

func (e *SchemeError) Error() string {
	return fmt.Sprintf("store %q: no opener for this scheme", e.URL)
}

// InputTooLargeError is an input over the limit of a run.
type InputTooLargeError struct {
	Max, Got int64 // bytes
}

func (e *InputTooLargeError) Error() string {
	return fmt.Sprintf("input: %d bytes are over the limit of %d", e.Got, e.Max)
}

package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Codes of errors that the engine itself makes. Nodes bring their own.
const (
	CodeOutput    = "output"     // the output is not an object of declared writes
	CodeSchema    = "schema"     // a written value does not match its channel's schema
	CodeReduce    = "reduce"     // a value does not fit its channel's reducer
	CodeConflict  = "conflict"   // two tasks of a step wrote one plain channel
	CodeCondition = "condition"  // a condition could not be evaluated
	CodeNoRoute   = "no_route"   // no branch of a conditional edge holds
	CodeMaxSteps  = "max_steps"  // the run took more supersteps than allowed
	CodeMaxTasks  = "max_tasks"  // a superstep has more tasks than allowed
	CodeState     = "state_size" // the channels hold more bytes than allowed
	CodeWallTime  = "wall_time"  // the run took longer than allowed
	CodeRunFuel   = "run_fuel"   // the run used more fuel than allowed
	CodePanic     = "panic"      // a native node panicked
	CodeInternal  = "internal"   // an error without a code of its own
	CodeCancelled = "cancelled"  // the attempt was cancelled from outside
)

// Error is why a node, or the run, failed.
type Error struct {
	Code      string          `json:"code"`
	Message   string          `json:"message"`
	Node      string          `json:"node,omitempty"`
	Path      string          `json:"path,omitempty"` // which task of the node
	Attempt   int             `json:"attempt,omitempty"`
	Duration  time.Duration   `json:"duration_ns,omitempty"`
	Retryable bool            `json:"retryable,omitempty"`
	Cause     []string        `json:"cause,omitempty"`
	Details   json.RawMessage `json:"details,omitempty"` // of the node's own, if any
	Hint      string          `json:"hint,omitempty"`    // what to do about it

	// RetryAfter is the least wait before the next attempt that the node asked
	// for. It counts only with Retryable.
	RetryAfter time.Duration `json:"-"`
	// Final forbids another attempt, whatever the retry policy says.
	Final bool `json:"final,omitempty"`
	// KeepOutput says that what the node wrote counts although it failed: the
	// failure is a verdict, not an accident, and is not retried.
	KeepOutput bool `json:"keep_output,omitempty"`
}

func (e *Error) Error() string {
	switch {
	case e.Node == "":
		return fmt.Sprintf("%s: %s", e.Code, e.Message)
	case e.Path != "":
		return fmt.Sprintf("node %s[%s]: %s: %s", e.Node, e.Path, e.Code, e.Message)
	}
	return fmt.Sprintf("node %s: %s: %s", e.Node, e.Code, e.Message)
}

// fail makes an Error of the engine.
func fail(code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// asError turns what a node returned into an Error of its own, which the
// engine may complete.
func asError(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		if e == nil {
			return fail(CodeInternal, "the node returned a nil *Error, which as an error is not nil")
		}
		own := *e
		own.Code, own.Message = text(e.Code), text(e.Message)
		return &own
	}
	out := &Error{Code: CodeInternal, Message: text(err.Error())}
	for err = errors.Unwrap(err); err != nil && len(out.Cause) < 8; err = errors.Unwrap(err) {
		out.Cause = append(out.Cause, text(err.Error()))
	}
	return out
}

// text is s as every place that keeps or sends it takes it.
func text(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

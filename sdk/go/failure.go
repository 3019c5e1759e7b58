package dash

import (
	"errors"
	"time"
)

// Failure is an error that says how the task fails. Return it (or an error that
// wraps it) from a node function.
type Failure struct {
	// Code is what retry policies and on_error edges match, for example
	// "bad_patch". Empty means "failed".
	Code string
	// Message is for people: subject, cause, what to do.
	Message string
	// Details is JSON for programs, kept as it is. Empty means none.
	Details []byte
	// Final means that no retry can help, whatever the node's policy says.
	Final bool
	// RetryAfter, when positive, asks for a retry not before this time has passed.
	// 0 leaves it to the policy. Ignored when Final.
	RetryAfter time.Duration
	// KeepOutput keeps what the function returned beside the error: its writes
	// count, and the task has failed all the same.
	KeepOutput bool
}

// Fail returns a Failure that the node's retry policy judges by its code.
func Fail(code, message string) *Failure { return &Failure{Code: code, Message: message} }

// Fatal returns a Failure that is never retried: the input itself is wrong.
func Fatal(code, message string) *Failure {
	return &Failure{Code: code, Message: message, Final: true}
}

// Error returns "code: message".
func (f *Failure) Error() string { return f.code() + ": " + f.Message }

func (f *Failure) code() string {
	if f.Code == "" {
		return "failed"
	}
	return f.Code
}

func (f *Failure) retryUS() int64 {
	switch {
	case f.Final:
		return -1
	case f.RetryAfter > 0:
		return max(f.RetryAfter.Microseconds(), 1)
	}
	return 0
}

// appendJSON appends the argument of the host function fail.
func (f *Failure) appendJSON(dst []byte) []byte {
	dst = append(dst, `{"code":`...)
	dst = AppendString(dst, f.code())
	dst = append(dst, `,"message":`...)
	dst = AppendString(dst, f.Message)
	if len(f.Details) > 0 {
		dst = append(append(dst, `,"details":`...), f.Details...)
	}
	if f.KeepOutput {
		dst = append(dst, `,"keep_output":true`...)
	}
	return append(dst, '}')
}

// failureOf turns any error into a Failure. A refused host call keeps its name as
// the code, so that "on: [unavailable]" in a retry policy does what it says.
func failureOf(err error) *Failure {
	var f *Failure
	if errors.As(err, &f) {
		if err == error(f) {
			return f
		}
		wrapped := *f
		wrapped.Message = err.Error()
		return &wrapped
	}
	var e *Error
	if errors.As(err, &e) {
		return Fail(e.Errno.Name(), err.Error())
	}
	return Fail("failed", err.Error())
}

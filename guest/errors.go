package guest

import (
	"errors"
	"fmt"
	"strings"
)

var (
	// ErrClosed is returned by calls on a closed Runtime, Module or Pool, and by a call that was cut off
	// because its pool did not drain in time.
	ErrClosed = errors.New("guest: closed")
	// ErrNotInVersion is returned for what is named but not offered yet: PolicyReset and trusted modules.
	ErrNotInVersion = errors.New("not in this version")
)

// LoadError says why a module was refused, by Load, Inspect or NewPool. Nothing of it has run.
type LoadError struct {
	Module  string // name given by the caller, may be ""
	Section string // "type", "import", "code", ...; "" when the module as a whole is meant
	Offset  int64  // byte offset in the module, -1 when there is none to name
	Text    string // what is wrong and what was expected
	Hint    string // what to do about it, may be ""
	Err     error  // cause, may be nil
}

func (e *LoadError) Error() string {
	var b strings.Builder
	b.WriteString("module")
	if e.Module != "" {
		b.WriteString(" " + e.Module)
	}
	if e.Section != "" {
		b.WriteString(": " + e.Section + " section")
	}
	if e.Offset >= 0 {
		fmt.Fprintf(&b, ": offset %#x", e.Offset)
	}
	b.WriteString(": " + e.Text)
	if e.Hint != "" {
		b.WriteString(" (" + e.Hint + ")")
	}
	return b.String()
}

func (e *LoadError) Unwrap() error { return e.Err }

// DigestError is the cause in a LoadError when a module is not the one that was pinned.
type DigestError struct {
	Want, Got string // sha256 in hex
}

func (e *DigestError) Error() string {
	return fmt.Sprintf("sha256 is %s, pinned is %s", e.Got, e.Want)
}

// LimitError is returned when a limit ended a call or kept it from starting. Limits of loading
// ("module", "memory" of a module that starts with more) come as the cause of a LoadError.
type LimitError struct {
	Limit string // name of the limit: "deadline", "start_deadline", "memory", "stack", "input", "output", ...
	Max   int64  // its value: bytes, for deadlines microseconds, for fuel units
	Got   int64  // what was asked for, or reached
	Field string // field of the manifest that raises it, "" when none does
}

func (e *LimitError) Error() string {
	text := fmt.Sprintf("limit %s: %s exceeds %s", e.Limit, e.amount(e.Got), e.amount(e.Max))
	if e.Field != "" {
		text += " (raise " + e.Field + ")"
	}
	return text
}

func (e *LimitError) amount(n int64) string {
	switch e.Limit {
	case "deadline", "start_deadline", "compile_time":
		return fmt.Sprintf("%d us", n)
	case "fuel", "start_fuel":
		return fmt.Sprintf("%d units", n)
	case "table":
		return fmt.Sprintf("%d elements", n)
	}
	return fmt.Sprintf("%d bytes", n)
}

// TrapError is returned when the guest did something undefined: an unreachable instruction, an access
// outside its memory, a bad pointer given to a host function.
type TrapError struct {
	Reason string
	Trace  []string // innermost function first, cut after a few
	Hint   string   // what the host noticed before it, may be ""
}

func (e *TrapError) Error() string {
	text := "trap: " + e.Reason
	if len(e.Trace) > 0 {
		text += " in " + strings.Join(e.Trace, " < ")
	}
	if e.Hint != "" {
		text += " (" + e.Hint + ")"
	}
	return text
}

// ExitError is returned when the guest called proc_exit, whatever the code: a node has no reason to.
type ExitError struct {
	Code uint32
}

func (e *ExitError) Error() string { return fmt.Sprintf("guest exited with code %d", e.Code) }

// ViolationError is returned when the guest broke a rule of the ABI, an unknown status of dash_run for
// example.
type ViolationError struct {
	Text string
}

func (e *ViolationError) Error() string { return "abi violation: " + e.Text }

// StartError is returned by a call that needed a new instance whose start phase failed.
type StartError struct {
	Stage  string // "host", "instantiate" (start section included), "_initialize" or "dash_start"
	Status int32  // what dash_start returned, 0 when it did not return
	Text   string // the guest's own text, from fail; may be ""
	Err    error  // cause when it did not return: *TrapError, *ExitError, *LimitError, ...
}

func (e *StartError) Error() string {
	switch {
	case e.Err != nil:
		return "start: " + e.Stage + ": " + e.Err.Error()
	case e.Text != "":
		return fmt.Sprintf("start: %s returned %d: %s", e.Stage, e.Status, e.Text)
	}
	return fmt.Sprintf("start: %s returned %d without saying why", e.Stage, e.Status)
}

func (e *StartError) Unwrap() error { return e.Err }

// InternalError is returned when host code panicked while it served a guest, or the compiler while it
// compiled one. The instance is retired and the detail is in the log.
type InternalError struct {
	Func  string // host function, or "start host", "encode", "compile"
	Value any    // what was given to panic
	Stack string // stack of the panicking goroutine
}

func (e *InternalError) Error() string {
	return fmt.Sprintf("internal error: panic in %s: %v", e.Func, e.Value)
}

func (e *InternalError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

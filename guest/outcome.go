package guest

import (
	"errors"
	"fmt"
	"strings"

	"github.com/tetratelabs/wazero/sys"
)

const (
	// maxTrace is how many functions a TrapError names.
	maxTrace = 8
	// engineStack is how far the runtime lets a guest's stack grow before it ends the call, in bytes. It
	// doubles the stack, so that a call ends somewhere between this and twice as much.
	engineStack = 50_000_000
	// stackOverflow is the runtime's text for it; it exports no value to compare with.
	stackOverflow = "stack overflow"
	// traceHead stands between the runtime's error and its stack trace.
	traceHead = "\nwasm stack trace:\n\t"
)

// outcome turns what the runtime returned for a call that did not return into the package's typed error.
func (in *instance) outcome(err error) error {
	var exit *sys.ExitError
	var trap *TrapError
	switch {
	case errors.As(in.broken, &trap):
		trap.Trace = trace(err)
		return trap
	case in.broken != nil:
		return in.broken
	case errors.As(err, &exit):
		if s := in.stopped(); s != running {
			return in.err(s)
		}
		return &ExitError{Code: exit.ExitCode()}
	}
	reason := cause(err)
	if reason == stackOverflow {
		return breach("stack", engineStack, engineStack)
	}
	trap = &TrapError{Reason: reason, Trace: trace(err)}
	if in.memory.refused > 0 {
		trap.Hint = fmt.Sprintf("memory.grow to %d bytes was refused: limit memory is %d, raise limits.memory",
			in.memory.refused, in.memory.limit)
	}
	return trap
}

// cause is the text of the innermost error: the runtime wraps its own reason in a text with the trace.
func cause(err error) string {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			text, _, _ := strings.Cut(err.Error(), traceHead)
			return text
		}
		err = inner
	}
}

// trace takes the functions out of the runtime's text, the only form in which it gives them.
func trace(err error) []string {
	_, text, ok := strings.Cut(err.Error(), traceHead)
	if !ok {
		return nil
	}
	var frames []string
	for line := range strings.SplitSeq(text, "\n\t") {
		if line = strings.TrimSpace(line); line == "" {
			break
		}
		if len(frames) == maxTrace {
			return append(frames, "...")
		}
		frames = append(frames, line)
	}
	return frames
}

func violation(format string, a ...any) error {
	return &ViolationError{Text: fmt.Sprintf(format, a...)}
}

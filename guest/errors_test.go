package guest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/dashhost/dashhost/abi"
)

func TestErrorTexts(t *testing.T) {
	cause := errors.New("the cause")
	for _, c := range []struct {
		err  error
		want string
		is   error
	}{
		{ErrClosed, "guest: closed", nil},
		{ErrNotInVersion, "not in this version", nil},
		{&LoadError{Offset: -1, Text: "text"}, "module: text", nil},
		{
			&LoadError{Module: "m", Section: "code", Offset: 255, Text: "text", Hint: "do this", Err: cause},
			"module m: code section: offset 0xff: text (do this)", cause,
		},
		{&DigestError{Want: "aa", Got: "bb"}, "sha256 is bb, pinned is aa", nil},
		{breach("memory", 65536, 131072), "limit memory: 131072 bytes exceeds 65536 bytes (raise limits.memory)", nil},
		{breach("deadline", 100, 250), "limit deadline: 250 us exceeds 100 us (raise limits.deadline)", nil},
		{breach("table", 5, 6), "limit table: 6 elements exceeds 5 elements (raise limits.table)", nil},
		{breach("failure", 5, 6), "limit failure: 6 bytes exceeds 5 bytes", nil},
		{&TrapError{Reason: "unreachable"}, "trap: unreachable", nil},
		{&TrapError{Reason: "unreachable", Trace: []string{"f()", "g()"}, Hint: "h"}, "trap: unreachable in f() < g() (h)", nil},
		{&ExitError{Code: 3}, "guest exited with code 3", nil},
		{violation("status %d", 9), "abi violation: status 9", nil},
		{&StartError{Stage: "dash_start", Status: 7, Text: "why"}, "start: dash_start returned 7: why", nil},
		{&StartError{Stage: "dash_start", Status: 7}, "start: dash_start returned 7 without saying why", nil},
		{&StartError{Stage: "_initialize", Err: cause}, "start: _initialize: the cause", cause},
		{&InternalError{Func: "log", Value: cause}, "internal error: panic in log: the cause", cause},
		{&InternalError{Func: "log", Value: 5}, "internal error: panic in log: 5", nil},
	} {
		if got := c.err.Error(); got != c.want {
			t.Errorf("%T: %q, want %q", c.err, got, c.want)
		}
		if c.is != nil && !errors.Is(fmt.Errorf("wrapped: %w", c.err), c.is) {
			t.Errorf("%T does not carry its cause", c.err)
		}
	}
}

// TestDefaultsAreTheTable: every limit of package abi that this package applies has its default from there.
func TestDefaultsAreTheTable(t *testing.T) {
	l, err := Limits{}.withDefaults()
	if err != nil || l != DefaultLimits() {
		t.Fatalf("%+v, %v", l, err)
	}
	mine := map[string]int64{
		"module": l.ModuleBytes, "memory": l.Memory, "table": int64(l.Table), "input": l.Input, "output": l.Output,
		"argument": l.HostArg, "stack": l.Stack, "fuel": int64(l.Fuel), "start_fuel": int64(l.StartFuel), "log": l.LogBytes, "failure": abi.MaxFailure,
		"deadline": l.Deadline.Microseconds(), "start_deadline": l.StartDeadline.Microseconds(),
	}
	for _, row := range abi.Limits() {
		if got, ok := mine[row.Name]; ok && got != row.Default {
			t.Errorf("%s: %d, the table says %d", row.Name, got, row.Default)
		}
		delete(mine, row.Name)
	}
	for name := range mine {
		t.Errorf("%s is not in the table", name)
	}
	set := Limits{
		ModuleBytes: 8, Memory: PageSize, Input: 1, Output: 2, HostArg: 3, LogBytes: 4, Table: 5, Stack: PageSize, Fuel: 6, StartFuel: 7,
		Deadline: time.Second, StartDeadline: time.Minute,
	}
	if got, err := set.withDefaults(); err != nil || got != set {
		t.Errorf("%+v became %+v, %v", set, got, err)
	}
}

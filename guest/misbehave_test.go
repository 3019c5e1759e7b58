package guest

import (
	"bytes"
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/dashhost/dashhost/abi"
)

func TestEndings(t *testing.T) {
	const deadline = 100 * time.Millisecond
	limits := Limits{Memory: 20*PageSize + 1000, Output: 2048, LogBytes: 2500}
	isTrap := func(reason string) func(error) bool {
		return func(err error) bool {
			var trap *TrapError
			return errors.As(err, &trap) && trap.Reason == reason && len(trap.Trace) > 0
		}
	}
	isLimit := func(name string, highest int64) func(error) bool {
		return func(err error) bool {
			var limit *LimitError
			return errors.As(err, &limit) && limit.Limit == name && limit.Max == highest && limit.Got >= highest
		}
	}
	isExit := func(code uint32) func(error) bool {
		return func(err error) bool {
			var exit *ExitError
			return errors.As(err, &exit) && exit.Code == code
		}
	}
	isViolation := func(err error) bool {
		var v *ViolationError
		return errors.As(err, &v)
	}
	fine := func(err error) bool { return err == nil }
	cases := []struct {
		name    string
		input   []byte
		status  abi.Status // checked when the error is nil
		err     func(error) bool
		endless bool // only a short deadline ends it
	}{
		{"done", []byte{0, 0}, abi.Done, fine, false},
		{"failed", []byte{0, 1}, abi.Failed, fine, false},
		{"interrupted without a question", []byte{0, 2}, 0, isViolation, false},
		{"reserved status", []byte{0, 3}, 0, isViolation, false},
		{"negative status", []byte{0, 0xff}, 0, isViolation, false},
		{"loop", []byte{1}, 0, isLimit("deadline", deadline.Microseconds()), true},
		{"recursion", []byte{2}, 0, func(err error) bool {
			return isLimit("stack", abi.DefaultStack)(err) || isLimit("stack", engineStack)(err) // the interpreter has its own
		}, true},
		{"unreachable", []byte{3}, 0, isTrap("unreachable"), false},
		{"load outside memory", []byte{4}, 0, isTrap("out of bounds memory access"), false},
		{"divide by zero", []byte{5}, 0, isTrap("integer divide by zero"), false},
		{"exit 0", []byte{6, 0}, 0, isExit(0), false},
		{"exit 3", []byte{6, 3}, 0, isExit(3), false},
		{"storm of host calls", []byte{7}, 0, isLimit("deadline", deadline.Microseconds()), true},
		{"empty table entry", []byte{8}, 0, isTrap("invalid table access"), false},
		{"memory to the limit", []byte{9}, abi.Done, fine, false},
		{"memory to the limit, then trap", []byte{10}, 0, func(err error) bool {
			var trap *TrapError
			return errors.As(err, &trap) && strings.Contains(trap.Hint, "raise limits.memory")
		}, false},
		{"output at the limit", []byte{11, 2}, abi.Done, fine, false},
		{"output over the limit", []byte{11, 3}, 0, isLimit("output", 2048), false},
		{"log over the limit", []byte{12, 4}, abi.Done, fine, false},
		{"question, then interrupted", []byte{13, 2}, abi.Interrupted, fine, false},
		{"question, then done", []byte{13, 0}, 0, isViolation, false},
		{"question, then failed", []byte{13, 1}, abi.Failed, fine, false},
	}
	engines(t, func(t *testing.T, o *Options) {
		m := load(t, openRuntime(t, o), wasmFile(t, "misbehave"), "misbehave")
		patient := newPool(t, m, PoolConfig{Max: 1, Policy: PolicyReuse, Limits: limits})
		limits := limits
		limits.Deadline = deadline
		hasty := newPool(t, m, PoolConfig{Max: 1, Policy: PolicyReuse, Limits: limits})
		for _, c := range cases {
			t.Run(c.name, func(t *testing.T) {
				p := patient
				if c.endless {
					p = hasty
				}
				before := p.Stats()
				h := &recorder{input: c.input, quiet: c.input[0] == 7, answerErr: abi.Errorf(abi.Pending, "no answer yet")}
				res, err := p.Call(t.Context(), h, len(c.input))
				if !c.err(err) || (err == nil && res.Status != c.status) {
					t.Fatalf("result %+v, error %T %v", res, err, err)
				}
				after := p.Stats()
				if retired := after.Retired > before.Retired; retired != (err != nil) {
					t.Errorf("retired: %v after error %v", retired, err)
				}
				if failed := after.Failed - before.Failed; failed > 1 || (failed == 1) != (err != nil) {
					t.Errorf("counted %d failures for error %v", failed, err)
				}
				if c.input[0] == 9 && res.Memory != 20*PageSize {
					t.Errorf("memory grew to %d bytes, want 20 pages", res.Memory)
				}
				if c.input[0] == 12 && res.LogDropped != 1500 {
					t.Errorf("dropped %d bytes of log, want 1500: %q", res.LogDropped, h.calls)
				}
			})
		}
	})
}

func TestLogLimitSaysSoOnce(t *testing.T) {
	p := poolOf(t, nil, "misbehave", PoolConfig{Limits: Limits{LogBytes: 2500}})
	h := &recorder{input: []byte{12, 9}}
	if _, err := p.Call(t.Context(), h, 2); err != nil {
		t.Fatal(err)
	}
	notices, full := 0, 0
	for _, c := range h.calls {
		if strings.HasPrefix(c, "log 3 ") && strings.Contains(c, "limits.log") {
			notices++
		}
		if strings.HasPrefix(c, "log 2 ") {
			full++
		}
	}
	if notices != 1 || full != 3 {
		t.Errorf("%d notices, %d messages, want 1 and 3", notices, full)
	}
}

func TestCancelEndsACall(t *testing.T) {
	engines(t, func(t *testing.T, o *Options) {
		for name, input := range map[string][]byte{"loop": {1}, "storm": {7}} {
			t.Run(name, func(t *testing.T) {
				p := poolOf(t, o, "misbehave", PoolConfig{Limits: Limits{Deadline: time.Hour}})
				ctx, cancel := context.WithCancel(t.Context())
				h := &recorder{input: input, enter: func(fn abi.FuncID, _ abi.Phase) error {
					if fn == abi.FnInputRead {
						time.AfterFunc(10*time.Millisecond, cancel)
					}
					return nil
				}, quiet: true}
				if _, err := p.Call(ctx, h, 1); !errors.Is(err, context.Canceled) {
					t.Errorf("got %v", err)
				}
			})
		}
	})
}

// onlyInstance gives the one instance of a pool.
func onlyInstance(p *Pool) *instance {
	p.mu.Lock()
	defer p.mu.Unlock()
	for in := range p.all {
		return in
	}
	return nil
}

// TestNothingReturnsAfterTheDeadline: a host function that takes longer than the deadline does not return
// to the guest, which would go on to trap or to write an output.
func TestNothingReturnsAfterTheDeadline(t *testing.T) {
	p := poolOf(t, nil, "misbehave", PoolConfig{Limits: Limits{Deadline: 20 * time.Millisecond}})
	for _, input := range [][]byte{{11, 1}, {3}} {
		h := &recorder{input: input}
		h.enter = func(fn abi.FuncID, _ abi.Phase) error {
			if fn == abi.FnInputRead {
				<-onlyInstance(p).done // the deadline has passed
			}
			return nil
		}
		_, err := p.Call(t.Context(), h, len(input))
		var limit *LimitError
		if !errors.As(err, &limit) || limit.Limit != "deadline" || limit.Got < limit.Max {
			t.Errorf("input %v: got %v", input, err)
		}
		if h.outputs != 0 {
			t.Error("the guest went on and wrote an output")
		}
	}
}

// TestNothingBeginsAfterTheDeadline: a guest that reaches a host function too late has no effect there.
func TestNothingBeginsAfterTheDeadline(t *testing.T) {
	p := poolOf(t, nil, "echo", PoolConfig{})
	for _, why := range []stop{overdue, cancelled, closing} {
		in := &instance{pool: p, limits: &p.limits}
		in.done = make(chan struct{})
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		in.begin(ctx, "deadline", time.Hour)
		in.fire(why)
		in.host = &recorder{enter: func(abi.FuncID, abi.Phase) error {
			t.Errorf("%v: the host was asked", why)
			return nil
		}}
		f := &hostFunc{Func: abi.ByID(abi.FnClockNow), answer: answers()[abi.FnClockNow]}
		func() {
			defer func() {
				if recover() == nil || in.broken == nil {
					t.Errorf("%v: the call went on", why)
				}
			}()
			f.Call(in, nil, make([]uint64, 1))
		}()
		in.end()
	}
}

// TestHostIsToldWhenToStop: the context that the host gets ends with the deadline and with the caller's.
func TestHostIsToldWhenToStop(t *testing.T) {
	for name, caller := range map[string]time.Duration{"deadline": time.Hour, "caller": 20 * time.Millisecond} {
		limits := Limits{Deadline: time.Hour}
		if name == "deadline" {
			limits.Deadline = 20 * time.Millisecond
		}
		p := poolOf(t, nil, "misbehave", PoolConfig{Limits: limits})
		ctx, cancel := context.WithTimeout(t.Context(), caller)
		h := &recorder{input: []byte{0, 0}}
		h.enter = func(abi.FuncID, abi.Phase) error {
			<-h.ctx.Done()
			return h.ctx.Err()
		}
		_, err := p.Call(ctx, h, 2)
		cancel()
		var limit *LimitError
		if name == "deadline" && (!errors.As(err, &limit) || limit.Limit != "deadline") || name == "caller" && !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPanicInHostCode(t *testing.T) {
	engines(t, func(t *testing.T, o *Options) {
		var log bytes.Buffer
		o.Logger = hclog.New(&hclog.LoggerOptions{Output: &log, Level: hclog.Error})
		p := poolOf(t, o, "misbehave", PoolConfig{Max: 1, Policy: PolicyReuse})
		cause := errors.New("the host has a bug")
		for _, value := range []any{cause, "text", 5} {
			h := &recorder{input: []byte{7}, quiet: true}
			h.enter = func(fn abi.FuncID, _ abi.Phase) error {
				if fn == abi.FnLogEnabled {
					panic(value)
				}
				return nil
			}
			_, err := p.Call(t.Context(), h, 1)
			var internal *InternalError
			if !errors.As(err, &internal) || internal.Func != "log_enabled" || internal.Value != value ||
				!strings.Contains(internal.Stack, "TestPanicInHostCode") {
				t.Fatalf("%v: got %T %v", value, err, err)
			}
			if value == any(cause) && !errors.Is(err, cause) {
				t.Errorf("the cause is lost: %v", err)
			}
		}
		if n := strings.Count(log.String(), "in=log_enabled"); n != 3 || !strings.Contains(log.String(), "TestPanicInHostCode") {
			t.Errorf("%d entries in the log: %s", n, log.String())
		}
		if s := p.Stats(); s.Retired != 3 || s.Idle != 0 {
			t.Errorf("stats %+v", s)
		}
		if _, err := p.Call(t.Context(), &recorder{input: []byte{0, 0}}, 2); err != nil {
			t.Errorf("the pool is unusable: %v", err)
		}
	})
}

// TestTrapsLeaveNothing: an instance that trapped never serves again, and nothing piles up.
func TestTrapsLeaveNothing(t *testing.T) {
	p := poolOf(t, nil, "misbehave", PoolConfig{Max: 2, Policy: PolicyReuse})
	calls := 1000
	var before, after runtime.MemStats
	for i := range calls + 100 {
		if i == 100 {
			runtime.GC()
			runtime.ReadMemStats(&before)
		}
		var trap *TrapError
		if _, err := p.Call(t.Context(), &recorder{input: []byte{3}}, 1); !errors.As(err, &trap) {
			t.Fatalf("call %d: %v", i, err)
		}
	}
	goroutines := runtime.NumGoroutine()
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 4<<20 {
		t.Errorf("the heap grew by %d bytes", grown)
	}
	if goroutines > 50 {
		t.Errorf("%d goroutines", goroutines)
	}
	s := p.Stats()
	if s.Started != s.Retired || s.Idle != 0 || s.Busy != 0 || s.Failed != uint64(calls+100) {
		t.Errorf("stats %+v", s)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.all) != 0 {
		t.Errorf("%d instances are kept", len(p.all))
	}
}

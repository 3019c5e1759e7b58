package guest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/dashhost/dashhost/abi"
)

func TestStartPhaseSeesItsOwnHost(t *testing.T) {
	engines(t, func(t *testing.T, o *Options) {
		starts := 0
		start := &recorder{config: []byte("abc")}
		p := poolOf(t, o, "startphase", PoolConfig{
			ConfigLen: 3, Max: 1, Policy: PolicyReuse,
			Start: func() Host { starts++; return start },
		})
		for range 3 {
			h := &recorder{}
			if _, err := p.Call(t.Context(), h, 0); err != nil {
				t.Fatal(err)
			}
			denied := -int8(abi.Denied)
			if string(h.output) != "abc"+string([]byte{byte(denied)}) {
				t.Errorf("output %q", h.output)
			}
			if h.has("config") {
				t.Errorf("the call's host was asked for the configuration: %q", h.calls)
			}
		}
		if starts != 1 || start.outputs != 0 || !start.has("config") {
			t.Errorf("%d start phases, host saw %q", starts, start.calls)
		}
	})
}

// TestReentrantStart: a start section that calls dash_run is still in the start phase.
func TestReentrantStart(t *testing.T) {
	engines(t, func(t *testing.T, o *Options) {
		start := &recorder{}
		p := poolOf(t, o, "startsection", PoolConfig{Start: func() Host { return start }})
		h := &recorder{}
		if _, err := p.Call(t.Context(), h, 0); err != nil {
			t.Fatal(err)
		}
		if start.outputs != 0 || h.outputs != 1 || h.output[1] != byte(0x100-int(abi.Denied)) {
			t.Errorf("start phase wrote %d outputs; call saw %v", start.outputs, h.output)
		}
	})
}

func TestStartFailures(t *testing.T) {
	limits := Limits{StartDeadline: 50 * time.Millisecond}
	var exit *ExitError
	var trap *TrapError
	var limit *LimitError
	for _, c := range []struct {
		guest, stage string
		check        func(*StartError) bool
	}{
		{"startfail", "dash_start", func(e *StartError) bool {
			return e.Status == 7 && e.Text == "no entropy in the configuration" && e.Err == nil
		}},
		{"startexit", "_initialize", func(e *StartError) bool { return errors.As(e, &exit) && exit.Code == 0 }},
		{"startloop", "dash_start", func(e *StartError) bool {
			return errors.As(e, &limit) && limit.Limit == "start_deadline" && limit.Field == "limits.start_deadline"
		}},
		{"startsectiontrap", "instantiate", func(e *StartError) bool { return errors.As(e, &trap) && trap.Reason == "unreachable" }},
		{"startsectionloop", "instantiate", func(e *StartError) bool { return errors.As(e, &limit) && limit.Limit == "start_deadline" }},
		{"datafault", "instantiate", func(e *StartError) bool { return errors.As(e, &trap) }},
	} {
		t.Run(c.guest, func(t *testing.T) {
			engines(t, func(t *testing.T, o *Options) {
				p := poolOf(t, o, c.guest, PoolConfig{Max: 1, Policy: PolicyReuse, Limits: limits})
				for range 2 {
					_, err := p.Call(t.Context(), &recorder{}, 0)
					var start *StartError
					if !errors.As(err, &start) || start.Stage != c.stage || !c.check(start) {
						t.Fatalf("got %T %v", err, err)
					}
				}
				if s := p.Stats(); s.Started != 2 || s.Retired != 2 || s.Failed != 2 || s.Busy != 0 || s.Idle != 0 {
					t.Errorf("stats %+v", s)
				}
			})
		})
	}
}

func TestCancelWhileStarting(t *testing.T) {
	p := poolOf(t, nil, "startloop", PoolConfig{Limits: Limits{StartDeadline: time.Hour}})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := p.Call(ctx, &recorder{}, 0); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

// TestPanicInStart: neither the host's constructor nor its methods take the process or the slot with them.
func TestPanicInStart(t *testing.T) {
	fault := true
	p := poolOf(t, nil, "startphase", PoolConfig{Max: 1, Start: func() Host {
		h := &recorder{config: []byte("abc")}
		if fault {
			h.enter = func(abi.FuncID, abi.Phase) error { panic("no configuration") }
		}
		return h
	}})
	var internal *InternalError
	if _, err := p.Call(t.Context(), &recorder{}, 0); !errors.As(err, &internal) || internal.Func != "config_read" {
		t.Errorf("got %v", err)
	}
	fault = false
	if _, err := p.Call(t.Context(), &recorder{}, 0); err != nil {
		t.Errorf("the pool is unusable: %v", err)
	}

	p = poolOf(t, nil, "noop", PoolConfig{Max: 1, Start: func() Host {
		if fault {
			panic("no host")
		}
		return &recorder{}
	}})
	fault = true
	if _, err := p.Call(t.Context(), &recorder{}, 0); !errors.As(err, &internal) || internal.Value != "no host" {
		t.Errorf("got %v", err)
	}
	fault = false
	if _, err := p.Call(t.Context(), &recorder{}, 0); err != nil {
		t.Errorf("the pool is unusable: %v", err)
	}
}

package guest

import (
	"bytes"
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/dashhost/dashhost/abi"
)

func TestEcho(t *testing.T) {
	engines(t, func(t *testing.T, o *Options) {
		p := poolOf(t, o, "echo", PoolConfig{})
		for _, size := range []int{0, 1, 1000, 2 * PageSize, 2*PageSize + 1, 5_000_000} {
			h := &recorder{input: bytes.Repeat([]byte("x"), size), quiet: true}
			res, err := p.Call(t.Context(), h, size)
			if err != nil || res.Status != abi.Done || !bytes.Equal(h.output, h.input) || h.outputs != 1 {
				t.Fatalf("%d bytes: %+v, %v, %d bytes out in %d writes", size, res, err, len(h.output), h.outputs)
			}
			if res.Memory < int64(size) || res.Memory%PageSize != 0 || res.Duration <= 0 {
				t.Errorf("%d bytes: result %+v", size, res)
			}
		}
	})
}

func TestFreshForgetsReuseRemembers(t *testing.T) {
	engines(t, func(t *testing.T, o *Options) {
		for policy, want := range map[Policy][]byte{PolicyFresh: {1, 1}, PolicyReset: {1, 1}, "": {1, 1}, PolicyReuse: {3, 3}} {
			p := poolOf(t, o, "counter", PoolConfig{Policy: policy, Max: 1})
			var h *recorder
			for range 3 {
				h = &recorder{}
				if _, err := p.Call(t.Context(), h, 0); err != nil {
					t.Fatal(err)
				}
			}
			if !bytes.Equal(h.output, want) {
				t.Errorf("policy %q: third call saw %v, want %v", policy, h.output, want)
			}
		}
	})
}

func TestReuseMax(t *testing.T) {
	p := poolOf(t, nil, "counter", PoolConfig{Policy: PolicyReuse, Max: 1, ReuseMax: 2})
	for i, want := range []byte{1, 2, 1, 2, 1} {
		h := &recorder{}
		if _, err := p.Call(t.Context(), h, 0); err != nil || h.output[0] != want {
			t.Fatalf("call %d: output %v, %v, want count %d", i, h.output, err, want)
		}
	}
	if s := p.Stats(); s.Started != 3 || s.Retired != 2 || s.Idle != 1 || s.Calls != 5 || s.Failed != 0 || s.Busy != 0 {
		t.Errorf("stats %+v", s)
	}
}

// blocker is a host whose guest stays in output_write until released.
type blocker struct {
	recorder
	entered chan struct{}
	release chan struct{}
}

func newBlocker() *blocker {
	return &blocker{entered: make(chan struct{}), release: make(chan struct{})}
}

func (b *blocker) OutputWrite([]byte) error {
	close(b.entered)
	<-b.release
	return nil
}

func TestWaitingIsFairAndBounded(t *testing.T) {
	p := poolOf(t, nil, "counter", PoolConfig{Max: 1})
	first := newBlocker()
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := p.Call(context.Background(), first, 0); err != nil {
			t.Error(err)
		}
	})
	<-first.entered

	const n = 8
	order := make(chan int, n)
	for i := range n {
		wg.Go(func() {
			h := &recorder{enter: func(abi.FuncID, abi.Phase) error { order <- i; return nil }}
			if _, err := p.Call(context.Background(), h, 0); err != nil {
				t.Error(err)
			}
		})
		for p.Stats().Waiting != i+1 {
			runtime.Gosched()
		}
		// Waiting is counted just before the goroutine blocks; let it get there.
		for range 100 {
			runtime.Gosched()
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	gave := make(chan error)
	go func() {
		_, err := p.Call(ctx, &recorder{}, 0)
		gave <- err
	}()
	for p.Stats().Waiting != n+1 {
		runtime.Gosched()
	}
	cancel()
	if err := <-gave; !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled while waiting: %v", err)
	}
	if s := p.Stats(); s.Waiting != n || s.Busy != 1 {
		t.Errorf("stats while waiting %+v", s)
	}
	close(first.release)
	wg.Wait()
	for want := range n {
		if got := <-order; got != want {
			t.Errorf("call %d ran in place %d", got, want)
		}
	}
}

func TestCallOnEndedContext(t *testing.T) {
	p := poolOf(t, nil, "noop", PoolConfig{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Call(ctx, &recorder{}, 0); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if s := p.Stats(); s.Calls != 0 || s.Started != 0 {
		t.Errorf("stats %+v", s)
	}
}

func TestCloseDrains(t *testing.T) {
	p := poolOf(t, nil, "counter", PoolConfig{Max: 1, Policy: PolicyReuse})
	h := newBlocker()
	done := make(chan error, 2)
	go func() { _, err := p.Call(context.Background(), h, 0); done <- err }()
	<-h.entered
	go func() { _, err := p.Call(context.Background(), &recorder{}, 0); done <- err }()
	for p.Stats().Waiting != 1 {
		runtime.Gosched()
	}
	closed := make(chan error)
	go func() { closed <- p.Close(context.Background()) }()
	if err := <-done; !errors.Is(err, ErrClosed) {
		t.Errorf("the call that waited: %v", err)
	}
	select {
	case err := <-closed:
		t.Fatalf("Close returned %v while a call was running", err)
	default:
	}
	close(h.release)
	if err := <-done; err != nil {
		t.Errorf("the call that ran: %v", err)
	}
	if err := <-closed; err != nil {
		t.Errorf("close: %v", err)
	}
	if _, err := p.Call(t.Context(), &recorder{}, 0); !errors.Is(err, ErrClosed) {
		t.Errorf("call after close: %v", err)
	}
	if err := p.Close(t.Context()); err != nil {
		t.Errorf("second close: %v", err)
	}
	if s := p.Stats(); s.Idle != 0 || s.Busy != 0 || s.Started != s.Retired {
		t.Errorf("stats after close %+v", s)
	}
}

func TestCloseCutsOffWhatDoesNotEnd(t *testing.T) {
	engines(t, func(t *testing.T, o *Options) {
		p := poolOf(t, o, "misbehave", PoolConfig{Max: 2, Limits: Limits{Deadline: time.Hour}})
		running := make(chan struct{})
		h := &recorder{input: []byte{1}, onCalls: func(string) { close(running) }}
		done := make(chan error)
		go func() { _, err := p.Call(context.Background(), h, 1); done <- err }()
		<-running
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		if err := p.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("close: %v", err)
		}
		if err := <-done; !errors.Is(err, ErrClosed) {
			t.Errorf("the call: %v", err)
		}
		if err := p.Close(t.Context()); err != nil {
			t.Errorf("close again: %v", err)
		}
		if s := p.Stats(); s.Started != s.Retired || s.Busy != 0 {
			t.Errorf("stats %+v", s)
		}
	})
}

// TestRuntimeCloseLeavesNoCallBehind: the runtime is not taken away under a call that does not end in time;
// closing again finishes.
func TestRuntimeCloseLeavesNoCallBehind(t *testing.T) {
	r := openRuntime(t, nil)
	p := newPool(t, load(t, r, wasmFile(t, "counter"), "counter"), PoolConfig{Max: 1})
	h := newBlocker()
	done := make(chan error)
	go func() { _, err := p.Call(context.Background(), h, 0); done <- err }()
	<-h.entered
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := r.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("close while a call runs: %v", err)
	}
	close(h.release)
	if err := <-done; !errors.Is(err, ErrClosed) {
		t.Errorf("the call: %v", err)
	}
	if err := r.Close(t.Context()); err != nil {
		t.Errorf("close again: %v", err)
	}
}

func TestPoolConfigReportsAllFaults(t *testing.T) {
	m := load(t, openRuntime(t, nil), wasmFile(t, "noop"), "noop")
	_, err := m.NewPool(PoolConfig{
		Policy: "sometimes", ConfigLen: -1, Max: -1,
		Limits: Limits{Memory: 1, Deadline: -1, Stack: 5},
	})
	if err == nil {
		t.Fatal("accepted")
	}
	joined, ok := errors.Unwrap(err).(interface{ Unwrap() []error })
	if !ok || len(joined.Unwrap()) != 5 {
		t.Errorf("faults: %v", err)
	}
}

func TestMinimumsOverTheLimit(t *testing.T) {
	r := openRuntime(t, nil)
	start := func() Host { return &recorder{} }
	var limit *LimitError
	var refused *LoadError
	_, err := load(t, r, wasmFile(t, "bigmemory"), "big").NewPool(PoolConfig{Start: start})
	if !errors.As(err, &refused) || !errors.As(err, &limit) || limit.Limit != "memory" || limit.Got != 1<<30 || limit.Field != "limits.memory" {
		t.Errorf("memory: %v", err)
	}
	_, err = load(t, r, wasmFile(t, "small"), "small").NewPool(PoolConfig{Start: start, Limits: Limits{Table: 3}})
	if !errors.As(err, &limit) || limit.Limit != "table" || limit.Got != 4 || limit.Max != 3 {
		t.Errorf("table: %v", err)
	}
}

func TestTableLimit(t *testing.T) {
	engines(t, func(t *testing.T, o *Options) {
		m := load(t, openRuntime(t, o), wasmFile(t, "tablegrow"), "tablegrow")
		for _, limit := range []uint32{0, 1, 57, 1000} {
			p := newPool(t, m, PoolConfig{Limits: Limits{Table: limit}})
			h := &recorder{}
			if _, err := p.Call(t.Context(), h, 0); err != nil {
				t.Fatal(err)
			}
			want := limit
			if want == 0 {
				want = abi.DefaultTable
			}
			want = 1 + (want-1)/10*10
			if got := uint32(h.output[0]) | uint32(h.output[1])<<8 | uint32(h.output[2])<<16; got != want {
				t.Errorf("limit %d: grew to %d, want %d", limit, got, want)
			}
		}
	})
}

func TestInputLimit(t *testing.T) {
	p := poolOf(t, nil, "echo", PoolConfig{Limits: Limits{Input: 10}})
	var limit *LimitError
	if _, err := p.Call(t.Context(), &recorder{}, 11); !errors.As(err, &limit) || limit.Limit != "input" || limit.Max != 10 || limit.Got != 11 {
		t.Errorf("11 bytes: %v", err)
	}
	if _, err := p.Call(t.Context(), &recorder{input: make([]byte, 10)}, 10); err != nil {
		t.Errorf("10 bytes: %v", err)
	}
}

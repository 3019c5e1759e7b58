package guest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/dashhost/dashhost/abi"
)

// counterPool is a pool of counter.wasm whose instances count with so many pages while they run.
func counterPool(t testing.TB, m *Module, policy Policy, pages, highest int) *Pool {
	return newPool(t, m, PoolConfig{Policy: policy, Max: highest, Limits: Limits{Memory: int64(pages) * PageSize}})
}

func mustCall(t testing.TB, p *Pool) {
	t.Helper()
	if _, err := p.Call(t.Context(), &recorder{quiet: true}, 0); err != nil {
		t.Fatal(err)
	}
}

// busy makes a call on p that stays in it until the function that busy returns is called.
func busy(t testing.TB, p *Pool) (finish func()) {
	t.Helper()
	h, done := newBlocker(), make(chan error)
	go func() { _, err := p.Call(context.Background(), h, 0); done <- err }()
	<-h.entered
	return func() {
		close(h.release)
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// waiting waits until n calls wait in p.
func waiting(p *Pool, n int) {
	for p.Stats().Waiting != n {
		runtime.Gosched()
	}
}

// TestQuotaEvictsTheIdle: instances of other pools that wait for a call make room, the oldest first, and one
// that runs does not.
func TestQuotaEvictsTheIdle(t *testing.T) {
	r := openRuntime(t, &Options{Memory: 30 * PageSize})
	m := load(t, r, wasmFile(t, "counter"), "counter")
	a := counterPool(t, m, PolicyReuse, 10, 1)
	b := counterPool(t, m, PolicyReuse, 10, 1)
	c := counterPool(t, m, PolicyReuse, 30, 1) // alone, it takes all there is
	mustCall(t, a)
	mustCall(t, b)
	mustCall(t, a) // so that b's waits longer
	if s := b.Stats(); s.Idle != 1 {
		t.Fatalf("stats %+v", s)
	}
	d := counterPool(t, m, PolicyReuse, 29, 1)
	mustCall(t, d) // 29 pages beside one each of a and b: one has to go
	if sa, sb := a.Stats(), b.Stats(); sa.Idle != 1 || sb.Idle != 0 || sb.Reasons[RetiredEvicted] != 1 {
		t.Errorf("a %+v\nb %+v", sa, sb)
	}
	mustCall(t, c) // 30 pages: all others have to go
	if sa, sd := a.Stats(), d.Stats(); sa.Idle != 0 || sd.Idle != 0 {
		t.Errorf("a %+v\nd %+v", sa, sd)
	}
	if s := c.Stats(); s.Waits != 1 || s.Calls != 1 {
		t.Errorf("c %+v", s)
	}
}

// TestQuotaIsFair: who waits for memory gets it in order, and a large one is not passed by small ones.
func TestQuotaIsFair(t *testing.T) {
	r := openRuntime(t, &Options{Memory: 20 * PageSize})
	m := load(t, r, wasmFile(t, "counter"), "counter")
	first := counterPool(t, m, PolicyReset, 10, 1)
	finish := busy(t, first)

	order := make(chan string, 8)
	var wg sync.WaitGroup
	queue := func(name string, pages int) *Pool {
		p := counterPool(t, m, PolicyReset, pages, 4)
		wg.Go(func() {
			h := &recorder{quiet: true, enter: func(abi.FuncID, abi.Phase) error { order <- name; return nil }}
			if _, err := p.Call(context.Background(), h, 0); err != nil {
				t.Error(err)
			}
		})
		return p
	}
	large := queue("large", 20)
	waiting(large, 1)
	small := queue("small", 10) // there would be room for it
	waiting(small, 1)
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := small.Call(ctx, &recorder{}, 0); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a call whose context ends while it waits: %v", err)
	}
	finish()
	wg.Wait()
	if a, b := <-order, <-order; a != "large" || b != "small" {
		t.Errorf("order %s, %s", a, b)
	}
	if s := small.Stats(); s.Waits != 2 || s.WaitTime <= 0 || s.Waiting != 0 {
		t.Errorf("stats %+v", s)
	}
}

// TestQuotaNeverStops: pools of all sizes and policies, together far too large, some larger than all there is:
// every call is served, and at the end nothing counts.
func TestQuotaNeverStops(t *testing.T) {
	const highest = 64 * PageSize
	r := openRuntime(t, &Options{Memory: highest})
	m := load(t, r, wasmFile(t, "misbehave"), "misbehave")
	var pools []*Pool
	for i := range 12 {
		pools = append(pools, newPool(t, m, PoolConfig{
			Policy: []Policy{PolicyReset, PolicyFresh, PolicyReuse}[i%3], Max: 1 + i%4,
			Limits: Limits{Memory: int64(3+7*i) * PageSize},
		}))
	}
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 60 {
				input := [][]byte{{0, 0}, {0, 1}, {3}, {9}, {6, 0}}[(i+g)%5]
				_, err := pools[(i*7+g)%len(pools)].Call(context.Background(), &recorder{quiet: true, input: input}, len(input))
				if errors.Is(err, ErrClosed) || errors.Is(err, context.Canceled) {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for _, p := range pools {
		if err := p.Close(t.Context()); err != nil {
			t.Error(err)
		}
		var sum uint64
		s := p.Stats()
		for _, n := range s.Reasons {
			sum += n
		}
		if s.Started != s.Retired || s.Retired != sum || s.Busy != 0 || s.Idle != 0 {
			t.Errorf("stats %+v", s)
		}
	}
	if q := &r.quota; q.used != 0 || q.full != 0 || q.images != 0 || len(q.hungry) != 0 {
		t.Errorf("quota: %d bytes, %d running, %d of images, %d wait", q.used, q.full, q.images, len(q.hungry))
	}
}

// TestWarm: the first call finds an instance, with every policy, and more than fit are not started.
func TestWarm(t *testing.T) {
	r := openRuntime(t, &Options{Memory: 16 * PageSize})
	m := load(t, r, wasmFile(t, "counter"), "counter")
	for _, policy := range []Policy{PolicyReset, PolicyFresh, PolicyReuse} {
		p := counterPool(t, m, policy, 5, 4)
		if err := p.Warm(t.Context(), 2); err != nil {
			t.Fatal(err)
		}
		if s := p.Stats(); s.Started != 2 || s.Idle != 2 || s.Calls != 0 {
			t.Errorf("%s: warm: %+v", policy, s)
		}
		mustCall(t, p)
		if s := p.Stats(); s.Started != 2 || s.Waits != 0 {
			t.Errorf("%s: after a call: %+v", policy, s)
		}
		if err := p.Warm(t.Context(), 100); err != nil || p.Stats().Started > 6 {
			t.Errorf("%s: warm more than fit: %v, %+v", policy, err, p.Stats())
		}
		if err := p.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := p.Warm(t.Context(), 1); !errors.Is(err, ErrClosed) {
			t.Errorf("%s: warm a closed pool: %v", policy, err)
		}
	}
}

// TestPoolsOfOneModuleStayApart: a hundred pools with one module and as many configurations, called at once.
func TestPoolsOfOneModuleStayApart(t *testing.T) {
	r := openRuntime(t, &Options{Memory: 800 * PageSize}) // some have to be evicted, and start again
	m := load(t, r, wasmFile(t, "config"), "config")
	pools := make([]*Pool, 100)
	for i := range pools {
		config := fmt.Appendf(nil, "configuration of pool %d", i)
		pools[i] = newPool(t, m, PoolConfig{
			ConfigLen: len(config), Max: 2, Limits: Limits{Memory: 30 * PageSize},
			Start: func() Host { return &recorder{quiet: true, config: config} },
		})
	}
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 200 {
				n := (i*13 + g) % len(pools)
				h := &recorder{quiet: true}
				if _, err := pools[n].Call(context.Background(), h, 0); err != nil || string(h.output) != fmt.Sprintf("configuration of pool %d", n) {
					t.Errorf("pool %d: %q, %v", n, h.output, err)
				}
			}
		})
	}
	wg.Wait()
	started := uint64(0)
	for _, p := range pools {
		started += p.Stats().Started
	}
	if started < uint64(len(pools)) {
		t.Errorf("%d instances were started for %d pools", started, len(pools))
	}
}

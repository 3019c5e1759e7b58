package guest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"runtime"
	"runtime/metrics"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dashhost/dashhost/abi"
	"github.com/dashhost/dashhost/guest/wasmbin"
)

// hostile is a module that does not end by itself.
type hostile struct {
	name   string
	wasm   []byte
	limits []string // one of which ends it
	start  bool     // in the start phase
}

// hostiles gives the modules of testdata/hostile and the storms of host calls.
func hostiles(t testing.TB) []hostile {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", "hostile", "*.wasm"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no hostile modules: %v", err)
	}
	var all []hostile
	for _, f := range files {
		name := strings.TrimSuffix(filepath.Base(f), ".wasm")
		h := hostile{name: name, wasm: wasmFile(t, "hostile/"+name), limits: []string{"deadline"}}
		switch name {
		case "overflow", "overflowmutual", "overflowindirect", "overflowexport", "overflowframes":
			h.limits = []string{"stack"}
		case "startloop", "initializeloop":
			h.limits, h.start = []string{"start_deadline"}, true
		}
		all = append(all, h)
	}
	return append(all, storms()...)
}

// storms gives, for every host function, modules that call it for ever: with short arguments, and with the
// longest that memory and limits allow.
func storms() []hostile {
	var all []hostile
	add := func(module, name string, params []abi.ValueType, results []abi.ValueType, words []int64, how string) {
		all = append(all, hostile{
			name: "storm/" + name + "/" + how, wasm: storm(module, name, params, results, words), limits: []string{"deadline"},
		})
	}
	for _, f := range abi.Functions() {
		short, long := make([]int64, len(f.Params)), make([]int64, len(f.Params))
		for _, p := range pairsOf(&f) {
			short[p.index], short[p.index+1] = 1024, 8
			long[p.index], long[p.index+1] = 0, stormBytes
		}
		if f.ID == abi.FnFail {
			long[1] = abi.MaxFailure
		}
		add(abi.Module, f.Name, f.Params, f.Results, short, "short")
		if len(pairsOf(&f)) > 0 {
			add(abi.Module, f.Name, f.Params, f.Results, long, "long")
		}
	}
	for _, f := range abi.WASI() {
		if f.Name == "proc_exit" {
			continue
		}
		words := make([]int64, len(f.Params))
		add(abi.WASIModule, f.Name, f.Params, f.Results, words, "zero")
		switch f.Name {
		case "random_get":
			words = []int64{0, stormBytes}
			add(abi.WASIModule, f.Name, f.Params, f.Results, words, "long")
		case "fd_write": // as many vectors as fit, all of them empty
			words = []int64{1, 0, stormBytes / 8, 0}
			add(abi.WASIModule, f.Name, f.Params, f.Results, words, "long")
		case "poll_oneoff": // as many subscriptions as fit, all of them due
			words = []int64{0, 0, stormBytes / subscriptionSize, 0}
			add(abi.WASIModule, f.Name, f.Params, f.Results, words, "long")
		}
	}
	return all
}

// stormBytes is the memory of a storm's module.
const stormBytes = 16 << 20

// storm builds a module that calls module.name with the same arguments for ever.
func storm(module, name string, params, results []abi.ValueType, words []int64) []byte {
	run := wasmbin.FuncType{Params: []wasmbin.ValueType{wasmbin.I32}, Results: []wasmbin.ValueType{wasmbin.I32}}
	var called wasmbin.FuncType
	var c wcode
	c.op(0x03, 0x40) // loop
	for i, p := range params {
		called.Params = append(called.Params, wasmbin.ValueType(p))
		switch p {
		case abi.I32:
			c.i32(int32(words[i]))
		case abi.I64:
			c.op(0x42)
			c = sleb(c, words[i])
		case abi.F64:
			c.op(0x44, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f) // 1
		}
	}
	c.call(0)
	for _, r := range results {
		called.Results = append(called.Results, wasmbin.ValueType(r))
		c.op(0x1a)
	}
	c.op(0x0c, 0, 0x0b) // br 0, end
	c.i32(0)
	c.op(0x0b)
	return wasmbin.Encode(&wasmbin.Module{
		Types:    []wasmbin.FuncType{run, called},
		Imports:  []wasmbin.Import{{Module: module, Name: name, Kind: wasmbin.KindFunc, Type: 1}},
		Memories: []wasmbin.Limits{{Min: stormBytes / PageSize}},
		Exports: []wasmbin.Export{
			{Name: abi.ExportMemory, Kind: wasmbin.KindMemory},
			{Name: abi.ExportRun, Kind: wasmbin.KindFunc, Index: 1},
		},
		Functions: []wasmbin.Function{{Type: 0, Body: c}},
	})
}

// obliging is a Host that allows everything at once, and gives as much as it is asked for.
func obliging() *recorder {
	long := make([]byte, 1<<20)
	return &recorder{
		quiet: true, input: long, config: long, meta: long, answer: long,
		enter:  func(abi.FuncID, abi.Phase) error { return nil },
		sleep:  func(ctx context.Context, _ int64) error { <-ctx.Done(); return ctx.Err() },
		kvGet:  func() ([]byte, int64, error) { return long, 1, nil },
		kvList: func(max int) ([]byte, error) { return long[:min(max, len(long))], nil },
		body:   func(buf []byte) (int, error) { return len(buf), nil },
	}
}

// within gives limits whose deadline is for the phase that does not end.
func (h *hostile) within(deadline time.Duration) Limits {
	if h.start {
		return Limits{StartDeadline: deadline}
	}
	// The Host of these tests does nothing with long arguments, and spends much fuel in no time.
	if h.limits[0] == "stack" {
		deadline = time.Minute // not what ends it
	}
	return Limits{Deadline: deadline, Fuel: math.MaxInt64}
}

// ended checks that err is one of the limits, with its value and what was reached.
func (h *hostile) ended(err error, deadline time.Duration) error {
	var limit *LimitError
	var start *StartError
	switch {
	case !errors.As(err, &limit):
		return fmt.Errorf("ended with %T %w, a *LimitError is wanted", err, err)
	case !slices.Contains(h.limits, limit.Limit):
		return fmt.Errorf("ended by %w, wanted one of %v", err, h.limits)
	case strings.HasSuffix(limit.Limit, "deadline") && limit.Max != deadline.Microseconds(),
		limit.Got < limit.Max, limit.Field != "limits."+limit.Limit:
		return fmt.Errorf("limit %+v: %w", *limit, err)
	case errors.As(err, &start) != h.start:
		return fmt.Errorf("in the start phase: %v, wanted %v: %w", !h.start, h.start, err)
	}
	return nil
}

// TestEndlessGuests: whatever a guest does instead of ending, a typed error says which limit ended it. The time is
// a bound for a machine that is busy; BenchmarkDeadline measures.
func TestEndlessGuests(t *testing.T) {
	const deadline, bound = 10 * time.Millisecond, 5 * time.Second
	engines(t, func(t *testing.T, o *Options) {
		r := openRuntime(t, o)
		for _, h := range hostiles(t) {
			if o.Interpreter && strings.HasPrefix(h.name, "storm/") {
				continue // the host's side is the same
			}
			m := load(t, r, h.wasm, h.name)
			p := newPool(t, m, PoolConfig{Limits: h.within(deadline)})
			began := time.Now()
			res, err := p.Call(t.Context(), obliging(), 0)
			if took := time.Since(began); took > bound {
				t.Errorf("%s: took %v", h.name, took)
			}
			if err := h.ended(err, deadline); err != nil || res.Status != abi.Failed {
				t.Errorf("%s: status %v, %v", h.name, res.Status, err)
			}
			if s := p.Stats(); s.Retired != 1 || s.Idle != 0 || s.Busy != 0 {
				t.Errorf("%s: stats %+v", h.name, s)
			}
		}
	})
}

// TestEndlessGuestsAreCancelled: as by their deadline, so by the caller.
func TestEndlessGuestsAreCancelled(t *testing.T) {
	r := openRuntime(t, nil)
	for _, h := range hostiles(t) {
		if strings.HasPrefix(h.name, "storm/") && !strings.HasSuffix(h.name, "/long") {
			continue // the way in and out is the same
		}
		m := load(t, r, h.wasm, h.name)
		p := newPool(t, m, PoolConfig{Limits: Limits{Deadline: time.Hour, Fuel: math.MaxInt64, StartDeadline: time.Hour}})
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		_, err := p.Call(ctx, obliging(), 0)
		cancel()
		var limit *LimitError
		if !errors.Is(err, context.DeadlineExceeded) && !(strings.HasPrefix(h.name, "overflow") && errors.As(err, &limit)) {
			t.Errorf("%s: got %v", h.name, err)
		}
	}
}

// BenchmarkDeadline prints how long after a deadline of 100 ms each hostile module was gone: the goal is 5 ms on a
// machine with nothing else to do.
func BenchmarkDeadline(b *testing.B) {
	const deadline = 100 * time.Millisecond
	r := openRuntime(b, nil)
	for _, h := range hostiles(b) {
		b.Run(h.name, func(b *testing.B) {
			m := load(b, r, h.wasm, h.name)
			p := newPool(b, m, PoolConfig{Limits: h.within(deadline)})
			host := obliging()
			worst := time.Duration(math.MinInt64)
			for b.Loop() {
				began := time.Now()
				_, err := p.Call(context.Background(), host, 0)
				worst = max(worst, time.Since(began)-deadline)
				if err := h.ended(err, deadline); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(worst.Microseconds())/1000, "ms-over")
		})
	}
}

// BenchmarkCollectorStops prints the longest time for which the garbage collector stopped the world, from the wish to
// stop to the end, while guests spin on all processors: the goal is 10 ms. The runtime's own way to stop guests leaves no
// place where it could.
func BenchmarkCollectorStops(b *testing.B) {
	for _, name := range []string{"loop", "loopmemory", "fib", "dispatch", "fill"} {
		b.Run(name, func(b *testing.B) {
			p := newPool(b, load(b, openRuntime(b, nil), wasmFile(b, "hostile/"+name), name), PoolConfig{Limits: Limits{Deadline: time.Hour, Fuel: math.MaxInt64}})
			ctx, cancel := context.WithCancel(context.Background())
			var guests sync.WaitGroup
			for range runtime.GOMAXPROCS(0) {
				guests.Go(func() { _, _ = p.Call(ctx, obliging(), 0) })
			}
			before := stops()
			for b.Loop() {
				runtime.GC()
			}
			after := stops()
			cancel()
			guests.Wait()
			b.ReportMetric(longest(before, after)*1000, "ms-longest-stop")
		})
	}
}

// stops reads the histogram of the collector's stops.
func stops() *metrics.Float64Histogram {
	s := []metrics.Sample{{Name: "/sched/pauses/total/gc:seconds"}}
	metrics.Read(s)
	return s[0].Value.Float64Histogram()
}

// longest is the upper end of the last bucket that got something between two readings, in seconds.
func longest(before, after *metrics.Float64Histogram) float64 {
	for i := len(after.Counts) - 1; i >= 0; i-- {
		if after.Counts[i] > before.Counts[i] {
			return after.Buckets[i+1]
		}
	}
	return 0
}

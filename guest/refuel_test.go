package guest

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/dashhost/dashhost/abi"
)

// working are inputs of guests that do something and end.
var working = []struct {
	guest string
	input string
}{
	{"noop", ""}, {"echo", "x"}, {"echo", strings.Repeat("echo ", 20_000)}, {"counter", ""},
	{"misbehave", "\x00\x01"}, {"misbehave", "\x09"}, {"misbehave", "\x0b\x02"}, {"misbehave", "\x0c\xff"},
}

// TestFuelIsExact: a call may use all of its fuel, and not a unit more; and what it uses depends on nothing but
// module, input and answers.
func TestFuelIsExact(t *testing.T) {
	engines(t, func(t *testing.T, o *Options) {
		r := openRuntime(t, o)
		for _, c := range working {
			m := load(t, r, wasmFile(t, c.guest), c.guest)
			limits := Limits{Memory: 40 * PageSize}
			call := func(p *Pool) (Result, error) {
				return p.Call(t.Context(), &recorder{input: []byte(c.input)}, len(c.input))
			}
			want, err := call(newPool(t, m, PoolConfig{Limits: limits}))
			if err != nil || want.Fuel == 0 {
				t.Fatalf("%s %.5q: %+v, %v", c.guest, c.input, want, err)
			}
			reuse := newPool(t, m, PoolConfig{Policy: PolicyReuse, Max: 1, Limits: limits})
			for range 3 {
				if res, err := call(reuse); err != nil || c.input != "\x09" && res.Fuel != want.Fuel { // a grown memory does not grow again
					t.Errorf("%s %.5q: reused: %+v, %v, want %d units", c.guest, c.input, res, err, want.Fuel)
				}
			}
			limits.Fuel = want.Fuel
			if res, err := call(newPool(t, m, PoolConfig{Limits: limits})); err != nil || res.Fuel != want.Fuel {
				t.Errorf("%s %.5q: with exactly that much: %+v, %v, want %d units", c.guest, c.input, res, err, want.Fuel)
			}
			limits.Fuel--
			p := newPool(t, m, PoolConfig{Limits: limits})
			res, err := call(p)
			var limit *LimitError
			if !errors.As(err, &limit) || limit.Limit != "fuel" || limit.Max != int64(limits.Fuel) || limit.Got <= limit.Max ||
				limit.Field != "limits.fuel" || res.Status != abi.Failed {
				t.Errorf("%s %.5q: with one unit less: %+v, %v", c.guest, c.input, res, err)
			}
			if s := p.Stats(); s.Fuel != res.Fuel || s.Retired != 1 {
				t.Errorf("%s %.5q: stats %+v, the call used %d", c.guest, c.input, s, res.Fuel)
			}
		}
	})
}

// TestFuelEndsLoops: at the same unit, whatever ran before.
func TestFuelEndsLoops(t *testing.T) {
	r := openRuntime(t, nil)
	for _, name := range []string{"loop", "fib", "dispatch", "fill", "nested", "growmemory", "indirect"} {
		p := newPool(t, load(t, r, wasmFile(t, "hostile/"+name), name), PoolConfig{Limits: Limits{Fuel: 1_234_567}})
		var got [3]int64
		for i := range got {
			_, err := p.Call(t.Context(), obliging(), 0)
			var limit *LimitError
			if !errors.As(err, &limit) || limit.Limit != "fuel" {
				t.Fatalf("%s: %v", name, err)
			}
			got[i] = limit.Got
		}
		if got[0] != got[1] || got[1] != got[2] || got[0] <= 1_234_567 {
			t.Errorf("%s: ended at %d", name, got)
		}
	}
}

// TestStartFuel: the start phase has a budget of its own, start section included.
func TestStartFuel(t *testing.T) {
	r := openRuntime(t, nil)
	for _, name := range []string{"startloop", "initializeloop"} {
		p := newPool(t, load(t, r, wasmFile(t, "hostile/"+name), name), PoolConfig{Limits: Limits{StartFuel: 5_000_000}})
		_, err := p.Call(t.Context(), obliging(), 0)
		var start *StartError
		var limit *LimitError
		if !errors.As(err, &start) || !errors.As(err, &limit) || limit.Limit != "start_fuel" || limit.Max != 5_000_000 {
			t.Errorf("%s: %v", name, err)
		}
		if s := p.Stats(); s.StartFuel < 5_000_000 || s.Fuel != 0 {
			t.Errorf("%s: %+v", name, s)
		}
	}
}

// TestStack: a recursion goes as deep as the limit says, in proportion, and a call leaves nothing behind for the
// next.
func TestStack(t *testing.T) {
	r := openRuntime(t, nil)
	m := load(t, r, wasmFile(t, "misbehave"), "misbehave")
	var fuel [2]uint64
	for i, size := range []int64{1 << 20, 4 << 20} {
		p := newPool(t, m, PoolConfig{Policy: PolicyReuse, Max: 1, Limits: Limits{Stack: size}})
		for range 3 {
			res, err := p.Call(t.Context(), &recorder{input: []byte{2}}, 1)
			var limit *LimitError
			if !errors.As(err, &limit) || limit.Limit != "stack" || limit.Max != size || limit.Got <= size || limit.Field != "limits.stack" {
				t.Fatalf("%v", err)
			}
			fuel[i] = res.Fuel
			if res, err := p.Call(t.Context(), &recorder{input: []byte{0, 1}}, 2); err != nil || res.Status != abi.Failed {
				t.Errorf("the next call: %+v, %v", res, err)
			}
		}
	}
	if ratio := float64(fuel[1]) / float64(fuel[0]); math.Abs(ratio-4) > 0.1 {
		t.Errorf("with four times the stack it did %.2f times the work", ratio)
	}
}

package guest

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/dashhost/dashhost/abi"
)

// What state.wat does, by the length of its input.
const (
	stDigest      = 0
	stOverwrite   = 1
	stFail        = 2
	stInterrupt   = 3
	stTrap        = 4
	stExit        = 5
	stEndless     = 6
	stGrow        = 7
	stTouch       = 8
	stTrapSoon    = 9
	stProgramStep = 12 // bytes of one instruction
)

// stateKinds are configurations of the node, by the shape of their image.
var stateKinds = []struct {
	name   string
	pages  int // that dash_start adds to two
	memory int64
}{
	{"small, no room to grow", 0, 2 * PageSize},
	{"small", 0, 0},
	{"small with a limit", 1, 9 * PageSize},
	{"at the limit of copying", 2, 20 * PageSize},
	{"mapped", 4, 20 * PageSize},
	{"mapped, no room to grow", 40, 42 * PageSize},
	{"mapped, large", 60, 80 * PageSize},
}

// statePool is a pool of state.wasm. What it remembers must be the same as that of any other made alike.
func statePool(t testing.TB, m *Module, policy Policy, pages int, memory int64) *Pool {
	if memory == 0 {
		memory = 64 * PageSize
	}
	return newPool(t, m, PoolConfig{
		Policy: policy, ConfigLen: pages, Max: 1, Limits: Limits{Memory: memory},
		Start: func() Host { return &recorder{quiet: true} },
	})
}

func stateHost(input []byte) *recorder {
	return &recorder{
		quiet: true, input: input, config: []byte("configuration"), meta: []byte(`{"task":"t"}`), now: 1_700_000_000_000_000,
		args: []string{"node", "--flag"}, environ: []string{"A=b", "LANG=C"},
		answerErr: abi.Errorf(abi.Pending, "interrupt: no answer yet"),
	}
}

// digestOf is what a call sees of everything.
func digestOf(t testing.TB, p *Pool) string {
	t.Helper()
	h := stateHost(nil)
	res, err := p.Call(t.Context(), h, stDigest)
	if err != nil || res.Status != abi.Done || len(h.output) != 8 {
		t.Fatalf("digest: %+v, %v, %x", res, err, h.output)
	}
	return fmt.Sprintf("%x, memory %d, fuel %d, log %q %q", h.output, res.Memory, res.Fuel, h.stdio[1], h.stdio[2])
}

// TestGuestCannotTellTheThousandthCall: a guest that looks at all memory, its size, what comes when it
// grows, globals, tables, and all that the host answers, sees in call 1,000 what it sees in the first call
// of a new instance, whatever the calls before did and however they ended.
func TestGuestCannotTellTheThousandthCall(t *testing.T) {
	engines(t, func(t *testing.T, o *Options) {
		calls, kinds := 1000, stateKinds
		if o.Interpreter {
			calls, kinds = 100, stateKinds[:1]
		}
		r := openRuntime(t, o)
		m := load(t, r, wasmFile(t, "state"), "state")
		if len(m.Info().Obstacles) > 0 {
			t.Fatalf("obstacles %q", m.Info().Obstacles)
		}
		for _, kind := range kinds {
			t.Run(kind.name, func(t *testing.T) {
				want := digestOf(t, statePool(t, m, PolicyFresh, kind.pages, kind.memory))
				p := statePool(t, m, PolicyReset, kind.pages, kind.memory)
				if got := digestOf(t, p); got != want {
					t.Fatalf("first call: %s\nfresh instance: %s", got, want)
				}
				rng := rand.New(rand.NewPCG(1, uint64(kind.pages)))
				modes := []int{stOverwrite, stFail, stInterrupt, stGrow, stTouch, stDigest}
				for i := 2; i < calls; i++ {
					mode := modes[rng.IntN(len(modes))]
					switch { // now and then a call that ends the instance, so that a clone takes over
					case i%100 == 50:
						mode = stTrap
					case i%100 == 75:
						mode = stExit
					case i == calls/2:
						mode = stEndless
					}
					ctx, cancel := t.Context(), func() {}
					if mode == stEndless {
						ctx, cancel = context.WithTimeout(ctx, 20*time.Millisecond)
					}
					_, err := p.Call(ctx, stateHost(make([]byte, mode)), mode)
					cancel()
					if ended := mode == stTrap || mode == stExit || mode == stEndless; ended != (err != nil) {
						t.Fatalf("call %d, mode %d: %v", i, mode, err)
					}
					if i%25 == 0 {
						if got := digestOf(t, p); got != want {
							t.Fatalf("after call %d, mode %d: %s\nfresh instance: %s", i, mode, got, want)
						}
					}
				}
				if got := digestOf(t, p); got != want {
					t.Fatalf("call %d: %s\nfresh instance: %s", calls, got, want)
				}
				s := p.Stats()
				if s.Policy != PolicyReset || s.Fallback != nil || s.Resets < uint64(calls/2) || s.Cloned == 0 || s.Reasons[RetiredReset] > 0 {
					t.Errorf("stats %+v", s)
				}
				mapped := int64(kind.pages+2)*PageSize > copyUpTo && r.pages != nil
				if img := p.image.Load(); (img.sheet != nil) != mapped {
					t.Errorf("the image is mapped: %v, want %v", img.sheet != nil, mapped)
				}
			})
		}
	})
}

// TestResetWithoutPagemap: where the system does not tell which pages were touched, everything is copied.
func TestResetWithoutPagemap(t *testing.T) {
	r := openRuntime(t, nil)
	if err := r.pages.close(); err != nil {
		t.Fatal(err)
	}
	r.pages = nil
	m := load(t, r, wasmFile(t, "state"), "state")
	want := digestOf(t, statePool(t, m, PolicyFresh, 40, 0))
	p := statePool(t, m, PolicyReset, 40, 0)
	for _, mode := range []int{stOverwrite, stGrow, stTouch, stTrap, stFail, stInterrupt} {
		if _, err := p.Call(t.Context(), stateHost(nil), mode); (err != nil) != (mode == stTrap) {
			t.Fatal(err)
		}
		if got := digestOf(t, p); got != want {
			t.Errorf("after mode %d: %s\nfresh instance: %s", mode, got, want)
		}
	}
	if img := p.image.Load(); img.sheet != nil {
		t.Error("the image is mapped")
	}
}

// TestResetProperty: random programs that write, fill, copy, grow and set globals.
func TestResetProperty(t *testing.T) {
	r := openRuntime(t, nil)
	m := load(t, r, wasmFile(t, "state"), "state")
	type kind struct {
		p    *Pool
		want string
	}
	var kinds []kind
	for _, k := range stateKinds {
		kinds = append(kinds, kind{statePool(t, m, PolicyReset, k.pages, k.memory), digestOf(t, statePool(t, m, PolicyFresh, k.pages, k.memory))})
	}
	rapid.Check(t, func(rt *rapid.T) {
		k := rapid.SampledFrom(kinds).Draw(rt, "kind")
		for range rapid.IntRange(1, 4).Draw(rt, "calls") {
			var prog []byte
			for range rapid.IntRange(1, 30).Draw(rt, "steps") {
				prog = binary.LittleEndian.AppendUint32(prog, rapid.Uint32Range(0, 7).Draw(rt, "op"))
				prog = binary.LittleEndian.AppendUint32(prog, rapid.Uint32().Draw(rt, "address"))
				prog = binary.LittleEndian.AppendUint32(prog, rapid.Uint32().Draw(rt, "value"))
			}
			_, err := k.p.Call(t.Context(), stateHost(prog), len(prog))
			var trap *TrapError // a program may write nonsense over itself, but it stays in its memory
			if err != nil && !errors.As(err, &trap) {
				rt.Fatal(err)
			}
		}
		if got := digestOf(t, k.p); got != k.want {
			rt.Fatalf("%s\nfresh instance: %s", got, k.want)
		}
	})
}

// TestObstaclesFallBack: a module whose state cannot be put back gets a new instance for each call, and says
// why.
func TestObstaclesFallBack(t *testing.T) {
	wasm := wasmFile(t, "tablegrow")
	info, err := Inspect(wasm, nil)
	if err != nil || len(info.Obstacles) != 1 || info.Obstacles[0] != "table.grow in function 1" {
		t.Fatalf("inspect: %q, %v", info.Obstacles, err)
	}
	p := poolOf(t, nil, "tablegrow", PoolConfig{Max: 1})
	var outputs [][]byte
	for range 3 {
		h := &recorder{}
		if _, err := p.Call(t.Context(), h, 0); err != nil {
			t.Fatal(err)
		}
		outputs = append(outputs, h.output)
	}
	if !bytes.Equal(outputs[0], outputs[2]) {
		t.Errorf("outputs %x", outputs)
	}
	if s := p.Stats(); s.Policy != PolicyFresh || len(s.Fallback) != 1 || s.Started != 3 || s.Reasons[RetiredDone] != 3 {
		t.Errorf("stats %+v", s)
	}
}

package guest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"context"

	"pgregory.net/rapid"

	"github.com/dashhost/dashhost/abi"
	"github.com/dashhost/dashhost/guest/meter"
)

// FuzzHostFunctions calls every host function with any parameters over any memory: the call ends well, or
// in a trap or a limit, and never in a fault of the host.
func FuzzHostFunctions(f *testing.F) {
	type target struct {
		module, name    string
		params, results []abi.ValueType
	}
	var targets []target
	for _, fn := range abi.Functions() {
		targets = append(targets, target{abi.Module, fn.Name, fn.Params, fn.Results})
	}
	for _, fn := range abi.WASI() {
		targets = append(targets, target{abi.WASIModule, fn.Name, fn.Params, fn.Results})
	}
	for i := range targets {
		f.Add(byte(i), words("", probeData, 4, probeData+8, 4, probeData+100, 4, 0, 0, 0)[:72], []byte("some data"))
		f.Add(byte(i), words("", 1, probeData, 1, probeMemory-4)[:72], []byte{0, 4, 0, 0, 255, 255, 1, 0})
	}
	p := newProbes(f, nil, PoolConfig{Limits: Limits{Deadline: 5 * time.Second}})
	pools := make([]*Pool, len(targets))
	for i, c := range targets {
		pools[i] = p.pool(c.module, c.name, c.params, c.results)
	}
	f.Fuzz(func(t *testing.T, which byte, params, data []byte) {
		c, pool := targets[int(which)%len(targets)], pools[int(which)%len(targets)]
		h := newProbeHost()
		h.args, h.environ = []string{"a", "bc"}, []string{"X=y"}
		h.input = words(string(data))
		copy(h.input[:probeResult], params)
		_, err := pool.Call(context.Background(), h, len(h.input))
		var trap *TrapError
		var limit *LimitError
		var exit *ExitError
		switch {
		case err == nil, errors.As(err, &trap), errors.As(err, &limit):
		case errors.As(err, &exit) && c.name == "proc_exit":
			if exit.Code != binary.LittleEndian.Uint32(h.input) {
				t.Errorf("exit code %d", exit.Code)
			}
		default:
			t.Errorf("%s: %v", c.name, err)
		}
	})
}

// FuzzCacheEntry: no bytes on disk are taken for an entry but those that were written under this name.
func FuzzCacheEntry(f *testing.F) {
	name := codeKey{table: 7}.String()
	path := filepath.Join(f.TempDir(), name)
	if err := os.WriteFile(path, []byte("machine code"), 0o600); err != nil {
		f.Fatal(err)
	}
	made := &prepared{wasm: []byte("module"), notes: notes{File: "f", Info: &Info{}, Metered: &meter.Rewritten{}}}
	if err := sealEntry(path, name, made); err != nil {
		f.Fatal(err)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(entryMagic))
	f.Add(good[len(good)-trailerSize:])
	f.Fuzz(func(t *testing.T, b []byte) {
		_, err := verifyEntry(bytes.NewReader(b), int64(len(b)), name)
		if (err == nil) != bytes.Equal(b, good) {
			t.Errorf("took %q: %v", b, err)
		}
		if n, err := notesOf(bytes.NewReader(b), int64(len(b)), name); err == nil && n.File != "f" {
			t.Errorf("took the notes %+v", n)
		}
	})
}

// TestPoolProperty runs random mixes of calls at once: whatever happens to them, the bounds hold while they
// run and nothing is left when they are done.
func TestPoolProperty(t *testing.T) {
	r := openRuntime(t, nil)
	m := load(t, r, wasmFile(t, "misbehave"), "misbehave")
	rapid.Check(t, func(t *rapid.T) {
		highest := rapid.IntRange(1, 4).Draw(t, "max")
		var live, most atomic.Int32
		p, err := m.NewPool(PoolConfig{
			Max:      highest,
			Policy:   rapid.SampledFrom([]Policy{PolicyReset, PolicyFresh, PolicyReuse}).Draw(t, "policy"),
			ReuseMax: rapid.IntRange(1, 3).Draw(t, "reuse max"),
			Limits:   Limits{Deadline: 20 * time.Millisecond, Output: 2048},
			Start:    func() Host { return &recorder{} },
		})
		if err != nil {
			t.Fatal(err)
		}
		inputs := rapid.SliceOfN(rapid.SampledFrom([][]byte{
			{0, 0}, {0, 1}, {0, 9}, {1}, {3}, {4}, {6, 0}, {9}, {11, 1}, {11, 9}, {13, 0},
		}), 1, 12).Draw(t, "calls")
		cancels := rapid.SliceOfN(rapid.Bool(), len(inputs), len(inputs)).Draw(t, "cancelled")
		closes := rapid.Bool().Draw(t, "closed meanwhile")
		var wg sync.WaitGroup
		var failures atomic.Int64
		for i, input := range inputs {
			wg.Go(func() {
				ctx, cancel := context.WithCancel(context.Background())
				defer cancel()
				if cancels[i] {
					time.AfterFunc(rand.N(2*time.Millisecond), cancel)
				}
				h := &recorder{input: input, quiet: true}
				h.enter = func(fn abi.FuncID, _ abi.Phase) error {
					if fn == abi.FnInputRead {
						now := live.Add(1)
						for was := most.Load(); now > was && !most.CompareAndSwap(was, now); was = most.Load() {
						}
						defer live.Add(-1)
						time.Sleep(100 * time.Microsecond)
					}
					return nil
				}
				if _, err := p.Call(ctx, h, len(input)); err != nil {
					failures.Add(1)
					var internal *InternalError
					if errors.As(err, &internal) {
						t.Errorf("internal error: %v", err)
					}
				}
			})
		}
		if closes {
			if err := p.Close(context.Background()); err != nil {
				t.Errorf("close: %v", err)
			}
		}
		wg.Wait()
		s := p.Stats()
		if s.Busy != 0 || s.Waiting != 0 || s.Idle > highest || int(most.Load()) > highest {
			t.Errorf("max %d, %d at once, %+v", highest, most.Load(), s)
		}
		if s.Started-s.Retired != uint64(s.Idle) || s.Failed > uint64(failures.Load()) || s.Calls > uint64(len(inputs)) {
			t.Errorf("%d failures, %+v", failures.Load(), s)
		}
		if err := p.Close(context.Background()); err != nil {
			t.Errorf("close: %v", err)
		}
		if s = p.Stats(); s.Started != s.Retired || s.Idle != 0 {
			t.Errorf("after close %+v", s)
		}
	})
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.pools) != 0 {
		t.Errorf("%d pools are kept", len(r.pools))
	}
}

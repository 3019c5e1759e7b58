package guest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/dashhost/dashhost/abi"
)

func TestEveryFunctionIsImplemented(t *testing.T) {
	impl := answers()
	for _, f := range abi.Functions() {
		a := impl[f.ID]
		if (a.plain == nil) == (a.value == nil) {
			t.Errorf("%s: has to have one implementation", f.Name)
		}
		pointers := 0
		for _, name := range f.Args {
			if name == "buf" || strings.HasSuffix(name, "ptr") && name != "verptr" {
				pointers++
			}
		}
		if pairs := pairsOf(&f); len(pairs) != pointers {
			t.Errorf("%s: %d of %d pointers are checked: %v", f.Name, len(pairs), pointers, pairs)
		}
		if f.Kind != abi.Plain && f.ID != abi.FnKVGet && f.Args[len(f.Args)-2] != "buf" {
			t.Errorf("%s: %s does not end in (buf, cap)", f.Name, f.Kind)
		}
	}
}

// happy has a call of every function that succeeds, what the host must have seen and what the guest gets.
func happy() map[abi.FuncID]struct {
	data   string
	params []any
	seen   string
	result int64
	wrote  string // at probeData
} {
	type c = struct {
		data   string
		params []any
		seen   string
		result int64
		wrote  string
	}
	const at = probeData
	return map[abi.FuncID]c{
		abi.FnInputRead:      {"", []any{at, 4096}, "input", probeData, ""},
		abi.FnConfigRead:     {"", []any{at, 100}, "config", 13, "configuration"},
		abi.FnMetaRead:       {"", []any{at, 100}, "meta", 6, "{meta}"},
		abi.FnOutputWrite:    {"out", []any{at, 3}, `output "out"`, 0, "out"},
		abi.FnFail:           {"why", []any{at, 3, int64(-1)}, `fail "why" -1`, 0, "why"},
		abi.FnLastError:      {"", []any{at, 100}, "", 0, ""},
		abi.FnRouteTo:        {"node", []any{at, 4}, `route_to "node"`, 0, "node"},
		abi.FnRouteSend:      {"nodeitem", []any{at, 4, at + 4, 4}, `route_send "node" "item"`, 0, ""},
		abi.FnInterrupt:      {"ok?", []any{at, 3}, `interrupt "ok?"`, 3, ""},
		abi.FnAnswerRead:     {"", []any{at, 3}, "answer", 3, "yes"},
		abi.FnLog:            {"hello", []any{1, at, 5}, `log 1 "hello"`, 0, ""},
		abi.FnLogEnabled:     {"", []any{2}, "log_enabled 2", 1, ""},
		abi.FnEventEmit:      {"typ{}", []any{at, 3, at + 3, 2}, `event "typ" "{}"`, 0, ""},
		abi.FnStreamWrite:    {"labeltok", []any{at, 5, at + 5, 3}, `stream "label" "tok"`, 0, ""},
		abi.FnMetric:         {"name", []any{2, at, 4, -1.5}, `metric 2 "name" -1.5`, 0, ""},
		abi.FnCheckpointSave: {"{}", []any{at, 2}, `save "{}"`, 1 << 40, ""},
		abi.FnCheckpointLoad: {"", []any{at, 8}, "load", 8, "progress"},
		abi.FnKVGet:          {"key", []any{at, 3, at + 3, 10, at + 100}, `kv_get "key"`, 5, "keyvalue"},
		abi.FnKVPut:          {"keyval", []any{at, 3, at + 3, 3, int64(1 << 33)}, `kv_put "key" "val" 8589934592`, 1<<33 + 1, ""},
		abi.FnKVDelete:       {"key", []any{at, 3, int64(-1)}, `kv_delete "key" -1`, 0, ""},
		abi.FnKVList:         {"pa", []any{at, 1, at + 1, 1, at + 2, 50}, `kv_list "p" "a" 50`, 3, "pa{}\n"},
		abi.FnHTTPFetch:      {"headbody", []any{at, 4, at + 4, 4}, `fetch "head" "body"`, 5, ""},
		abi.FnHTTPHead:       {"", []any{5, at, 10}, "head 5", 4, "head"},
		abi.FnHTTPBody:       {"", []any{5, at, 10}, "body 5 10", 4, "body"},
		abi.FnHTTPClose:      {"", []any{5}, "close 5", 0, ""},
		abi.FnClockNow:       {"", nil, "", 1, ""},
		abi.FnRandom:         {"", []any{at, 4}, "random 4", 0, "\xaa\xaa\xaa\xaa"},
	}
}

func newProbeHost() *probeHost {
	return &probeHost{recorder: recorder{config: []byte("configuration"), meta: []byte("{meta}"), answer: []byte("yes")}}
}

func TestEveryFunction(t *testing.T) {
	cases := happy()
	engines(t, func(t *testing.T, o *Options) {
		p := newProbes(t, o, PoolConfig{})
		for _, f := range abi.Functions() {
			c, ok := cases[f.ID]
			if !ok {
				t.Errorf("%s: no case", f.Name)
				continue
			}
			entered := 0
			h := newProbeHost()
			h.enter = func(fn abi.FuncID, phase abi.Phase) error {
				if phase != abi.PhaseRun {
					t.Errorf("%s: phase %v", f.Name, phase)
				}
				if fn == f.ID {
					entered++
				}
				return nil
			}
			got := p.dash(f.ID, h, c.data, c.params...)
			if got.err != nil {
				t.Errorf("%s: %v", f.Name, got.err)
				continue
			}
			want := 1
			if f.ID == abi.FnInputRead || f.ID == abi.FnOutputWrite {
				want += map[abi.FuncID]int{abi.FnInputRead: 1, abi.FnOutputWrite: 2}[f.ID]
			}
			if entered != want {
				t.Errorf("%s: entered %d times, want %d", f.Name, entered, want)
			}
			if got.result != c.result || (c.seen != "" && !got.h.has(c.seen)) {
				t.Errorf("%s: result %d, want %d; host saw %.200q, want %s", f.Name, got.result, c.result, got.h.calls, c.seen)
			}
			if !bytes.HasPrefix(got.memory[probeData:], []byte(c.wrote)) {
				t.Errorf("%s: memory has %q, want %q", f.Name, got.at(probeData, len(c.wrote)), c.wrote)
			}
			if f.ID == abi.FnKVGet {
				if v := binary.LittleEndian.Uint64(got.at(probeData+100, 8)); v != 1<<33 {
					t.Errorf("kv_get: version %d", v)
				}
			}
		}
	})
}

// TestBadPointers gives every pointer of every function places outside memory: a trap, nothing of the host
// is asked, and the instance is retired.
func TestBadPointers(t *testing.T) {
	engines(t, func(t *testing.T, o *Options) {
		p := newProbes(t, o, PoolConfig{Policy: PolicyReuse, Max: 1})
		for _, f := range abi.Functions() {
			good := happy()[f.ID]
			for i, name := range f.Args {
				if name != "buf" && !strings.HasSuffix(name, "ptr") {
					continue
				}
				for _, bad := range [][2]any{
					{probeMemory, 1}, {probeMemory - 1, 2}, {uint32(math.MaxUint32), 1}, {uint32(math.MaxUint32), 2},
					{0, uint32(math.MaxUint32)}, {1, uint32(math.MaxUint32)}, {0, uint32(1 << 31)}, {0, probeMemory + 1},
				} {
					params := append([]any(nil), good.params...)
					params[i] = bad[0]
					if name == "verptr" {
						if bad[0] == 0 || bad[0] == 1 {
							continue
						}
					} else {
						params[i+1] = bad[1]
					}
					h := newProbeHost()
					before := p.pool(abi.Module, f.Name, f.Params, f.Results).Stats()
					outputs := 0
					h.enter = func(fn abi.FuncID, _ abi.Phase) error {
						if fn == f.ID {
							outputs++
						}
						return nil
					}
					got := p.dash(f.ID, h, good.data, params...)
					var trap *TrapError
					if !errors.As(got.err, &trap) || !strings.Contains(trap.Reason, f.Name) {
						t.Errorf("%s: %s=%v: got %v", f.Name, name, bad, got.err)
					}
					if f.ID == abi.FnInputRead {
						outputs-- // the probe's own
					}
					if outputs != 0 {
						t.Errorf("%s: %s=%v: the host was asked", f.Name, name, bad)
					}
					if got.stats.Retired != before.Retired+1 || got.stats.Idle != 0 {
						t.Errorf("%s: %s=%v: the instance was not retired: %+v", f.Name, name, bad, got.stats)
					}
				}
			}
		}
	})
}

// TestLengthZeroIgnoresThePointer holds for every pair of every function but a stream's buffer.
func TestLengthZeroIgnoresThePointer(t *testing.T) {
	p := newProbes(t, nil, PoolConfig{})
	for _, f := range abi.Functions() {
		for _, pr := range pairsOf(&f) {
			if f.Kind == abi.Stream && pr.out {
				continue
			}
			params := append([]any(nil), happy()[f.ID].params...)
			params[pr.index], params[pr.index+1] = uint32(math.MaxUint32), 0
			if got := p.dash(f.ID, newProbeHost(), happy()[f.ID].data, params...); got.err != nil || got.result < 0 {
				t.Errorf("%s: %d, %v", f.Name, got.result, got.err)
			}
		}
	}
}

func TestValueConvention(t *testing.T) {
	p := newProbes(t, nil, PoolConfig{})
	for _, room := range []int{0, 1, 12, 13, 14} {
		got := p.dash(abi.FnConfigRead, newProbeHost(), strings.Repeat("#", 20), probeData, room)
		want := strings.Repeat("#", 20)
		if room >= 13 {
			want = "configuration" + want[13:]
		}
		if got.err != nil || got.result != 13 || string(got.at(probeData, 20)) != want {
			t.Errorf("cap %d: n %d, memory %q, %v", room, got.result, got.at(probeData, 20), got.err)
		}
	}
	// kv_get writes the version even when the value does not fit, and 0 when there is none.
	got := p.dash(abi.FnKVGet, newProbeHost(), "key########", probeData, 3, probeData+3, 4, probeData+11)
	if got.result != 5 || string(got.at(probeData+3, 8)) != "########" || binary.LittleEndian.Uint64(got.at(probeData+11, 8)) != 1<<33 {
		t.Errorf("value too large: n %d, memory %q", got.result, got.at(probeData, 20))
	}
	h := newProbeHost()
	h.kvGet = func() ([]byte, int64, error) { return nil, 77, abi.Errorf(abi.NotFound, "key: absent") }
	got = p.dash(abi.FnKVGet, h, "key\xff\xff\xff\xff\xff\xff\xff\xff", probeData, 3, 0, 0, probeData+3)
	if got.result != -int64(abi.NotFound) || binary.LittleEndian.Uint64(got.at(probeData+3, 8)) != 0 {
		t.Errorf("absent: n %d, memory %q", got.result, got.at(probeData, 11))
	}
}

func TestStreamConvention(t *testing.T) {
	p := newProbes(t, nil, PoolConfig{Limits: Limits{HostArg: 1000}})
	for _, id := range []abi.FuncID{abi.FnHTTPBody, abi.FnKVList} {
		params := happy()[id].params
		params[len(params)-1] = 0
		h := newProbeHost()
		if got := p.dash(id, h, "pa", params...); got.result != -int64(abi.Invalid) || h.has("body 5 0") {
			t.Errorf("%v with cap 0: %d, %v, host saw %q", id, got.result, got.err, h.calls)
		}
	}
	h := newProbeHost()
	h.body = func(buf []byte) (int, error) { return 0, nil }
	if got := p.dash(abi.FnHTTPBody, h, "", 5, probeData, 50_000); got.result != 0 || !h.has("body 5 1000") {
		t.Errorf("end of stream: %d, %v, host saw %q", got.result, got.err, h.calls)
	}
	for _, lie := range []int{-1, 11} {
		h.body = func(buf []byte) (int, error) { return lie, nil }
		if got := p.dash(abi.FnHTTPBody, h, "", 5, probeData, 10); got.result != -int64(abi.Internal) {
			t.Errorf("a host that says %d of 10: %d, %v", lie, got.result, got.err)
		}
	}
	h.kvList = func(max int) ([]byte, error) { return make([]byte, max+1), nil }
	if got := p.dash(abi.FnKVList, h, "pa", probeData, 1, probeData+1, 1, probeData+2, 50); got.result != -int64(abi.Internal) {
		t.Errorf("a host that lists too much: %d, %v", got.result, got.err)
	}
}

// TestArgumentLimit: an argument over the limit is -too_large before the host is asked; output_write and
// log have limits of their own.
func TestArgumentLimit(t *testing.T) {
	p := newProbes(t, nil, PoolConfig{Limits: Limits{HostArg: 10, Output: probeMemory}})
	for _, f := range abi.Functions() {
		for _, pr := range pairsOf(&f) {
			if f.ID == abi.FnOutputWrite || f.ID == abi.FnLog || pr.out && f.ID != abi.FnRandom {
				continue
			}
			params := append([]any(nil), happy()[f.ID].params...)
			params[pr.index+1] = 11
			h := newProbeHost()
			h.enter = func(fn abi.FuncID, _ abi.Phase) error {
				if fn == f.ID && f.ID != abi.FnRandom {
					t.Errorf("%s: the host was asked", f.Name)
				}
				return nil
			}
			if got := p.dash(f.ID, h, happy()[f.ID].data, params...); got.result != -int64(abi.TooLarge) {
				t.Errorf("%s: %d, %v", f.Name, got.result, got.err)
			}
		}
	}
}

// TestResultLimit: so is a result, except the input.
func TestResultLimit(t *testing.T) {
	p := newProbes(t, nil, PoolConfig{Limits: Limits{HostArg: 10}})
	long := bytes.Repeat([]byte("x"), 11)
	h := newProbeHost()
	h.config, h.meta, h.answer = long, long, long
	h.kvGet = func() ([]byte, int64, error) { return long, 1, nil }
	for _, id := range []abi.FuncID{abi.FnConfigRead, abi.FnMetaRead, abi.FnAnswerRead, abi.FnKVGet} {
		if got := p.dash(id, h, happy()[id].data, happy()[id].params...); got.result != -int64(abi.TooLarge) {
			t.Errorf("%v: %d, %v", id, got.result, got.err)
		}
	}
	h.kvList = func(max int) ([]byte, error) { return make([]byte, max), nil }
	h.body = func(buf []byte) (int, error) { return len(buf), nil }
	for _, id := range []abi.FuncID{abi.FnKVList, abi.FnHTTPBody} {
		params := happy()[id].params
		params[len(params)-1] = 1000
		if got := p.dash(id, h, happy()[id].data, params...); got.result != 10 {
			t.Errorf("%v: %d, %v", id, got.result, got.err)
		}
	}
}

// TestLevelsOutsideTheTable count as errors.
func TestLevelsOutsideTheTable(t *testing.T) {
	p := newProbes(t, nil, PoolConfig{})
	for _, level := range []any{5, 1000, uint32(math.MaxUint32)} {
		h := newProbeHost()
		p.dash(abi.FnLog, h, "hello", level, probeData, 5)
		p.dash(abi.FnLogEnabled, h, "", level)
		if !h.has(`log 4 "hello"`) || !h.has("log_enabled 4") {
			t.Errorf("level %v: %.100q", level, h.calls)
		}
	}
}

// TestErrnos: every error of a host reaches the guest as its number, in both widths, and foreign ones as
// internal.
func TestErrnos(t *testing.T) {
	p := newProbes(t, nil, PoolConfig{})
	type c struct {
		err  error
		want abi.Errno
	}
	cases := []c{{errors.New("disk on fire"), abi.Internal}, {&abi.Error{}, abi.Internal}}
	for _, e := range abi.Errnos() {
		if e != abi.Pending { // a pending question may not end in 0
			cases = append(cases, c{abi.Errorf(e, "because"), e})
		}
	}
	for _, id := range []abi.FuncID{abi.FnKVPut, abi.FnKVDelete, abi.FnClockNow, abi.FnMetaRead, abi.FnLogEnabled} {
		for _, c := range cases {
			h := newProbeHost()
			h.enter = func(fn abi.FuncID, _ abi.Phase) error {
				if fn == id {
					return c.err
				}
				return nil
			}
			if got := p.dash(id, h, happy()[id].data, happy()[id].params...); got.result != -int64(c.want) {
				t.Errorf("%v: %v: %d, %v", id, c.err, got.result, got.err)
			}
		}
	}
}

// TestLastError reads the text of an error of the same call, and none in the next.
func TestLastError(t *testing.T) {
	p := poolOf(t, nil, "lasterror", PoolConfig{Policy: PolicyReuse, Max: 1})
	h := &recorder{enter: func(fn abi.FuncID, _ abi.Phase) error {
		if fn == abi.FnRouteTo {
			return abi.Errorf(abi.Denied, "route_to: no edge to it")
		}
		return nil
	}}
	if _, err := p.Call(t.Context(), h, 0); err != nil || string(h.output) != "route_to: no edge to it" {
		t.Errorf("%q, %v", h.output, err)
	}
	h.enter = func(abi.FuncID, abi.Phase) error { return nil }
	if _, err := p.Call(t.Context(), h, 0); err != nil || len(h.output) != 0 {
		t.Errorf("the next call sees %q, %v", h.output, err)
	}
}

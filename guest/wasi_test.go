package guest

import (
	"context"
	"encoding/binary"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/dashhost/dashhost/abi"
)

func TestEveryWASIFunctionIsThere(t *testing.T) {
	served := wasiServed()
	for _, f := range abi.WASI() {
		if (served[f.Name] != nil) != f.Served {
			t.Errorf("%s: the table says served=%v", f.Name, f.Served)
		}
		delete(served, f.Name)
	}
	for name := range served {
		t.Errorf("%s is not in the table", name)
	}
}

func TestWASINosys(t *testing.T) {
	p := newProbes(t, nil, PoolConfig{})
	for _, f := range abi.WASI() {
		if f.Served {
			continue
		}
		params := make([]any, len(f.Params))
		for i := range params {
			params[i] = 0
		}
		if got := p.wasi(f.Name, newProbeHost(), "", params...); got.err != nil || got.result != abi.WASINosys {
			t.Errorf("%s: %d, %v", f.Name, got.result, got.err)
		}
	}
}

func u32At(m []byte, at int) uint32 { return binary.LittleEndian.Uint32(m[at:]) }
func u64At(m []byte, at int) uint64 { return binary.LittleEndian.Uint64(m[at:]) }

func TestWASIStrings(t *testing.T) {
	p := newProbes(t, nil, PoolConfig{})
	list := []string{"one", "", "A=b"}
	for _, kind := range []string{"args", "environ"} {
		h := newProbeHost()
		h.args, h.environ = list, list
		if kind == "args" {
			h.environ = nil
		} else {
			h.args = nil
		}
		got := p.wasi(kind+"_sizes_get", h, "", probeData, probeData+4)
		if got.result != 0 || u32At(got.memory, probeData) != 3 || u32At(got.memory, probeData+4) != 9 {
			t.Errorf("%s sizes: %d, %v", kind, got.result, got.err)
		}
		got = p.wasi(kind+"_get", h, "", probeData, probeData+100)
		if got.result != 0 || string(got.at(probeData+100, 9)) != "one\x00\x00A=b\x00" {
			t.Fatalf("%s: %d, %v", kind, got.result, got.err)
		}
		for i, want := range []uint32{probeData + 100, probeData + 104, probeData + 105} {
			if at := u32At(got.memory, probeData+4*i); at != want {
				t.Errorf("%s: pointer %d is %d, want %d", kind, i, at, want)
			}
		}
		if got = p.wasi(kind+"_get", newProbeHost(), "", uint32(math.MaxUint32), uint32(math.MaxUint32)); got.err != nil || got.result != 0 {
			t.Errorf("%s, empty: %d, %v", kind, got.result, got.err)
		}
	}
}

func TestWASIClockAndRandom(t *testing.T) {
	p := newProbes(t, nil, PoolConfig{})
	for _, id := range []int{0, 1, 2, 3} {
		h := newProbeHost()
		h.now = 1_700_000_000_000_000
		got := p.wasi("clock_time_get", h, "", id, int64(0), probeData)
		if got.result != 0 || u64At(got.memory, probeData) != 1_700_000_000_000_001_000 {
			t.Errorf("clock %d: %d, %v", id, got.result, got.err)
		}
		if got = p.wasi("clock_res_get", h, "", id, probeData); got.result != 0 || u64At(got.memory, probeData) != 1000 {
			t.Errorf("resolution of clock %d: %d, %v", id, got.result, got.err)
		}
	}
	if got := p.wasi("clock_time_get", newProbeHost(), "", 4, int64(0), probeData); got.result != abi.WASIInval {
		t.Errorf("clock 4: %d", got.result)
	}
	h := newProbeHost()
	got := p.wasi("random_get", h, "", probeData, 70_000)
	if got.result != 0 || strings.Trim(string(got.at(probeData, 70_000)), "\x55") != "" || got.memory[probeData+70_000] != 0 {
		t.Errorf("random_get: %d, %v", got.result, got.err)
	}
	if !h.has("seed 65536") || !h.has("seed 4464") {
		t.Errorf("random_get in pieces: %q", h.calls)
	}
}

// iovec packs (pointer, length) pairs.
func iovec(pairs ...uint32) string {
	var b []byte
	for _, p := range pairs {
		b = binary.LittleEndian.AppendUint32(b, p)
	}
	return string(b)
}

func TestWASIDescriptors(t *testing.T) {
	p := newProbes(t, nil, PoolConfig{Limits: Limits{LogBytes: 20}})
	for fd := range 3 {
		h := newProbeHost()
		data := iovec(probeData+100, 5, probeData, 0, probeData+105, 7)
		data += strings.Repeat(".", 100-len(data)) + "hello world\n"
		got := p.wasi("fd_write", h, data, fd, probeData, 3, probeData+200)
		if fd == 0 {
			if got.result != abi.WASIBadf {
				t.Errorf("write to 0: %d", got.result)
			}
			continue
		}
		if got.result != 0 || h.stdio[fd] != "hello world\n" || u32At(got.memory, probeData+200) != 12 {
			t.Errorf("write to %d: %d, %v, %q", fd, got.result, got.err, h.stdio)
		}
	}
	h := newProbeHost()
	data := iovec(probeData+8, 30) + strings.Repeat("x", 30)
	if got := p.wasi("fd_write", h, data, 1, probeData, 1, probeData+200); got.result != 0 || len(h.stdio[1]) != 20 || u32At(got.memory, probeData+200) != 30 {
		t.Errorf("write over the log limit: %d, %q", got.result, h.stdio[1])
	}
	for _, c := range []struct {
		name   string
		params []any
		want   int64
	}{
		{"fd_write", []any{3, probeData, 0, probeData + 200}, abi.WASIBadf},
		{"fd_read", []any{0, probeData, 0, probeData + 200}, 0},
		{"fd_read", []any{1, probeData, 0, probeData + 200}, abi.WASIBadf},
		{"fd_fdstat_get", []any{3, probeData}, abi.WASIBadf},
		{"fd_fdstat_get", []any{1, probeData}, 0},
		{"fd_fdstat_set_flags", []any{2, 4}, 0},
		{"fd_fdstat_set_flags", []any{3, 4}, abi.WASIBadf},
		{"fd_prestat_get", []any{3, probeData}, abi.WASIBadf},
		{"fd_prestat_dir_name", []any{3, probeData, 10}, abi.WASIBadf},
		{"sched_yield", nil, 0},
	} {
		if got := p.wasi(c.name, newProbeHost(), "", c.params...); got.err != nil || got.result != c.want {
			t.Errorf("%s%v: %d, want %d, %v", c.name, c.params, got.result, c.want, got.err)
		}
	}
}

// TestWASIBadPointers gives every pointer parameter of the served functions a place outside memory.
func TestWASIBadPointers(t *testing.T) {
	p := newProbes(t, nil, PoolConfig{Policy: PolicyReuse, Max: 1})
	out := uint32(math.MaxUint32)
	h := newProbeHost
	long := func() *probeHost { h := newProbeHost(); h.args = []string{"a"}; h.environ = h.args; return h }
	for _, c := range []struct {
		name   string
		host   func() *probeHost
		data   string
		params []any
	}{
		{"args_get", long, "", []any{out, probeData}},
		{"args_get", long, "", []any{probeData, out}},
		{"args_sizes_get", h, "", []any{out, probeData}},
		{"args_sizes_get", h, "", []any{probeData, probeMemory - 3}},
		{"environ_get", long, "", []any{out, probeData}},
		{"environ_sizes_get", h, "", []any{probeData, out}},
		{"clock_res_get", h, "", []any{0, out}},
		{"clock_time_get", h, "", []any{0, int64(0), probeMemory - 7}},
		{"random_get", h, "", []any{probeData, probeMemory}},
		{"fd_read", h, "", []any{0, probeData, 0, out}},
		{"fd_write", h, "", []any{1, out, 1, probeData}},
		{"fd_write", h, "", []any{1, probeData, uint32(1 << 29), probeData}},
		{"fd_write", h, "", []any{1, probeData, 1, out}},
		{"fd_write", h, iovec(probeData, 1, out, 1), []any{1, probeData, 2, probeData + 100}},
		{"fd_write", h, iovec(probeData, 1, probeData, out), []any{1, probeData, 2, probeData + 100}},
		{"fd_fdstat_get", h, "", []any{1, probeMemory - 23}},
		{"poll_oneoff", h, "", []any{out, probeData, 1, probeData}},
		{"poll_oneoff", h, "", []any{probeData, out, 1, probeData}},
		{"poll_oneoff", h, "", []any{probeData, probeData, 1, out}},
		{"poll_oneoff", h, "", []any{probeData, probeData, uint32(1 << 28), probeData}},
	} {
		host := c.host()
		got := p.wasi(c.name, host, c.data, c.params...)
		var trap *TrapError
		if !errors.As(got.err, &trap) || !strings.Contains(trap.Reason, c.name) {
			t.Errorf("%s%v: %d, %v", c.name, c.params, got.result, got.err)
		}
		if host.stdio[1] != "" {
			t.Errorf("%s%v: wrote %q before the trap", c.name, c.params, host.stdio[1])
		}
	}
}

// subscription packs one for poll_oneoff.
func subscription(user uint64, tag byte, id uint32, ns uint64, flags uint16) string {
	b := make([]byte, subscriptionSize)
	binary.LittleEndian.PutUint64(b, user)
	b[8] = tag
	binary.LittleEndian.PutUint32(b[16:], id)
	binary.LittleEndian.PutUint64(b[24:], ns)
	binary.LittleEndian.PutUint16(b[40:], flags)
	return string(b)
}

func TestWASIPoll(t *testing.T) {
	p := newProbes(t, nil, PoolConfig{Limits: Limits{Deadline: 200 * time.Millisecond}})
	type event struct {
		user  uint64
		errno uint16
		tag   byte
	}
	const events = probeData + 1000
	for _, c := range []struct {
		name   string
		subs   []string
		slept  string // "" = not at all
		errno  int64
		events []event
	}{
		{"none", nil, "", abi.WASIInval, nil},
		{"relative", []string{subscription(9, tagClock, 1, 2_500_001, 0)}, "sleep 2501", 0, []event{{9, 0, 0}}},
		{"absolute", []string{subscription(9, tagClock, 0, 1_005_000_000, absolute)}, "sleep 4999", 0, []event{{9, 0, 0}}},
		{"past", []string{subscription(9, tagClock, 0, 5, absolute)}, "", 0, []event{{9, 0, 0}}},
		{"for ever", []string{subscription(9, tagClock, 0, math.MaxUint64, 0)}, "sleep 3162240000000000", 0, []event{{9, 0, 0}}},
		{"nearest", []string{subscription(1, tagClock, 0, 9_000_000, 0), subscription(2, tagClock, 0, 1_000_000, 0)}, "sleep 1000", 0, []event{{2, 0, 0}}},
		{"descriptors do not wait", []string{
			subscription(1, tagClock, 0, 9_000_000, 0), subscription(2, tagRead, 0, 0, 0), subscription(3, tagWrite, 1, 0, 0),
			subscription(4, tagRead, 7, 0, 0), subscription(5, tagWrite, 0, 0, 0), subscription(6, 9, 0, 0, 0), subscription(7, tagClock, 8, 1, 0),
		}, "", 0, []event{{2, 0, 1}, {3, 0, 2}, {4, abi.WASIBadf, 1}, {5, abi.WASIBadf, 2}, {6, abi.WASIInval, 9}, {7, abi.WASIInval, 0}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newProbeHost()
			h.now = 1_000_000
			got := p.wasi("poll_oneoff", h, strings.Join(c.subs, ""), probeData, events, len(c.subs), events-4)
			if got.err != nil || got.result != c.errno {
				t.Fatalf("%d, %v", got.result, got.err)
			}
			slept := ""
			for _, call := range h.calls {
				if strings.HasPrefix(call, "sleep") {
					slept = call
				}
			}
			if slept != c.slept {
				t.Errorf("%q, want %q", slept, c.slept)
			}
			if n := int(u32At(got.memory, events-4)); c.errno == 0 && n != len(c.events) {
				t.Fatalf("%d events, want %d", n, len(c.events))
			}
			for i, want := range c.events {
				at := events + i*eventSize
				e := event{u64At(got.memory, at), binary.LittleEndian.Uint16(got.memory[at+8:]), got.memory[at+10]}
				if e != want {
					t.Errorf("event %d: %+v, want %+v", i, e, want)
				}
			}
		})
	}
}

// TestSleepEndsAtTheDeadline: the host's sleep gets a context that ends with the call.
func TestSleepEndsAtTheDeadline(t *testing.T) {
	p := newProbes(t, nil, PoolConfig{Limits: Limits{Deadline: 30 * time.Millisecond}})
	h := newProbeHost()
	h.sleep = func(ctx context.Context, us int64) error {
		timer := time.NewTimer(time.Duration(us) * time.Microsecond)
		defer timer.Stop()
		select {
		case <-timer.C:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	got := p.wasi("poll_oneoff", h, subscription(9, tagClock, 0, uint64(time.Hour), 0), probeData, probeData+100, 1, probeData+200)
	var limit *LimitError
	if !errors.As(got.err, &limit) || limit.Limit != "deadline" || !h.has("sleep 3600000000") {
		t.Errorf("got %v, host saw %q", got.err, h.calls)
	}
}

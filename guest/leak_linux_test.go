package guest

import (
	"bytes"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"testing"
)

// footprint is what the process takes of the system.
type footprint struct {
	resident, mappings, files int
}

func measure(t testing.TB) footprint {
	t.Helper()
	runtime.GC()
	debug.FreeOSMemory()
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	pages, err := strconv.Atoi(string(bytes.Fields(statm)[1]))
	if err != nil {
		t.Fatal(err)
	}
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return footprint{pages * os.Getpagesize(), bytes.Count(maps, []byte("\n")), len(files)}
}

// TestTrappingGuestLeaksNothing: instances that trap give back all they had, with small images and mapped ones.
func TestTrappingGuestLeaksNothing(t *testing.T) {
	m := load(t, openRuntime(t, nil), wasmFile(t, "state"), "state")
	for _, kind := range []struct{ pages, calls int }{{0, 20_000}, {10, 2_000}} {
		p := statePool(t, m, PolicyReset, kind.pages, 20*PageSize)
		trapLoop(t, p, kind.calls/10)
		before := measure(t)
		trapLoop(t, p, kind.calls)
		after := measure(t)
		if after.resident > before.resident+8<<20+slack || after.mappings > before.mappings+16 || after.files != before.files {
			t.Errorf("%d pages: before %+v, after %d calls %+v", kind.pages, before, kind.calls, after)
		}
		if s := p.Stats(); s.Started-s.Retired > 1 || s.Reasons[RetiredTrap] < uint64(kind.calls) {
			t.Errorf("stats %+v", s)
		}
	}
}

// BenchmarkTrappingGuest is the same for as long as is asked, and prints what the process had before and after:
//
//	go test ./guest -run - -bench TrappingGuest -benchtime 1000000x
func BenchmarkTrappingGuest(b *testing.B) {
	p := statePool(b, load(b, openRuntime(b, nil), wasmFile(b, "state"), "state"), PolicyReset, 10, 20*PageSize)
	trapLoop(b, p, 1000)
	before := measure(b)
	b.ResetTimer()
	trapLoop(b, p, b.N)
	b.StopTimer()
	after := measure(b)
	b.ReportMetric(float64(before.resident)/(1<<20), "MiB-before")
	b.ReportMetric(float64(after.resident)/(1<<20), "MiB-after")
	b.ReportMetric(float64(after.mappings-before.mappings), "mappings")
	b.ReportMetric(float64(after.files-before.files), "files")
}

// trapLoop makes n calls of a guest that writes a few bytes, grows its memory, and traps.
func trapLoop(t testing.TB, p *Pool, n int) {
	t.Helper()
	h := stateHost(nil)
	for range n {
		h.stdio = [3]string{}
		if _, err := p.Call(t.Context(), h, stTrapSoon); err == nil {
			t.Fatal("no trap")
		}
	}
}

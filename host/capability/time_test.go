package capability

import (
	"bytes"
	"context"
	"errors"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dashhost/dashhost/abi"
	"github.com/dashhost/dashhost/host/workflow"
)

const hour = int64(time.Hour / time.Microsecond)

func TestVirtualTime(t *testing.T) {
	s := open(nil)
	at := int64(1_700_000_000_000_000)
	for range 3 {
		if got := s.Now(); got != at {
			t.Errorf("reading %d, want %d", got, at)
		}
		at++
	}
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	for _, us := range []int64{0, 5, hour, -7, math.MinInt64} {
		if err := s.Sleep(ended, us); err != nil { // returns at once, so nothing can end it
			t.Error(err)
		}
		at += max(us, 0)
		if got := s.Now(); got != at {
			t.Errorf("after a sleep of %d: %d, want %d", us, got, at)
		}
		at++
	}
	for range 3 {
		if err := s.Sleep(context.Background(), math.MaxInt64); err != nil {
			t.Error(err)
		}
		if got := s.Now(); got != math.MaxInt64 {
			t.Errorf("the clock went on to %d", got)
		}
	}
}

func TestVirtualTimeOfTheStartPhase(t *testing.T) {
	n := &workflow.Node{Name: "check", Grants: workflow.Grants{Clock: true, Random: true}}
	for range 2 {
		s := Start(n, "00", nil)
		for i := range int64(3) {
			if got, want := s.Now(), int64(StartTime)+i; got != want {
				t.Errorf("reading %d, want %d", got, want)
			}
		}
	}
	if got := time.UnixMicro(StartTime).UTC().Format(time.RFC3339); got != "2000-01-01T00:00:00Z" {
		t.Errorf("begins at %s", got)
	}
}

func TestRealTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(grantAll)
		begin := time.Now()
		if got := s.Now(); got != begin.UnixMicro() {
			t.Errorf("reading %d, want %d", got, begin.UnixMicro())
		}
		if err := s.Sleep(t.Context(), hour); err != nil || time.Since(begin) != time.Hour {
			t.Errorf("slept %v: %v", time.Since(begin), err)
		}
		if got := s.Now(); got != begin.UnixMicro()+hour {
			t.Errorf("reading %d after an hour", got-begin.UnixMicro())
		}
		if err := s.Sleep(t.Context(), -1); err != nil || time.Since(begin) != time.Hour {
			t.Errorf("slept %v: %v", time.Since(begin), err)
		}
	})
}

// A sleep that is as long as a number can say ends with the call.
func TestRealSleepEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		s := open(func(c *Config) {
			grantAll(c)
			c.Deadline = begin.Add(time.Minute)
		})
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, errors.New("stopped"))
		defer cancel()
		if err := s.Sleep(ctx, math.MaxInt64); err == nil || err.Error() != "stopped" || time.Since(begin) != time.Second {
			t.Errorf("after %v: %v", time.Since(begin), err)
		}
		if err := s.Sleep(t.Context(), math.MaxInt64); !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) != time.Minute {
			t.Errorf("after %v: %v", time.Since(begin), err)
		}
	})
}

func TestSeedRandomRepeats(t *testing.T) {
	read := func(s *Set, pieces ...int) []byte {
		var all []byte
		for _, n := range pieces {
			b := make([]byte, n)
			s.SeedRandom(b)
			all = append(all, b...)
		}
		return all
	}
	once := read(open(nil), 64)
	if !bytes.Equal(once, read(open(nil), 1, 7, 0, 8, 48)) {
		t.Error("two attempts of a task see different bytes")
	}
	if bytes.Equal(once, read(open(func(c *Config) { c.Task[15]++ }), 64)) {
		t.Error("two tasks see the same bytes")
	}
	if bytes.Equal(once, read(open(grantAll), 64)) || bytes.Equal(read(open(grantAll), 64), read(open(grantAll), 64)) {
		t.Error("with the grant the bytes repeat")
	}
	n := &workflow.Node{Name: "check", Grants: workflow.Grants{Random: true}}
	start := read(Start(n, "00", nil), 64)
	if !bytes.Equal(start, read(startOf("00"), 64)) || bytes.Equal(start, read(startOf("01"), 64)) || bytes.Equal(start, once) {
		t.Error("the start phase depends on something but the module")
	}
	b := make([]byte, 64)
	if err := startOf("00").Random(b); err != nil || !bytes.Equal(b, start) {
		t.Errorf("random differs from WASI's in the start phase: %v", err)
	}
	b = make([]byte, 64)
	if err := open(nil).Random(b); abi.ErrnoOf(err) != abi.Denied || !bytes.Equal(b, make([]byte, 64)) {
		t.Errorf("random without grant: %v", err)
	}
}

func startOf(digest string) *Set { return Start(&workflow.Node{Name: "check"}, digest, nil) }

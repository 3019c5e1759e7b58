package streaming_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/dashhost/dashhost/streaming"
	"github.com/dashhost/dashhost/streaming/memsink"
)

// Whatever the clock shows, no event has the time 0 or less, times do not go back, and what is not the clock's is flagged.
func TestLesson10_ClockIsNeverZeroNorBackward(t *testing.T) {
	var now atomic.Int64
	mem := memsink.New(nil)
	p, s := newStream(t, mem, &streaming.Options{Now: func() time.Time { return time.UnixMicro(now.Load()) }}, nil)
	steps := []struct {
		now, given int64
		fault      streaming.ClockFault
		want       int64
	}{
		{now: -5, fault: streaming.ClockBefore1970, want: 1},
		{now: 0, fault: streaming.ClockBefore1970, want: 2},
		{now: 1000, want: 1000},
		{now: 1000, want: 1000},
		{now: 400, fault: streaming.ClockBackward, want: 1001},
		{now: -1 << 62, fault: streaming.ClockBefore1970, want: 1002},
		{now: 400, given: 77, want: 77}, // of a record: what the log says
		{now: 400, given: -3, fault: streaming.ClockBefore1970, want: 1},
		{now: 1002, want: 1002},
		{now: 5000, want: 5000},
	}
	flagged := uint64(0)
	for i, step := range steps {
		now.Store(step.now)
		e := ping("t", i+1)
		e.Time = step.given
		if err := s.Publish(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		if step.fault != "" {
			flagged++
		}
	}
	c := shut(t, p)
	for i, e := range decodeAll(t, mem.Records()) {
		if e.Time != steps[i].want || e.Clock != steps[i].fault || mem.Records()[i].Time != e.Time {
			t.Errorf("step %d: time %d, %q, want %d, %q", i, e.Time, e.Clock, steps[i].want, steps[i].fault)
		}
	}
	if c.BadClock != flagged {
		t.Errorf("%d were flagged: %s", flagged, c)
	}
}

func TestLifecycleIDIsFixed(t *testing.T) {
	// Computed by another program from the definition.
	want := [16]byte{0x03, 0x5c, 0x8a, 0xba, 0x3b, 0xa2, 0x32, 0xbc, 0x55, 0xfd, 0x39, 0x9d, 0x9e, 0xe0, 0x8c, 0xb0}
	if got := streaming.LifecycleID("store-1", 2, "thread", 3); got != want {
		t.Errorf("%x", got)
	}
	seen := map[[16]byte]bool{}
	for _, id := range [][16]byte{
		streaming.LifecycleID("a", 0, "bc", 1), streaming.LifecycleID("ab", 0, "c", 1), streaming.LifecycleID("a", 1, "bc", 1),
		streaming.LifecycleID("a", 0, "bc", 2), streaming.LifecycleID("", 0, "abc", 1),
	} {
		seen[id] = true
	}
	if len(seen) != 5 {
		t.Errorf("%d ids, want 5", len(seen))
	}
}

func TestNewIDsDiffer(t *testing.T) {
	mem := memsink.New(nil)
	seen := map[[16]byte]bool{}
	for range 2 {
		sink := memsink.New(nil)
		p, s := newStream(t, sink, nil, nil)
		for i := range 100 {
			if err := s.Publish(t.Context(), ping("t", i+1)); err != nil {
				t.Fatal(err)
			}
		}
		shut(t, p)
		for _, r := range sink.Records() {
			seen[r.ID] = true
		}
	}
	if len(seen) != 200 {
		t.Errorf("%d ids of 200 events (%d records)", len(seen), len(mem.Records()))
	}
}

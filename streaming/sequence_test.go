package streaming_test

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/dashhost/dashhost/streaming"
)

func TestSequences(t *testing.T) {
	s := streaming.NewSequences(0)
	for i, c := range []struct {
		seq     uint64
		order   streaming.Order
		missing uint64
	}{
		{5, streaming.InOrder, 0}, {6, streaming.InOrder, 0}, {6, streaming.Repeated, 0}, {0, streaming.InOrder, 0}, {10, streaming.AfterGap, 3},
		{8, streaming.Late, 0}, {8, streaming.Repeated, 0}, {7, streaming.Late, 0}, {9, streaming.Late, 0}, {11, streaming.InOrder, 0}, {4, streaming.Repeated, 0},
	} {
		if order, missing := s.See(1, "t", c.seq); order != c.order || missing != c.missing {
			t.Errorf("event %d, number %d: %v with %d missing, want %v with %d", i, c.seq, order, missing, c.order, c.missing)
		}
	}
	if order, _ := s.See(2, "t", 1); order != streaming.InOrder {
		t.Errorf("another source: %v", order)
	}
	if order, _ := s.See(1, "", 1); order != streaming.InOrder {
		t.Errorf("no thread: %v", order)
	}
	want := streaming.SequenceTotals{Repeated: 3, Late: 3, Gaps: 1}
	if got := s.Totals(); got != want {
		t.Errorf("totals %+v, want %+v", got, want)
	}
}

// Against a set of all numbers that were seen.
func TestSequencesAgainstASet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := streaming.NewSequences(0)
		seen := map[uint64]bool{}
		var first, last uint64
		for _, seq := range rapid.SliceOfN(rapid.Uint64Range(1, 40), 1, 60).Draw(t, "numbers") {
			want := streaming.InOrder
			switch {
			case first == 0:
				first, last = seq, seq
			case seen[seq] || seq < first:
				want = streaming.Repeated
			case seq < last:
				want = streaming.Late
			case seq > last+1:
				want = streaming.AfterGap
			}
			if got, _ := s.See(0, "t", seq); got != want {
				t.Fatalf("number %d: %v, want %v", seq, got, want)
			}
			seen[seq] = true
			last = max(last, seq)
		}
		missing := uint64(0)
		for n := first; n < last; n++ {
			if !seen[n] {
				missing++
			}
		}
		if got := s.Totals().Missing; got != missing {
			t.Fatalf("%d missing, want %d", got, missing)
		}
	})
}

// What is remembered is bounded, and what is seen again and again is not forgotten.
func TestSequencesForgetTheOldest(t *testing.T) {
	s := streaming.NewSequences(10)
	for i := range 1000 {
		s.See(0, fmt.Sprint("thread ", i), 1)
		if order, _ := s.See(0, "kept", uint64(i+1)); order != streaming.InOrder {
			t.Fatalf("%d: %v", i, order)
		}
	}
	if order, _ := s.See(0, "thread 0", 7); order != streaming.InOrder {
		t.Errorf("a forgotten thread: %v", order)
	}
	if order, _ := s.See(0, "thread 995", 7); order != streaming.AfterGap {
		t.Errorf("a thread of a moment ago: %v", order)
	}
}

package ratelimit_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/dashhost/dashhost/internal/ratelimit"
)

// spent is what was allowed, and when.
type spent struct{ at, n int64 }

// within checks the rule itself: no span of time may have more than burst + rate x span.
func within(t interface{ Fatalf(string, ...any) }, l ratelimit.Limit, all []spent) {
	burst := l.Burst
	if burst == 0 {
		burst = l.Rate
	}
	for i := range all {
		var sum int64
		for j := i; j < len(all); j++ {
			sum += all[j].n
			span := all[j].at - all[i].at
			if most := float64(burst) + float64(l.Rate)*float64(span)/float64(l.Per); float64(sum) > most+1e-6 {
				t.Fatalf("%d tokens within %v, the limit of %d per %v with burst %d allows %.3f", sum, time.Duration(span), l.Rate, l.Per, burst, most)
			}
		}
	}
}

func drawLimit(t *rapid.T) ratelimit.Limit {
	return ratelimit.Limit{
		Rate:  rapid.Int64Range(1, 50).Draw(t, "rate"),
		Per:   time.Duration(rapid.Int64Range(50, 5000).Draw(t, "per")),
		Burst: rapid.Int64Range(0, 60).Draw(t, "burst"),
	}
}

func TestNoSpanHasMoreThanTheRule(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now, l := int64(1), drawLimit(t)
		table, err := ratelimit.NewTable(l, &ratelimit.Options{Tenants: 3, Clock: func() int64 { return now }})
		if err != nil {
			t.Fatal(err)
		}
		all := map[string][]spent{}
		for range rapid.IntRange(1, 80).Draw(t, "steps") {
			now += rapid.Int64Range(0, 300).Draw(t, "later")
			tenant := rapid.SampledFrom([]string{"", "a", "b", "c", "d"}).Draw(t, "tenant")
			n := rapid.Int64Range(-1, 20).Draw(t, "n")
			if table.Take(tenant, n) == ratelimit.Allow {
				if n < 1 {
					t.Fatalf("%d tokens were allowed", n)
				}
				all[tenant] = append(all[tenant], spent{now, n})
			}
			if table.Tenants() > 3 {
				t.Fatal("the table grew over its bound")
			}
		}
		for _, a := range all {
			within(t, l, a)
		}
	})
}

// Whoever waits long enough gets what the rule allows: the limit is not just "no".
func TestQuotaIsGiven(t *testing.T) {
	now := int64(1)
	table, err := ratelimit.NewTable(ratelimit.Limit{Rate: 10, Per: time.Second, Burst: 5}, &ratelimit.Options{Clock: func() int64 { return now }})
	if err != nil {
		t.Fatal(err)
	}
	allowed := 0
	for ; now < int64(10*time.Second); now += int64(time.Millisecond) {
		if table.Take("t", 1) == ratelimit.Allow {
			allowed++
		}
	}
	if allowed < 104 || allowed > 105 {
		t.Errorf("%d allowed in 10 s at 10 a second and a burst of 5, expected 105", allowed)
	}
	if err := table.Set(ratelimit.Limit{Rate: 1000, Per: time.Second}); err != nil {
		t.Fatal(err)
	}
	now += int64(time.Second)
	if d := table.Take("t", 1000); d != ratelimit.Allow {
		t.Errorf("after the limit was raised: %v", d)
	}
	if d := table.Take("u", 1001); d != ratelimit.Deny {
		t.Errorf("more than the burst: %v", d)
	}
}

// A tenant that is forgotten and comes back must not find a full bucket.
func TestLesson13_AFullTableDenies(t *testing.T) {
	now := int64(1)
	table, err := ratelimit.NewTable(ratelimit.Limit{Rate: 1, Per: time.Hour}, &ratelimit.Options{Tenants: 100, Clock: func() int64 { return now }})
	if err != nil {
		t.Fatal(err)
	}
	count := map[ratelimit.Decision]int{}
	for round := range 3 {
		for i := range 1000 {
			count[table.Take(fmt.Sprint(i), 1)]++
		}
		if count[ratelimit.Allow] != 100 {
			t.Fatalf("round %d: %v", round, count)
		}
	}
	now += int64(time.Hour)
	if d := table.Take("new", 1); d != ratelimit.Allow {
		t.Errorf("when buckets are full again: %v", d)
	}
}

func TestLimitsThatAreNone(t *testing.T) {
	for _, l := range []ratelimit.Limit{
		{}, {Rate: 1}, {Per: 1}, {Rate: -1, Per: 1}, {Rate: 2, Per: 1}, {Rate: 1, Per: 1, Burst: -1}, {Rate: 1, Per: math.MaxInt64, Burst: 2},
	} {
		var wrong *ratelimit.LimitError
		if _, err := ratelimit.NewTable(l, nil); !errors.As(err, &wrong) {
			t.Errorf("%+v: %v", l, err)
		}
		if _, err := ratelimit.NewShared(ratelimit.NewMemory(nil), l, nil); !errors.As(err, &wrong) {
			t.Errorf("%+v shared: %v", l, err)
		}
	}
}

// outage is a source that can be out of reach, or answer late.
type outage struct {
	ratelimit.Source
	down atomic.Bool
	late atomic.Int64
}

var errDown = errors.New("out of reach")

func (o *outage) Lease(ctx context.Context, tenant string, l ratelimit.Limit, least, most int64) (int64, error) {
	n, err := o.Source.Lease(ctx, tenant, l, least, most)
	select {
	case <-time.After(time.Duration(o.late.Load())):
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	if o.down.Load() {
		return 0, errDown
	}
	return n, err
}

// Ten processes with one quota, whose source is late, goes away and comes back: together they never spend more than the rule allows, nothing while
// no one can be asked, and most of what there is else.
func TestLesson13_ManyProcessesOneQuota(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := ratelimit.Limit{Rate: 1000, Per: time.Second, Burst: 400}
		start := time.Now()
		source := &outage{Source: ratelimit.NewMemory(func() int64 { return int64(time.Since(start)) + 1 })}
		source.late.Store(int64(3 * time.Millisecond))
		var mu sync.Mutex
		var all []spent
		blind, unknown := 0, 0
		var wg sync.WaitGroup
		for p := range 10 {
			s, err := ratelimit.NewShared(source, l, &ratelimit.Options{Lease: 50 * time.Millisecond, Timeout: 20 * time.Millisecond})
			if err != nil {
				t.Fatal(err)
			}
			wg.Go(func() {
				defer s.Close()
				for i := range 4000 {
					d := s.Take(t.Context(), "tenant", int64(1+(i+p)%3))
					mu.Lock()
					at := int64(time.Since(start))
					out := at > int64(1200*time.Millisecond) && at < int64(2*time.Second)
					switch d {
					case ratelimit.Allow:
						all = append(all, spent{at, int64(1 + (i+p)%3)})
						if out {
							blind++
						}
					case ratelimit.Unknown:
						unknown++
					}
					mu.Unlock()
					time.Sleep(time.Millisecond)
				}
			})
		}
		time.Sleep(time.Second)
		source.down.Store(true)
		time.Sleep(time.Second)
		source.down.Store(false)
		wg.Wait()
		within(t, l, all)
		var sum int64
		for _, a := range all {
			sum += a.n
		}
		took := time.Since(start).Seconds()
		if blind != 0 || unknown == 0 {
			t.Errorf("%d allowed while nobody could be asked, %d unknown", blind, unknown)
		}
		if most := 1000*(took-1) + 400; float64(sum) < most*0.6 {
			t.Errorf("%d spent in %.1f s, of %.0f", sum, took, most)
		}
		t.Logf("%d tokens in %.1f s, 1 s of it without the source; %d unknown", sum, took, unknown)
	})
}

func TestSharedIsClosed(t *testing.T) {
	s, err := ratelimit.NewShared(ratelimit.NewMemory(nil), ratelimit.Limit{Rate: 1000, Per: time.Second}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if d := s.Take(t.Context(), "t", 1); d != ratelimit.Allow {
		t.Errorf("%v", d)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if d := s.Take(ctx, "new", 1); d != ratelimit.Unknown && d != ratelimit.Allow {
		t.Errorf("with a context that has ended: %v", d)
	}
	s.Close()
	s.Close()
	if d := s.Take(t.Context(), "t", 1); d != ratelimit.Unknown {
		t.Errorf("after Close: %v", d)
	}
}

func BenchmarkTake(b *testing.B) {
	l := ratelimit.Limit{Rate: 1e9, Per: time.Second}
	table, err := ratelimit.NewTable(l, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("table", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			table.Take("tenant", 1)
		}
	})
	b.Run("table-deny", func(b *testing.B) {
		t, err := ratelimit.NewTable(ratelimit.Limit{Rate: 1, Per: time.Hour}, nil)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for b.Loop() {
			t.Take("tenant", 1)
		}
	})
	b.Run("clock", func(b *testing.B) { // the yardstick: what reading the clock costs
		start := time.Now()
		for b.Loop() {
			_ = time.Since(start)
		}
	})
	b.Run("shared", func(b *testing.B) {
		s, err := ratelimit.NewShared(ratelimit.NewMemory(nil), l, nil)
		if err != nil {
			b.Fatal(err)
		}
		defer s.Close()
		b.ReportAllocs()
		for b.Loop() {
			s.Take(context.Background(), "tenant", 1)
		}
	})
}

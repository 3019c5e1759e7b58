package streaming_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dashhost/dashhost/streaming"
	"github.com/dashhost/dashhost/streaming/driver"
	"github.com/dashhost/dashhost/streaming/memsink"
)

func ping(thread string, seq int) *streaming.Event {
	return &streaming.Event{Type: streaming.TypeNodeStart, Thread: thread, Node: "n", Seq: uint64(seq)}
}

// newStream makes a publisher with one stream on a sink. It is closed at the end if the test did not.
func newStream(t testing.TB, sink driver.Sink, o *streaming.Options, so *streaming.StreamOptions) (*streaming.Publisher, *streaming.Stream) {
	t.Helper()
	p, err := streaming.New(sink, o)
	if err != nil {
		t.Fatal(err)
	}
	s, err := p.Stream("s", so)
	if err != nil {
		t.Fatal(err)
	}
	return p, s
}

// adds fails the test unless every event has exactly one outcome.
func adds(t testing.TB, c streaming.Counts) {
	t.Helper()
	var reasons uint64
	for _, n := range c.Reasons {
		reasons += n
	}
	if c.Produced != c.Delivered+c.Spooled+c.Dropped+c.Waiting || reasons != c.Dropped {
		t.Fatalf("counts do not add up: %s", c)
	}
}

func shut(t testing.TB, p *streaming.Publisher) streaming.Counts {
	t.Helper()
	r, err := p.Close(context.Background())
	if err != nil {
		t.Errorf("close: %v", err)
	}
	adds(t, r.Total())
	return r.Total()
}

// gate is a sink that takes nothing until it is opened.
func gate(to driver.Sink) (driver.Sink, func()) {
	open := make(chan struct{})
	return memsink.Faulty(to, func(int, int) *memsink.Fault { return &memsink.Fault{Until: open} }), func() { close(open) }
}

// counting is a sink that checks order and counts; it keeps nothing. Every few batches it is slow.
type counting struct {
	driver.Sink
	decoder *streaming.Decoder
	last    map[string]uint64
	taken   uint64
	slow    int // of 256 batches
	err     error
}

func (c *counting) Write(_ context.Context, _ string, records []driver.Record) (int, error) {
	if rand.IntN(256) < c.slow {
		time.Sleep(time.Millisecond)
	}
	for i := range records {
		var e streaming.Event
		if err := c.decoder.Decode(&records[i], &e); err != nil {
			c.err = err
		}
		if e.Seq <= c.last[e.Thread] {
			c.err = fmt.Errorf("thread %s: %d after %d", e.Thread, e.Seq, c.last[e.Thread])
		}
		c.last[e.Thread] = e.Seq
	}
	c.taken += uint64(len(records))
	return len(records), nil
}

// A million events for each policy through a slow sink: every one counted once, order kept, memory bounded. The million takes a
// while, so without DASHHOST_STREAM_EVENTS there are fewer.
func TestLesson19_EveryEventIsCountedForEachPolicy(t *testing.T) {
	total := 60_000
	if v := os.Getenv("DASHHOST_STREAM_EVENTS"); v != "" {
		if _, err := fmt.Sscan(v, &total); err != nil {
			t.Fatalf("DASHHOST_STREAM_EVENTS=%s: %v", v, err)
		}
	}
	for _, policy := range []streaming.Overflow{streaming.Block, streaming.Reject, streaming.DropOldest} {
		t.Run(string(policy), func(t *testing.T) {
			sink := &counting{Sink: memsink.New(nil), decoder: streaming.NewDecoder(0), last: map[string]uint64{}, slow: 40}
			defer sink.decoder.Close()
			p, s := newStream(t, sink, nil, &streaming.StreamOptions{Overflow: policy, Events: 500, BlockFor: time.Minute})
			const producers = 4
			var refused atomic.Uint64
			var peak uint64
			var group sync.WaitGroup
			before := heap()
			for g := range producers {
				group.Go(func() {
					for i := range total / producers {
						if err := s.Publish(t.Context(), ping(fmt.Sprint("thread ", g), i+1)); errors.Is(err, streaming.ErrFull) {
							refused.Add(1)
						} else if err != nil {
							t.Error(err)
						}
					}
				})
			}
			stop := make(chan struct{})
			watched := make(chan struct{})
			go func() {
				defer close(watched)
				for {
					select {
					case <-stop:
						return
					case <-time.After(20 * time.Millisecond):
						adds(t, p.Report().Total())
						peak = max(peak, heap())
					}
				}
			}()
			group.Wait()
			close(stop)
			<-watched
			c := shut(t, p)
			if sink.err != nil {
				t.Error(sink.err)
			}
			if c.Produced != uint64(total) || c.Delivered != sink.taken || c.Waiting != 0 || c.Reasons[streaming.Rejected] != refused.Load() {
				t.Errorf("published %d, refused %d, the sink took %d: %s", total, refused.Load(), sink.taken, c)
			}
			if policy == streaming.Block && c.Delivered != uint64(total) || policy != streaming.Block && c.Dropped == 0 {
				t.Errorf("policy %s: %s", policy, c)
			}
			if c.BadClock != 0 {
				t.Errorf("the clock is fine, several producers use it: %s", c)
			}
			if grown := int64(peak) - int64(before); grown > 48<<20 {
				t.Errorf("the heap grew by %d MiB for a queue of 500 events", grown>>20)
			}
			t.Logf("%s: %s", policy, c)
		})
	}
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse
}

func TestBlockWaitsThenRejects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := memsink.New(nil)
		sink, open := gate(mem)
		p, s := newStream(t, sink, nil, &streaming.StreamOptions{Events: 2, BatchEvents: 1, BlockFor: 3 * time.Second})
		publish := func(i int) error { return s.Publish(t.Context(), ping("t", i)) }
		if err := publish(1); err != nil {
			t.Fatal(err)
		}
		synctest.Wait() // the first is on its way
		for i := 2; i <= 3; i++ {
			if err := publish(i); err != nil {
				t.Fatal(err)
			}
		}
		began := time.Now()
		err := publish(4)
		var full *streaming.FullError
		if !errors.As(err, &full) || full.Events != 2 || time.Since(began) != 3*time.Second {
			t.Errorf("%v after %v, want full after 3s", err, time.Since(began))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := s.Publish(ctx, ping("t", 5)); !errors.Is(err, streaming.ErrFull) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v, want full because of the context", err)
		}
		go func() {
			time.Sleep(time.Second)
			open()
		}()
		if err := publish(6); err != nil {
			t.Errorf("%v, want room after the sink came back", err)
		}
		c := shut(t, p)
		if c.Delivered != 4 || c.Reasons[streaming.Rejected] != 2 || len(mem.Records()) != 4 {
			t.Errorf("%s", c)
		}
	})
}

func TestRejectAndDropOldestAtOnce(t *testing.T) {
	for policy, want := range map[streaming.Overflow][]uint64{streaming.Reject: {1, 2, 3}, streaming.DropOldest: {1, 9, 10}} {
		synctest.Test(t, func(t *testing.T) {
			mem := memsink.New(nil)
			sink, open := gate(mem)
			p, s := newStream(t, sink, nil, &streaming.StreamOptions{Events: 2, Overflow: policy})
			for i := range 10 {
				if err := s.Publish(t.Context(), ping("t", i+1)); err != nil && (policy == streaming.DropOldest || i < 3) {
					t.Errorf("event %d: %v", i+1, err)
				}
				synctest.Wait()
			}
			open()
			c := shut(t, p)
			var got []uint64
			for _, e := range decodeAll(t, mem.Records()) {
				got = append(got, e.Seq)
			}
			if fmt.Sprint(got) != fmt.Sprint(want) || c.Dropped != 7 {
				t.Errorf("%s: delivered %v, want %v: %s", policy, got, want, c)
			}
		})
	}
}

// A queue is bounded in bytes too, and an event that never fits is told so.
func TestBoundInBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sink, open := gate(memsink.New(nil))
		p, s := newStream(t, sink, nil, &streaming.StreamOptions{Bytes: 1000, Overflow: streaming.Reject})
		big := ping("t", 1)
		big.Payload = []byte(`"` + strings.Repeat("x", 990) + `"`)
		var limit *streaming.LimitError
		if err := s.Publish(t.Context(), big); !errors.As(err, &limit) || limit.Limit != "Bytes" || limit.Max != 1000 {
			t.Errorf("%v, want over Bytes", err)
		}
		big.Payload = []byte(`"` + strings.Repeat("x", 600) + `"`)
		if err := s.Publish(t.Context(), big); err != nil {
			t.Error(err)
		}
		synctest.Wait() // on its way
		if err := s.Publish(t.Context(), big); err != nil {
			t.Error(err)
		}
		if err := s.Publish(t.Context(), big); !errors.Is(err, streaming.ErrFull) {
			t.Errorf("%v, want full: there are 700 of 1000 bytes", err)
		}
		if err := s.Publish(t.Context(), ping("t", 4)); err != nil {
			t.Errorf("%v: a small one has room", err)
		}
		open()
		if c := shut(t, p); c.Delivered != 3 || c.Reasons[streaming.TooLarge] != 1 || c.Reasons[streaming.Rejected] != 1 {
			t.Errorf("%s", c)
		}
	})
}

func TestTooLargeForThePublisher(t *testing.T) {
	mem := memsink.New(nil)
	p, s := newStream(t, mem, &streaming.Options{MaxBytes: 4096}, nil)
	e := ping("t", 1)
	for _, n := range []int{0, 3900, 4096, 5 << 20} {
		e.Payload = []byte(strings.Repeat("1", n))
		err := s.Publish(t.Context(), e)
		if want := n >= 4096; errors.Is(err, streaming.ErrTooLarge) != want || (err != nil) != want {
			t.Errorf("payload of %d bytes: %v", n, err)
		}
	}
	if c := shut(t, p); c.Delivered != 2 || c.Reasons[streaming.TooLarge] != 2 {
		t.Errorf("%s", c)
	}
}

// Close ends with its context, says what was lost, and does not wait for a sink that hangs for ever.
func TestLesson03_CloseSaysWhatWasLost(t *testing.T) {
	for _, deaf := range []bool{false, true} {
		t.Run(fmt.Sprint("deaf=", deaf), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				mem := memsink.New(nil)
				never := make(chan struct{})
				sink := memsink.Faulty(mem, func(call, n int) *memsink.Fault {
					if call == 1 {
						return &memsink.Fault{Take: 3, Err: &driver.Error{Class: driver.Unavailable, Err: errors.New("away")}}
					}
					return &memsink.Fault{Until: never, Deaf: deaf, Err: &driver.Error{Class: driver.Unavailable, Err: errors.New("never")}}
				})
				p, s := newStream(t, sink, nil, &streaming.StreamOptions{BatchEvents: 10})
				if err := s.Publish(t.Context(), ping("t", 1)); err != nil {
					t.Fatal(err)
				}
				synctest.Wait() // alone on its way, and taken
				for i := 2; i <= 100; i++ {
					if err := s.Publish(t.Context(), ping("t", i)); err != nil {
						t.Fatal(err)
					}
				}
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				defer cancel()
				began := time.Now()
				r, err := p.Close(ctx)
				c := r.Total()
				adds(t, c)
				var loss *streaming.LossError
				if !errors.As(err, &loss) || loss.Lost != 99 || !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, streaming.ErrLost) {
					t.Errorf("close: %v", err)
				}
				if c.Produced != 100 || c.Delivered != uint64(len(mem.Records())) || c.Reasons[streaming.Closed] != 99 || c.Waiting != 0 {
					t.Errorf("%d records are there: %s", len(mem.Records()), c)
				}
				if deaf && c.Unsure == 0 {
					t.Errorf("what the sink still held may be there: %s", c)
				}
				if took := time.Since(began); took > 8*time.Second {
					t.Errorf("close took %v", took)
				}
				if err := s.Publish(t.Context(), ping("t", 101)); !errors.Is(err, streaming.ErrClosed) {
					t.Errorf("publish after close: %v", err)
				}
				again, err2 := p.Close(t.Context())
				if again.String() != r.String() || !errors.Is(err2, streaming.ErrLost) {
					t.Errorf("second close: %v, %v", again, err2)
				}
				then := p.Report()
				adds(t, then.Total())
				close(never)
				synctest.Wait()
				if late := p.Report(); late.String() != then.String() {
					t.Errorf("what the sink said later changed the report: %s", late)
				}
			})
		})
	}
}

// What comes after Close is refused and counted, whatever it is.
func TestPublishAfterClose(t *testing.T) {
	p, s := newStream(t, memsink.New(nil), nil, nil)
	shut(t, p)
	for _, typ := range allTypes {
		e := full(typ)
		if typ == streaming.TypeState {
			e.Payload = []byte(`"` + strings.Repeat("x", 10_000) + `"`)
		}
		if err := s.Publish(t.Context(), e); !errors.Is(err, streaming.ErrClosed) {
			t.Errorf("%s: %v", typ, err)
		}
	}
	if c := p.Report().Total(); c.Reasons[streaming.Closed] != uint64(len(allTypes)) {
		t.Errorf("%s", c)
	}
	if _, err := p.Stream("late", nil); !errors.Is(err, streaming.ErrClosed) {
		t.Errorf("stream after close: %v", err)
	}
}

// Publishers that wait for room when the publisher closes come back, and every call has an outcome.
func TestCloseDuringPublish(t *testing.T) {
	for range 20 {
		mem := memsink.New(nil)
		p, s := newStream(t, mem, nil, &streaming.StreamOptions{Events: 4, BlockFor: time.Hour})
		var calls, accepted atomic.Uint64
		var group sync.WaitGroup
		for g := range 4 {
			group.Go(func() {
				for i := 1; ; i++ {
					err := s.Publish(context.Background(), ping(fmt.Sprint(g), i))
					calls.Add(1)
					if errors.Is(err, streaming.ErrClosed) {
						return
					}
					accepted.Add(1)
				}
			})
		}
		if err := mem.Wait(t.Context(), 50); err != nil {
			t.Fatal(err)
		}
		c := shut(t, p)
		group.Wait()
		if c.Delivered != accepted.Load() || c.Delivered != uint64(len(mem.Records())) {
			t.Fatalf("%d accepted, %d there: %s", accepted.Load(), len(mem.Records()), c)
		}
		after := p.Report().Total()
		adds(t, after)
		if after.Produced != calls.Load() {
			t.Fatalf("%d calls: %s", calls.Load(), after)
		}
	}
}

func TestRetryGivesUpAndGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := memsink.New(nil)
		away := true
		tries := 0
		sink := memsink.Faulty(mem, func(int, int) *memsink.Fault {
			if tries++; !away {
				return nil
			}
			return &memsink.Fault{Err: &driver.Error{Class: driver.Unavailable, Err: errors.New("away")}}
		})
		o := &streaming.Options{Retry: streaming.Retry{Attempts: 4, First: time.Second, Max: 3 * time.Second}}
		p, s := newStream(t, sink, o, nil)
		began := time.Now()
		if err := s.Publish(t.Context(), ping("t", 1)); err != nil {
			t.Fatal(err)
		}
		if err := p.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		// 1 + 2 + 3 s, each shortened by up to half.
		if took := time.Since(began); tries != 4 || took < 3*time.Second || took > 6*time.Second {
			t.Errorf("%d tries in %v", tries, took)
		}
		away = false
		if err := s.Publish(t.Context(), ping("t", 2)); err != nil {
			t.Fatal(err)
		}
		c := shut(t, p)
		if c.Delivered != 1 || c.Reasons[streaming.Undeliverable] != 1 || c.Unsure != 0 {
			t.Errorf("%s", c)
		}
	})
}

// An outcome that is not known is counted on both sides.
func TestUnknownOutcome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := memsink.New(nil)
		sink := memsink.Faulty(mem, func(call, n int) *memsink.Fault {
			if call <= 1 {
				return nil
			}
			return &memsink.Fault{Wrote: n, Err: errors.New("an error without a class")}
		})
		p, s := newStream(t, sink, &streaming.Options{Retry: streaming.Retry{Attempts: 3}}, nil)
		for i := range 5 {
			if err := s.Publish(t.Context(), ping("t", i+1)); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		c := shut(t, p)
		if c.Delivered != 1 || c.Reasons[streaming.Undeliverable] != 4 || c.Unsure != 4 || len(mem.Records()) < 5 {
			t.Errorf("%d records: %s", len(mem.Records()), c)
		}
		ids := map[[16]byte]bool{}
		for _, r := range mem.Records() {
			ids[r.ID] = true
		}
		if len(ids) != 5 {
			t.Errorf("%d ids, want 5: a repeat has the id of the first", len(ids))
		}
	})
}

// What may be there already is counted when it is delivered again, also in parts.
func TestRepeatsAreCountedInParts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := memsink.New(nil)
		open := make(chan struct{})
		sink := memsink.Faulty(mem, func(call, n int) *memsink.Fault {
			switch call {
			case 1:
				return &memsink.Fault{Until: open}
			case 2:
				return &memsink.Fault{Wrote: n, Err: &driver.Error{Class: driver.Unknown, Err: errors.New("timed out")}}
			case 3:
				return &memsink.Fault{Take: 4, Err: &driver.Error{Class: driver.Unavailable, Err: errors.New("away")}}
			case 4:
				return &memsink.Fault{Take: 1, Err: &driver.Error{Class: driver.Permanent, Err: errors.New("refused")}}
			}
			return nil
		})
		p, s := newStream(t, sink, nil, nil)
		for i := range 11 {
			if err := s.Publish(t.Context(), ping("t", i+1)); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		close(open)
		c := shut(t, p)
		if c.Delivered != 10 || c.Repeated != 9 || c.Unsure != 1 || c.Reasons[streaming.Undeliverable] != 1 {
			t.Errorf("%s", c)
		}
	})
}

func TestOptionsTellAllFaults(t *testing.T) {
	_, err := streaming.New(memsink.New(nil), &streaming.Options{Timeout: -1, MaxStreams: -1, Retry: streaming.Retry{Attempts: 1001}})
	if !errors.Is(err, streaming.ErrOptions) || strings.Count(err.Error(), "\n") != 2 {
		t.Errorf("want three lines: %v", err)
	}
	p, err := streaming.New(memsink.New(nil), &streaming.Options{MaxStreams: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer shut(t, p)
	if _, err := p.Stream("a", &streaming.StreamOptions{Overflow: "drop", Events: -1, Bytes: -1}); strings.Count(fmt.Sprint(err), "\n") != 2 {
		t.Errorf("want three lines: %v", err)
	}
	for name, want := range map[string]error{"": streaming.ErrStreams, "a": nil} {
		if _, err := p.Stream(name, nil); !errors.Is(err, want) {
			t.Errorf("stream %q: %v, want %v", name, err, want)
		}
	}
	if _, err := p.Stream("a", nil); !errors.Is(err, streaming.ErrStreams) {
		t.Errorf("same name again: %v", err)
	}
	if _, err := p.Stream("b", nil); err != nil {
		t.Error(err)
	}
	if _, err := p.Stream("c", nil); !errors.Is(err, streaming.ErrStreams) {
		t.Errorf("one too many: %v", err)
	}
}

// No lock is held while an event is made: one that is stuck half-way keeps neither publishers nor deliveries nor reports waiting.
// BenchmarkPublish shows the same for two producers.
func TestLesson16_NoLockWhileAnEventIsMade(t *testing.T) {
	made, goOn := make(chan struct{}), make(chan struct{})
	var once sync.Once
	now := func() time.Time {
		once.Do(func() { close(made); <-goOn })
		return time.Now()
	}
	mem := memsink.New(nil)
	p, s := newStream(t, mem, &streaming.Options{Now: now}, nil)
	var group sync.WaitGroup
	group.Go(func() {
		if err := s.Publish(context.Background(), ping("slow", 1)); err != nil {
			t.Error(err)
		}
	})
	<-made
	for i := range 100 {
		e := ping("quick", i+1)
		e.Time = 1
		if err := s.Publish(t.Context(), e); err != nil {
			t.Error(err)
		}
	}
	if err := mem.Wait(t.Context(), 100); err != nil {
		t.Error(err)
	}
	if c := p.Report().Total(); c.Produced != 100 {
		t.Errorf("%s", c)
	}
	close(goOn)
	group.Wait()
	if c := shut(t, p); c.Delivered != 101 {
		t.Errorf("%s", c)
	}
}

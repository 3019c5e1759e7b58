package sinktest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/dashhost/dashhost/streaming"
	"github.com/dashhost/dashhost/streaming/driver"
	"github.com/dashhost/dashhost/streaming/memsink"
)

// quick makes retries fast, so that scripts with many failures are.
func quick() *streaming.Options {
	return &streaming.Options{Retry: streaming.Retry{Attempts: 5, First: time.Microsecond, Max: time.Millisecond}}
}

// publish sends n events over a publisher on sink and closes it.
func publish(t *testing.T, sink driver.Sink, n int, o *streaming.StreamOptions) streaming.Counts {
	t.Helper()
	p, err := streaming.New(sink, quick())
	if err != nil {
		t.Fatal(err)
	}
	s, err := p.Stream("events", o)
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		if err := s.Publish(t.Context(), event(i)); err != nil {
			t.Errorf("event %d: %v", i, err)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	r, err := p.Close(ctx)
	if err != nil {
		t.Errorf("close: %v", err)
	}
	c := r.Total()
	if c.Produced != uint64(n) || c.Produced != c.Delivered+c.Spooled+c.Dropped+c.Waiting || c.Waiting != 0 {
		t.Errorf("%d events published: the counts do not add up: %s", n, c)
	}
	return c
}

func event(i int) *streaming.Event {
	return &streaming.Event{
		Type: streaming.TypeNodeEnd, Thread: "t", Node: "n", Seq: uint64(i + 1), ID: streaming.LifecycleID("store", 0, "t", uint64(i+1)),
		Payload: fmt.Appendf(nil, `{"i":%d}`, i), Tenant: "tenant",
		Trace: streaming.Trace{Traceparent: fmt.Sprint("00-", i), Tracestate: "a=b", Baggage: "k=v"},
	}
}

// numbers decodes what was read. Numbers that were delivered again right after are there once.
func numbers(t *testing.T, got []memsink.Record) []uint64 {
	t.Helper()
	d := streaming.NewDecoder(0)
	defer d.Close()
	var seqs []uint64
	seen := map[uint64]bool{}
	for i := range got {
		var e streaming.Event
		if err := d.Decode(&got[i].Record, &e); err != nil {
			t.Fatalf("record %d: %v", i, err)
		}
		want := event(int(e.Seq) - 1)
		if e.ID != want.ID || string(e.Payload) != string(want.Payload) || e.Trace != want.Trace || e.Tenant != want.Tenant {
			t.Fatalf("record %d: %+v", i, e)
		}
		if !seen[e.Seq] {
			seen[e.Seq] = true
			seqs = append(seqs, e.Seq)
		}
	}
	return seqs
}

func ascending(t *testing.T, seqs []uint64) {
	t.Helper()
	for i := 1; i < len(seqs); i++ {
		if seqs[i] <= seqs[i-1] {
			t.Fatalf("out of order: %d after %d", seqs[i], seqs[i-1])
		}
	}
}

func publisherDelivers(t *testing.T, open Open) {
	s, read := open(t)
	c := publish(t, s, 5000, nil)
	seqs := numbers(t, read())
	if c.Delivered != 5000 || len(seqs) != 5000 {
		t.Errorf("%d events read: %s", len(seqs), c)
	}
	ascending(t, seqs)
}

// publisherRetries: failures that pass lose nothing, and only those that may have written make repeats.
func publisherRetries(t *testing.T, open Open) {
	s, read := open(t)
	faulty := memsink.Faulty(s, func(call, n int) *memsink.Fault {
		switch call % 4 {
		case 1:
			return &memsink.Fault{Take: n / 2, Err: &driver.Error{Class: driver.Unavailable, Err: errors.New("away")}}
		case 3:
			return &memsink.Fault{Wrote: n / 2, Err: &driver.Error{Class: driver.Unknown, Err: errors.New("timed out")}}
		}
		return nil
	})
	c := publish(t, faulty, 3000, &streaming.StreamOptions{BatchEvents: 50})
	got := read()
	seqs := numbers(t, got)
	ascending(t, seqs)
	if c.Delivered != 3000 || len(seqs) != 3000 {
		t.Errorf("%d events read: %s", len(seqs), c)
	}
	if repeats := uint64(len(got) - len(seqs)); repeats == 0 || c.Repeated < repeats {
		t.Errorf("%d repeats read: %s", repeats, c)
	}
}

// publisherCounts: failures that do not pass are counted, one by one.
func publisherCounts(t *testing.T, open Open) {
	s, read := open(t)
	faulty := memsink.Faulty(s, func(call, n int) *memsink.Fault {
		switch call % 3 {
		case 1:
			return &memsink.Fault{Take: n / 3, Err: &driver.Error{Class: driver.Permanent, Err: errors.New("refused")}}
		case 2:
			return &memsink.Fault{Take: n / 4, Err: &driver.Error{Class: driver.TooLarge, Err: errors.New("too large")}}
		}
		return nil
	})
	c := publish(t, faulty, 3000, &streaming.StreamOptions{BatchEvents: 50})
	seqs := numbers(t, read())
	ascending(t, seqs)
	if uint64(len(seqs)) != c.Delivered || c.Reasons[streaming.Undeliverable] == 0 || c.Reasons[streaming.TooLarge] == 0 || c.Repeated != 0 {
		t.Errorf("%d events read: %s", len(seqs), c)
	}
}

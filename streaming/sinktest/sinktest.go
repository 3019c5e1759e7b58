// Package sinktest checks that a sink keeps what package driver promises. A driver's own test is one call:
//
//	sinktest.Run(t, func(t testing.TB) (driver.Sink, func() []memsink.Record) { ... })
//
// The function opens a new, empty sink, and returns with it a function that reads back everything the sink took so far, of one stream
// in order; it is also called after the sink was closed. Records that were written but not reported as taken may be among them.
//
// The values are frames of dashstream.v1, whose headers hold the id and time of the record, as those of a publisher do. So a sink may
// leave it to the frame to keep them.
package sinktest

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/dashhost/dashhost/streaming/driver"
	"github.com/dashhost/dashhost/streaming/eventpb"
	"github.com/dashhost/dashhost/streaming/memsink"
)

// Open opens an empty sink and returns a function that reads it.
type Open func(t testing.TB) (sink driver.Sink, read func() []memsink.Record)

// limit is how long a call may take that returns "soon".
const limit = 10 * time.Second

// Run runs the suite.
func Run(t *testing.T, open Open) {
	for _, c := range [...]struct {
		name string
		run  func(*testing.T, Open)
	}{
		{"Content", content}, {"BuffersAreUsedAgain", buffers}, {"EmptyBatch", empty}, {"LargeRecord", large}, {"Streams", streams},
		{"ContextEnded", ended}, {"Flush", flush}, {"Closed", closed}, {"CloseDuringWrites", closeDuring},
		{"PublisherDelivers", publisherDelivers}, {"PublisherRetries", publisherRetries}, {"PublisherCounts", publisherCounts},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, open) })
	}
}

// record makes one that differs from every other number's in all parts.
func record(n int) driver.Record {
	r := driver.Record{Time: int64(1_700_000_000_000_000 + n), Key: fmt.Appendf(nil, "thread-%d-é", n%3)}
	copy(r.ID[:], fmt.Appendf(nil, "id%014d", n))
	for i := range n % 5 {
		r.Headers = append(r.Headers, driver.Header{Key: "traceparent", Value: fmt.Appendf(nil, "%d of %d", i, n)})
	}
	return filled(r, bytes.Repeat(fmt.Appendf(nil, "value %d ", n), n%7))
}

// filled gives a record a value, with content besides what the frame says of it.
func filled(r driver.Record, content []byte) driver.Record {
	m := &eventpb.StateDiff{
		Header:    &eventpb.Header{MessageId: r.ID[:], TimestampUs: r.Time, Type: eventpb.MessageType_MESSAGE_TYPE_STATE_DIFF},
		FullState: content,
	}
	payload, err := proto.Marshal(&eventpb.DashStreamMessage{Message: &eventpb.DashStreamMessage_StateDiff{StateDiff: m}})
	if err != nil {
		panic("BUG: " + err.Error())
	}
	r.Value = append([]byte{eventpb.FrameRaw}, payload...)
	return r
}

func records(from, n int) []driver.Record {
	var all []driver.Record
	for i := range n {
		all = append(all, record(from+i))
	}
	return all
}

// write hands over a batch that must be taken whole.
func write(t *testing.T, s driver.Sink, stream string, batch []driver.Record) {
	t.Helper()
	if n, err := s.Write(t.Context(), stream, batch); n != len(batch) || err != nil {
		t.Fatalf("write of %d records: %d taken, error %v", len(batch), n, err)
	}
}

// shut closes a sink that must close.
func shut(t *testing.T, s driver.Sink) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}

// same compares records with those of one stream that were read.
func same(t *testing.T, stream string, want []driver.Record, got []memsink.Record) {
	t.Helper()
	got = slices.DeleteFunc(slices.Clone(got), func(r memsink.Record) bool { return r.Stream != stream })
	if len(got) != len(want) {
		t.Fatalf("stream %s: read %d records, wrote %d", stream, len(got), len(want))
	}
	for i := range want {
		w, g := &want[i], &got[i].Record
		if w.ID != g.ID || w.Time != g.Time || !bytes.Equal(w.Key, g.Key) || !bytes.Equal(w.Value, g.Value) {
			t.Fatalf("stream %s, record %d: read %+v, wrote %+v", stream, i, *g, *w)
		}
		if !slices.EqualFunc(sorted(w.Headers), sorted(g.Headers), func(a, b driver.Header) bool { return a.Key == b.Key && bytes.Equal(a.Value, b.Value) }) {
			t.Fatalf("stream %s, record %d: read headers %q, wrote %q", stream, i, g.Headers, w.Headers)
		}
	}
}

// sorted makes a list of headers comparable as a multiset.
func sorted(h []driver.Header) []driver.Header {
	h = slices.Clone(h)
	slices.SortFunc(h, func(a, b driver.Header) int {
		return cmp.Or(cmp.Compare(a.Key, b.Key), bytes.Compare(a.Value, b.Value))
	})
	return h
}

func content(t *testing.T, open Open) {
	s, read := open(t)
	all := records(0, 1000)
	for at := 0; at < len(all); {
		n := min(1+at%97, len(all)-at)
		write(t, s, "a", all[at:at+n])
		at += n
	}
	shut(t, s)
	same(t, "a", all, read())
}

func buffers(t *testing.T, open Open) {
	s, read := open(t)
	for i := range 20 {
		batch := records(i*5, 5)
		write(t, s, "a", batch)
		for j := range batch {
			scribble(batch[j].Key)
			scribble(batch[j].Value)
			for _, h := range batch[j].Headers {
				scribble(h.Value)
			}
			clear(batch[j].Headers)
		}
		clear(batch)
	}
	shut(t, s)
	same(t, "a", records(0, 100), read())
}

func scribble(b []byte) {
	for i := range b {
		b[i] = 0xee
	}
}

func empty(t *testing.T, open Open) {
	s, read := open(t)
	write(t, s, "a", nil)
	write(t, s, "a", []driver.Record{})
	bare := filled(driver.Record{Time: 1}, nil)
	write(t, s, "a", []driver.Record{bare})
	shut(t, s)
	same(t, "a", []driver.Record{bare}, read())
}

func large(t *testing.T, open Open) {
	s, read := open(t)
	batch := []driver.Record{record(1), record(2), record(3)}
	batch[1] = filled(batch[1], bytes.Repeat([]byte{0, 0, 7}, 350_000)) // the largest that a publisher sends by default, and long runs of zeros
	batch[2] = filled(batch[2], make([]byte, 5000))
	write(t, s, "a", batch)
	shut(t, s)
	same(t, "a", batch, read())
}

func streams(t *testing.T, open Open) {
	s, read := open(t)
	const writers, batches, each = 8, 40, 7
	var group sync.WaitGroup
	for w := range writers {
		group.Go(func() {
			for b := range batches {
				batch := records(w*batches*each+b*each, each)
				if n, err := s.Write(context.Background(), fmt.Sprint("stream ", w), batch); n != each || err != nil {
					t.Errorf("%d taken, error %v", n, err)
				}
			}
		})
	}
	group.Wait()
	shut(t, s)
	got := read()
	for w := range writers {
		same(t, fmt.Sprint("stream ", w), records(w*batches*each, batches*each), got)
	}
}

func ended(t *testing.T, open Open) {
	s, read := open(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	batch := records(0, 3)
	n, err := s.Write(ctx, "a", batch)
	if n < 0 || n > 3 || n < 3 && err == nil {
		t.Fatalf("%d taken, error %v", n, err)
	}
	var classed *driver.Error
	if err != nil && !errors.As(err, &classed) {
		t.Errorf("an error without a class: %v", err)
	}
	write(t, s, "a", batch[n:])
	shut(t, s)
	if classed == nil || classed.Class != driver.Unknown {
		same(t, "a", batch, read())
	}
}

func flush(t *testing.T, open Open) {
	s, read := open(t)
	if err := s.Flush(t.Context()); err != nil {
		t.Errorf("flush of nothing: %v", err)
	}
	write(t, s, "a", records(0, 10))
	if err := s.Flush(t.Context()); err != nil {
		t.Errorf("flush: %v", err)
	}
	same(t, "a", records(0, 10), read())
	write(t, s, "a", records(10, 10))
	shut(t, s)
	same(t, "a", records(0, 20), read())
}

func closed(t *testing.T, open Open) {
	s, read := open(t)
	write(t, s, "a", records(0, 3))
	shut(t, s)
	for range 2 {
		if err := s.Close(); !errors.Is(err, driver.ErrClosed) {
			t.Errorf("second close: %v, want ErrClosed", err)
		}
		if n, err := s.Write(t.Context(), "a", records(3, 3)); n != 0 || !errors.Is(err, driver.ErrClosed) {
			t.Errorf("write after close: %d taken, %v, want ErrClosed", n, err)
		}
		if err := s.Flush(t.Context()); !errors.Is(err, driver.ErrClosed) {
			t.Errorf("flush after close: %v, want ErrClosed", err)
		}
	}
	same(t, "a", records(0, 3), read())
}

// closeDuring closes while others write: what was taken is there, in order, and the writers come back.
func closeDuring(t *testing.T, open Open) {
	s, read := open(t)
	const writers = 4
	var taken [writers]int
	var group, started sync.WaitGroup
	started.Add(writers)
	for w := range writers {
		group.Go(func() {
			for {
				n, err := s.Write(context.Background(), fmt.Sprint("stream ", w), records(taken[w], 2))
				if taken[w] == 0 {
					started.Done()
				}
				if taken[w] += n; err != nil {
					return
				}
			}
		})
	}
	started.Wait()
	shut(t, s)
	back := make(chan struct{})
	go func() { group.Wait(); close(back) }()
	select {
	case <-back:
	case <-time.After(limit):
		t.Fatal("writers did not come back after close")
	}
	got := read()
	for w, n := range taken {
		same(t, fmt.Sprint("stream ", w), records(0, n), got)
	}
}

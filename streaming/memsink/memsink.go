// Package memsink is a sink that keeps records in memory: for tests, and for programs that look at events themselves. Faulty makes
// any sink fail as a script says.
package memsink

import (
	"context"
	"slices"
	"sync"

	"github.com/dashhost/dashhost/streaming/driver"
)

// Record is a record and the stream that it came over.
type Record struct {
	Stream string
	driver.Record
}

// Options change what a Sink keeps.
type Options struct {
	// Max is how many records are kept; older ones go. Default all.
	Max int
}

// Sink implements driver.Sink. Its methods may be called by several goroutines.
type Sink struct {
	max int

	mu      sync.Mutex
	records []Record
	change  chan struct{}
	closed  bool
}

// New returns an empty sink; o may be nil.
func New(o *Options) *Sink {
	s := &Sink{change: make(chan struct{})}
	if o != nil {
		s.max = o.Max
	}
	return s
}

// Write implements driver.Sink. It never fails before Close, unless ctx has ended.
func (s *Sink) Write(ctx context.Context, stream string, records []driver.Record) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, &driver.Error{Class: driver.Unavailable, Err: err}
	}
	kept := make([]Record, len(records))
	for i := range records {
		kept[i] = Record{stream, records[i].Clone()}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return 0, driver.ErrClosed
	}
	s.records = append(s.records, kept...)
	if over := len(s.records) - s.max; s.max > 0 && over > 0 {
		s.records = slices.Delete(s.records, 0, over)
	}
	close(s.change)
	s.change = make(chan struct{})
	return len(records), nil
}

// Flush implements driver.Sink.
func (s *Sink) Flush(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return driver.ErrClosed
	}
	return nil
}

// Close implements driver.Sink. What is kept can still be read.
func (s *Sink) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return driver.ErrClosed
	}
	s.closed = true
	return nil
}

// Records returns what is kept, in the order in which it came. The caller must not change what is in it.
func (s *Sink) Records() []Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.records)
}

// Wait returns when there are at least n records, or with ctx's error.
func (s *Sink) Wait(ctx context.Context, n int) error {
	for {
		s.mu.Lock()
		have, change := len(s.records), s.change
		s.mu.Unlock()
		if have >= n {
			return nil
		}
		select {
		case <-change:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

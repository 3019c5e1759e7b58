package streaming

import (
	"context"
	"sync"
	"time"
)

// Stream is a queue of a publisher and the goroutine that delivers from it. Its methods may be called by several goroutines; the
// events of one caller stay in order.
type Stream struct {
	p    *Publisher
	name string
	o    StreamOptions
	stop context.CancelFunc // ends deliveries

	mu      sync.Mutex
	chunks  []*chunk // what waits, oldest first
	waiting int
	bytes   int64
	next    uint64 // number of the next event
	flight  *chunk // what is on its way, of which sent are settled
	sent    int
	spares  []*chunk
	tally   tally
	idle    bool          // the goroutine waits for wake
	closing bool          // nothing is accepted any more
	given   bool          // up: what is still on its way was counted as lost
	wake    chan struct{} // holds one
	changed chan struct{} // closed when there is room or something is settled; nil if nobody waits for it
}

// Name returns the name of the stream.
func (s *Stream) Name() string { return s.name }

// Publish hands over an event. It returns when the event is in the queue; what it is by then is what will be sent. Errors are
// *FullError, *EventError, *LimitError and ErrClosed; the event is then counted as dropped. ctx ends a wait for room, nothing else.
func (s *Stream) Publish(ctx context.Context, e *Event) error {
	if err := e.Check(); err != nil {
		return s.refuse(invalid, err)
	}
	n := s.p.encoders.Get().(*encoder)
	defer s.p.keep(n)
	if n.id = e.ID; n.id == [16]byte{} {
		n.id = s.p.ids.next()
	}
	n.time, n.clock = s.p.clock.stamp(e.Time, e.Clock)
	n.encode(e, s.p.codec.Compress)
	headers := [...]string{e.Trace.Traceparent, e.Trace.Tracestate, e.Trace.Baggage, e.Tenant, string(n.clock)}
	size := len(e.Thread) + 1 + len(n.payload())
	for _, h := range headers {
		size += len(h)
	}
	if n := len(n.payload()); n > s.p.o.MaxBytes {
		return s.refuse(tooLarge, &LimitError{Limit: "MaxBytes", Max: int64(s.p.o.MaxBytes), Got: int64(n)})
	}
	if int64(size) > s.o.Bytes {
		return s.refuse(tooLarge, &LimitError{Limit: "Bytes", Max: s.o.Bytes, Got: int64(size)})
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.makeRoom(ctx, size); err != nil {
		return err
	}
	s.tally.produced++
	if n.clock != "" {
		s.tally.badClock++
	}
	s.chunkFor(size).add(n, e.Thread, &headers)
	s.next++
	s.waiting++
	s.bytes += int64(size)
	s.rouse()
	return nil
}

// refuse counts an event that is not accepted.
func (s *Stream) refuse(reason int, err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.drop(reason, err)
}

func (s *Stream) drop(reason int, err error) error {
	s.tally.produced++
	s.tally.dropped[reason]++
	return err
}

// makeRoom returns when an event of that size fits, or counts it as dropped.
func (s *Stream) makeRoom(ctx context.Context, size int) error {
	var timeout <-chan time.Time
	for {
		switch {
		case s.closing:
			return s.drop(closed, ErrClosed)
		case s.waiting < s.o.Events && s.bytes+int64(size) <= s.o.Bytes:
			return nil
		case s.o.Overflow == DropOldest:
			s.dropOldest()
			continue
		case s.o.Overflow == Reject:
			return s.drop(rejected, s.full(nil))
		}
		if timeout == nil {
			t := time.NewTimer(s.o.BlockFor)
			defer t.Stop()
			timeout = t.C
		}
		change := s.change()
		s.mu.Unlock()
		var over bool
		select {
		case <-change:
		case <-timeout:
			over = true
		case <-ctx.Done():
			over = true
		}
		s.mu.Lock()
		if over {
			return s.drop(rejected, s.full(ctx.Err()))
		}
	}
}

func (s *Stream) full(err error) error {
	return &FullError{Stream: s.name, Overflow: s.o.Overflow, Events: s.waiting, Bytes: s.bytes, Err: err}
}

// dropOldest gives up what has waited longest.
func (s *Stream) dropOldest() {
	c := s.chunks[0]
	s.bytes -= int64(c.slots[c.head].size())
	s.waiting--
	s.tally.dropped[overflowed]++
	if c.head++; c.head == len(c.slots) {
		s.chunks = append(s.chunks[:0], s.chunks[1:]...)
		s.recycle(c)
	}
	s.notify()
}

// chunkFor returns the chunk that the next event goes to.
func (s *Stream) chunkFor(size int) *chunk {
	if n := len(s.chunks); n > 0 {
		if c := s.chunks[n-1]; len(c.slots) < s.o.BatchEvents && len(c.data)+size <= s.o.BatchBytes {
			return c
		}
	}
	c := &chunk{}
	if n := len(s.spares); n > 0 {
		c, s.spares = s.spares[n-1], s.spares[:n-1]
	}
	c.first = s.next
	s.chunks = append(s.chunks, c)
	return c
}

// recycle keeps a chunk for later, unless there are some or one large event made it large.
func (s *Stream) recycle(c *chunk) {
	if len(s.spares) <= min(s.o.Events/s.o.BatchEvents, maxSpares) && cap(c.data) <= 2*s.o.BatchBytes {
		c.reset()
		s.spares = append(s.spares, c)
	}
}

const maxSpares = 32

// rouse wakes the goroutine that delivers.
func (s *Stream) rouse() {
	if s.idle {
		s.idle = false
		s.wake <- struct{}{}
	}
}

// change returns a channel that is closed at the next change.
func (s *Stream) change() <-chan struct{} {
	if s.changed == nil {
		s.changed = make(chan struct{})
	}
	return s.changed
}

func (s *Stream) notify() {
	if s.changed != nil {
		close(s.changed)
		s.changed = nil
	}
}

// unsettled is the number of the oldest event without an outcome.
func (s *Stream) unsettled() uint64 {
	switch {
	case s.flight != nil:
		return s.flight.first + uint64(s.flight.head+s.sent)
	case len(s.chunks) > 0:
		return s.chunks[0].first + uint64(s.chunks[0].head)
	}
	return s.next
}

// settled returns when every event published before the call has an outcome.
func (s *Stream) settled(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for target := s.next; s.unsettled() < target; {
		change := s.change()
		s.mu.Unlock()
		var err error
		select {
		case <-change:
		case <-ctx.Done():
			err = ctx.Err()
		}
		s.mu.Lock()
		if err != nil {
			return err
		}
	}
	return nil
}

// report is a snapshot.
func (s *Stream) report() StreamReport {
	s.mu.Lock()
	defer s.mu.Unlock()
	waiting := s.waiting
	if s.flight != nil {
		waiting += len(s.flight.slots) - s.flight.head - s.sent
	}
	return StreamReport{Name: s.name, Counts: s.tally.counts(uint64(waiting))}
}

// close lets nothing more in.
func (s *Stream) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closing = true
	s.notify()
	s.rouse()
}

// giveUp counts what has no outcome yet as lost, and what is on its way as perhaps delivered.
func (s *Stream) giveUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.given = true
	if s.flight != nil {
		n := uint64(len(s.flight.slots) - s.flight.head - s.sent)
		s.tally.dropped[closed] += n
		s.tally.unsure += n
		s.flight = nil
	}
	s.abandonQueue()
}

// abandonQueue counts everything that waits as lost.
func (s *Stream) abandonQueue() {
	s.tally.dropped[closed] += uint64(s.waiting)
	s.chunks, s.waiting, s.bytes = nil, 0, 0
	s.notify()
}

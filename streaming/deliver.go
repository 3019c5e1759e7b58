package streaming

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"time"

	"github.com/dashhost/dashhost/streaming/driver"
)

// run delivers what is published until the stream is closed and empty, or ctx ends; then the rest is counted as lost.
func (s *Stream) run(ctx context.Context) {
	defer s.p.running.Done()
	d := delivery{s: s}
	for {
		c := s.take(ctx)
		if c == nil {
			return
		}
		d.deliver(ctx, c)
		s.done(c)
	}
}

// take waits for a chunk and puts it on its way; nil if there will be none.
func (s *Stream) take(ctx context.Context) *chunk {
	for {
		s.mu.Lock()
		if ctx.Err() != nil {
			s.abandonQueue()
		}
		if len(s.chunks) > 0 {
			c := s.chunks[0]
			s.chunks = append(s.chunks[:0], s.chunks[1:]...)
			s.flight, s.sent = c, 0
			for i := c.head; i < len(c.slots); i++ {
				s.bytes -= int64(c.slots[i].size())
			}
			s.waiting -= len(c.slots) - c.head
			s.notify()
			s.mu.Unlock()
			return c
		}
		if s.closing {
			s.mu.Unlock()
			return nil
		}
		s.idle = true
		s.mu.Unlock()
		<-s.wake
	}
}

// done takes a chunk back whose records are all settled.
func (s *Stream) done(c *chunk) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.given {
		return
	}
	s.flight = nil
	s.recycle(c)
	s.notify()
}

// settle counts what became of the next n records of what is on its way. apply gets the counters, unless they were closed already.
func (s *Stream) settle(n int, apply func(*tally)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.given {
		return
	}
	s.sent += n
	apply(&s.tally)
	s.notify()
}

// delivery hands over one batch after the other.
type delivery struct {
	s     *Stream
	batch batch

	left   []driver.Record // of the batch
	unsure int             // how many of the first of left the sink perhaps has
	tries  int             // without progress
}

func (d *delivery) deliver(ctx context.Context, c *chunk) {
	d.left, d.unsure, d.tries = d.batch.fill(c, d.s.p.codec), 0, 0
	for len(d.left) > 0 {
		taken, err := d.write(ctx)
		d.delivered(taken)
		switch {
		case len(d.left) == 0:
		case errors.Is(err, driver.ErrClosed):
			d.dropped(len(d.left), closed)
		default:
			d.failed(ctx, err)
		}
	}
}

// write calls the sink, and does not believe what cannot be.
func (d *delivery) write(ctx context.Context) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, d.s.p.o.Timeout)
	defer cancel()
	taken, err := d.s.p.sink.Write(ctx, d.s.name, d.left)
	taken = min(max(taken, 0), len(d.left))
	if err == nil && taken < len(d.left) {
		err = io.ErrShortWrite
	}
	return taken, err
}

// failed decides about the record that the sink did not take.
func (d *delivery) failed(ctx context.Context, err error) {
	class := driver.ClassOf(err)
	log, o := d.s.p.o.Logger, &d.s.p.o
	switch class {
	case driver.TooLarge:
		log.Warn("event is too large for the sink", "stream", d.s.name, "error", err)
		d.dropped(1, tooLarge)
		return
	case driver.Permanent:
		log.Warn("sink refuses an event", "stream", d.s.name, "error", err)
		d.dropped(1, undeliverable)
		return
	case driver.Unknown:
		d.unsure = len(d.left)
	}
	if d.tries++; ctx.Err() != nil {
		d.dropped(len(d.left), closed)
		return
	}
	if d.tries >= o.Retry.Attempts {
		log.Error("sink is not available: events dropped", "stream", d.s.name, "events", len(d.left), "attempts", d.tries, "error", err)
		d.dropped(len(d.left), undeliverable)
		return
	}
	if d.tries == 1 {
		log.Warn("sink is not available", "stream", d.s.name, "error", err)
	}
	pause(ctx, o.Retry.wait(d.tries))
}

func (d *delivery) delivered(n int) {
	if n == 0 {
		return
	}
	repeated := min(n, d.unsure)
	d.s.settle(n, func(t *tally) {
		t.delivered += uint64(n)
		t.repeated += uint64(repeated)
	})
	d.left, d.unsure, d.tries = d.left[n:], d.unsure-repeated, 0
}

func (d *delivery) dropped(n, reason int) {
	unsure := min(n, d.unsure)
	d.s.settle(n, func(t *tally) {
		t.dropped[reason] += uint64(n)
		t.unsure += uint64(unsure)
	})
	d.left, d.unsure, d.tries = d.left[n:], d.unsure-unsure, 0
}

// wait is how long to wait after so many tries.
func (r *Retry) wait(tries int) time.Duration {
	d := r.Max
	if shift := tries - 1; shift < 32 && r.First<<shift > 0 {
		d = min(r.First<<shift, r.Max)
	}
	return d - rand.N(d/2+1)
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

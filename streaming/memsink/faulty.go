package memsink

import (
	"context"
	"sync/atomic"

	"github.com/dashhost/dashhost/streaming/driver"
)

// Fault is what happens to one call of Write.
type Fault struct {
	// Take is how many records are written and reported as taken; Wrote is how many more are written and not reported.
	Take, Wrote int
	// Err is what Write returns then.
	Err error
	// Until is waited for first, or the end of the context, which is then an error that is Unavailable. Nil: nothing is waited for.
	Until <-chan struct{}
	// Deaf makes the wait ignore the context, as a sink must not.
	Deaf bool
}

// Script says what happens to the nth call of Write, from 1, with that many records: nil lets it pass.
type Script func(call, records int) *Fault

// Faulty returns a sink that fails as the script says and else is sink.
func Faulty(sink driver.Sink, script Script) driver.Sink { return &faulty{Sink: sink, script: script} }

type faulty struct {
	driver.Sink
	script Script
	calls  atomic.Int64
}

// Write implements driver.Sink.
func (f *faulty) Write(ctx context.Context, stream string, records []driver.Record) (int, error) {
	fault := f.script(int(f.calls.Add(1)), len(records))
	if fault == nil {
		return f.Sink.Write(ctx, stream, records)
	}
	if fault.Until != nil {
		over := ctx.Done()
		if fault.Deaf {
			over = nil
		}
		select {
		case <-fault.Until:
		case <-over:
			return 0, &driver.Error{Class: driver.Unavailable, Err: ctx.Err()}
		}
		if fault.Err == nil {
			return f.Sink.Write(ctx, stream, records)
		}
	}
	n, err := f.Sink.Write(ctx, stream, records[:min(fault.Take+fault.Wrote, len(records))])
	if err != nil {
		return n, err
	}
	return min(fault.Take, n), fault.Err
}

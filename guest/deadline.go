package guest

import (
	"context"
	"sync/atomic"
	"time"
)

// stop is why a call must end before it is done.
type stop int32

const (
	running   stop = iota
	overdue        // its own deadline
	cancelled      // the caller's context
	closing        // the pool is closed and did not drain in time
)

// watch tells when guest code must stop: a timer and the caller's context set its state, host functions and
// refuel look at it. A watch that has stopped its instance is never used again, so the channel is closed at
// most once and a late timer cannot hit a later call.
//
// It is the context.Context given to the runtime (with instance.Value): allocated once per instance.
type watch struct {
	done   chan struct{}
	state  atomic.Int32 // stop
	limit  string       // name of the deadline's limit
	length time.Duration
	began  time.Time
	timer  *time.Timer
	caller context.Context
	unhook func() bool // ends the wait for caller, nil if it cannot be cancelled
}

// begin starts the deadline and follows the caller's context until end.
func (w *watch) begin(caller context.Context, limit string, d time.Duration) {
	w.caller, w.limit, w.length, w.began = caller, limit, d, time.Now()
	if w.timer == nil {
		w.timer = time.AfterFunc(d, func() { w.fire(overdue) })
	} else {
		w.timer.Reset(d)
	}
	w.unhook = nil
	if caller.Done() != nil {
		w.unhook = context.AfterFunc(caller, func() { w.fire(cancelled) })
	}
}

// end stops watching. It gives running if the instance is as good as new, else what has fired or is about to.
func (w *watch) end() stop {
	overtime := !w.timer.Stop()
	gone := w.unhook != nil && !w.unhook()
	switch s := w.stopped(); {
	case s != running:
		return s
	case overtime:
		return overdue
	case gone:
		return cancelled
	}
	return running
}

// fire makes the call end. The first reason stands.
func (w *watch) fire(s stop) {
	if w.state.CompareAndSwap(int32(running), int32(s)) {
		close(w.done)
	}
}

// stopped gives the reason why guest code must not go on, or running. Host functions ask before and after
// they do anything.
func (w *watch) stopped() stop { return stop(w.state.Load()) }

// err gives the typed error of the reason.
func (w *watch) err(s stop) error {
	switch s {
	case overdue:
		return breach(w.limit, w.length.Microseconds(), time.Since(w.began).Microseconds())
	case closing:
		return ErrClosed
	}
	return w.caller.Err()
}

// Deadline implements context.Context.
func (w *watch) Deadline() (time.Time, bool) { return w.began.Add(w.length), true }

// Done implements context.Context.
func (w *watch) Done() <-chan struct{} { return w.done }

// Err implements context.Context. The runtime closes the instance only for these two errors.
func (w *watch) Err() error {
	switch w.stopped() {
	case running:
		return nil
	case overdue:
		return context.DeadlineExceeded
	}
	return context.Canceled
}

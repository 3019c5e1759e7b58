package guest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

const (
	// backoffFirst is how long a pool starts no instance after the second start phase in a row has failed.
	// Each further one doubles it.
	backoffFirst = 100 * time.Millisecond
	backoffMax   = 30 * time.Second
)

// BackoffError is returned by a call that needed a new instance while the pool starts none, because start
// phases have failed at least twice in a row.
type BackoffError struct {
	Until    time.Time // when the next call will try again
	Failures int       // start phases that have failed in a row
	Err      error     // the last of them: a *StartError
}

func (e *BackoffError) Error() string {
	return fmt.Sprintf("not started: %d start phases have failed in a row, the next attempt is at %s: %v",
		e.Failures, e.Until.UTC().Format("15:04:05.000Z07:00"), e.Err)
}

func (e *BackoffError) Unwrap() error { return e.Err }

// backoff keeps a module that always fails in its start phase from taking a processor. It is safe for
// concurrent use.
type backoff struct {
	mu       sync.Mutex
	failures int
	until    time.Time
	last     error
}

// wait gives the error for calls that come too early.
func (b *backoff) wait(now time.Time) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !now.Before(b.until) {
		return nil
	}
	return &BackoffError{Until: b.until, Failures: b.failures, Err: b.last}
}

// note takes the outcome of a start phase. One that the caller cut off says nothing about the module.
func (b *backoff) note(err error, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var failed *StartError
	switch {
	case err == nil:
		b.failures, b.until, b.last = 0, time.Time{}, nil
	case !errors.As(err, &failed), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded), errors.Is(err, ErrClosed):
	default:
		b.failures++
		b.last = err
		if b.failures > 1 {
			b.until = now.Add(min(backoffMax, backoffFirst<<min(b.failures-2, 20)))
		}
	}
}

package hosttest

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/dashhost/dashhost/host"
)

var _ host.Clock = (*Clock)(nil)

// Epoch is when a Clock begins, in UTC.
func Epoch() time.Time { return time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC) }

// Clock is a host.Clock that only the test moves: a sleep ends when Advance has
// come to its end. It is safe for concurrent use.
type Clock struct {
	mu       sync.Mutex
	now      time.Time
	still    bool // sleeps end at once
	sleepers []*sleeper
	changed  chan struct{} // closed and replaced when sleepers grows
}

type sleeper struct {
	until time.Time
	wake  chan struct{}
}

// NewClock returns a clock that shows Epoch.
func NewClock() *Clock { return &Clock{now: Epoch(), changed: make(chan struct{})} }

// standing is a clock that always shows Epoch and on which sleeps end at once.
// It does not jump to the end of a sleep: of two tasks that wait side by side,
// chance would decide which one sees the other's time.
func standing() *Clock {
	c := NewClock()
	c.still = true
	return c
}

// Now is the time that the test has set.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Sleep returns when the test has moved the clock by d, or with ctx's error.
func (c *Clock) Sleep(ctx context.Context, d time.Duration) error {
	if err := ctx.Err(); err != nil || d <= 0 || c.still {
		return err
	}
	c.mu.Lock()
	s := &sleeper{until: c.now.Add(d), wake: make(chan struct{})}
	c.sleepers = append(c.sleepers, s)
	close(c.changed)
	c.changed = make(chan struct{})
	c.mu.Unlock()
	select {
	case <-s.wake:
		return nil
	case <-ctx.Done():
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sleepers = slices.DeleteFunc(c.sleepers, func(o *sleeper) bool { return o == s })
	return ctx.Err()
}

// Advance moves the clock on by d and ends the sleeps that are over then.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	c.sleepers = slices.DeleteFunc(c.sleepers, func(s *sleeper) bool {
		over := !s.until.After(c.now)
		if over {
			close(s.wake)
		}
		return over
	})
}

// Await returns when at least n goroutines sleep, or with ctx's error: a test
// that moves the clock before anybody sleeps moves it for nobody.
func (c *Clock) Await(ctx context.Context, n int) error {
	for {
		c.mu.Lock()
		have, changed := len(c.sleepers), c.changed
		c.mu.Unlock()
		if have >= n {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

package guest

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"
)

// handClock is moved by hand.
type handClock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *handClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *handClock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// TestBackoff: a module that always fails to start is tried again after longer and longer waits, and calls
// that come before are told when.
func TestBackoff(t *testing.T) {
	clock := &handClock{now: time.Unix(1_700_000_000, 0)}
	p := poolOf(t, &Options{Now: clock.Now}, "startfail", PoolConfig{})
	call := func() error { _, err := p.Call(t.Context(), &recorder{}, 0); return err }
	var early *BackoffError
	var failed *StartError
	for i := range 2 { // one failure may have been an accident
		if err := call(); !errors.As(err, &failed) || errors.As(err, &early) {
			t.Fatalf("call %d: %v", i, err)
		}
	}
	wait := backoffFirst
	for i := range 14 {
		err := call()
		if !errors.As(err, &early) || early.Failures != 2+i || !early.Until.Equal(clock.Now().Add(wait)) || early.Err == nil {
			t.Fatalf("after %d failures: %v, want a wait of %s", 2+i, err, wait)
		}
		if failed = nil; !errors.As(err, &failed) || failed.Status != 7 || !strings.Contains(err.Error(), "no entropy in the configuration") {
			t.Errorf("the cause is lost: %v", err)
		}
		clock.move(wait - time.Nanosecond)
		if err := call(); !errors.As(err, &early) {
			t.Fatalf("just before the time: %v", err)
		}
		clock.move(time.Nanosecond)
		if early = nil; errors.As(call(), &early) {
			t.Fatalf("at the time: %v", early)
		}
		wait = min(2*wait, backoffMax)
	}
	if s := p.Stats(); s.Started != 16 || s.Retired != 16 || s.Reasons[RetiredStart] != 16 || s.Busy != 0 {
		t.Errorf("stats %+v", s)
	}
}

// TestBackoffForgets: one start phase that goes well ends it, and what the caller cut off does not count.
func TestBackoffForgets(t *testing.T) {
	var b backoff
	now := time.Unix(1_700_000_000, 0)
	failure := &StartError{Stage: "dash_start", Status: 1}
	b.note(failure, now)
	b.note(&StartError{Stage: "dash_start", Err: context.Canceled}, now)
	b.note(context.DeadlineExceeded, now)
	b.note(ErrClosed, now)
	if err := b.wait(now); err != nil {
		t.Errorf("after one failure: %v", err)
	}
	b.note(failure, now)
	if err := b.wait(now); err == nil {
		t.Error("after two failures there is no wait")
	}
	b.note(nil, now)
	b.note(failure, now)
	if err := b.wait(now); err != nil {
		t.Errorf("after a success and one failure: %v", err)
	}
}

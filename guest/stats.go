package guest

import (
	"context"
	"errors"
	"maps"
	"time"
)

// Reason is why an instance was retired.
type Reason string

// The reasons. An instance has one, the first.
const (
	RetiredDone      Reason = "done"      // policy fresh: it has served its call
	RetiredWorn      Reason = "worn"      // policy reuse: it has served as many calls as one may
	RetiredTrap      Reason = "trap"      // a trap, a bad pointer included
	RetiredLimit     Reason = "limit"     // deadline, fuel, stack, output
	RetiredExit      Reason = "exit"      // the guest called proc_exit
	RetiredViolation Reason = "violation" // the guest broke the ABI
	RetiredCancelled Reason = "cancelled" // the caller's context ended
	RetiredInternal  Reason = "internal"  // host code panicked
	RetiredStart     Reason = "start"     // its start phase failed
	RetiredReset     Reason = "reset"     // it could not be put back
	RetiredEvicted   Reason = "evicted"   // other pools needed its memory
	RetiredClosed    Reason = "closed"    // the pool was closed
)

// reasonOf says why a call that ended with err ends its instance.
func reasonOf(err error) Reason {
	var (
		limit     *LimitError
		exit      *ExitError
		violation *ViolationError
		internal  *InternalError
	)
	switch {
	case errors.Is(err, ErrClosed):
		return RetiredClosed
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return RetiredCancelled
	case errors.As(err, &limit):
		return RetiredLimit
	case errors.As(err, &exit):
		return RetiredExit
	case errors.As(err, &violation):
		return RetiredViolation
	case errors.As(err, &internal):
		return RetiredInternal
	}
	return RetiredTrap
}

// Stats is what a pool has done and holds. The counters only grow.
type Stats struct {
	Policy   Policy   // in effect
	Fallback []string // why it is PolicyFresh although PolicyReset was asked for; else empty

	Max     int // instances at a time
	Idle    int // instances that wait for a call, or to be put back for one
	Busy    int // calls that run or start an instance
	Waiting int // calls that wait for an instance

	Calls    uint64        // calls that got an instance
	Failed   uint64        // of them, those that returned an error
	Waits    uint64        // calls that had to wait for an instance
	WaitTime time.Duration // of those that got one, together

	Fuel      uint64 // units that calls were charged, also those that failed
	StartFuel uint64 // units that start phases were charged

	Started    uint64 // instances begun
	Cloned     uint64 // of them, those that took over the image of the pool instead of a start phase
	Resets     uint64 // times that an instance was put back
	ResetBytes uint64 // bytes written for it
	ImageBytes int64  // size of the image that instances are put back to, 0 until there is one

	Retired uint64            // instances that are gone
	Reasons map[Reason]uint64 // why, by number; their sum is Retired
}

// Stats gives a snapshot.
func (p *Pool) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	idle := len(p.clean) + len(p.dirty) + p.cleaning
	s := Stats{
		Policy: p.cfg.Policy, Fallback: p.fallback,
		Max: p.cfg.Max, Idle: idle, Busy: p.live - idle - len(p.spent) - p.closing, Waiting: len(p.queue),
		Calls: p.calls.Load(), Failed: p.failed.Load(), Waits: p.waits, WaitTime: p.waited,
		Started: p.started, Cloned: p.cloned, Resets: p.resets.Load(), ResetBytes: p.written.Load(),
		Fuel: p.fuel.Load(), StartFuel: p.startFuel.Load(),
		Retired: p.retired, Reasons: maps.Clone(p.reasons),
	}
	if img := p.image.Load(); img != nil {
		s.ImageBytes = img.bytes()
	}
	return s
}

package streaming

import (
	"sync/atomic"
	"time"
)

// clock gives events their time. It never gives 0 or less, nor less than before, whatever the system's clock shows.
type clock struct {
	now  func() time.Time
	last atomic.Int64 // microseconds since 1970
}

// stamp returns the time of an event that says at: 0 means now.
func (c *clock) stamp(at int64, known ClockFault) (int64, ClockFault) {
	switch {
	case at < 0:
		return 1, ClockBefore1970
	case at > 0:
		return at, known
	}
	for {
		// The clock is read after last was, so that it shows less only if it went back, not if another event was quicker.
		last := c.last.Load()
		us, fault := c.now().UnixMicro(), known
		switch {
		case us <= 0:
			us, fault = last+1, ClockBefore1970
		case us < last:
			us, fault = last+1, ClockBackward
		}
		if us == last || c.last.CompareAndSwap(last, us) {
			return us, fault
		}
	}
}

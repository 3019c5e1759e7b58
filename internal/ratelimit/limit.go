package ratelimit

import (
	"fmt"
	"math"
	"time"
)

// Decision is an answer. Only Allow lets pass.
type Decision uint8

const (
	// Unknown: nobody could be asked in time. It is not Allow.
	Unknown Decision = iota
	// Allow: the tokens are spent.
	Allow
	// Deny: there is no quota now, and nothing was spent.
	Deny
	// Crowded: the table has no room for another tenant, and nothing was spent.
	Crowded
)

// String is the name in lower case.
func (d Decision) String() string {
	names := [...]string{"unknown", "allow", "deny", "crowded"}
	if int(d) >= len(names) {
		return "unknown"
	}
	return names[d]
}

// Limit is how much is allowed: in any span at most Burst + Rate x span / Per.
type Limit struct {
	Rate  int64         // tokens, at least 1
	Per   time.Duration // in which they are given, at least a nanosecond a token
	Burst int64         // at once; 0 = Rate
}

// LimitError says what is wrong with a Limit.
type LimitError struct {
	Limit  Limit
	Reason string
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("rate %d in %v, burst %d: %s", e.Limit.Rate, e.Limit.Per, e.Limit.Burst, e.Reason)
}

// maxSpan bounds burst x interval, so that no sum of times overflows.
const maxSpan = math.MaxInt64 / 8

// rule is a checked Limit.
type rule struct {
	interval int64 // nanoseconds a token, rounded up: never more than the rate
	span     int64 // burst x interval
	burst    int64
}

func (l Limit) rule() (rule, error) {
	if l.Burst == 0 {
		l.Burst = l.Rate
	}
	switch {
	case l.Rate < 1 || l.Burst < 1:
		return rule{}, &LimitError{l, "expected at least 1"}
	case l.Per < 1 || int64(l.Per) < l.Rate:
		return rule{}, &LimitError{l, "expected at least a nanosecond a token"}
	}
	interval := (int64(l.Per) + l.Rate - 1) / l.Rate
	if l.Burst > maxSpan/interval {
		return rule{}, &LimitError{l, "the burst takes longer than is counted: expected less"}
	}
	return rule{interval: interval, span: l.Burst * interval, burst: l.Burst}, nil
}

// take decides for a bucket that is full at a time, and gives when it is full after.
func (r rule) take(full, now, n int64) (after int64, ok bool) {
	if n > r.burst {
		return full, false
	}
	after = max(full, now) + n*r.interval
	if after-now > r.span {
		return full, false
	}
	return after, true
}

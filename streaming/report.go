package streaming

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Reason says why an event was dropped.
type Reason string

// Reasons.
const (
	Rejected      Reason = "rejected"      // the queue was full, and the policy is not to make room
	Overflowed    Reason = "overflow"      // it made room for a newer one
	Undeliverable Reason = "undeliverable" // the sink did not take it, whatever was tried
	TooLarge      Reason = "too_large"     // over a limit of the publisher or of the sink
	Invalid       Reason = "invalid"       // it cannot be sent
	Closed        Reason = "closed"        // the publisher closed before it could be delivered
)

// reasons in the order of counters.
var reasons = [...]Reason{Rejected, Overflowed, Undeliverable, TooLarge, Invalid, Closed}

const (
	rejected = iota
	overflowed
	undeliverable
	tooLarge
	invalid
	closed
)

// Counts says what became of events: Produced = Delivered + Spooled + Dropped + Waiting, at any moment. Waiting is 0 after Close.
type Counts struct {
	Produced  uint64 // calls of Publish that have an outcome
	Delivered uint64 // taken by the sink
	Spooled   uint64 // kept locally for later; this version has no spool, so 0
	Dropped   uint64 // the sum of Reasons
	Waiting   uint64 // in the queue or on the way

	Repeated uint64 // of Delivered: perhaps there twice, as the sink did not know whether it had taken them before
	Unsure   uint64 // of Dropped: perhaps there, for the same reason
	BadClock uint64 // of Produced: sent with a flag instead of a time that the clock showed
	Reasons  map[Reason]uint64
}

// StreamReport is what became of the events of a stream.
type StreamReport struct {
	Name string
	Counts
}

// Report is what became of all events, by stream, sorted by name.
type Report struct {
	Streams []StreamReport
}

// Total returns the sums over all streams.
func (r Report) Total() Counts {
	t := Counts{Reasons: map[Reason]uint64{}}
	for _, s := range r.Streams {
		t.Produced += s.Produced
		t.Delivered += s.Delivered
		t.Spooled += s.Spooled
		t.Dropped += s.Dropped
		t.Waiting += s.Waiting
		t.Repeated += s.Repeated
		t.Unsure += s.Unsure
		t.BadClock += s.BadClock
		for reason, n := range s.Reasons {
			t.Reasons[reason] += n
		}
	}
	return t
}

// String is a line for each stream: what differs from 0, besides produced and delivered.
func (r Report) String() string {
	var lines []string
	for _, s := range r.Streams {
		lines = append(lines, "stream "+s.Name+": "+s.Counts.String())
	}
	return strings.Join(lines, "\n")
}

// String is "produced 10, delivered 9, spooled 0, dropped 1 (overflow 1)", and more if there is more to say.
func (c Counts) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "produced %d, delivered %d, spooled %d, dropped %d", c.Produced, c.Delivered, c.Spooled, c.Dropped)
	var why []string
	for _, reason := range slices.Sorted(maps.Keys(c.Reasons)) {
		why = append(why, fmt.Sprintf("%s %d", reason, c.Reasons[reason]))
	}
	if len(why) > 0 {
		fmt.Fprintf(&b, " (%s)", strings.Join(why, ", "))
	}
	for _, more := range [...]struct {
		name string
		n    uint64
	}{{"waiting", c.Waiting}, {"delivered perhaps twice", c.Repeated}, {"dropped but perhaps delivered", c.Unsure}, {"bad clock", c.BadClock}} {
		if more.n > 0 {
			fmt.Fprintf(&b, ", %s %d", more.name, more.n)
		}
	}
	return b.String()
}

// tally holds the counters of a stream.
type tally struct {
	produced, delivered, repeated, unsure, badClock uint64
	dropped                                         [len(reasons)]uint64
}

// counts returns the counters, with what is not settled as waiting.
func (t *tally) counts(waiting uint64) Counts {
	c := Counts{
		Produced: t.produced, Delivered: t.delivered, Waiting: waiting,
		Repeated: t.repeated, Unsure: t.unsure, BadClock: t.badClock, Reasons: map[Reason]uint64{},
	}
	for i, n := range t.dropped {
		c.Dropped += n
		if n > 0 {
			c.Reasons[reasons[i]] = n
		}
	}
	return c
}

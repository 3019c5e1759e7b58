package streaming

// Sequences notices, while events are read, which are missing, repeated or late, by their numbers: the lifecycle events of a thread are
// numbered without gaps, and one that is sent again has its number again. A thread is checked from the first number that is seen of it.
// It is used by one goroutine at a time.
type Sequences struct {
	max        int
	young, old map[sequenceKey]*sequence
	totals     SequenceTotals
}

// Order says how an event stands to those of its thread before it.
type Order uint8

// Orders.
const (
	InOrder  Order = iota // it is the next one, or has no number
	Repeated              // it was there before
	AfterGap              // some before it are missing
	Late                  // it was missing until now
)

// SequenceTotals counts what was noticed.
type SequenceTotals struct {
	Repeated uint64 // events that were there before
	Late     uint64 // events that came after a later one of their thread
	Gaps     uint64 // places where events were missing
	Missing  uint64 // events that still are
}

// sequenceKey is a thread in a part of a stream that one reader reads in order, such as a partition.
type sequenceKey struct {
	source uint64
	thread string
}

// sequence is what was seen of a thread: everything from first up to next, but for the holes.
type sequence struct {
	next  uint64
	holes []hole // ascending
}

type hole struct{ from, to uint64 } // both missing

const maxHoles = 64 // of a thread that are remembered; what fills an older one counts as repeated

// NewSequences returns one that remembers at least max threads, and forgets those it has not seen for longest first; a forgotten one is
// checked anew from its next number. 0 = 200,000.
func NewSequences(max int) *Sequences {
	if max <= 0 {
		max = 200_000
	}
	return &Sequences{max: max, young: map[sequenceKey]*sequence{}}
}

// See takes the next event of a thread and returns how it stands to those before, and how many are missing right before it if it is
// AfterGap. The same thread in another source is another one. Number 0, and an event of no thread, is in order.
func (s *Sequences) See(source uint64, thread string, seq uint64) (order Order, missing uint64) {
	if seq == 0 || thread == "" {
		return InOrder, 0
	}
	q := s.of(sequenceKey{source, thread})
	switch {
	case q.next == 0 || seq == q.next:
		q.next = seq + 1
		return InOrder, 0
	case seq > q.next:
		missing = seq - q.next
		if q.holes = append(q.holes, hole{q.next, seq - 1}); len(q.holes) > maxHoles {
			q.holes = append(q.holes[:0], q.holes[1:]...)
		}
		q.next = seq + 1
		s.totals.Gaps++
		s.totals.Missing += missing
		return AfterGap, missing
	case q.fill(seq):
		s.totals.Late++
		s.totals.Missing--
		return Late, 0
	}
	s.totals.Repeated++
	return Repeated, 0
}

// Totals returns what was noticed so far.
func (s *Sequences) Totals() SequenceTotals { return s.totals }

// of finds what was seen of a thread. There are two generations: when the young one is full it becomes the old one, and what is not
// seen until that happens again is forgotten.
func (s *Sequences) of(k sequenceKey) *sequence {
	if q := s.young[k]; q != nil {
		return q
	}
	q := s.old[k]
	if q == nil {
		q = &sequence{}
	}
	if len(s.young) >= s.max {
		s.old, s.young = s.young, map[sequenceKey]*sequence{}
	}
	s.young[k] = q
	return q
}

// fill takes a number out of the hole it was missing in; false: it was not.
func (q *sequence) fill(seq uint64) bool {
	for i, h := range q.holes {
		if seq < h.from || seq > h.to {
			continue
		}
		rest := append([]hole(nil), q.holes[i+1:]...)
		q.holes = q.holes[:i]
		if seq > h.from {
			q.holes = append(q.holes, hole{h.from, seq - 1})
		}
		if seq < h.to {
			q.holes = append(q.holes, hole{seq + 1, h.to})
		}
		q.holes = append(q.holes, rest...)
		return true
	}
	return false
}

package capability

import (
	"encoding/binary"
	"slices"
)

// tape is what a node that may ask questions was told by the clock and by random. An attempt that gets an
// answer is told the same again, as far as the tape goes, so that what stood before the question happens
// once. Entries stand one after the other:
//
//	kind:byte  length:uvarint  bytes       kind 1: clock, 8 bytes little endian; kind 2: random
type tape struct {
	past []byte // still to be told again
	kept []byte // everything up to here
}

const (
	tapeClock  = 1
	tapeRandom = 2
	// maxTape is how much one attempt may have on its tape, in bytes.
	maxTape = 1 << 20
)

func newTape(calls []byte) tape { return tape{past: calls, kept: slices.Clone(calls)} }

// again fills b with the next entry. It gives false if the tape has been told, and ok false if the next
// entry is not what is asked for now.
func (t *tape) again(kind byte, b []byte) (told, ok bool) {
	if len(t.past) == 0 {
		return false, true
	}
	n, used := binary.Uvarint(t.past[1:])
	rest := t.past[1+max(used, 0):]
	if used <= 0 || t.past[0] != kind || n != uint64(len(b)) || n > uint64(len(rest)) {
		return true, false
	}
	copy(b, rest)
	t.past = rest[n:]
	return true, true
}

// add keeps an entry. It gives false when the tape is full.
func (t *tape) add(kind byte, b []byte) bool {
	if len(t.kept)+len(b)+1+binary.MaxVarintLen64 > maxTape {
		return false
	}
	t.kept = binary.AppendUvarint(append(t.kept, kind), uint64(len(b)))
	t.kept = append(t.kept, b...)
	return true
}

func (t *tape) all() []byte { return slices.Clone(t.kept) }

// replaying tells whether something is still to be told again.
func (t *tape) replaying() bool { return len(t.past) > 0 }

// record passes b, filled by live, through the tape. The caller holds mu.
func (s *Set) record(kind byte, b []byte, live func()) {
	told, ok := s.tape.again(kind, b)
	if !ok {
		_ = s.diverge("the node asks for something else than before its question") // the attempt fails when it ends
	}
	if told && ok {
		return
	}
	live()
	if !s.tape.add(kind, b) && s.out.Limit == nil {
		s.out.Limit = &LimitError{Limit: "calls", Max: maxTape, Got: int64(len(s.tape.kept) + len(b)), Field: "nothing: the node reads clock or random too often for one that asks questions"}
	}
}

// taped tells whether what varies is recorded.
func (s *Set) taped() bool { return s.cfg.Node.Interrupts }

package engine

import (
	"bytes"
	"iter"

	"github.com/dashhost/dashhost/checkpoint"
	"github.com/dashhost/dashhost/internal/rawjson"
)

// hidden starts the names of entries that are the engine's own, not channels.
const hidden = ":"

// state is the channels' values while a run goes on. Only the run's own
// goroutine changes it, between steps; tasks read it.
type state struct {
	values map[string]*value
	size   int64 // bytes of all values
}

// value is a JSON value, or an array still in pieces.
type value struct {
	raw   []byte
	tail  [][]byte            // appended since: "e1,e2", never empty
	elems [][]byte            // of the array, once somebody asked
	keys  map[string]struct{} // canonical form of each element, for union
}

func newState(entries iter.Seq2[string, []byte]) *state {
	s := &state{values: make(map[string]*value)}
	if entries != nil {
		for name, raw := range entries {
			s.values[name] = &value{raw: raw}
			s.size += int64(len(raw))
		}
	}
	return s
}

// get returns the value of a channel as JSON, nil if it was never written.
func (s *state) get(name string) []byte {
	v := s.values[name]
	if v == nil {
		return nil
	}
	return v.json()
}

func (v *value) json() []byte {
	if len(v.tail) == 0 {
		return v.raw
	}
	n := len(v.raw) + 2
	for _, t := range v.tail {
		n += 1 + len(t)
	}
	out := append(make([]byte, 0, n), '[')
	if in := inner(v.raw); len(in) > 0 {
		out = append(out, in...)
		out = append(out, ',')
	}
	for i, t := range v.tail {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, t...)
	}
	v.raw, v.tail = append(out, ']'), nil
	return v.raw
}

// elements returns the elements of a list channel; a channel never written has
// none.
func (s *state) elements(name string) ([][]byte, error) {
	v := s.values[name]
	if v == nil {
		return nil, nil
	}
	if v.elems != nil {
		return v.elems, nil
	}
	elems := [][]byte{}
	err := rawjson.Array(v.json(), func(e []byte) error {
		elems = append(elems, e)
		return nil
	})
	if err != nil {
		return nil, err
	}
	v.elems = elems
	return elems, nil
}

// apply does what the store does when it folds the same ops.
func (s *state) apply(ops []checkpoint.Op) {
	for _, op := range ops {
		old := s.values[op.Name]
		switch op.Kind {
		case checkpoint.OpPut:
			s.forget(op.Name)
			s.values[op.Name] = &value{raw: op.Value}
			s.size += int64(len(op.Value))
		case checkpoint.OpDel:
			s.forget(op.Name)
		case checkpoint.OpAppend:
			if old == nil {
				old = &value{}
				s.values[op.Name] = old
			}
			old.tail = append(old.tail, op.Value)
			old.elems, old.keys = nil, nil
			s.size += int64(len(op.Value)) + 1
		default:
			panic("BUG: op of an unknown kind")
		}
	}
}

// savepoint returns a function that takes back what apply will do with ops.
func (s *state) savepoint(ops []checkpoint.Op) (undo func()) {
	if len(ops) == 0 {
		return func() {}
	}
	old := make(map[string]*value, len(ops))
	size := s.size
	for _, op := range ops {
		if _, have := old[op.Name]; have {
			continue
		}
		old[op.Name] = nil
		if v := s.values[op.Name]; v != nil {
			own := *v
			old[op.Name] = &own
		}
	}
	return func() {
		for name, v := range old {
			if v == nil {
				delete(s.values, name)
			} else {
				s.values[name] = v
			}
		}
		s.size = size
	}
}

func (s *state) forget(name string) {
	if v := s.values[name]; v != nil {
		s.size -= int64(len(v.raw))
		for _, t := range v.tail {
			s.size -= int64(len(t)) + 1
		}
		delete(s.values, name)
	}
}

// inner returns what stands between the brackets of an array, without space
// around it. b was checked.
func inner(b []byte) []byte {
	b = bytes.TrimSpace(b)
	if len(b) < 2 {
		return nil
	}
	return bytes.TrimSpace(b[1 : len(b)-1])
}

package checkpoint

import (
	"bytes"
	"fmt"
	"iter"
	"slices"
	"sync"
)

// State is the named entries of a thread and namespace at one step, folded from ops. It does not change and may be used by
// several goroutines. The zero State is empty. Values share memory with what was read and must not be changed.
type State struct {
	entries map[string]*entry
}

// entry is a value as the chunks it was written in. Chunks of an array are spliced when somebody asks for the value.
type entry struct {
	chunks [][]byte // put: one, the value; append: elements, after the value if there was one
	put    bool     // chunks[0] is a whole value
	once   sync.Once
	value  []byte
}

// Get returns the value of an entry.
func (s State) Get(name string) (value []byte, ok bool) {
	e := s.entries[name]
	if e == nil {
		return nil, false
	}
	return e.bytes(), true
}

// Names returns the names of all entries, sorted.
func (s State) Names() []string {
	names := make([]string, 0, len(s.entries))
	for n := range s.entries {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// Len is the number of entries.
func (s State) Len() int { return len(s.entries) }

// Size is about how many bytes names and values take.
func (s State) Size() int64 {
	var n int64
	for name, e := range s.entries {
		n += int64(len(name))
		for _, c := range e.chunks {
			n += int64(len(c)) + 1
		}
	}
	return n
}

// All yields the entries in the order of their names.
func (s State) All() iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		for _, n := range s.Names() {
			if !yield(n, s.entries[n].bytes()) {
				return
			}
		}
	}
}

func (e *entry) bytes() []byte {
	e.once.Do(func() {
		if e.put && len(e.chunks) == 1 {
			e.value = e.chunks[0]
			return
		}
		e.value = e.splice()
	})
	return e.value
}

// splice makes one array of the chunks. fold checked that a whole value in front is an array.
func (e *entry) splice() []byte {
	n := 2
	for _, c := range e.chunks {
		n += len(c) + 1
	}
	out := append(make([]byte, 0, n), '[')
	for i, c := range e.chunks {
		if i == 0 && e.put {
			c = elements(c)
		}
		if len(c) == 0 {
			continue
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(out, c...)
	}
	return append(out, ']')
}

// elements is what stands between the brackets of an array, nil if there is nothing.
func elements(array []byte) []byte {
	const space = " \t\r\n"
	a := bytes.Trim(array, space)
	return bytes.Trim(a[1:len(a)-1], space)
}

func isArray(v []byte) bool {
	v = bytes.Trim(v, " \t\r\n")
	return len(v) >= 2 && v[0] == '[' && v[len(v)-1] == ']'
}

// fold applies ops in order. Values are kept, not copied.
func (s *State) fold(ops []Op) error {
	if s.entries == nil {
		s.entries = make(map[string]*entry, len(ops))
	}
	for i := range ops {
		op := &ops[i]
		switch op.Kind {
		case OpPut:
			s.entries[op.Name] = &entry{chunks: [][]byte{op.Value}, put: true}
		case OpDel:
			delete(s.entries, op.Name)
		case OpAppend:
			e := s.entries[op.Name]
			if e == nil {
				e = &entry{}
				s.entries[op.Name] = e
			} else if e.put && len(e.chunks) == 1 && !isArray(e.chunks[0]) {
				return &InvalidError{Field: fmt.Sprintf("append to %q", op.Name), Reason: "the entry is not a JSON array"}
			}
			if len(op.Value) > 0 {
				e.chunks = append(e.chunks, op.Value)
			}
		default:
			return &InvalidError{Field: fmt.Sprintf("op on %q", op.Name), Reason: fmt.Sprintf("unknown kind %d", op.Kind)}
		}
	}
	return nil
}

// puts is the state as ops that make it from nothing.
func (s State) puts() []Op {
	ops := make([]Op, 0, len(s.entries))
	for n, v := range s.All() {
		ops = append(ops, Op{Kind: OpPut, Name: n, Value: v})
	}
	return ops
}

package workflow

import "bytes"

// The functions here walk JSON that was checked when it entered the state; on
// anything else they stop early and never read outside the slice.

// space returns the index of the first byte at or after i that is no space.
func space(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\t' || b[i] == '\r') {
		i++
	}
	return i
}

// stringEnd returns the index after the string that starts at i.
func stringEnd(b []byte, i int) int {
	for i++; i < len(b); {
		n := bytes.IndexByte(b[i:], '"')
		if n < 0 {
			return len(b)
		}
		i += n + 1
		escapes := 0
		for k := i - 2; k >= 0 && b[k] == '\\'; k-- {
			escapes++
		}
		if escapes%2 == 0 {
			return i
		}
	}
	return len(b)
}

// valueEnd returns the index after the value that starts at i.
func valueEnd(b []byte, i int) int {
	depth := 0
	for i < len(b) {
		switch b[i] {
		case '"':
			i = stringEnd(b, i)
		case '[', '{':
			depth++
			i++
			continue
		case ']', '}':
			depth--
			i++
		case ' ', '\n', '\t', '\r', ',', ':':
			i++
			continue
		default:
			for i < len(b) && !delimiter(b[i]) {
				i++
			}
		}
		if depth <= 0 {
			return i
		}
	}
	return len(b)
}

func delimiter(c byte) bool {
	switch c {
	case ',', ']', '}', ':', ' ', '\n', '\t', '\r':
		return true
	}
	return false
}

// elements walks the elements of an array, or the keys and values of an
// object, one after the other.
type elements struct {
	b []byte
	i int // at the next value, or at the closing bracket
}

// walk starts at the first element of an array or key of an object.
func walk(b []byte) elements {
	return elements{b, space(b, space(b, 0)+1)}
}

func (e *elements) more() bool {
	return e.i < len(e.b) && e.b[e.i] != ']' && e.b[e.i] != '}'
}

// next returns the value and goes on to what follows it.
func (e *elements) next() []byte {
	at := e.i
	end := max(valueEnd(e.b, at), at+1)
	e.i = space(e.b, end)
	if e.i < len(e.b) && (e.b[e.i] == ',' || e.b[e.i] == ':') {
		e.i = space(e.b, e.i+1)
	}
	return e.b[at:min(end, len(e.b))]
}

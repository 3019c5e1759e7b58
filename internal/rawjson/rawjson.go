// Package rawjson looks at JSON text without building values from it.
//
// State flows through the host as raw bytes: a guest's output is checked once,
// taken apart at the top level only, and its pieces are glued into other
// nodes' input unchanged. So a number such as 2^53+1 keeps every digit, and
// nothing is decoded that nobody reads. Everything here follows RFC 8259 and
// additionally wants valid UTF-8, at most MaxDepth levels, and no duplicate
// keys where an object is taken apart.
//
// All functions are safe for concurrent use; the slices they hand out are
// views of their argument.
package rawjson

import (
	"fmt"
	"unicode/utf8"
)

// MaxDepth is how many arrays and objects may be open at once.
const MaxDepth = 512

// SyntaxError says where text stops being the JSON that was expected.
type SyntaxError struct {
	Offset int    // byte offset of the first byte that does not fit
	Msg    string // what was found or expected there
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("invalid JSON at offset %d: %s", e.Offset, e.Msg)
}

// Valid reports, as a *SyntaxError, why b is not exactly one JSON value.
func Valid(b []byte) error { return ValidUntil(b, nil) }

// ValidUntil is Valid for a text that may be long: stop is asked about every
// MiB, and what it gives, if not nil, ends the look and is returned.
func ValidUntil(b []byte, stop func() error) error {
	s := newScanner(b, stop)
	return s.verdict(s.document())
}

// Object calls fn for each member of the object b, in order, with its key
// decoded and its value as a view of b. The whole of b is checked; fn may have
// been called before a fault further on is found. A key that comes twice is a
// fault. An error of fn ends the walk and is returned.
func Object(b []byte, fn func(key string, val []byte) error) error {
	return ObjectUntil(b, nil, fn)
}

// ObjectUntil is Object for a text that may be long, with stop as in ValidUntil.
func ObjectUntil(b []byte, stop func() error, fn func(key string, val []byte) error) error {
	s := newScanner(b, stop)
	return s.verdict(s.object(fn))
}

func (s *scanner) object(fn func(key string, val []byte) error) error {
	b := s.b
	s.space()
	if s.i >= len(b) || b[s.i] != '{' {
		return s.fault("expected an object")
	}
	s.i++
	var seen keySet
	for first := true; ; first = false {
		s.space()
		if first && s.peek() == '}' {
			s.i++
			break
		}
		at := s.i
		if err := s.string(); err != nil {
			return err
		}
		key, err := Unquote(b[at:s.i])
		if err != nil {
			return err
		}
		if !seen.add(key) {
			return &SyntaxError{at, fmt.Sprintf("duplicate key %q", key)}
		}
		s.space()
		if s.peek() != ':' {
			return s.fault("expected ':' after a key")
		}
		s.i++
		s.space()
		at = s.i
		if err := s.value(1); err != nil {
			return err
		}
		if err := fn(key, b[at:s.i:s.i]); err != nil {
			return err
		}
		s.space()
		if s.peek() == '}' {
			s.i++
			break
		}
		if s.peek() != ',' {
			return s.fault("expected ',' or '}' in an object")
		}
		s.i++
	}
	return s.end()
}

// Array calls fn for each element of the array b, in order, as a view of b.
// It checks and ends as Object does.
func Array(b []byte, fn func(elem []byte) error) error {
	s := newScanner(b, nil)
	s.space()
	if s.i >= len(b) || b[s.i] != '[' {
		return s.fault("expected an array")
	}
	s.i++
	for first := true; ; first = false {
		s.space()
		if first && s.peek() == ']' {
			s.i++
			break
		}
		at := s.i
		if err := s.value(1); err != nil {
			return err
		}
		if err := fn(b[at:s.i:s.i]); err != nil {
			return err
		}
		s.space()
		if s.peek() == ']' {
			s.i++
			break
		}
		if s.peek() != ',' {
			return s.fault("expected ',' or ']' in an array")
		}
		s.i++
	}
	return s.end()
}

// keySet tells duplicates apart without a map for the few keys that most
// objects have.
type keySet struct {
	few  [16]string
	n    int
	many map[string]struct{}
}

func (k *keySet) add(key string) bool {
	if k.many != nil {
		if _, dup := k.many[key]; dup {
			return false
		}
		k.many[key] = struct{}{}
		return true
	}
	for _, have := range k.few[:k.n] {
		if have == key {
			return false
		}
	}
	if k.n < len(k.few) {
		k.few[k.n] = key
		k.n++
		return true
	}
	k.many = make(map[string]struct{}, 4*len(k.few))
	for _, have := range k.few {
		k.many[have] = struct{}{}
	}
	k.many[key] = struct{}{}
	return true
}

const hexDigits = "0123456789abcdef"

// AppendString appends s to dst as a JSON string, quotes included. Invalid
// UTF-8 becomes U+FFFD. Nothing is escaped that need not be.
func AppendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			if r != utf8.RuneError || n > 1 {
				i += n
				continue
			}
			dst = append(dst, s[from:i]...)
			dst = append(dst, "\uFFFD"...)
			i++
			from = i
			continue
		}
		dst = append(dst, s[from:i]...)
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
		i++
		from = i
	}
	dst = append(dst, s[from:]...)
	return append(dst, '"')
}

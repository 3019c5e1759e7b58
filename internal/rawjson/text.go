package rawjson

import (
	"slices"
	"unicode/utf16"
	"unicode/utf8"
)

// Unquote decodes one JSON string, quotes included. Half of a surrogate pair
// becomes U+FFFD. The error is a *SyntaxError.
func Unquote(b []byte) (string, error) {
	s := newScanner(b, nil)
	if err := s.string(); err != nil {
		return "", err
	}
	if s.i != len(b) {
		return "", s.fault("expected the end of the text")
	}
	b = b[1 : len(b)-1]
	first := slices.Index(b, '\\')
	if first < 0 {
		return string(b), nil
	}
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); {
		if b[i] != '\\' {
			out = append(out, b[i])
			i++
			continue
		}
		var n int
		out, n = unescape(out, b[i:])
		i += n
	}
	return string(out), nil
}

// unescape appends what the escape sequence at the start of b stands for and
// says how many bytes it took. b was checked before.
func unescape(out, b []byte) ([]byte, int) {
	switch b[1] {
	case 'b':
		return append(out, '\b'), 2
	case 'f':
		return append(out, '\f'), 2
	case 'n':
		return append(out, '\n'), 2
	case 'r':
		return append(out, '\r'), 2
	case 't':
		return append(out, '\t'), 2
	case 'u':
		r, _ := hex4(b[2:])
		if utf16.IsSurrogate(r) && len(b) >= 12 && b[6] == '\\' && b[7] == 'u' {
			low, _ := hex4(b[8:])
			if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
				return utf8.AppendRune(out, pair), 12
			}
		}
		return utf8.AppendRune(out, r), 6 // a lone half is appended as U+FFFD
	default:
		return append(out, b[1]), 2
	}
}

// Canonical appends b to dst without space between tokens and with the members
// of every object sorted by the bytes of their decoded keys. Numbers and
// strings keep the bytes they have. Two values are equal for the union reducer
// when their canonical forms are. The error is a *SyntaxError.
func Canonical(dst, b []byte) ([]byte, error) {
	if err := Valid(b); err != nil {
		return dst, err
	}
	return canonical(dst, b), nil
}

// canonical works on text that Valid accepted, so recursion ends at MaxDepth.
func canonical(dst, b []byte) []byte {
	s := newScanner(b, nil)
	s.space()
	switch s.peek() {
	case '[':
		s.i++
		dst = append(dst, '[')
		for first := true; ; first = false {
			s.space()
			switch s.peek() {
			case ']':
				return append(dst, ']')
			case ',':
				s.i++
				s.space()
			}
			if !first {
				dst = append(dst, ',')
			}
			dst = canonical(dst, s.next())
		}
	case '{':
		return canonicalObject(dst, s)
	}
	at := s.i
	_ = s.value(0) // valid, so it only finds the end
	return append(dst, b[at:s.i]...)
}

// next reads one value of checked text and returns it.
func (s *scanner) next() []byte {
	at := s.i
	_ = s.value(0)
	return s.b[at:s.i]
}

func canonicalObject(dst []byte, s *scanner) []byte {
	type member struct {
		sort     string
		key, val []byte
	}
	var members []member
	s.i++
	for {
		s.space()
		switch s.peek() {
		case '}':
			slices.SortStableFunc(members, func(a, b member) int {
				switch {
				case a.sort < b.sort:
					return -1
				case a.sort > b.sort:
					return 1
				}
				return 0
			})
			dst = append(dst, '{')
			for i, m := range members {
				if i > 0 {
					dst = append(dst, ',')
				}
				dst = append(dst, m.key...)
				dst = append(dst, ':')
				dst = canonical(dst, m.val)
			}
			return append(dst, '}')
		case ',':
			s.i++
			s.space()
		}
		key := s.next()
		name, _ := Unquote(key)
		s.space()
		s.i++ // the colon
		s.space()
		members = append(members, member{name, key, s.next()})
	}
}

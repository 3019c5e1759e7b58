package rawjson

import (
	"math"
	"unicode/utf8"
)

// scanner walks over one JSON text. Its methods leave i behind what they read.
type scanner struct {
	b []byte
	i int

	mark int          // place from which stop is asked
	stop func() error // nil: nobody
	err  error        // what stop gave: counts in place of any fault
}

// stride is how many bytes are read between two looks at whether to go on.
const stride = 1 << 20

func newScanner(b []byte, stop func() error) *scanner {
	s := &scanner{b: b, mark: math.MaxInt, stop: stop}
	if stop != nil {
		s.mark = stride
	}
	return s
}

// look asks whether to go on. If not, the text ends here: whatever is expected next is not there.
func (s *scanner) look() {
	s.mark = s.i + stride
	if s.err = s.stop(); s.err != nil {
		s.b = s.b[:s.i]
	}
}

// verdict is err, or why the scan was stopped.
func (s *scanner) verdict(err error) error {
	if s.err != nil {
		return s.err
	}
	return err
}

func (s *scanner) fault(msg string) error {
	if s.i >= len(s.b) {
		return &SyntaxError{len(s.b), "the text ends, " + msg}
	}
	return &SyntaxError{s.i, msg}
}

// peek returns the byte at i, or 0 at the end (a byte no JSON token starts with).
func (s *scanner) peek() byte {
	if s.i < len(s.b) {
		return s.b[s.i]
	}
	return 0
}

func (s *scanner) space() {
	for s.i < len(s.b) {
		if s.i >= s.mark {
			s.look()
			continue
		}
		switch s.b[s.i] {
		case ' ', '\t', '\n', '\r':
			s.i++
		default:
			return
		}
	}
}

func (s *scanner) end() error {
	s.space()
	if s.i < len(s.b) {
		return s.fault("expected the end of the text")
	}
	return nil
}

func (s *scanner) document() error {
	s.space()
	if err := s.value(0); err != nil {
		return err
	}
	return s.end()
}

// value reads one value inside `depth` open arrays and objects. It keeps its
// own stack, one bit a level, so depth costs no goroutine stack.
func (s *scanner) value(depth int) error {
	var object [MaxDepth/64 + 1]uint64 // bit set: the level is an object
	base := depth
	for {
		if s.i >= s.mark {
			s.look()
		}
		// A value starts here.
		switch c := s.peek(); {
		case c == '{' || c == '[':
			if depth >= MaxDepth {
				return s.fault("nested too deeply")
			}
			s.i++
			s.space()
			bit := uint64(1) << (depth % 64)
			if c == '{' {
				object[depth/64] |= bit
			} else {
				object[depth/64] &^= bit
			}
			depth++
			if c == '{' && s.peek() != '}' {
				if err := s.key(); err != nil {
					return err
				}
				continue
			}
			if c == '[' && s.peek() != ']' {
				continue
			}
		case c == '"':
			if err := s.string(); err != nil {
				return err
			}
		case c == '-' || c >= '0' && c <= '9':
			if err := s.number(); err != nil {
				return err
			}
		case c == 't':
			if err := s.word("true"); err != nil {
				return err
			}
		case c == 'f':
			if err := s.word("false"); err != nil {
				return err
			}
		case c == 'n':
			if err := s.word("null"); err != nil {
				return err
			}
		default:
			return s.fault("expected a value")
		}
		// A value, or the opening of an empty array or object, ended: close
		// levels until another value is due.
		for {
			if depth == base {
				return nil
			}
			s.space()
			isObject := object[(depth-1)/64]&(1<<((depth-1)%64)) != 0
			c := s.peek()
			if isObject && c == '}' || !isObject && c == ']' {
				s.i++
				depth--
				continue
			}
			if c != ',' {
				if isObject {
					return s.fault("expected ',' or '}' in an object")
				}
				return s.fault("expected ',' or ']' in an array")
			}
			s.i++
			s.space()
			if isObject {
				if err := s.key(); err != nil {
					return err
				}
			}
			break
		}
	}
}

// key reads a key and its colon.
func (s *scanner) key() error {
	if s.peek() != '"' {
		return s.fault("expected a key in quotes")
	}
	if err := s.string(); err != nil {
		return err
	}
	s.space()
	if s.peek() != ':' {
		return s.fault("expected ':' after a key")
	}
	s.i++
	s.space()
	return nil
}

func (s *scanner) word(w string) error {
	for j := range len(w) {
		if s.i+j >= len(s.b) || s.b[s.i+j] != w[j] {
			return s.fault("expected " + w)
		}
	}
	s.i += len(w)
	return nil
}

// plain marks the bytes that stand for themselves inside a string.
var plain = func() (t [256]bool) {
	for c := 0x20; c < utf8.RuneSelf; c++ {
		t[c] = c != '"' && c != '\\'
	}
	return t
}()

func (s *scanner) string() error {
	if s.peek() != '"' {
		return s.fault("expected a string")
	}
	b, i := s.b, s.i+1
	end := min(len(b), s.mark)
	for i < len(b) {
		if i >= end {
			s.i = i
			s.look()
			b, end = s.b, min(len(s.b), s.mark)
			continue
		}
		c := b[i]
		if plain[c] {
			i++
			continue
		}
		switch {
		case c == '"':
			s.i = i + 1
			return nil
		case c == '\\':
			n := escapeLen(b[i:])
			if n == 0 {
				s.i = i
				return s.fault("bad escape in a string")
			}
			i += n
		case c < 0x20:
			s.i = i
			return s.fault("control character in a string")
		default:
			r, n := utf8.DecodeRune(b[i:])
			if r == utf8.RuneError && n == 1 {
				s.i = i
				return s.fault("invalid UTF-8 in a string")
			}
			i += n
		}
	}
	s.i = len(b)
	return s.fault("expected the closing quote of a string")
}

// escapeLen is the length of the escape sequence at the start of b, 0 if bad.
func escapeLen(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	switch b[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if _, ok := hex4(b[2:]); ok {
			return 6
		}
	}
	return 0
}

func hex4(b []byte) (rune, bool) {
	if len(b) < 4 {
		return 0, false
	}
	var r rune
	for _, c := range b[:4] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

func (s *scanner) digits() bool {
	from := s.i
	for s.i < len(s.b) && s.b[s.i] >= '0' && s.b[s.i] <= '9' {
		if s.i >= s.mark {
			s.look()
			continue
		}
		s.i++
	}
	return s.i > from
}

func (s *scanner) number() error {
	if s.peek() == '-' {
		s.i++
	}
	if s.peek() == '0' {
		s.i++
		if c := s.peek(); c >= '0' && c <= '9' {
			return s.fault("leading zero in a number")
		}
	} else if !s.digits() {
		return s.fault("expected a digit")
	}
	if s.peek() == '.' {
		s.i++
		if !s.digits() {
			return s.fault("expected a digit after the point")
		}
	}
	if c := s.peek(); c == 'e' || c == 'E' {
		s.i++
		if c := s.peek(); c == '+' || c == '-' {
			s.i++
		}
		if !s.digits() {
			return s.fault("expected a digit in the exponent")
		}
	}
	return nil
}

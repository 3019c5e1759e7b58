package main

import (
	"bytes"
	"errors"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

var errJSON = errors.New("input is not the JSON object of the ABI")

// textMember returns the text of a string member of the JSON object b. The text is
// unescaped in place and is a view of b, which is changed: one copy of a large text
// is all there is.
func textMember(b []byte, name string) ([]byte, error) {
	i := space(b, 0)
	if i >= len(b) || b[i] != '{' {
		return nil, errJSON
	}
	for i = space(b, i+1); i < len(b) && b[i] == '"'; i = space(b, i+1) {
		end := stringEnd(b, i)
		if end < 0 {
			return nil, errJSON
		}
		key := b[i+1 : end-1]
		if i = space(b, end); i >= len(b) || b[i] != ':' {
			return nil, errJSON
		}
		i = space(b, i+1)
		end = valueEnd(b, i)
		if end < 0 {
			return nil, errJSON
		}
		if string(key) == name {
			if b[i] != '"' {
				return nil, errors.New("want a text")
			}
			return unescape(b[i+1 : end-1])
		}
		if i = space(b, end); i >= len(b) || b[i] != ',' {
			break
		}
	}
	return nil, errors.New("nothing there, want a patch (run with --input FILE, or - for standard input)")
}

func space(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t') {
		i++
	}
	return i
}

// stringEnd returns the offset after the string that starts at b[i], -1 if none.
func stringEnd(b []byte, i int) int {
	if i >= len(b) || b[i] != '"' {
		return -1
	}
	for i++; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return -1
}

// valueEnd returns the offset after the JSON value that starts at b[i], -1 if it
// has no end. The host has checked the text: this finds ends, not faults.
func valueEnd(b []byte, i int) int {
	start, depth := i, 0
	for i < len(b) {
		switch b[i] {
		case '"':
			if i = stringEnd(b, i); i < 0 {
				return -1
			}
			if depth == 0 {
				return i
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return orNone(start, i)
			}
			if depth--; depth == 0 {
				return i + 1
			}
		case ',':
			if depth == 0 {
				return orNone(start, i)
			}
		}
		i++
	}
	return -1
}

func orNone(start, end int) int {
	if end == start {
		return -1
	}
	return end
}

// unescape replaces the escapes of a JSON string in place.
func unescape(b []byte) ([]byte, error) {
	w := bytes.IndexByte(b, '\\')
	if w < 0 {
		return b, nil
	}
	for r := w; r < len(b); {
		if b[r] != '\\' {
			n := bytes.IndexByte(b[r:], '\\')
			if n < 0 {
				n = len(b) - r
			}
			w += copy(b[w:], b[r:r+n])
			r += n
			continue
		}
		c, n := escape(b[r:])
		if n == 0 {
			return nil, errJSON
		}
		w += utf8.EncodeRune(b[w:w+utf8.RuneLen(c)], c) // never longer than the escape
		r += n
	}
	return b[:w], nil
}

// escape decodes the escape at the start of b and returns its length, 0 if bad.
func escape(b []byte) (rune, int) {
	if len(b) < 2 {
		return 0, 0
	}
	switch c := b[1]; c {
	case '"', '\\', '/':
		return rune(c), 2
	case 'n':
		return '\n', 2
	case 't':
		return '\t', 2
	case 'r':
		return '\r', 2
	case 'b':
		return '\b', 2
	case 'f':
		return '\f', 2
	case 'u':
		r, ok := hex4(b)
		if !ok {
			return 0, 0
		}
		if !utf16.IsSurrogate(r) {
			return r, 6
		}
		if low, ok := hex4(b[6:]); ok {
			if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
				return pair, 12
			}
		}
		return utf8.RuneError, 6
	}
	return 0, 0
}

// hex4 reads \uXXXX at the start of b.
func hex4(b []byte) (rune, bool) {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(b[2:6]), 16, 32)
	return rune(n), err == nil
}

package eventpb

import (
	"math"
	"unicode/utf8"
)

// maxDepth is how many messages, map entries and groups may stand in one another.
const maxDepth = 100

// Wire types of protobuf.
const (
	wireVarint = iota
	wireFixed64
	wireLength
	wireGroup
	wireGroupEnd
	wireFixed32
)

// check says what is wrong with a payload, nil if nothing is.
func check(payload []byte) error {
	c := checker{b: payload}
	if !c.message(len(payload), root(), maxDepth) {
		return c.fault
	}
	return nil
}

// checker walks over a payload. Its methods return false after they noted a fault.
type checker struct {
	b     []byte
	at    int
	fault *PayloadError
}

func (c *checker) fail(s *shape, number uint64, at int, text string) bool {
	c.fault = &PayloadError{Message: s.name, Field: int(number), Offset: at, Text: text}
	return false
}

// varint reads one; ok is false if it ends after end or has more than 64 bits.
func (c *checker) varint(end int) (v uint64, ok bool) {
	if c.at < end && c.b[c.at] < 0x80 {
		c.at++
		return uint64(c.b[c.at-1]), true
	}
	for shift := uint(0); shift < 64 && c.at < end; shift += 7 {
		b := c.b[c.at]
		c.at++
		if shift == 63 && b > 1 {
			return 0, false
		}
		v |= uint64(b&0x7f) << shift
		if b < 0x80 {
			return v, true
		}
	}
	return 0, false
}

// tag reads the number and wire type of a field.
func (c *checker) tag(s *shape, end int) (number uint64, wire int, ok bool) {
	at := c.at
	if key := c.b[at]; key >= 1<<3 && key < 0x80 { // most have one byte
		c.at++
		return uint64(key >> 3), int(key & 7), true
	}
	key, ok := c.varint(end)
	switch {
	case !ok:
		return 0, 0, c.fail(s, 0, at, "tag is cut off, or longer than 64 bits")
	case key > math.MaxUint32:
		return 0, 0, c.fail(s, 0, at, "tag has more than 32 bits")
	case key>>3 == 0:
		return 0, 0, c.fail(s, 0, at, "field number 0")
	}
	return key >> 3, int(key & 7), true
}

// message checks the fields up to end. depth is how many levels may still be entered.
func (c *checker) message(end int, s *shape, depth int) bool {
	for c.at < end {
		number, wire, ok := c.tag(s, end)
		if !ok {
			return false
		}
		f := s.field(number)
		switch {
		case f.form == formUnknown:
			ok = c.skip(end, s, number, wire, depth)
		case wire == wireLength:
			ok = c.length(end, s, number, f, depth)
		default:
			ok = c.scalar(end, s, number, f.form, wire)
		}
		if !ok {
			return false
		}
	}
	return true
}

// scalar checks a field that is not length-delimited.
func (c *checker) scalar(end int, s *shape, number uint64, f form, wire int) bool {
	at := c.at
	switch {
	case f == formVarint && wire == wireVarint:
		if _, ok := c.varint(end); !ok {
			return c.fail(s, number, at, "varint is cut off, or longer than 64 bits")
		}
		return true
	case f == formFixed32 && wire == wireFixed32:
		return c.fixed(end, s, number, 4)
	case f == formFixed64 && wire == wireFixed64:
		return c.fixed(end, s, number, 8)
	}
	return c.fail(s, number, at, "wrong wire type")
}

func (c *checker) fixed(end int, s *shape, number uint64, n int) bool {
	if end-c.at < n {
		return c.fail(s, number, c.at, "value is cut off")
	}
	c.at += n
	return true
}

// extent reads a length and returns where what it measures ends.
func (c *checker) extent(end int, s *shape, number uint64) (int, bool) {
	at := c.at
	if at < end && c.b[at] < 0x80 && int(c.b[at]) < end-at { // most have one byte
		c.at++
		return at + 1 + int(c.b[at]), true
	}
	n, ok := c.varint(end)
	if !ok || n > uint64(end-c.at) {
		return 0, c.fail(s, number, at, "length goes past the end of what holds it")
	}
	return c.at + int(n), true
}

// length checks a length-delimited field.
func (c *checker) length(end int, s *shape, number uint64, f *field, depth int) bool {
	at := c.at
	stop, ok := c.extent(end, s, number)
	if !ok {
		return false
	}
	switch f.form {
	case formBytes:
	case formText:
		if !utf8.Valid(c.b[c.at:stop]) {
			return c.fail(s, number, at, "text is not UTF-8")
		}
	case formMessage:
		if depth == 0 {
			return c.fail(s, number, at, "nested too deeply")
		}
		return c.message(stop, f.message, depth-1)
	default:
		if !f.repeated {
			return c.fail(s, number, at, "wrong wire type")
		}
		return c.packed(stop, s, number, f.form)
	}
	c.at = stop
	return true
}

func (c *checker) packed(stop int, s *shape, number uint64, f form) bool {
	wire := map[form]int{formVarint: wireVarint, formFixed32: wireFixed32, formFixed64: wireFixed64}[f]
	for c.at < stop {
		if !c.scalar(stop, s, number, f, wire) {
			return false
		}
	}
	return true
}

// skip checks a field that the schema does not have.
func (c *checker) skip(end int, s *shape, number uint64, wire, depth int) bool {
	if depth == 0 {
		return c.fail(s, number, c.at, "nested too deeply")
	}
	switch wire {
	case wireVarint:
		return c.scalar(end, s, number, formVarint, wire)
	case wireFixed32:
		return c.fixed(end, s, number, 4)
	case wireFixed64:
		return c.fixed(end, s, number, 8)
	case wireLength:
		stop, ok := c.extent(end, s, number)
		c.at = max(c.at, stop)
		return ok
	case wireGroup:
		return c.group(end, s, number, depth)
	case wireGroupEnd:
		return c.fail(s, number, c.at, "group ends that did not begin")
	}
	return c.fail(s, number, c.at, "unknown wire type")
}

// group skips an unknown group. Nothing inside has a meaning, so any number is unknown there.
func (c *checker) group(end int, s *shape, number uint64, depth int) bool {
	at := c.at
	for c.at < end {
		inner, wire, ok := c.tag(s, end)
		if !ok {
			return false
		}
		if wire == wireGroupEnd {
			return inner == number || c.fail(s, number, c.at, "group ends as another one")
		}
		if !c.skip(end, s, inner, wire, depth-1) {
			return false
		}
	}
	return c.fail(s, number, at, "group does not end")
}

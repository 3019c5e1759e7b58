package wasmbin

import (
	"fmt"
	"unicode/utf8"
)

// reader reads the primitives of the binary format. The first fault sticks: from then on every method returns
// zero and nothing is left to read, so callers check at the end of a loop's turn and not after each number.
type reader struct {
	b       []byte // the input up to the end of what may be read now
	pos     int
	section string
	fn      int // index of the function whose body is read, -1 outside
	err     *Error
	// used collects the features met, refused has those that may not be.
	used, refused Feature
	// loose: a number was met that is longer than it need be. The format allows it; encoding again shortens it.
	loose bool
}

// fail keeps the first fault and ends the reading.
func (r *reader) fail(at int, kind error, hint, format string, args ...any) {
	if r.err == nil {
		text := fmt.Sprintf(format, args...)
		if r.fn >= 0 {
			text = fmt.Sprintf("function %d: %s", r.fn, text)
		}
		r.err = &Error{Offset: at, Section: r.section, Text: text, Hint: hint, Err: kind}
	}
	r.pos = len(r.b)
}

func (r *reader) malformed(at int, format string, args ...any) {
	r.fail(at, ErrMalformed, "", format, args...)
}

func (r *reader) invalid(at int, format string, args ...any) {
	r.fail(at, ErrInvalid, "", format, args...)
}

// use notes that what, described by format and args, needs the features f, and refuses those that are not taken.
func (r *reader) use(at int, f Feature, format string, args ...any) {
	r.used |= f
	if bad := f & r.refused; bad != 0 {
		bad &= -bad
		r.fail(at, &FeatureError{Feature: bad}, bad.hint(), "%s needs the feature %s", fmt.Sprintf(format, args...), bad)
	}
}

// within reports whether got is at most max.
func (r *reader) within(at int, bound string, got uint64, max uint32) bool {
	if got <= uint64(max) {
		return true
	}
	e := &BoundError{Bound: bound, Max: int64(max), Got: int64(got)}
	r.fail(at, e, "if the module can be trusted with it, raise the bound "+bound, "%s", e)
	return false
}

func (r *reader) left() int { return len(r.b) - r.pos }

func (r *reader) short(at int, what string) {
	r.fail(at, ErrMalformed, "the file may be cut off: compare its size with the original", "%s: unexpected end", what)
}

func (r *reader) byte() byte {
	if r.pos >= len(r.b) {
		r.short(r.pos, "byte")
		return 0
	}
	c := r.b[r.pos]
	r.pos++
	return c
}

// bytes returns a view of the next n bytes.
func (r *reader) bytes(n int) []byte {
	if n > r.left() {
		r.short(r.pos, fmt.Sprintf("%d bytes wanted, %d left", n, r.left()))
		return nil
	}
	b := r.b[r.pos : r.pos+n : r.pos+n]
	r.pos += n
	return b
}

func (r *reader) u32() uint32 {
	if r.pos < len(r.b) && r.b[r.pos] < 0x80 {
		r.pos++
		return uint32(r.b[r.pos-1])
	}
	return r.longU32()
}

func (r *reader) longU32() uint32 {
	at := r.pos
	var v uint32
	for i := 0; i < 5; i++ {
		c := r.byte()
		if r.err != nil {
			return 0
		}
		if i == 4 && c > 0x0f {
			break
		}
		v |= uint32(c&0x7f) << (7 * i)
		if c < 0x80 {
			r.loose = r.loose || i > 0 && c == 0
			return v
		}
	}
	r.malformed(at, "number does not fit in 32 bits, or its encoding is too long")
	return 0
}

// signed reads a signed number of the given width: 32, 33 or 64 bits.
func (r *reader) signed(bits int) int64 {
	if r.pos < len(r.b) && r.b[r.pos] < 0x80 {
		r.pos++
		return int64(int8(r.b[r.pos-1]<<1) >> 1)
	}
	return r.longSigned(bits)
}

func (r *reader) longSigned(bits int) int64 {
	at := r.pos
	var v int64
	var prev byte
	for shift := 0; shift < bits; shift += 7 {
		c := r.byte()
		if r.err != nil {
			return 0
		}
		v |= int64(c&0x7f) << shift
		if c < 0x80 {
			if rest := bits - shift; rest < 7 {
				// Every bit from the sign on must repeat the sign.
				if high := int8(c<<1) >> rest; high != 0 && high != -1 {
					break
				}
			}
			if shift+7 < 64 {
				v = v << (64 - shift - 7) >> (64 - shift - 7)
			}
			sign := prev&0x40 != 0
			r.loose = r.loose || shift > 0 && (c == 0 && !sign || c == 0x7f && sign)
			return v
		}
		prev = c
	}
	r.malformed(at, "number does not fit in %d bits, or its encoding is too long", bits)
	return 0
}

// count reads the length of a vector whose elements take at least size bytes each, and compares it with the
// bytes that are left and with the bound.
func (r *reader) count(what string, size int, bound string, max uint32) int {
	at := r.pos
	n := r.u32()
	if r.err != nil || !r.within(at, bound, uint64(n), max) {
		return 0
	}
	if int64(n)*int64(size) > int64(r.left()) {
		r.short(at, fmt.Sprintf("%d %s do not fit in the %d bytes that are left", n, what, r.left()))
		return 0
	}
	return int(n)
}

// name reads a length and that many bytes of UTF-8; the result is a view.
func (r *reader) name(what string, max uint32) []byte {
	at := r.pos
	n := r.u32()
	if r.err != nil {
		return nil
	}
	if int64(n) > int64(r.left()) {
		r.short(at, fmt.Sprintf("%s of %d bytes, %d are left", what, n, r.left()))
		return nil
	}
	if !r.within(at, "name_length", uint64(n), max) {
		return nil
	}
	b := r.bytes(int(n))
	if !utf8.Valid(b) {
		r.malformed(at, "%s is not UTF-8", what)
		return nil
	}
	return b
}

// valueType reads a value type.
func (r *reader) valueType() ValueType {
	at := r.pos
	c := r.byte()
	if r.err == nil {
		if f, ok := typeFeature(c); !ok {
			r.malformed(at, "%#02x is not a value type", c)
		} else if f != 0 {
			r.use(at, f, "value type %#02x", c)
		}
	}
	return ValueType(c)
}

// accepted is the set of features that can be taken; all others are refused whatever the options say.
const accepted = SignExtension | SaturatingFloat | MultiValue | MutableGlobals | BulkMemory | ReferenceTypes | SIMD |
	ExtendedConst | Exceptions

// typeFeature returns the feature that a type byte needs; false if no known type has it.
func typeFeature(c byte) (Feature, bool) {
	switch {
	case c >= byte(F64) && c <= byte(I32):
		return 0, true
	case c == byte(V128):
		return SIMD, true
	case c == byte(FuncRef), c == byte(ExternRef):
		return ReferenceTypes, true
	case c == byte(ExnRef):
		return Exceptions, true
	case c == 0x63, c == 0x64:
		return FunctionReferences, true
	case c >= 0x6a && c <= 0x6e, c >= 0x71 && c <= 0x73, c == 0x78, c == 0x77:
		return GC, true
	case c == 0x74:
		return GC | Exceptions, true
	case c == 0x68, c == 0x75:
		return StackSwitching, true
	}
	return 0, false
}

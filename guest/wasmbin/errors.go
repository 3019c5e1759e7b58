package wasmbin

import (
	"errors"
	"fmt"
)

// The identity of a refusal, for errors.Is. A refused module matches one of them, or carries a *FeatureError or a
// *BoundError (errors.As).
var (
	// ErrMalformed: the bytes do not follow the binary format: truncated, over-long number, unknown byte,
	// sections out of order, text in place of a binary.
	ErrMalformed = errors.New("malformed module")
	// ErrInvalid: the bytes are well formed and break a rule of validation: an index that names nothing,
	// a constant expression of the wrong type, two exports of one name.
	ErrInvalid = errors.New("invalid module")
)

// Error is what Decode returns for every module that it refuses. It says where, what and, if something can be
// done about it, what to do.
type Error struct {
	// Offset is the byte in the input where the fault was seen.
	Offset int
	// Section is the name of the section it is in: "header", "type", "import", ..., "code", "data", "custom".
	Section string
	// Text is the fault, without place.
	Text string
	// Hint says what to do, or is empty.
	Hint string
	// Err is ErrMalformed, ErrInvalid, a *FeatureError or a *BoundError.
	Err error
}

func (e *Error) Error() string {
	s := fmt.Sprintf("wasm: %s section, offset %#x: %s", e.Section, e.Offset, e.Text)
	if e.Section == secHeader {
		s = fmt.Sprintf("wasm: offset %#x: %s", e.Offset, e.Text)
	}
	if e.Hint != "" {
		s += " (" + e.Hint + ")"
	}
	return s
}

// Unwrap returns e.Err.
func (e *Error) Unwrap() error { return e.Err }

// FeatureError is the cause of an Error when the module needs a feature that is refused.
type FeatureError struct {
	// Feature is the one feature that was met first.
	Feature Feature
}

func (e *FeatureError) Error() string { return "feature " + e.Feature.String() + " is not supported" }

// BoundError is the cause of an Error when the module is over one of the Bounds.
type BoundError struct {
	// Bound is the name of the bound: the name of the field of Bounds in lower case with underscores.
	Bound string
	// Max is the value of the bound, Got what the module has or claims to have.
	Max, Got int64
}

func (e *BoundError) Error() string {
	return fmt.Sprintf("%s is limited to %d, the module has %d", e.Bound, e.Max, e.Got)
}

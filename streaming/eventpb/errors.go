package eventpb

import (
	"errors"
	"fmt"
)

// Why a frame was refused. Every error of Codec that decodes is one of these.
var (
	// ErrTooLarge: the payload is larger than the codec's limit. Always a *TooLargeError.
	ErrTooLarge = errors.New("payload is too large")
	// ErrUnknownCompression: the first byte is neither 00 nor 01.
	ErrUnknownCompression = errors.New("unknown compression")
	// ErrBadFrame: no byte at all, or bytes after 01 that are not whole zstd frames. Also a dictionary, a wrong checksum or size.
	ErrBadFrame = errors.New("bad frame")
	// ErrBadPayload: the payload is not a DashStreamMessage. Always a *PayloadError.
	ErrBadPayload = errors.New("bad payload")
)

// TooLargeError says which limit a payload breaks. It is ErrTooLarge.
type TooLargeError struct {
	Max int   // bytes
	Got int64 // bytes; 0: more than Max, decompression stopped there
}

func (e *TooLargeError) Error() string {
	if e.Got == 0 {
		return fmt.Sprintf("payload has more than %d bytes after decompression", e.Max)
	}
	return fmt.Sprintf("payload has %d bytes, the limit is %d", e.Got, e.Max)
}

// Is makes errors.Is(err, ErrTooLarge) true.
func (e *TooLargeError) Is(target error) bool { return target == ErrTooLarge }

// PayloadError says what is wrong in a payload, and where. It is ErrBadPayload.
type PayloadError struct {
	Message string // of the schema: "Event", "Header"
	Field   int    // its number, 0 if there is none to name
	Offset  int    // in the payload, of what is wrong
	Text    string
}

func (e *PayloadError) Error() string {
	if e.Field == 0 {
		return fmt.Sprintf("payload at byte %d: %s: %s", e.Offset, e.Message, e.Text)
	}
	return fmt.Sprintf("payload at byte %d: %s, field %d: %s", e.Offset, e.Message, e.Field, e.Text)
}

// Is makes errors.Is(err, ErrBadPayload) true.
func (e *PayloadError) Is(target error) bool { return target == ErrBadPayload }

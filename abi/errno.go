package abi

import (
	"errors"
	"fmt"
	"strconv"
)

// Errno is a kind of failure of a host function. A guest sees it negated. Number 9 is not used.
type Errno int32

const (
	Invalid     Errno = 1  // malformed argument
	NotFound    Errno = 2  // no such key, handle or checkpoint
	Denied      Errno = 3  // not granted by the manifest, or not in this phase
	Conflict    Errno = 4  // version or epoch mismatch
	TooLarge    Errno = 5  // over a declared limit, which the text names
	Limited     Errno = 6  // quota or rate, also when the limiter cannot be asked
	Unavailable Errno = 7  // backend down, may be tried again
	Timeout     Errno = 8  // a timeout the guest asked for
	Full        Errno = 10 // bounded queue is full
	Corrupt     Errno = 11 // stored data failed its checksum
	Unsupported Errno = 12 // in the table, but this host has no backend for it
	Internal    Errno = 13 // fault of the host; unknown numbers are treated as this one
	Pending     Errno = 14 // no answer yet
)

// Errnos gives all known numbers in ascending order.
func Errnos() []Errno {
	return []Errno{
		Invalid, NotFound, Denied, Conflict, TooLarge, Limited, Unavailable,
		Timeout, Full, Corrupt, Unsupported, Internal, Pending,
	}
}

// String gives the name used in the spec, "errno N" for a number outside the table.
func (e Errno) String() string {
	switch e {
	case Invalid:
		return "invalid"
	case NotFound:
		return "not_found"
	case Denied:
		return "denied"
	case Conflict:
		return "conflict"
	case TooLarge:
		return "too_large"
	case Limited:
		return "limited"
	case Unavailable:
		return "unavailable"
	case Timeout:
		return "timeout"
	case Full:
		return "full"
	case Corrupt:
		return "corrupt"
	case Unsupported:
		return "unsupported"
	case Internal:
		return "internal"
	case Pending:
		return "pending"
	}
	return "errno " + itoa(int64(e))
}

// Error is the failure of one host function: its number for programs, its text for people.
type Error struct {
	Errno Errno
	Text  string // subject: cause; what last_error gives
}

// Errorf makes an Error from a format as in package fmt. A %w keeps only its text.
func Errorf(e Errno, format string, a ...any) *Error {
	return &Error{Errno: e, Text: fmt.Errorf(format, a...).Error()}
}

// Error gives "name: text", or the name alone when there is no text.
func (e *Error) Error() string {
	if e.Text == "" {
		return e.Errno.String()
	}
	return e.Errno.String() + ": " + e.Text
}

// Is reports whether target is an *Error with the same number, whatever its text.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Errno == e.Errno
}

// ErrnoOf gives the number of the first *Error in err's tree, Internal for a foreign error and 0 for nil.
func ErrnoOf(err error) Errno {
	if err == nil {
		return 0
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Errno
	}
	return Internal
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

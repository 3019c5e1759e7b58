package dash

import "strconv"

// Errno is the reason why a host function refused, as the ABI numbers it. It is
// an error itself, so errors.Is(err, dash.Denied) works on what a Call returns.
type Errno int32

// The error numbers of dash_v1. A number that is not listed means HostError.
const (
	Invalid     Errno = 1  // malformed argument
	NotFound    Errno = 2  // no such key, handle or checkpoint
	Denied      Errno = 3  // the manifest does not grant it, or not in this phase
	Conflict    Errno = 4  // version or epoch mismatch
	TooLarge    Errno = 5  // over a declared limit; the text names the limit
	Limited     Errno = 6  // quota or rate, also when the limiter is not reachable
	Unavailable Errno = 7  // backend down; a retry may help
	Timeout     Errno = 8  // a timeout the guest asked for
	Full        Errno = 10 // bounded queue full
	Corrupt     Errno = 11 // stored data failed its checksum
	Unsupported Errno = 12 // known function, no backend on this host
	HostError   Errno = 13 // the ABI's "internal": a bug of the host
	Pending     Errno = 14 // no answer yet
)

// Name returns the ABI's name of the number, for example "too_large".
func (e Errno) Name() string {
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
	case Pending:
		return "pending"
	default:
		return "internal"
	}
}

// Error returns the name; the number too when the ABI does not list it.
func (e Errno) Error() string {
	if name := e.Name(); name != "internal" || e == HostError {
		return name
	}
	return "internal (errno " + strconv.Itoa(int(e)) + ")"
}

// Error is a refused host call. errors.Is compares it with an Errno.
type Error struct {
	Func  string // function of dash_v1, for example "route_to"
	Errno Errno
	Text  string // the host's explanation; may be empty
}

// Error returns "route_to: denied: the graph has no edge ...".
func (e *Error) Error() string {
	s := e.Func + ": " + e.Errno.Error()
	if e.Text != "" {
		s += ": " + e.Text
	}
	return s
}

// Unwrap returns the number, so errors.Is(err, dash.Denied) holds.
func (e *Error) Unwrap() error { return e.Errno }

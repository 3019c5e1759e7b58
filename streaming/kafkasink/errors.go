package kafkasink

import "errors"

// Errors of this package. Each is wrapped with what it is about.
var (
	// ErrOptions: a field of a Target, of options or of a URL has a value that cannot be meant. It lists all of them.
	ErrOptions = errors.New("bad options")
	// ErrTopic: the topic is not there. It is never made by a client.
	ErrTopic = errors.New("no such topic")
	// ErrDenied: the broker refuses the identity, or what it asks for.
	ErrDenied = errors.New("access denied")
	// ErrConnect: what answers is no broker, or not with these settings: TLS on one side only, a certificate that nobody known has
	// signed, a host name that is not there.
	ErrConnect = errors.New("cannot connect")
	// ErrUnreachable: no broker answers.
	ErrUnreachable = errors.New("no broker answers")
	// ErrTimeout: a record did not reach the broker within Options.Timeout.
	ErrTimeout = errors.New("timed out")
	// ErrRecord: a record of the topic cannot be read. Always a *RecordError.
	ErrRecord = errors.New("record cannot be read")
)

// URLError says which part of a URL is wrong. It is ErrOptions, and shows no secret.
type URLError struct {
	Part string // "host", "topic", the name of a parameter
	Text string
}

func (e *URLError) Error() string { return "kafka URL: " + e.Part + ": " + e.Text }

// Is makes errors.Is(err, ErrOptions) true.
func (e *URLError) Is(target error) bool { return target == ErrOptions }

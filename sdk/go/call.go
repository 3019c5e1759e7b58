package dash

import (
	"encoding/json"
	"fmt"
	"time"
)

// Level is the severity of a log line.
type Level int32

// The log levels of the ABI.
const (
	Trace Level = 0
	Debug Level = 1
	Info  Level = 2
	Warn  Level = 3
	Fault Level = 4 // the ABI's "error"
)

// Call is one running task: what the node may ask the host for. It is valid until
// the node function returns and must not be used from several goroutines.
type Call struct {
	host    Host
	pending bool // a question waits for its answer
}

// NewCall returns a Call that asks h. Nodes get theirs from the SDK; tests may
// want one to call a node function directly.
func NewCall(h Host) *Call { return &Call{host: h} }

// Meta says which task this is.
type Meta struct {
	Workflow    string `json:"workflow"`
	Thread      string `json:"thread"`
	Run         string `json:"run"`
	Node        string `json:"node"`
	Task        string `json:"task"`        // hex; the same in every attempt
	Attempt     int    `json:"attempt"`     // from 1
	Superstep   int64  `json:"superstep"`   //
	DeadlineUS  int64  `json:"deadline_us"` // microseconds since 1970
	Traceparent string `json:"traceparent"` // W3C trace context; may be empty
}

// Meta reads the task's description. Errors: *Error, or a JSON error when the
// host's text is not what the ABI says.
func (c *Call) Meta() (Meta, error) {
	var m Meta
	b, err := c.value("meta_read", c.host.MetaRead, 512)
	if err != nil {
		return m, err
	}
	if err := json.Unmarshal(b, &m); err != nil {
		return m, fmt.Errorf("meta_read: %w", err)
	}
	return m, nil
}

// Log writes one line to the task's log. It never fails: what is over the limit
// of the host is cut or dropped there, and counted.
func (c *Call) Log(level Level, msg string) { c.host.Log(level, []byte(msg)) }

// Logf is Log with a format. Arguments are not formatted when nobody listens.
func (c *Call) Logf(level Level, format string, args ...any) {
	if c.LogEnabled(level) {
		c.Log(level, fmt.Sprintf(format, args...))
	}
}

// LogEnabled reports whether lines of this level are kept.
func (c *Call) LogEnabled(level Level) bool { return c.host.LogEnabled(level) > 0 }

// Now returns the host's time: real with the grant clock, else a virtual time
// that starts at the step's and moves on by a microsecond with each reading.
func (c *Call) Now() time.Time { return time.UnixMicro(c.host.ClockNow()).UTC() }

// Random fills b with random bytes. Without the grant random it returns Denied.
func (c *Call) Random(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	return c.check("random", c.host.Random(b))
}

// RouteTo names the node that runs next; several calls name several. The graph
// must have an edge that allows it, else Denied or NotFound.
func (c *Call) RouteTo(node string) error {
	return c.check("route_to", c.host.RouteTo([]byte(node)))
}

// RouteSend makes a task of node with an input of its own, which that task finds
// in the member "item". input is encoded as JSON; json.RawMessage goes unchanged.
func (c *Call) RouteSend(node string, input any) error {
	b, err := json.Marshal(input)
	if err != nil {
		return fmt.Errorf("route_send: input for %s: %w", node, err)
	}
	return c.check("route_send", c.host.RouteSend([]byte(node), b))
}

// check turns a negative result into an *Error with the host's explanation.
func (c *Call) check(name string, result int32) error {
	if result >= 0 {
		return nil
	}
	text := make([]byte, 256)
	n := c.host.LastError(text)
	if int(n) > len(text) {
		text = make([]byte, n)
		n = c.host.LastError(text)
	}
	if n < 0 || int(n) > len(text) {
		n = 0
	}
	return &Error{Func: name, Errno: Errno(-result), Text: string(text[:n])}
}

// value reads a VALUE result: the host writes only what fits and always returns
// the full length, so a buffer of the right size needs one call.
func (c *Call) value(name string, read func([]byte) int32, size int) ([]byte, error) {
	buf := make([]byte, size)
	for {
		n := read(buf)
		if n < 0 {
			return nil, c.check(name, n)
		}
		if int(n) <= len(buf) {
			return buf[:n], nil
		}
		buf = make([]byte, n)
	}
}

// Package dashtest runs a node natively, against a host in memory, so that nodes
// are tested with go test and no wasm:
//
//	res := dashtest.Run(node, `{"name":"ada"}`, nil)
//	if res.Output != `{"greeting":"hello ada"}` { ... }
//
// The host here answers what a node may see (input, config, meta, a clock, a
// random stream) and keeps what it did (output, failure, routes, log). It checks
// no grants and no limits, except those that Options names: those are the real
// host's.
package dashtest

import (
	"encoding/json"
	"time"

	dash "github.com/dashhost/dashhost/sdk/go"
)

// Options of Run. The zero value is a task without configuration.
type Options struct {
	// Config is the node's config in the manifest, as JSON. Empty means none.
	Config string
	// Meta is what meta_read returns. The zero value is an object of zero members.
	Meta dash.Meta
	// Now is the time the clock starts at; it moves on by a microsecond with each
	// reading. Default 2026-01-01 00:00:00 UTC.
	Now time.Time
	// Seed varies the random stream. Default 0.
	Seed uint64
	// LogLevel is the lowest level that is kept. Default Trace: all.
	LogLevel dash.Level
	// Answers are those to the node's questions, in order, as JSON. A question beyond
	// them has no answer yet: the task is interrupted.
	Answers []string
	// Refuse makes host functions, by their ABI name, return an error, for example
	// {"random": dash.Denied}.
	Refuse map[string]dash.Errno
}

// Result is what a node did.
type Result struct {
	Status  int32    // of dash_run, or of dash_start if that failed: 0 done, 1 failed, 2 interrupted
	Started bool     // dash_start succeeded
	Output  string   // JSON; empty when nothing was written
	Failure *Failure // nil when the node did not fail
	Routes  []string // targets of route_to, in order
	Sends   []Send   // tasks made by route_send, in order
	Asked   []string // questions, as JSON, in order
	Log     []Line
}

// Failure is what the node gave to the host function fail.
type Failure struct {
	Code       string          `json:"code"`
	Message    string          `json:"message"`
	Details    json.RawMessage `json:"details"`
	KeepOutput bool            `json:"keep_output"`
	RetryUS    int64           `json:"-"` // -1 final, 0 by policy, else microseconds
}

// Send is one task made by route_send.
type Send struct{ Node, Input string }

// Line is one line of the log.
type Line struct {
	Level dash.Level
	Text  string
}

// Run starts the node and runs one task with input, the JSON object of the
// channels it reads. nil Options are the defaults.
func Run(n *dash.Node, input string, o *Options) Result {
	h := NewHost(input, o)
	h.Result.Status = n.Start(h, len(h.options.Config))
	if h.Result.Status == 0 {
		h.Result.Started = true
		h.Result.Status = n.Run(h, len(input))
	}
	return h.Result
}

// Host implements dash.Host in memory. It is used by one task at a time.
type Host struct {
	Result Result // grows while the node runs

	options Options
	input   string
	now     int64
	random  uint64
	answer  string // to the last question; empty before the first
	err     string
}

// NewHost returns a host for one task. nil Options are the defaults.
func NewHost(input string, o *Options) *Host {
	h := &Host{input: input}
	if o != nil {
		h.options = *o
	}
	now := h.options.Now
	if now.IsZero() {
		now = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	h.now, h.random = now.UnixMicro(), h.options.Seed
	return h
}

// refused returns the negative errno that Options asks for, else 0.
func (h *Host) refused(fn string) int32 {
	errno, ok := h.options.Refuse[fn]
	if !ok {
		return 0
	}
	h.err = fn + ": refused by the test"
	return -int32(errno)
}

func (h *Host) invalid(text string) int32 {
	h.err = text
	return -int32(dash.Invalid)
}

// value answers a VALUE function: all or nothing, always the full length.
func (h *Host) value(fn string, buf []byte, v string) int32 {
	if n := h.refused(fn); n != 0 {
		return n
	}
	if len(v) <= len(buf) {
		copy(buf, v)
	}
	return int32(len(v))
}

// InputRead implements dash.Host.
func (h *Host) InputRead(buf []byte) int32 { return h.value("input_read", buf, h.input) }

// ConfigRead implements dash.Host.
func (h *Host) ConfigRead(buf []byte) int32 {
	return h.value("config_read", buf, h.options.Config)
}

// MetaRead implements dash.Host.
func (h *Host) MetaRead(buf []byte) int32 {
	b, err := json.Marshal(h.options.Meta)
	if err != nil {
		return h.invalid(err.Error())
	}
	return h.value("meta_read", buf, string(b))
}

// LastError implements dash.Host.
func (h *Host) LastError(buf []byte) int32 { return h.value("last_error", buf, h.err) }

// OutputWrite implements dash.Host: only a JSON object is taken, as by the host.
func (h *Host) OutputWrite(b []byte) int32 {
	if n := h.refused("output_write"); n != 0 {
		return n
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(b, &members); err != nil || members == nil {
		return h.invalid("output_write: want a JSON object")
	}
	h.Result.Output = string(b)
	return 0
}

// Fail implements dash.Host. Text that is not a JSON object is the message.
func (h *Host) Fail(b []byte, retryUS int64) int32 {
	if n := h.refused("fail"); n != 0 {
		return n
	}
	f := &Failure{RetryUS: retryUS}
	if json.Unmarshal(b, f) != nil {
		f.Code, f.Message = "failed", string(b)
	}
	h.Result.Failure = f
	return 0
}

// RouteTo implements dash.Host.
func (h *Host) RouteTo(node []byte) int32 {
	if n := h.refused("route_to"); n != 0 {
		return n
	}
	h.Result.Routes = append(h.Result.Routes, string(node))
	return 0
}

// RouteSend implements dash.Host.
func (h *Host) RouteSend(node, input []byte) int32 {
	if n := h.refused("route_send"); n != 0 {
		return n
	}
	if !json.Valid(input) {
		return h.invalid("route_send: input is not JSON")
	}
	h.Result.Sends = append(h.Result.Sends, Send{string(node), string(input)})
	return 0
}

// Interrupt implements dash.Host: the nth question has the nth answer.
func (h *Host) Interrupt(question []byte) int32 {
	if n := h.refused("interrupt"); n != 0 {
		return n
	}
	if !json.Valid(question) {
		return h.invalid("interrupt: question is not JSON")
	}
	n := len(h.Result.Asked)
	h.Result.Asked = append(h.Result.Asked, string(question))
	if n >= len(h.options.Answers) {
		h.err = "interrupt: no answer yet"
		return -int32(dash.Pending)
	}
	h.answer = h.options.Answers[n]
	return int32(len(h.answer))
}

// AnswerRead implements dash.Host.
func (h *Host) AnswerRead(buf []byte) int32 {
	if h.answer == "" {
		h.err = "answer_read: no question was answered"
		return -int32(dash.NotFound)
	}
	return h.value("answer_read", buf, h.answer)
}

// Log implements dash.Host.
func (h *Host) Log(level dash.Level, msg []byte) {
	if h.LogEnabled(level) > 0 {
		h.Result.Log = append(h.Result.Log, Line{level, string(msg)})
	}
}

// LogEnabled implements dash.Host.
func (h *Host) LogEnabled(level dash.Level) int32 {
	if level >= h.options.LogLevel {
		return 1
	}
	return 0
}

// ClockNow implements dash.Host.
func (h *Host) ClockNow() int64 {
	h.now++
	return h.now
}

// Random implements dash.Host with a stream made from the seed (splitmix64).
func (h *Host) Random(buf []byte) int32 {
	if n := h.refused("random"); n != 0 {
		return n
	}
	for i := range buf {
		h.random += 0x9e3779b97f4a7c15
		z := h.random
		z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
		z = (z ^ z>>27) * 0x94d049bb133111eb
		buf[i] = byte(z ^ z>>31)
	}
	return 0
}

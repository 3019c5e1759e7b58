package streaming

import (
	"errors"
	"fmt"
)

// Errors of this package. Each is wrapped with what it is about.
var (
	// ErrFull: the queue is full, and stayed so as long as the stream's policy waits. Always a *FullError.
	ErrFull = errors.New("queue is full")
	// ErrClosed: the publisher is closed or being closed.
	ErrClosed = errors.New("publisher is closed")
	// ErrEvent: the event cannot be sent. Always an *EventError.
	ErrEvent = errors.New("bad event")
	// ErrTooLarge: the event is larger than a limit. Always a *LimitError.
	ErrTooLarge = errors.New("event is too large")
	// ErrStreams: a stream cannot be made: its name is taken, or there are too many.
	ErrStreams = errors.New("no stream")
	// ErrOptions: a field of options has a value that cannot be meant. It lists all of them.
	ErrOptions = errors.New("bad options")
	// ErrLost: Close ended before everything was delivered. Always a *LossError.
	ErrLost = errors.New("events lost")
)

// FullError says what was full. It is ErrFull, and also the context's error if that ended a wait.
type FullError struct {
	Stream   string
	Overflow Overflow
	Events   int // waiting
	Bytes    int64
	Err      error // of the context, nil if the wait was not cut short
}

func (e *FullError) Error() string {
	text := fmt.Sprintf("stream %s: queue is full with %d events of %d bytes (overflow: %s)", e.Stream, e.Events, e.Bytes, e.Overflow)
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Is makes errors.Is(err, ErrFull) true.
func (e *FullError) Is(target error) bool { return target == ErrFull }

// Unwrap returns the context's error.
func (e *FullError) Unwrap() error { return e.Err }

// EventError names the field of an event that is wrong. It is ErrEvent.
type EventError struct {
	Field string
	Text  string
}

func (e *EventError) Error() string { return "event: " + e.Field + ": " + e.Text }

// Is makes errors.Is(err, ErrEvent) true.
func (e *EventError) Is(target error) bool { return target == ErrEvent }

// LimitError says which limit an event breaks. It is ErrTooLarge.
type LimitError struct {
	Limit string // the option: "MaxBytes", "Bytes"
	Max   int64  // bytes
	Got   int64
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("event: it has %d bytes, %s is %d", e.Got, e.Limit, e.Max)
}

// Is makes errors.Is(err, ErrTooLarge) true.
func (e *LimitError) Is(target error) bool { return target == ErrTooLarge }

// LossError says how many events Close gave up. It is ErrLost; Unwrap gives the end of the context and errors of the sink.
type LossError struct {
	Lost uint64
	Err  error
}

func (e *LossError) Error() string {
	return fmt.Sprintf("publisher closed before everything was delivered, %d events lost: %v", e.Lost, e.Err)
}

// Is makes errors.Is(err, ErrLost) true.
func (e *LossError) Is(target error) bool { return target == ErrLost }

// Unwrap returns the cause.
func (e *LossError) Unwrap() error { return e.Err }

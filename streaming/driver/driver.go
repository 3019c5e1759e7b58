// Package driver is what a sink of events implements, and all it needs to know. Programs use package streaming, which puts order,
// bounds, retries and accounting on top; a sink only hands over bytes and says how that ended.
//
// A sink never retries, never logs, and keeps nothing of what it is given after a call: the bytes of a batch are used again.
// Package sinktest checks an implementation.
package driver

import (
	"context"
	"errors"
)

// Sink takes records to where they are kept. Write may be called by several goroutines, for one stream by one at a time; Flush and
// Close may be called while others write.
type Sink interface {
	// Write hands over records of one stream, in order, and returns how many of the first ones were taken. It returns an *Error if
	// that is not all of them: the record after the taken ones is the one that the error is about. It returns soon after ctx ends.
	// Taken means handed over as the sink documents it; Flush makes it last.
	Write(ctx context.Context, stream string, records []Record) (taken int, err error)
	// Flush returns when everything that Write took is as safe as it gets.
	Flush(ctx context.Context) error
	// Close flushes and gives everything back. A Write that runs meanwhile returns, later ones are ErrClosed, and so is a second
	// Close, which has no other effect.
	Close() error
}

// Record is one event as it travels.
type Record struct {
	ID      [16]byte // the same when a record is sent again
	Time    int64    // of the event, microseconds since 1970, more than 0
	Key     []byte   // UTF-8 of the thread: records with one key stay in order
	Headers []Header
	Value   []byte // a frame of dashstream.v1
}

// Size is how many bytes of content a record has.
func (r *Record) Size() int {
	n := len(r.Key) + len(r.Value)
	for _, h := range r.Headers {
		n += len(h.Key) + len(h.Value)
	}
	return n
}

// Clone returns a record that shares nothing with r.
func (r *Record) Clone() Record {
	c := *r
	c.Key, c.Value = append([]byte(nil), r.Key...), append([]byte(nil), r.Value...)
	c.Headers = make([]Header, len(r.Headers))
	for i, h := range r.Headers {
		c.Headers[i] = Header{h.Key, append([]byte(nil), h.Value...)}
	}
	return c
}

// Header is metadata beside a record. A key may occur more than once.
type Header struct {
	Key   string
	Value []byte
}

// Class says what an error means for the record it is about, and so what is done next.
type Class uint8

const (
	// Permanent: it was not written and never will be.
	Permanent Class = iota
	// Unavailable: it was not written, and later it may be.
	Unavailable
	// Unknown: perhaps it was written. It is tried again, so it may be there twice, with one id.
	Unknown
	// TooLarge: it was not written, because of its size.
	TooLarge
)

// String is the name in lower case.
func (c Class) String() string {
	if int(c) >= len(classNames) {
		return "unknown class"
	}
	return classNames[c]
}

var classNames = [...]string{"permanent", "unavailable", "unknown", "too_large"}

// Error is an error of Write or Flush with its class.
type Error struct {
	Class Class
	Err   error
}

func (e *Error) Error() string { return e.Class.String() + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// ErrClosed: the sink is closed.
var ErrClosed = errors.New("sink is closed")

// ClassOf returns the class of an error. One without a class is Unknown, the only one that claims nothing; ErrClosed and a nil error
// are Permanent.
func ClassOf(err error) Class {
	var classed *Error
	switch {
	case errors.As(err, &classed):
		return classed.Class
	case err == nil, errors.Is(err, ErrClosed):
		return Permanent
	}
	return Unknown
}

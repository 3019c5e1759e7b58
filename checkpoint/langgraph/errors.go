package langgraph

import (
	"context"
	"errors"
	"fmt"

	"github.com/dashhost/dashhost/checkpoint"
)

// Codes of errors. Part of the protocol.
const (
	codeMalformed = "malformed" // the line is no request: not JSON, unknown or missing fields
	codeHandshake = "handshake" // the first request must be hello, and only the first
	codeVersion   = "version"   // the protocol, or the store's format, is of another version
	codeInvalid   = "invalid"   // a field has a value that nothing takes
	codeTooLarge  = "too_large" // a limit: of a line, a name, a record, a thread that is written anew
	codeNotFound  = "not_found" // copy_thread of a thread that is not there
	codeConflict  = "conflict"  // others changed the thread again and again: nothing was written
	codeBusy      = "busy"      // another process holds the thread or the store's lock: nothing was written
	codeFull      = "full"      // no space: nothing was written
	codeUnknown   = "unknown"   // it may be durable or not
	codeReadOnly  = "read_only" // the store was opened for reading
	codeDamaged   = "damaged"   // stored data of the thread is not what was written
	codeClosed    = "closed"    // the server is about to end
	codeInternal  = "internal"  // anything else: the disk, the database
)

// fault is an error as a reply carries it.
type fault struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

func (f *fault) Error() string { return f.Message }

func faultf(code, format string, args ...any) *fault {
	return &fault{Code: code, Message: fmt.Sprintf(format, args...)}
}

// toFault finds the code of an error.
func toFault(err error) *fault {
	var own *fault
	if errors.As(err, &own) {
		return own
	}
	for _, c := range []struct {
		is   error
		code string
	}{
		{checkpoint.ErrUnknown, codeUnknown}, {checkpoint.ErrDamaged, codeDamaged}, {checkpoint.ErrBusy, codeBusy},
		{checkpoint.ErrFull, codeFull}, {checkpoint.ErrTooLarge, codeTooLarge}, {checkpoint.ErrInvalid, codeInvalid},
		{checkpoint.ErrConflict, codeConflict}, {checkpoint.ErrFenced, codeConflict}, {checkpoint.ErrReadOnly, codeReadOnly},
		{checkpoint.ErrNotFound, codeNotFound}, {checkpoint.ErrVersion, codeVersion}, {checkpoint.ErrClosed, codeClosed},
		{context.Canceled, codeClosed},
	} {
		if errors.Is(err, c.is) {
			return &fault{Code: c.code, Message: err.Error()}
		}
	}
	return &fault{Code: codeInternal, Message: err.Error()}
}

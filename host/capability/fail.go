package capability

import (
	"bytes"
	"errors"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/dashhost/dashhost/abi"
	"github.com/dashhost/dashhost/internal/rawjson"
)

// maxCode is the length of the longest code, in bytes.
const maxCode = 64

// Fail notes why the call is about to fail. Text that is a JSON object is {code, message, details,
// keep_output}, each optional; any other text is the message itself. retryUS is -1 for a failure that is
// final, 0 for one that the retry policy decides about, and above 0 the microseconds before which it must
// not be tried again. A later call replaces an earlier one, a refused call changes nothing. Its errors are
// ErrClosed, abi.Invalid and abi.TooLarge.
func (s *Set) Fail(b []byte, retryUS int64) error {
	if s.closed.Load() {
		return ErrClosed
	}
	if len(b) > abi.MaxFailure {
		return abi.Errorf(abi.TooLarge, "fail: limit failure: %d bytes exceed %d", len(b), abi.MaxFailure)
	}
	if retryUS < -1 {
		return abi.Errorf(abi.Invalid, "fail: retry_us is %d, expected -1, 0 or more", retryUS)
	}
	if most := abi.MaxRetry.Microseconds(); retryUS > most {
		return abi.Errorf(abi.TooLarge, "fail: limit retry: retry_us is %d, at most %d", retryUS, most)
	}
	if !utf8.Valid(b) {
		return abi.Errorf(abi.Invalid, "fail: byte %d is not UTF-8", invalidAt(b))
	}
	f := &Failure{Code: "failed"}
	if !isObject(b) {
		f.Message = string(b)
	} else if err := f.parse(bytes.Clone(b)); err != nil {
		return err
	}
	f.Final = retryUS < 0
	f.After = max(0, time.Duration(retryUS)*time.Microsecond)
	return s.keep(func() error {
		s.out.Failure = f
		return nil
	})
}

// isObject tells whether b is a JSON object. Text that merely begins like one is a message.
func isObject(b []byte) bool {
	b = bytes.TrimLeft(b, " \t\r\n")
	return len(b) > 0 && b[0] == '{' && rawjson.Valid(b) == nil
}

// parse fills f from a JSON object, of which it keeps parts.
func (f *Failure) parse(b []byte) error {
	err := rawjson.Object(b, func(key string, val []byte) error {
		switch key {
		case "code":
			return f.setCode(val)
		case "message":
			text, err := rawjson.Unquote(val)
			if err != nil {
				return abi.Errorf(abi.Invalid, "fail: message: expected a string, not %.32q", val)
			}
			f.Message = text
		case "details":
			f.Details = val
		case "keep_output":
			f.KeepOutput = string(val) == "true"
			if !f.KeepOutput && string(val) != "false" {
				return abi.Errorf(abi.Invalid, "fail: keep_output: expected true or false, not %.32q", val)
			}
		default:
			return abi.Errorf(abi.Invalid, "fail: unknown member %.64q, expected code, message, details or keep_output", key)
		}
		return nil
	})
	var known *abi.Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	return abi.Errorf(abi.Invalid, "fail: %w", err)
}

// setCode takes a code: lower-case letters, digits, "_", "-" and ".", a letter first.
func (f *Failure) setCode(val []byte) error {
	code, err := rawjson.Unquote(val)
	if err != nil {
		return abi.Errorf(abi.Invalid, "fail: code: expected a string, not %.32q", val)
	}
	rest := strings.TrimLeft(code, "abcdefghijklmnopqrstuvwxyz0123456789_-.")
	if code == "" || len(code) > maxCode || rest != "" || code[0] < 'a' || code[0] > 'z' {
		return abi.Errorf(abi.Invalid, "fail: code: expected a letter and at most %d more of a-z, 0-9, _, - and ., not %.80q", maxCode-1, code)
	}
	f.Code = code
	return nil
}

// invalidAt gives the offset of the first byte that is not UTF-8.
func invalidAt(b []byte) int {
	at := 0
	for at < len(b) {
		r, n := utf8.DecodeRune(b[at:])
		if r == utf8.RuneError && n == 1 {
			break
		}
		at += n
	}
	return at
}

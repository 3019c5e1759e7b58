package filesink

import (
	"errors"
	"fmt"
)

// Errors of this package.
var (
	// ErrTorn: a file ends in the middle of a frame. Always a *TornError.
	ErrTorn = errors.New("torn")
	// ErrDamaged: bytes in a file are not what was written, or a file is missing. Always a *DamageError.
	ErrDamaged = errors.New("damaged")
	// ErrVersion: a file is of a later version of the format.
	ErrVersion = errors.New("file of a newer format version")
	// ErrOptions: a field of options, or a position, has a value that cannot be meant.
	ErrOptions = errors.New("bad options")
)

// TornError says where a file ends in the middle of a frame: its writer died there, or is writing just now. What it was writing was
// not delivered. It is ErrTorn.
type TornError struct {
	File   string
	Offset int64
	Bytes  int64 // from there on
}

func (e *TornError) Error() string {
	return fmt.Sprintf("%s: byte %d: %d bytes of a frame that was not finished", e.File, e.Offset, e.Bytes)
}

// Is makes errors.Is(err, ErrTorn) true.
func (e *TornError) Is(target error) bool { return target == ErrTorn }

// DamageError says what cannot be read. Reading goes on after it. It is ErrDamaged.
type DamageError struct {
	File   string
	Offset int64
	Lost   uint64 // records, 0 if it is not known
	Reason string
}

func (e *DamageError) Error() string {
	lost := "an unknown number of records is lost"
	if e.Lost > 0 {
		lost = fmt.Sprintf("%d records are lost", e.Lost)
	}
	return fmt.Sprintf("%s: byte %d: %s: %s", e.File, e.Offset, e.Reason, lost)
}

// Is makes errors.Is(err, ErrDamaged) true.
func (e *DamageError) Is(target error) bool { return target == ErrDamaged }

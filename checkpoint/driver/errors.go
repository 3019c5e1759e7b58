package driver

import (
	"errors"
	"fmt"
	"time"
)

// Identities. An error returned by a driver Is at most one of them.
var (
	ErrNotFound = errors.New("not found")
	// ErrConflict: the head is not the expected one. Nothing was written.
	ErrConflict = errors.New("conflict: the head has moved")
	// ErrFenced: another claim or a delete came after the writer's. Nothing was written.
	ErrFenced = errors.New("fenced: another claim came later")
	// ErrBusy: somebody else holds what is needed.
	ErrBusy = errors.New("busy")
	// ErrFull: no space. Nothing was written.
	ErrFull = errors.New("no space left in the store")
	// ErrUnknown: whether the records are durable cannot be known. Reopen and read the head.
	ErrUnknown = errors.New("outcome unknown: reopen the store and read the head")
	// ErrReadOnly: the store was opened for reading.
	ErrReadOnly = errors.New("opened read-only")
	ErrClosed   = errors.New("store is closed")
	ErrDamaged  = errors.New("stored data is damaged")
	// ErrTooLarge: a size limit, checked before anything was written or allocated.
	ErrTooLarge = errors.New("too large")
	// ErrVersion: the store was written by a newer program.
	ErrVersion = errors.New("format version is not supported")
)

// Damage is stored data that is not what was written. It Is ErrDamaged.
type Damage struct {
	Thread string // "" if the damaged bytes do not tell
	File   string // within the store
	Offset int64  // of the damaged bytes in File
	Length int64  // 0 if not known
	Seq    uint64 // of the damaged record, 0 if not known
	Reason string // what was expected and what is there
	// Suspect is set when the damage may have hit any thread and this one has no record after it.
	Suspect bool
	// Accepted is set when the thread went on over it: a later record with FlagAcceptLoss says so.
	Accepted bool
}

func (d *Damage) Error() string {
	what := "damaged"
	if d.Suspect {
		what = "suspect"
	}
	s := fmt.Sprintf("%s at %s offset %d: %s", what, d.File, d.Offset, d.Reason)
	if d.Thread != "" {
		s = fmt.Sprintf("thread %q: %s", d.Thread, s)
	}
	return s
}

// Is matches ErrDamaged.
func (d *Damage) Is(target error) bool { return target == ErrDamaged }

// LockError is returned when a lock of the store was not free in time. It Is ErrBusy.
type LockError struct {
	File   string
	Holder Owner // who wrote its name last; ID "" if unknown
	Waited time.Duration
}

func (e *LockError) Error() string {
	who := "another process"
	if e.Holder.PID != 0 {
		who = fmt.Sprintf("pid %d on %s", e.Holder.PID, e.Holder.Host)
	}
	return fmt.Sprintf("%s: held by %s for more than %v", e.File, who, e.Waited)
}

// Is matches ErrBusy.
func (e *LockError) Is(target error) bool { return target == ErrBusy }

// TooLarge is a size over its limit. It Is ErrTooLarge.
type TooLarge struct {
	What     string
	Max, Got int64
}

func (e *TooLarge) Error() string {
	return fmt.Sprintf("%s: %d is over the limit of %d", e.What, e.Got, e.Max)
}

// Is matches ErrTooLarge.
func (e *TooLarge) Is(target error) bool { return target == ErrTooLarge }

// VersionError refuses a store of another format version. It Is ErrVersion.
type VersionError struct {
	File     string
	Got, Max uint32
}

func (e *VersionError) Error() string {
	return fmt.Sprintf("%s: format version %d, this program reads up to %d: use a newer dashhost", e.File, e.Got, e.Max)
}

// Is matches ErrVersion.
func (e *VersionError) Is(target error) bool { return target == ErrVersion }

package checkpoint

import (
	"errors"
	"fmt"

	"github.com/dashhost/dashhost/checkpoint/driver"
)

// Identities of errors, to be tested with errors.Is.
var (
	ErrNotFound = driver.ErrNotFound // no such thread, record or blob
	ErrConflict = driver.ErrConflict // the head is not the one the writer saw, or an id is not greater than it; nothing was written
	ErrFenced   = driver.ErrFenced   // another claim or a delete came later; nothing was written, and nothing will be
	ErrBusy     = driver.ErrBusy     // a live process holds the thread (*BusyError) or the store's lock (*driver.LockError)
	ErrFull     = driver.ErrFull     // no space; nothing was written
	ErrUnknown  = driver.ErrUnknown  // it may be durable or not: reopen and read the head
	ErrClosed   = driver.ErrClosed   // the store or the claim was closed
	ErrReadOnly = driver.ErrReadOnly // the store was opened for reading
	ErrDamaged  = driver.ErrDamaged  // stored data is not what was written (*DamageError)
	ErrTooLarge = driver.ErrTooLarge // a limit of this package (*LimitError); nothing was written
	ErrVersion  = driver.ErrVersion  // the store was written by a newer program
	ErrBackup   = driver.ErrBackup   // what is restored is no backup, not whole, or changed since (*driver.BackupError)
	// ErrInvalid: a name or a record that no store takes (*InvalidError); nothing was written.
	ErrInvalid = errors.New("invalid")
)

// BusyError is returned when a live process holds a thread. It Is ErrBusy.
type BusyError struct {
	Thread string
	Holder Owner
}

func (e *BusyError) Error() string {
	who := "owner " + e.Holder.ID
	if e.Holder.PID != 0 {
		who = fmt.Sprintf("pid %d on %s", e.Holder.PID, e.Holder.Host)
	}
	if e.Holder.Text != "" {
		who += " (" + e.Holder.Text + ")"
	}
	return fmt.Sprintf("thread %q: held by %s", e.Thread, who)
}

// Is matches ErrBusy.
func (e *BusyError) Is(target error) bool { return target == ErrBusy }

// DamageError says that a thread's stored data is not what was written. It Is ErrDamaged. The thread can be read as far as it is
// sound and is not written until a claim accepts the loss.
type DamageError struct {
	Thread string // "" if it is not of a thread
	Blob   string // digest, if it is of a blob
	File   string // within the store, "" if the stored bytes are sound and what they say is not
	Offset int64
	Reason string
	// Lost says what reading or going on has to do without, for a person.
	Lost string
	// Suspect is set when the damage may have hit any thread and this one has no record after it.
	Suspect bool
	Length  int64  // of the damaged bytes, 0 if it is not known
	Record  uint64 // sequence number of what stood there, 0 if it is not known
	// Accepted is set when it costs nothing any more: the thread has gone on without, or the place was repaired.
	Accepted bool
	// Gone is set when no complete step is left: no claim can go on from there, the thread can only be deleted.
	Gone bool
}

func (e *DamageError) Error() string {
	s := fmt.Sprintf("thread %q: ", e.Thread)
	if e.Blob != "" {
		s = fmt.Sprintf("blob %s: ", e.Blob)
	}
	if e.Suspect {
		s += "suspect: "
	} else {
		s += "damaged: "
	}
	if e.File != "" {
		s += fmt.Sprintf("%s offset %d: ", e.File, e.Offset)
	}
	s += e.Reason
	if e.Lost != "" {
		s += "; " + e.Lost
	}
	return s
}

// Is matches ErrDamaged.
func (e *DamageError) Is(target error) bool { return target == ErrDamaged }

// LimitError is a size or count over its limit. It Is ErrTooLarge.
type LimitError struct {
	Field    string // what is too large: "thread", "record 2: op 7: name"
	Max, Got int64
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("%s: %d is over the limit of %d", e.Field, e.Got, e.Max)
}

// Is matches ErrTooLarge.
func (e *LimitError) Is(target error) bool { return target == ErrTooLarge }

// InvalidError is a name or record that breaks a rule of this package. It Is ErrInvalid.
type InvalidError struct {
	Field  string
	Reason string
}

func (e *InvalidError) Error() string { return e.Field + ": " + e.Reason }

// Is matches ErrInvalid.
func (e *InvalidError) Is(target error) bool { return target == ErrInvalid }

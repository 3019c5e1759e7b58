package driver

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// Backuper is implemented by a driver that can write all it keeps to a stream while others use the store.
type Backuper interface {
	// Backup writes the store as it was at one moment, after the call began, to w, in the driver's own format. Nothing is left out
	// that was durable when the call began. It needs no lock for long: threads run on. Damage is written as it is and reported.
	Backup(ctx context.Context, w io.Writer, p Progress) (*BackupReport, error)
}

// BackupReport is what a backup holds.
type BackupReport struct {
	Store       string // id of the store, hex
	Incarnation uint64 // of the store; after a restore: of the restored one
	Created     int64  // when the backup was made, microseconds since 1970 UTC
	Files       int
	Bytes       int64     // of the files
	Records     uint64    // Seq of the newest record
	Damage      []*Damage // that was known, or found by a restore
}

// ErrBackup: what is restored is no backup, not whole, or changed since (*BackupError).
var ErrBackup = errors.New("not a whole backup")

// BackupError says what is wrong with a backup. It Is ErrBackup. Nothing was restored.
type BackupError struct {
	File   string // within the backup, "" for the whole
	Reason string
}

func (e *BackupError) Error() string {
	if e.File == "" {
		return "backup: " + e.Reason
	}
	return fmt.Sprintf("backup: %s: %s", e.File, e.Reason)
}

// Is matches ErrBackup.
func (e *BackupError) Is(target error) bool { return target == ErrBackup }

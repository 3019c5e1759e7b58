package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/dashhost/dashhost/checkpoint/driver"
)

// BackupReport is what a backup holds.
type BackupReport struct {
	Store       string         `json:"store"`       // id of the store
	Incarnation uint64         `json:"incarnation"` // of the store; of a restored one it is greater
	Created     int64          `json:"created_us"`  // when the backup was made, microseconds since 1970 UTC
	Files       int            `json:"files"`
	Bytes       int64          `json:"bytes"`
	Records     uint64         `json:"records"` // sequence number of the newest record
	Damage      []*DamageError `json:"-"`       // that the store had
}

// Backup writes all that the store keeps, as it was at one moment after the call began, to w. Threads run on meanwhile, here and in
// other processes. What w gets is the driver's own archive: filestore.Restore makes a store of it. A backup that was cut off is
// recognised there.
//
// A driver that has none is errors.ErrUnsupported: Copy into one that has.
func (s *Store) Backup(ctx context.Context, w io.Writer, progress func(done, total int64)) (*BackupReport, error) {
	b, ok := s.d.(driver.Backuper)
	if !ok {
		return nil, fmt.Errorf("backup: this kind of store has none: %w", errors.ErrUnsupported)
	}
	r, err := b.Backup(ctx, w, progress)
	if err != nil {
		return nil, err
	}
	return NewBackupReport(r), nil
}

// NewBackupReport is a driver's report in this package's types.
func NewBackupReport(r *driver.BackupReport) *BackupReport {
	own := &BackupReport{Store: r.Store, Incarnation: r.Incarnation, Created: r.Created, Files: r.Files, Bytes: r.Bytes, Records: r.Records}
	for _, d := range r.Damage {
		own.Damage = append(own.Damage, damage(d.Thread, d, ""))
	}
	return own
}

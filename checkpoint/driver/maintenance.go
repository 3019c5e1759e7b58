package driver

import "context"

// Maintenance is implemented by a driver that keeps its own files.
type Maintenance interface {
	// Identity is the store's random id, made when the store was made, and its incarnation, raised by each restore.
	Identity() (id [16]byte, incarnation uint64)
	// Stats says how large the store is. It reads no records.
	Stats(ctx context.Context) (*Stats, error)
	// Verify reads everything and reports each damaged place once. It changes nothing.
	Verify(ctx context.Context, report func(*Damage), p Progress) error
	// Prune gives back the space of records that were dropped, of deleted threads and of old copies. Others go on meanwhile. Damage
	// that nobody has accepted is left where it is, and what comes after it too. Cut off at any moment it has lost nothing, and
	// can be called again.
	Prune(ctx context.Context, o *PruneOptions) (*PruneReport, error)
	// Repair reports what Verify does, keeps the damaged bytes aside, and makes good what needs no record: copies of what is
	// sound elsewhere, and what is derived. From then on Verify reports these places as accepted. Threads stay as they are:
	// they are written again when a claim accepts their loss. Doing it twice is doing it once.
	Repair(ctx context.Context, report func(*Damage), p Progress) error
}

// Progress is told, now and then, how many bytes of how many are done. It may be nil. It is called by one goroutine at a time.
type Progress func(done, total int64)

// Stats is how large a store is.
type Stats struct {
	Version    uint32 // of the format
	Threads    int64  // of users, not deleted
	Deleted    int64  // threads that were deleted: their names and numbers are kept
	Reserved   int64  // threads of the store's own
	Damaged    int64  // threads with damage that was not accepted
	Records    int64  // that can be read, of all threads
	Segments   int    // files of the log
	Bytes      int64  // of the log
	Index      int64  // bytes of what is derived from it
	Quarantine int64  // bytes that were cut or damaged, kept aside
	Owners     int    // processes that live
	Free       int64  // bytes left where the store is kept, -1 if that is not known
	Low        bool   // Free is so little that it is time to make room
}

// PruneOptions of Maintenance.Prune. The zero value and nil are fine.
type PruneOptions struct {
	Now      bool     // rewrite whatever holds anything that is not wanted. Default false: where little is left that is wanted
	DryRun   bool     // change nothing, report what would be
	Progress Progress // default nil
}

// PruneReport is what a Prune did, or would do.
type PruneReport struct {
	Segments int   // files removed
	Before   int64 // bytes of the log
	After    int64
	Moved    int64 // bytes of records that were copied because they are still wanted
}

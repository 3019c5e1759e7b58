// Package filestore is the checkpoint driver over a folder: one append-only log in segments, shared by any number of processes on
// one machine. Local file systems only: it relies on flock, and on the page cache being the same for all processes.
//
//	DIR/store              identity: "dashstor", version, store id, incarnation, checksum
//	DIR/lock               locked around each append; byte 0 is the lock's, its holder's name follows
//	DIR/lock.door          locked by whoever is the next to have it
//	DIR/log/00000001 ...   segments
//	DIR/index              derived from the log, may be deleted at any time
//	DIR/owners/ULID        one a process that claims threads, locked as long as it lives; byte 0 is the lock's
//	DIR/quarantine/        bytes that were cut from the log, as they were
//
// A segment begins with its head, twice, so that one damaged sector does not cost the segment. Integers are little-endian.
//
//	 0  magic       8   "dashlog\n"
//	 8  version     4   1, or 2 if there is a floor
//	12  logs        4   1: how many logs the store has
//	16  store id   16
//	32  segment id 16   random
//	48  number      8   1 for the first
//	56  sequence    8   of the first frame
//	64  before     20   the frame before the first: stream, sequence, length
//	84  zero        4
//	88  replaces   16   segment number and offset: what follows that offset there is here instead; 0 nothing
//	104 created     8   microseconds since 1970 UTC
//	112 floor       8   number of the first segment that is kept; 0 all are
//	120 zero      388
//	508 sum         4   CRC32C of bytes 0-507
//	512             the same again
//	1024            frames (package frame)
//
// A frame is one Append. Its body is columns and then the sealed bodies of the records one after another. Columns are in
// protobuf's wire format:
//
//	Columns 1: thread   2: Record, repeated
//	Record  1: kind  2: namespace  3: id  4: parent  5: task  6: owner  7: Attr, repeated  8: time  9: due  10: events  11: flags
//	        12: codec  13: size of the body before the codec  14: length of the sealed body
//	Attr    1: name  2: value
//
// Sequence numbers, event numbers and epochs are given out under the lock and so stand in the frame's header.
//
// # Writing
//
// A caller makes columns, body and body checksum, then queues. The first in the queue leads: it takes the lock, reads what other
// processes appended, checks each request against the table, writes all frames in one go, unlocks. Who waits for durability does
// the same with fdatasync: the first one syncs for all. There is no goroutine and no timer of our own.
//
// Space ahead is zero-filled and synced in steps of clamp(size, 64 KiB, 4 MiB), so that fdatasync changes no metadata and a full
// disk shows before the write. A segment is synced before the next one begins: what is durable is a prefix of the log.
//
// # The end of the log
//
// A frame that does not check is torn if no later frame promises that it was durable, no later segment exists, and it looks torn
// (package frame). Only who holds the lock may call it that; it keeps the bytes in quarantine and zeroes them. Without the lock, a
// bad frame that nothing promises is not there yet. Everything else is damage: of the thread that the header names, or, if that
// is bad too, the neighbour; and if several frames are gone, every thread is suspect until a later frame of it shows by its ordinal
// that none of its records is missing.
//
// # Making a store
//
// A store is made in a folder that is new or empty, or that holds only what is left of making one; the identity is written last.
// If a folder has no identity but segments with frames, their heads tell it. Nothing is removed but segments that were never used.
//
// # Dropping and pruning
//
// A Floor record says what of its thread is not wanted any more (Drop), repeats records that stood in old segments, and repeats what is
// known of the thread. Its frame has version 2; its columns have, behind its own record:
//
//	Columns 3: Floor   4: Kept, repeated: a Record as above, with  15: sequence  16: epoch  17: first event  18: ordinal
//	Floor   1: records with a lower sequence are dropped  2: segment before which nothing is kept
//	        3: ordinal of the first Floor record that tells of what was kept  4: state of the thread, as in the index
//
// Kept records stay what they were: sequence, epoch, events, ordinal and time are the old ones, only their place is new. Prune copies
// what is wanted in the oldest segments to the end, a batch at a time, syncs, begins a segment whose head has the floor, and only then
// removes files. Reading begins at the floor. A thread whose first records are gone is known from its Floor record; if that does not
// come before the head with the floor, the thread is damaged. A segment that is missing above the floor is damage; a reader that
// misses one looks at the floor, and if it has risen reads again.
//
// # Repair
//
// Damaged bytes are copied to quarantine, a bad copy of a head is written again from the other one, and a record in a reserved
// thread says so. The bytes stay where they are until the log is pruned past them.
//
// # Versions
//
//	1  the first
//	2  frames of imports and Floor records, segment heads with a floor
//
// A store is made as version 1 and says 2, in its identity, before the first thing is written that needs it; a program that knows
// only 1 then refuses it by name. Both are read as they are: there is nothing to migrate, and testdata has a store of each that every
// later version has to read. To bring a store back to version 1, copy it into a new one.
//
// # A failed fsync
//
// What was written since the last good one may be in the cache and not on the disk, and the next fsync would not say so. So that
// range is read back, checked, and written to a new segment that replaces it; nothing is synced again through the old one. If
// that fails too the store refuses every append until it is opened again.
//
// # Locks, in order
//
//	life     read side held by every call, write side by Close
//	leading  the turn to write: whoever was put first in the queue (guarded by qmu, which is held for moments only)
//	lock     the file DIR/lock
//	mu       table, cursor, segments
//	smu      what is durable; the turn to sync. Never held while one of the others is taken
package filestore

// Package filesink keeps events in files of one folder, to be read again by Reader, also while they are written.
//
// Several processes may write to one folder, and none waits for another: each open Sink is a writer with files of its own, which it
// only appends to, and nobody else ever writes to them. A crash leaves at most half a frame at the end of one file; it is reported to
// readers and never touched. Readers merge the writers by the time of events; the records of one writer stay in the order in which
// they were written. Files appear with the first record, so a writer that has nothing to say leaves nothing behind.
//
// # Files
//
// A file is named WRITER-NUMBER.dse: a ULID, which sorts by the time the writer was opened, and 8 digits from 00000001. At
// SegmentBytes the next number is begun. Integers are little-endian.
//
//	 0  magic      8   "dashevt\n"
//	 8  version    4   1
//	12  number     4   of this file
//	16  segment   16   random, part of the checksum of every frame in it
//	32  writer    16   the ULID in binary
//	48  sequence   8   of the first record in it; the first record of a writer has 1
//	56  created    8   microseconds since 1970, not later than any record of the writer before it or in it has as its order
//	64  zero      28
//	92  head sum   4   CRC32C of bytes 0-91
//	96  frames         as package frame describes them, each with the records of one call of Write, of one stream
//
// A frame has kind 1, stream 0 and no events. Its body:
//
//	stream   length, UTF-8
//	records  length, then as long
//	           id     16
//	           time    8   microseconds since 1970
//	           key         length, bytes
//	           headers     count, and for each: length, key, length, value
//	           value       the rest: a frame of dashstream.v1
//
// Lengths and counts are unsigned varints. A file that was closed ends with a frame without records that has the flag "last".
//
// # What survives
//
// With SyncBatch a record is on the disk before the publisher counts it as delivered. With SyncEvery, the default, it is there a
// moment later: a crash of the process loses nothing, a power cut at most what was written in that time. With SyncClose it is there
// after Flush, Close, or the begin of the next file. A failed sync is never tried again on the same file: the sink goes on in a new
// one, and the next Flush or Close returns the error.
//
// Nothing is ever deleted here. Files of writers that are gone can be removed, oldest first.
package filesink

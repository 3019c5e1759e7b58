// Package pgstore is a checkpoint driver over PostgreSQL, for threads that processes on several machines share. It needs a server
// of version 13 or later, a database, and a user who may use one schema of it; no extension and no superuser.
//
//	d, err := pgstore.Open(ctx, "postgres://user@host/database?sslmode=require", nil)
//	s := checkpoint.New(d, nil)
//
// The URL is one of PostgreSQL's, and the PG variables of the environment count as they do for psql. Beside what pgx knows
// (pool_max_conns, here 16 if it is not named) it takes
//
//	schema=NAME     where the tables are, default dashhost; several stores share a database in several schemas
//	lease=15s       how long the claims of a process outlive its last word
//	timeout=30s     how long one batch of appends, or one page of a read, may take
//	patience=10s    how long a server that is away is asked again, before anything was written
//
// # Tables
//
//	store       1 row: id, incarnation
//	migrations  which versions of the schema were applied
//	threads     a row a thread: epoch, owner, attributes, due, counters, first_seq (records before it are no longer wanted)
//	heads       (thread, namespace) -> newest step: id, seq, first_event, epoch
//	records     (thread, seq) -> columns of the record, sealed body, sum
//	owners      a row a process: pid, host, text, lease_until
//	log         a sequence: the seq given out last
//	life        unlogged: empty after the server crashed
//
// Names are bytea, so they are ordered by bytes whatever the collation, and kept whatever the encoding of the database. sum is
// the CRC32C of all columns of the record, its seq mixed in; ordinals are consecutive within a thread, so a row that is gone is
// noticed by any read that passes its place.
//
// # Appending
//
// Appends of one handle are gathered into batches; a batch is one transaction and at most two flights of messages. The first
// locks the rows of its threads, in the order of their names, and reads them. Package table decides, as for every other driver.
// The second flight writes, commits, and waits for the disk. A handle remembers threads as it has left them, and then does without
// the first flight: the server compares the version of each row, and if somebody else has changed one the batch begins again with
// both. An answer other than "written" is never given from memory.
//
//	SELECT append(...)   synchronous_commit off; lock of the log; numbers from the sequence; rows
//	COMMIT               visible, in the order of seq; the lock of the log is given back without a wait for the disk
//	SELECT flush()       a commit of its own that waits: all that was committed before is durable then
//
// Append returns after all three, so nothing is acknowledged that a crash could take away. Why not simply a sequence and a
// synchronous commit: numbers would be drawn in one order and become visible in another, and who reads on from the greatest seq
// that he has seen would skip what comes late. And why not hold the lock until the disk is done: the store would commit once
// per sync, whatever the number of processes.
//
// What others see between COMMIT and the end of flush() is not durable yet. If the server crashes in between, it is gone, and
// nobody was told that it is kept. Its numbers are not given out again: the table life is empty after a crash, and then append
// jumps ahead.
//
// # What is lost and found
//
// A connection that is gone before the second flight was sent has written nothing: the batch is sent again, for as long as
// patience lasts. After that the outcome is ErrUnknown: open the store again and read the head.
//
// # Leases
//
// An owner lives as long as its lease, on the clock of the server, and renews it at a third. If it cannot, it stops by its own
// clock a sixth before the end: its claims get ErrFenced, while others have to wait until the lease has ended. A claim is
// another epoch in any case, so a process that slept through all of it writes nothing.
//
// Durability is that of the server: with fsync=off it keeps no promise, and a failover to a standby that is not synchronous
// loses what the standby has not seen. synchronous_commit of the user or database counts, except that off is taken for on.
package pgstore

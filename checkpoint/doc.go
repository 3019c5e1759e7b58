// Package checkpoint keeps the history of threads so that a run can go on after its process died.
//
// A Store is a concrete type over a small driver (memstore, filestore). It knows records, not graphs: a record of kind step
// carries ops on named entries and opaque metadata; folding the ops along the chain of steps gives the state at any of them. A
// thread is owned by one Claim at a time, across processes:
//
//	s := checkpoint.New(memstore.New(), nil)
//	c, err := s.Claim(ctx, "pr-42", nil)          // BusyError if a live process has it
//	snap, err := c.Load(ctx, "")                   // head, state, records since
//	m, err := c.Append(ctx, &checkpoint.Record{Kind: checkpoint.KindStep, Ops: ops})
//	err = m.Wait(ctx)                              // nil: acknowledged, survives kill -9 and power loss
//	err = c.Release(ctx, nil)
//
// An append ends as done, refused (nothing was written: ErrConflict, ErrFenced, ErrBusy, ErrFull, a limit) or ErrUnknown. After
// ErrUnknown, reopen and read the head: if it is the own record's id the append happened, else append again; appending the
// record that is the head already is success and writes nothing.
//
// # Names
//
// A record is found by (thread, namespace, id). Ids are ordered by bytes and grow within a namespace; NewID makes them. Epochs
// are per thread and grow with each claim and each delete; an append of an older epoch is refused with ErrFenced.
//
// # Cost of reading
//
// Before a step is appended, a snapshot of its parent is put in front of it, in the same append, if the deltas since the last
// snapshot are larger than 64 KiB and than that snapshot, or if the step does not continue the head. So the disk grows linearly
// with what is written, and reading the newest state reads one snapshot and about as much again, however long the history is.
//
// # Damage
//
// What cannot be read as it was written is a *DamageError that names file, offset and thread. The other threads go on. A damaged
// thread is read as far as it is sound, and written only by a claim with AcceptLoss. A failed read is never taken for "no
// checkpoint", nor an older step for the newest.
//
// Such a claim reads the whole thread, and writes what cannot be read into its record (Record.Loss, attribute accepted_loss). A
// step behind it, with the attribute source=accepted_loss, stands where the newest complete one does: same state, same metadata,
// and tasks that ended there have ended. From then on the thread is sound, whoever opens the store and with whatever index.
//
// # Locks
//
// Claim.mu is held across the driver's Append of a step, so heads and snapshots follow each other; other records of a claim are
// appended concurrently. Store.mu guards the table of this process's claims and is never held during a call to the driver.
package checkpoint

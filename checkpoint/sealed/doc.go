// Package sealed encrypts a checkpoint store: a driver over any other driver. What it hands on has sealed bodies, and tokens in place of the
// names that users and graphs chose (package internal/seal draws both formats). A copy of the files, a backup or a dump of the database
// tells how many threads there are, when they were written and how much, and the ids of steps, tasks and processes; not what
// is in them, nor what they are called.
//
//	column                     stored as
//	thread                     token; a reserved thread keeps its mark before it
//	namespace, attribute name  token
//	attribute value            token, of a domain that has the attribute's name: equal values of two attributes look different
//	body                       sealed, after compression; its codec has the bit driver.CodecSealed
//	all others                 as they are
//
// A body's associated data are the thread and all columns that the Store sets, so a body does not open behind other columns or in another
// thread; its place in the log is not among them, so a driver may move records. Checksums of the driver are made over what is stored:
// reading everything for damage and pruning need no key.
//
// # Keys
//
// The keys in use are in the store, sealed with a master key that is not: a vault, as the newest readable record of the reserved
// thread "\x01seal" (each is written twice, in two appends, so that one damaged sector does not cost the store). [Rekey] writes a new
// vault, sealed with another master key, with a new data key for what is written from then on. Processes that have the store open go on; the
// first record that they cannot open makes them read the vault again.
//
// Rekey does not take back what an old master key could read: the old vault is in the log until that is pruned, and in backups. To
// shut out who had both, copy the store into a new one.
//
// A store is encrypted from its first record or never. One that is not is opened as it is without keys, and refused with ErrPlain with
// keys; one that is gives a *KeyError without the right one. Neither looks like an empty store.
package sealed

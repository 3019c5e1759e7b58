// Package driver is what a checkpoint store needs from the place where it keeps its records.
//
// A driver stores records of threads in one order and numbers them. It does not retry, log, fold, compress or encrypt, and it
// keeps no buffer of its caller after a call returned: all of that exists once, in package checkpoint. A record reaches it as
// plain columns (what a query may ask for) plus a body that is already sealed.
//
// Every driver passes storetest.Run.
package driver

import (
	"context"
	"iter"
)

// A Driver keeps records. All methods may be called by several goroutines at once, and other processes may use the same store.
type Driver interface {
	// Append adds recs to the end of thread, all or nothing, and gives each its Seq, FirstEvent and Epoch.
	// It compares Expect and writes under one lock, so two writers that expect the same cannot both succeed.
	// When it returns nil the records are visible to Read; they are durable when Commit.Wait returns nil.
	//
	// Errors: ErrFenced (epoch), ErrConflict (heads, or an id that is not greater than its head), ErrFull, ErrReadOnly, ErrClosed,
	// *LockError, *Damage, *TooLarge: nothing was written. ErrUnknown: it may be there after a reopen, or not.
	// A Step whose id is the head already was appended before: that is success, and nothing is written.
	// Without records it only compares, and the Commit waits for everything that was written before.
	Append(ctx context.Context, thread string, e Expect, recs []*Record) (*Commit, error)
	// Read yields records of the thread's present generation. They stay valid, and must not be changed.
	// A record that cannot be read yields *Damage and the iteration goes on with the next one. Damage that was accepted since has
	// Accepted set; any other makes Thread report it from then on.
	Read(ctx context.Context, thread string, q Query) iter.Seq2[*Record, error]
	// Thread says what is known of one thread. ErrNotFound if it has never had a record.
	// A deleted thread is returned with Deleted set: its epoch goes on.
	Thread(ctx context.Context, thread string) (*Thread, error)
	// Threads yields threads in the order of their names, deleted ones left out.
	Threads(ctx context.Context, f Filter) iter.Seq2[*Thread, error]
	// Due returns at most limit threads with 0 < Due <= before, earliest first.
	Due(ctx context.Context, before int64, limit int) ([]*Thread, error)
	// Drop says that records of the thread's present generation whose Seq is less than below are not wanted any more. They cannot be
	// read from then on; where they were kept is free for others at the next Prune. Kept all the same are, in each namespace, the
	// head and everything after it, and claims, releases and cancels since the oldest head. Dropping again, or less than before, is
	// success and changes nothing. It needs no claim. Errors are those of Append, and ErrNotFound.
	//
	// The caller has seen to it that what is kept can be read without what is dropped: a Snapshot stands at or above below.
	Drop(ctx context.Context, thread string, below uint64) error
	// Close makes everything appended durable and lets go of all resources. Further calls return ErrClosed.
	Close() error
}

// Owners is implemented by a driver that can tell whether the process that wrote a claim still lives.
type Owners interface {
	// Register makes an owner that is alive until release is called or the process ends. text is shown to others.
	Register(ctx context.Context, text string) (o Owner, release func() error, err error)
	// Owner returns what is known of an owner and whether it is alive. An unknown id is not alive and not an error.
	Owner(ctx context.Context, id string) (o Owner, alive bool, err error)
}

// Importer is implemented by a driver that takes threads as they were in another store.
type Importer interface {
	// Import makes a thread of records that another store has numbered: Epoch, FirstEvent and everything a caller of Append sets stay
	// as they are, Seq and Ordinal are the driver's own. What Thread says follows from the records as if they had been appended.
	// The thread is there as a whole, durable, when Import returns nil. After an error, or when the process ends before, nothing of
	// it is. recs is iterated once; what it yields stays valid until Import returns and is not kept; an error ends the import and is
	// returned as it is.
	//
	// Neither expectations nor the order of ids are looked at: the other store has.
	//
	// Errors: ErrConflict if the thread has a record here or ever had one, or if somebody appended to it meanwhile; ErrFull,
	// ErrReadOnly, ErrClosed, ErrUnknown, *LockError, *TooLarge as Append's.
	Import(ctx context.Context, thread string, recs iter.Seq2[*Record, error]) error
}

// A Commit is an append that was written.
type Commit struct {
	// Wait returns nil once the records are durable, and an error that Is ErrUnknown when that cannot be known any more.
	// When ctx ends first its error is returned and the records stay where they are.
	Wait func(ctx context.Context) error
	// Cancel is the Seq of the newest Cancel record of the thread, 0 if there is none.
	Cancel uint64
	// Low is how many bytes are left where the store is kept, if that is little: a warning. 0 if it is not, or not known.
	Low int64
}

// Expect is what a writer believes about a thread.
type Expect struct {
	Epoch    uint64 // must be the thread's epoch, unless AnyEpoch
	AnyEpoch bool   // for records that any process may add: Cancel, Blob, KV
	Heads    []Head // each must be the head of its namespace; ID "" means no record yet
	Last     uint64 // must be the Seq of the thread's newest record, else ErrConflict; 0 is not compared
	Empty    bool   // the thread's present generation must have no record, else ErrConflict
	Exists   bool   // it must have one, else ErrNotFound
	// AcceptLoss lets a damaged thread be written: the records say what was given up.
	AcceptLoss bool
}

// Head is the newest step of a namespace.
type Head struct{ Namespace, ID string }

// Query selects records of a thread.
type Query struct {
	Namespace     string   // only this namespace, unless AllNamespaces
	AllNamespaces bool     // default false
	Kinds         KindMask // 0 = all kinds. Kinds of the whole thread (ThreadKinds) are found in every namespace
	From          uint64   // first Seq wanted, 0 = from the start
	To            uint64   // last Seq wanted, 0 = to the end
	Reverse       bool     // newest first
}

// Filter selects threads.
type Filter struct {
	Prefix string            // of the name
	After  string            // only names greater than this
	Limit  int               // at most this many, 0 = all
	Attrs  map[string]string // all must be equal
	// Reserved selects the reserved threads, which are no user's, instead of the others.
	Reserved bool
}

// Thread is what a driver knows of a thread without reading bodies. It belongs to the caller.
type Thread struct {
	Name     string
	Epoch    uint64
	Claimed  bool   // the last claim was not released
	Owner    string // id of the owner of the last claim
	Deleted  bool   // the last generation ended with a tombstone
	Heads    []Head // sorted by namespace
	MinID    string // greatest id of former generations: a new one is greater
	Attrs    []Attr // sorted by name, newest value of each
	Due      int64
	Created  int64  // Time of the first record of this generation, microseconds since 1970 UTC
	Updated  int64  // Time of the last
	Records  int64  // of this generation
	Events   uint64 // number of the last event, over all generations
	LastSeq  uint64
	Cancel   uint64  // Seq of the newest Cancel record of this generation
	Damage   *Damage // nil if sound, or if all of it was accepted
	Accepted uint64  // Seq of the newest record with FlagAcceptLoss of this generation, 0 if there is none
	Dropped  uint64  // records with a lower Seq were dropped, 0 none
	Reserved bool    // not of a user: blobs, kv
}

// Owner is a process that claims threads.
type Owner struct {
	ID   string // ULID
	PID  int
	Host string
	Boot string // boot id of the machine, "" if there is none
	Text string // what the process says of itself
	// Cursor is the Seq up to which it has passed on what it has to deliver: no later record is pruned. 0 delivers nothing.
	Cursor uint64
}

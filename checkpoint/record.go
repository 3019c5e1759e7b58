package checkpoint

import (
	"github.com/dashhost/dashhost/checkpoint/driver"
)

// Kind is the kind of a record; its numbers are part of the format.
type Kind = driver.Kind

// The kinds of records; driver says what each is for.
const (
	KindClaim      = driver.KindClaim
	KindRelease    = driver.KindRelease
	KindStep       = driver.KindStep
	KindTaskDone   = driver.KindTaskDone
	KindTaskFailed = driver.KindTaskFailed
	KindInterrupt  = driver.KindInterrupt
	KindAnswer     = driver.KindAnswer
	KindProgress   = driver.KindProgress
	KindCall       = driver.KindCall
	KindKV         = driver.KindKV
	KindBlob       = driver.KindBlob
	KindSnapshot   = driver.KindSnapshot
	KindTombstone  = driver.KindTombstone
	KindCancel     = driver.KindCancel
	KindFloor      = driver.KindFloor
	KindMark       = driver.KindMark
)

// OpKind is what an Op does; its numbers are part of the format.
type OpKind uint8

// The kinds of ops.
const (
	OpPut    OpKind = 1 // the entry becomes Value
	OpAppend OpKind = 2 // Value's elements go to the end of the entry's JSON array
	OpDel    OpKind = 3 // the entry is gone
)

// Op changes one named entry of a thread's state.
//
// OpAppend is the only thing the store knows of JSON: Value holds array elements without brackets, `1,{"a":2}`; an entry that
// is absent or `[]` becomes `[1,{"a":2}]`, an array gets them at its end. An empty Value makes an absent entry `[]`.
type Op struct {
	Kind  OpKind
	Name  string // 1 to MaxName bytes
	Value []byte // nil for OpDel
}

// Attr is a small value of a thread that it can be listed by: the newest value per name counts. "" removes it.
type Attr = driver.Attr

// Record is one entry of a thread's history. A caller fills in the first group; the store sets the second when it appends or
// reads. Byte slices given to Append are not kept; those of a record that was read may share memory with one another and must
// not be changed.
type Record struct {
	Kind      Kind
	Namespace string // "" is the top level graph; at most MaxNamespace bytes
	ID        string // of a step: 1 to MaxID bytes, greater by bytes than the head; "" gets a ULID. Of a snapshot: the step it folds up to
	Parent    string // of a step: where it continues; "" continues the head
	Task      string // hex task id, for the records of a task
	Attrs     []Attr // at most MaxAttrs
	Due       int64  // microseconds since 1970 UTC. A step sets the thread's due time, 0 clears it; other kinds set it if not 0
	Events    uint32 // how many lifecycle events the record makes
	Ops       []Op   // folded into the state along the chain of steps
	Meta      []byte // opaque
	Parts     [][]byte

	Thread     string
	Epoch      uint64
	Seq        uint64 // position in the log, over all threads of the store
	FirstEvent uint64 // number of the record's first event in its thread, from 1; the following events are counted on from it
	Time       int64  // when it was appended, microseconds since 1970 UTC; never goes back within a claim
	Owner      string // of a claim: id of its owner
	AcceptLoss bool   // written by a claim that went on over damage
}

// Limits of names and sizes; a larger one is a *LimitError.
const (
	MaxThread    = 200     // bytes of a thread's name
	MaxNamespace = 1024    // bytes of a namespace
	MaxID        = 64      // bytes of an id
	MaxName      = 256     // bytes of an entry's name
	MaxAttrs     = 32      // attributes of a record
	MaxAttrName  = 64      // bytes
	MaxAttrValue = 1 << 10 // bytes
	MaxOps       = 1 << 20 // ops of a record
	MaxParts     = 1 << 20 // parts of a record
	MaxRecords   = 1 << 15 // records of one Append
	MaxRecord    = 1 << 30 // bytes of all records of one Append together, before compression and after
)

// Owner is a process that holds claims.
type Owner = driver.Owner

package driver

// Kind is the kind of a record. Numbers are part of the format.
type Kind uint8

// The kinds of records.
const (
	KindClaim      Kind = 1  // a process took the thread; carries epoch+1 and the owner
	KindRelease    Kind = 2  // it gave it back
	KindStep       Kind = 3  // a superstep: the only kind that moves a head
	KindTaskDone   Kind = 4  // a task of the head finished while others still run
	KindTaskFailed Kind = 5  // an attempt of a task failed
	KindInterrupt  Kind = 6  // a task asks a question
	KindAnswer     Kind = 7  // and gets an answer
	KindProgress   Kind = 8  // a task saved its progress
	KindCall       Kind = 9  // result of an outside call
	KindKV         Kind = 10 // data that any process may put without a claim: kept until its thread is deleted
	KindBlob       Kind = 11 // bytes by digest
	KindSnapshot   Kind = 12 // the folded state of the step it names
	KindTombstone  Kind = 13 // ends a generation of the thread; carries epoch+1
	KindCancel     Kind = 14 // asks the holder to stop
	KindFloor      Kind = 15 // nothing below is kept
	KindMark       Kind = 16 // of the log itself, of no thread: everything before it is durable
	kindEnd        Kind = 17
)

// Valid says whether k is a kind this version knows.
func (k Kind) Valid() bool { return k > 0 && k < kindEnd }

// String returns the kind's name: "step", "task_done".
func (k Kind) String() string {
	names := [...]string{"", "claim", "release", "step", "task_done", "task_failed", "interrupt", "answer", "progress", "call",
		"kv", "blob", "snapshot", "tombstone", "cancel", "floor", "mark"}
	if !k.Valid() {
		return "unknown"
	}
	return names[k]
}

// KindMask is a set of kinds.
type KindMask uint32

// Kinds returns the set of ks.
func Kinds(ks ...Kind) KindMask {
	var m KindMask
	for _, k := range ks {
		m |= 1 << k
	}
	return m
}

// Has says whether k is in the set.
func (m KindMask) Has(k Kind) bool { return m>>k&1 == 1 }

// ThreadKinds concern the whole thread, whatever namespace is asked for.
const ThreadKinds = KindMask(1<<KindClaim | 1<<KindRelease | 1<<KindTombstone | 1<<KindCancel)

// Record is one record as a driver sees it.
type Record struct {
	Kind      Kind
	Namespace string
	ID        string // of a step, or of the step a snapshot folds up to
	Parent    string
	Task      string
	Owner     string // of a claim
	Attrs     []Attr
	Time      int64  // microseconds since 1970 UTC
	Due       int64  // microseconds since 1970 UTC, 0 none
	Events    uint32 // how many lifecycle events the record makes
	Flags     Flags
	Codec     Codec  // of Body
	Size      int64  // of Body before Codec was applied
	Body      []byte // sealed

	// Set by the driver.
	Seq        uint64 // position in the log: greater is later, over all threads of the store
	FirstEvent uint64 // number of the record's first event in its thread, from 1. Meaningful if Events > 0
	Epoch      uint64 // of the thread when it was appended
	Ordinal    uint32 // which record of the thread it is, over all generations, from 1, modulo 2^32: none is missing unnoticed
}

// Attr is a small named value that threads can be listed by.
type Attr struct{ Name, Value string }

// Flags of a record. Bits are part of the format; unknown ones are refused.
type Flags uint16

const (
	// FlagAcceptLoss marks the records of a claim that goes on over damage.
	FlagAcceptLoss Flags = 1 << 0
	// FlagReplace is kept free for records that replace an earlier one of the same id.
	FlagReplace Flags = 1 << 1
)

// Codec says how a body is sealed. Numbers are part of the format.
type Codec uint8

const (
	CodecRaw  Codec = 0 // as it is
	CodecZstd Codec = 1 // one zstd frame
	// CodecSealed is a bit beside one of the others: the body is encrypted, after that codec (package sealed).
	CodecSealed Codec = 0x80
)

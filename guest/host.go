package guest

import (
	"context"

	"github.com/dashhost/dashhost/abi"
)

// Host answers everything a guest asks for during one call, or during the start phase of one instance.
//
// Slices passed to a Host are views of guest memory, valid only until the method returns: a Host copies
// what it keeps and writes only to the buffers of HTTPBody, Random and SeedRandom. Slices it returns are
// copied into guest memory before the next method is called.
//
// Errors are *abi.Error: the guest sees the number and can read the text. Any other error is logged and
// becomes abi.Internal. A panic ends the call with an *[InternalError].
//
// A Host serves one call at a time and needs no locks for the guest's sake. Methods are called only after
// Enter has returned nil for the function in question, those for WASI (Now, Sleep, SeedRandom, Args,
// Environ, Stdio) without it.
type Host interface {
	// Begin is called once, before the first Enter. ctx ends with the call's deadline, or when the call must stop
	// for another reason: what takes long on behalf of the guest is then given up, and what the method returns does not
	// matter any more. ctx is of no use once the call has ended.
	Begin(ctx context.Context)
	// Enter is the one choke point: it is called once before every function of dash_v1 and decides by
	// grant, phase and count of effects. Arguments have been checked by then.
	Enter(fn abi.FuncID, phase abi.Phase) error

	Input() []byte
	Config() []byte
	Meta() []byte
	// OutputWrite replaces the output. It has checked b when it returns nil.
	OutputWrite(b []byte) error

	// Fail records why the call is about to fail: UTF-8 text or a JSON object. retryUS < 0 is final,
	// 0 is by policy, > 0 is "not before so many microseconds".
	Fail(b []byte, retryUS int64) error
	RouteTo(node []byte) error
	RouteSend(node, input []byte) error

	// Interrupt asks the next question. It gives the length of its answer, or abi.Pending.
	Interrupt(question []byte) (answerLen int, err error)
	// Answer is the answer to the question asked last.
	Answer() ([]byte, error)

	Log(level abi.Level, msg []byte)
	LogEnabled(level abi.Level) bool
	EventEmit(typ, payload []byte) error
	StreamWrite(label, data []byte) error
	Metric(kind int32, name []byte, v float64) error

	CheckpointSave(b []byte) (int64, error)
	CheckpointLoad() ([]byte, error)

	// KVGet gives abi.NotFound for an absent key.
	KVGet(key []byte) (val []byte, version int64, err error)
	KVPut(key, val []byte, expect int64) (int64, error)
	KVDelete(key []byte, expect int64) error
	// KVList gives whole JSON lines, at most max bytes of them, none at the end.
	KVList(prefix, after []byte, max int) ([]byte, error)

	HTTPFetch(head, body []byte) (int32, error)
	HTTPHead(h int32) ([]byte, error)
	// HTTPBody fills buf with the next bytes and says how many, 0 at the end.
	HTTPBody(h int32, buf []byte) (int, error)
	HTTPClose(h int32) error

	// Now is the time in microseconds since 1970: virtual without the clock grant.
	Now() int64
	// Sleep returns after us microseconds (at once in virtual time), or with ctx's error when ctx ends.
	Sleep(ctx context.Context, us int64) error
	// Random fills b for dash_v1 random.
	Random(b []byte) error
	// SeedRandom fills b for WASI: real with the random grant, else a stream that repeats.
	SeedRandom(b []byte)

	Args() []string
	// Environ gives "name=value" entries.
	Environ() []string
	// Stdio takes what the guest wrote to standard output (1) or standard error (2).
	Stdio(fd int, b []byte)
}

package dash

// Host is the part of dash_v1 that the SDK uses, seen from Go: one method per
// function, a slice where the ABI has a pointer and a length. Results are those
// of the ABI: negative is -errno; a VALUE function returns the full length and
// fills the buffer only if all of it fits. A guest has the real one; tests use
// dashtest.Host.
type Host interface {
	InputRead(buf []byte) int32
	ConfigRead(buf []byte) int32
	MetaRead(buf []byte) int32
	OutputWrite(b []byte) int32
	Fail(b []byte, retryUS int64) int32
	LastError(buf []byte) int32
	RouteTo(node []byte) int32
	RouteSend(node, input []byte) int32
	Interrupt(question []byte) int32
	AnswerRead(buf []byte) int32
	Log(level Level, msg []byte)
	LogEnabled(level Level) int32
	ClockNow() int64
	Random(buf []byte) int32
}

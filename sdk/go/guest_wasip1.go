//go:build wasip1

package dash

import (
	"runtime"
	"unsafe"
)

//go:wasmexport dash_start
func dashStart(configLen uint32) int32 { return node().Start(guest{}, int(configLen)) }

//go:wasmexport dash_run
func dashRun(inputLen uint32) int32 { return node().Run(guest{}, int(inputLen)) }

func node() *Node {
	if served == nil {
		panic("dash: no node: add a line like: var node = dash.Serve(dash.Func(fn))")
	}
	return served
}

// guest is the host as wasm imports it.
type guest struct{}

// call passes a slice as pointer and length. The pointer of an empty slice is not
// looked at by the host.
func call(f func(unsafe.Pointer, uint32) int32, b []byte) int32 {
	n := f(unsafe.Pointer(unsafe.SliceData(b)), uint32(len(b)))
	runtime.KeepAlive(b)
	return n
}

func (guest) InputRead(buf []byte) int32  { return call(inputRead, buf) }
func (guest) ConfigRead(buf []byte) int32 { return call(configRead, buf) }
func (guest) MetaRead(buf []byte) int32   { return call(metaRead, buf) }
func (guest) OutputWrite(b []byte) int32  { return call(outputWrite, b) }
func (guest) LastError(buf []byte) int32  { return call(lastError, buf) }
func (guest) RouteTo(node []byte) int32   { return call(routeTo, node) }
func (guest) Interrupt(b []byte) int32    { return call(interrupt, b) }
func (guest) AnswerRead(buf []byte) int32 { return call(answerRead, buf) }
func (guest) Random(buf []byte) int32     { return call(random, buf) }
func (guest) LogEnabled(l Level) int32    { return logEnabled(int32(l)) }
func (guest) ClockNow() int64             { return clockNow() }

func (guest) Fail(b []byte, retryUS int64) int32 {
	n := failCall(unsafe.Pointer(unsafe.SliceData(b)), uint32(len(b)), retryUS)
	runtime.KeepAlive(b)
	return n
}

func (guest) RouteSend(node, input []byte) int32 {
	n := routeSend(unsafe.Pointer(unsafe.SliceData(node)), uint32(len(node)),
		unsafe.Pointer(unsafe.SliceData(input)), uint32(len(input)))
	runtime.KeepAlive(node)
	runtime.KeepAlive(input)
	return n
}

func (guest) Log(level Level, msg []byte) {
	logCall(int32(level), unsafe.Pointer(unsafe.SliceData(msg)), uint32(len(msg)))
	runtime.KeepAlive(msg)
}

//go:wasmimport dash_v1 input_read
func inputRead(buf unsafe.Pointer, size uint32) int32

//go:wasmimport dash_v1 config_read
func configRead(buf unsafe.Pointer, size uint32) int32

//go:wasmimport dash_v1 meta_read
func metaRead(buf unsafe.Pointer, size uint32) int32

//go:wasmimport dash_v1 output_write
func outputWrite(ptr unsafe.Pointer, size uint32) int32

//go:wasmimport dash_v1 fail
func failCall(ptr unsafe.Pointer, size uint32, retryUS int64) int32

//go:wasmimport dash_v1 last_error
func lastError(buf unsafe.Pointer, size uint32) int32

//go:wasmimport dash_v1 route_to
func routeTo(ptr unsafe.Pointer, size uint32) int32

//go:wasmimport dash_v1 route_send
func routeSend(nodePtr unsafe.Pointer, nodeSize uint32, inputPtr unsafe.Pointer, inputSize uint32) int32

//go:wasmimport dash_v1 interrupt
func interrupt(ptr unsafe.Pointer, size uint32) int32

//go:wasmimport dash_v1 answer_read
func answerRead(buf unsafe.Pointer, size uint32) int32

//go:wasmimport dash_v1 log
func logCall(level int32, ptr unsafe.Pointer, size uint32)

//go:wasmimport dash_v1 log_enabled
func logEnabled(level int32) int32

//go:wasmimport dash_v1 clock_now
func clockNow() int64

//go:wasmimport dash_v1 random
func random(buf unsafe.Pointer, size uint32) int32

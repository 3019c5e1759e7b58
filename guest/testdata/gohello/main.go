// Command gohello is a Go guest without any SDK: a reactor whose runtime needs WASI. It greets the name in
// its input, and touches what Go programs touch: clock, sleep, randomness, arguments, standard error.
package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"time"
	"unsafe"
)

//go:wasmimport dash_v1 input_read
func inputRead(buf unsafe.Pointer, size uint32) int32

//go:wasmimport dash_v1 output_write
func outputWrite(ptr unsafe.Pointer, size uint32) int32

var calls int

//go:wasmexport dash_start
func start(configLen int32) int32 {
	_ = fmt.Sprint(configLen) // warm-up
	return 0
}

//go:wasmexport dash_run
func run(inputLen int32) int32 {
	calls++
	input := make([]byte, inputLen+1)
	if n := inputRead(unsafe.Pointer(&input[0]), uint32(inputLen)); n != inputLen {
		return 1
	}
	input = input[:inputLen]
	before := time.Now()
	time.Sleep(3 * time.Millisecond)
	slept := time.Since(before) >= 3*time.Millisecond
	fmt.Fprintf(os.Stderr, "call %d, random %t\n", calls, rand.Uint64() != rand.Uint64())
	out := fmt.Appendf(nil, `{"hello":%q,"calls":%d,"slept":%t,"args":%q}`, input, calls, slept, os.Args)
	return -outputWrite(unsafe.Pointer(&out[0]), uint32(len(out)))
}

func main() {}

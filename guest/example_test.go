package guest_test

import (
	"context"
	"fmt"
	"os"

	"github.com/dashhost/dashhost/abi"
	"github.com/dashhost/dashhost/guest"
)

// echoHost answers a guest that only reads its input and writes an output. The methods it does not have
// are never reached, because Enter refuses their functions.
type echoHost struct {
	guest.Host
	input  []byte
	output string
}

func (h *echoHost) Begin(context.Context) {}

func (h *echoHost) Enter(fn abi.FuncID, _ abi.Phase) error {
	if fn == abi.FnInputRead || fn == abi.FnOutputWrite {
		return nil
	}
	return abi.Errorf(abi.Denied, "%s: not granted", fn)
}
func (h *echoHost) Input() []byte              { return h.input }
func (h *echoHost) OutputWrite(b []byte) error { h.output = string(b); return nil }

func Example() {
	ctx := context.Background()
	runtime, err := guest.Open(ctx, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer runtime.Close(ctx)

	wasm, err := os.ReadFile("testdata/echo.wasm")
	if err != nil {
		fmt.Println(err)
		return
	}
	module, err := runtime.Load(ctx, wasm, &guest.ModuleOptions{Name: "echo"})
	if err != nil {
		fmt.Println(err)
		return
	}
	pool, err := module.NewPool(guest.PoolConfig{Start: func() guest.Host { return &echoHost{} }})
	if err != nil {
		fmt.Println(err)
		return
	}
	host := &echoHost{input: []byte("hello")}
	result, err := pool.Call(ctx, host, len(host.input))
	fmt.Println(result.Status, host.output, err)
	// Output: done hello <nil>
}

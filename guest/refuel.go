package guest

import (
	"context"
	"runtime"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/dashhost/dashhost/guest/meter"
)

// slice is how much a guest may do before it must ask again: a fraction of a millisecond of most code.
const slice = 100_000

// refuel is the function that package meter makes guests call when their slice is used up. It is where
// deadline and cancellation reach code that calls nothing else, and where a long call lets others run.
type refuel struct{}

// Call implements api.GoModuleFunction.
func (refuel) Call(ctx context.Context, _ api.Module, stack []uint64) {
	in := ctx.(*instance)
	in.halt()
	runtime.Gosched()
	in.halt()
	stack[0] = slice
}

// buildMeter instantiates the host module that metered modules import.
func buildMeter(ctx context.Context, wz wazero.Runtime) error {
	i32 := []api.ValueType{api.ValueTypeI32}
	_, err := wz.NewHostModuleBuilder(meter.ImportModule).NewFunctionBuilder().
		WithGoModuleFunction(refuel{}, i32, i32).Export(meter.ImportRefuel).Instantiate(ctx)
	return err
}

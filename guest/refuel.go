package guest

import (
	"context"
	"math"
	"runtime"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/dashhost/dashhost/guest/meter"
)

const (
	// slice is how much a guest may do before it must ask again: a fraction of a millisecond of most code.
	slice = 100_000
	// hostUnits is what every host function charges, and bytesPerUnit how many bytes that it reads or writes add
	// one unit to that.
	hostUnits    = 100
	bytesPerUnit = 16
)

// budget is the fuel and the stack of one call, or of the start phase of one instance. The guest's counter holds
// what is left of the present slice; the account of all of it is here, and the same however it is cut.
type budget struct {
	limit   string // "fuel" or "start_fuel"
	most    int64
	granted int64 // all that was put into the counter, and what host functions charged
	deep    bool  // the guest has been given its stack
}

func newBudget(limit string, most uint64) budget {
	return budget{limit: limit, most: int64(min(most, math.MaxInt64))}
}

// next settles what was used until the counter stood at left, and gives the next slice.
func (b *budget) next(left int64) (int64, error) {
	used := b.granted - left
	if used > b.most {
		return 0, breach(b.limit, b.most, used)
	}
	n := min(slice, b.most-used)
	b.granted = used + n
	return n, nil
}

// gauge is where a metered module keeps its counters.
type gauge struct {
	fuel, depth api.MutableGlobal
}

// bind finds the instance's memory and counters. The start section runs before the runtime has handed out the
// instance, so a host function may be the first to need them.
func (in *instance) bind(mod api.Module) {
	in.mem = mod.Memory()
	in.gauge = gauge{
		fuel:  mod.ExportedGlobal(meter.ExportFuel).(api.MutableGlobal),
		depth: mod.ExportedGlobal(meter.ExportDepth).(api.MutableGlobal),
	}
}

// stack gives the guest its stack, before each call of an export.
func (in *instance) stack() {
	in.deep = true
	in.gauge.depth.Set(uint64(in.limits.Stack))
}

// fill gives the guest the first slice of a call.
func (in *instance) fill() {
	n := min(slice, in.most)
	in.granted = n
	in.gauge.fuel.Set(uint64(n))
}

// used is the fuel charged so far.
func (in *instance) used() uint64 {
	if in.gauge.fuel == nil {
		return 0 // no code has run, or a short start section
	}
	return uint64(in.granted - int64(int32(in.gauge.fuel.Get())))
}

// charge takes n units for a host function's work. It does not return if there are not as many.
func (in *instance) charge(n int) {
	in.granted += int64(n)
	left := int64(int32(in.gauge.fuel.Get()))
	room := in.most - (in.granted - left)
	if room < 0 {
		in.abort(breach(in.budget.limit, in.most, in.most-room))
	}
	if left > room { // what is left of the slice is more than what is left of all
		in.granted -= left - room
		in.gauge.fuel.Set(uint64(room))
	}
}

// refuel is the function that package meter makes guests call when their slice is used up. It is where
// deadline and cancellation reach code that calls nothing else, and where a long call lets others run.
type refuel struct{}

// Call implements api.GoModuleFunction.
func (refuel) Call(ctx context.Context, mod api.Module, stack []uint64) {
	in := ctx.(*instance)
	if in.mem == nil {
		in.bind(mod)
	}
	in.halt()
	n, err := in.next(int64(int32(stack[0])))
	if err != nil {
		in.abort(err)
	}
	runtime.Gosched()
	in.halt()
	stack[0] = uint64(n)
}

// deepen is the function that guests call when their stack is used up, or when they have not been given any yet.
type deepen struct{}

// Call implements api.GoModuleFunction.
func (deepen) Call(ctx context.Context, _ api.Module, stack []uint64) {
	in := ctx.(*instance)
	left := int64(int32(stack[0]))
	if !in.deep {
		in.deep = true
		left += in.limits.Stack
		if left >= 0 {
			stack[0] = uint64(left)
			return
		}
	}
	in.abort(breach("stack", in.limits.Stack, in.limits.Stack-left))
}

// buildMeter instantiates the host module that metered modules import.
func buildMeter(ctx context.Context, wz wazero.Runtime) error {
	i32 := []api.ValueType{api.ValueTypeI32}
	_, err := wz.NewHostModuleBuilder(meter.ImportModule).
		NewFunctionBuilder().WithGoModuleFunction(refuel{}, i32, i32).Export(meter.ImportRefuel).
		NewFunctionBuilder().WithGoModuleFunction(deepen{}, i32, i32).Export(meter.ImportDeepen).Instantiate(ctx)
	return err
}

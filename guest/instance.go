package guest

import (
	"context"
	"time"

	"github.com/tetratelabs/wazero/api"

	"github.com/dashhost/dashhost/abi"
)

// instance is one instantiated module with everything its host functions need. It is itself the
// context.Context that the runtime hands to host functions unchanged, which is how they find it: one type
// assertion, no lookup. One goroutine uses it at a time.
type instance struct {
	watch
	pool   *Pool
	limits *Limits
	mod    api.Module
	mem    api.Memory
	memory memory
	gauge  gauge
	run    api.Function
	base   context.Context // carries the memory allocator while the runtime instantiates
	result [1]uint64       // parameter and result of an exported function

	globals []api.MutableGlobal // those of the image, under policy reset

	calls    int    // how many it has begun to serve
	dirty    bool   // policy reset: it must be put back before it serves another
	spent    bool   // it must not serve another
	reason   Reason // why
	held     int64  // bytes it counts with while it waits for a call
	parked   uint64 // when it began to, in the runtime's count
	cleaning bool   // it is being put back in the background; under Pool.mu

	call // state of the current call, replaced whole
}

// call is all the state that one call (or start phase) leaves behind on the host's side.
type call struct {
	budget
	host    Host
	phase   abi.Phase
	args    args   // of the host function that is running
	entered bool   // the host has been told that the call begins
	inside  string // host function that is running, "" when none
	broken  error  // why a host function ended the call
	lastErr string
	logged  int64 // bytes of log, standard output and standard error
	dropped int64 // of them, over the limit
	failure string
	pending bool // a question waits for its answer
}

// Value implements context.Context. Only the runtime asks, and only while it instantiates.
func (in *instance) Value(key any) any {
	if in.mod != nil {
		return nil
	}
	return in.base.Value(key)
}

// serve runs dash_run for h.
func (in *instance) serve(ctx context.Context, h Host, inputLen int) (Result, error) {
	in.calls++
	in.spent, in.reason = true, RetiredInternal // until the call has ended well
	in.call = call{host: h, phase: abi.PhaseRun, budget: newBudget("fuel", in.limits.Fuel)}
	in.memory.refused = 0
	in.stack()
	in.fill()
	in.result[0] = uint64(inputLen)
	in.begin(ctx, "deadline", in.limits.Deadline)
	err := in.run.CallWithStack(in, in.result[:])
	res := Result{
		Status:     abi.Status(int32(in.result[0])),
		Fuel:       in.used(),
		Memory:     int64(in.mem.Size()),
		LogDropped: in.dropped,
		Duration:   time.Since(in.began),
	}
	if err != nil {
		err = in.outcome(err)
	} else {
		err = in.verdict(res.Status)
	}
	in.spent = false
	if s := in.end(); s != running && err == nil {
		in.condemn(reasonOf(in.err(s))) // the call ended in time, but what stops it is on its way
	}
	if err != nil {
		in.condemn(reasonOf(err))
		res.Status = abi.Failed
	}
	in.call, in.caller = call{}, nil
	return res, err
}

// verdict checks the status of a dash_run that returned.
func (in *instance) verdict(s abi.Status) error {
	switch {
	case s != abi.Done && s != abi.Failed && s != abi.Interrupted:
		return violation("dash_run returned %d, expected 0 (done), 1 (failed) or 2 (interrupted)", int32(s))
	case s == abi.Done && in.pending:
		return violation("dash_run returned 0 (done) while a question is pending, expected 2 (interrupted)")
	case s == abi.Interrupted && !in.pending:
		return violation("dash_run returned 2 (interrupted) without a pending question")
	}
	return nil
}

// condemn notes that the instance must not serve another call, and why. The first reason stands.
func (in *instance) condemn(why Reason) {
	if !in.spent {
		in.spent, in.reason = true, why
	}
}

// retire counts a spent instance as gone and closes it for good.
func (in *instance) retire() {
	in.pool.mu.Lock()
	in.pool.strike(in)
	in.pool.mu.Unlock()
	if in.mod != nil {
		// Closing an anonymous module without files cannot fail; there is nothing to tell the caller.
		if err := in.mod.Close(context.Background()); err != nil {
			in.pool.rt.log.Error("close instance", "module", in.pool.name, "error", err)
		}
	}
	in.call = call{}
	in.memory.release()
}

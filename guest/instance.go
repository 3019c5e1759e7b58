package guest

import (
	"context"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"

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

	calls int // how many it has begun to serve
	spent bool

	call // state of the current call, replaced whole
}

// call is all the state that one call (or start phase) leaves behind on the host's side.
type call struct {
	budget
	host    Host
	phase   abi.Phase
	args    args   // of the host function that is running
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

// start makes an instance and runs its start phase. On error nothing of it is left.
func (p *Pool) start(ctx context.Context) (*instance, error) {
	in := &instance{pool: p, limits: &p.limits}
	in.memory.limit = wholePages(p.limits.Memory)
	in.done = make(chan struct{})
	in.base = experimental.WithMemoryAllocator(context.Background(), &in.memory)
	in.call = call{phase: abi.PhaseStart, budget: newBudget("start_fuel", p.limits.StartFuel)}
	err := p.code.rt.guard("start host", func() error { in.host = p.cfg.Start(); return nil })
	if err != nil {
		return nil, &StartError{Stage: "host", Err: err}
	}
	if !p.register(in) {
		return nil, ErrClosed
	}
	in.begin(ctx, "start_deadline", p.limits.StartDeadline)
	err = in.startPhase()
	if s := in.end(); s != running && err == nil {
		err = &StartError{Stage: abi.ExportStart, Err: in.err(s)}
	}
	p.startFuel.Add(in.used())
	if err != nil {
		in.retire()
		return nil, err
	}
	return in, nil
}

func (in *instance) startPhase() error {
	mod, err := in.pool.code.instantiate(in)
	if err != nil {
		return &StartError{Stage: "instantiate", Text: in.failure, Err: in.outcome(err)}
	}
	in.mod = mod
	in.bind(mod)
	if f := mod.ExportedFunction(abi.ExportInitialize); f != nil {
		in.stack()
		if err := f.CallWithStack(in, in.result[:]); err != nil {
			return &StartError{Stage: abi.ExportInitialize, Text: in.failure, Err: in.outcome(err)}
		}
	}
	if f := mod.ExportedFunction(abi.ExportStart); f != nil {
		in.stack()
		in.result[0] = uint64(in.pool.cfg.ConfigLen)
		if err := f.CallWithStack(in, in.result[:]); err != nil {
			return &StartError{Stage: abi.ExportStart, Text: in.failure, Err: in.outcome(err)}
		}
		if status := int32(in.result[0]); status != 0 {
			return &StartError{Stage: abi.ExportStart, Status: status, Text: in.failure}
		}
	}
	in.run = mod.ExportedFunction(abi.ExportRun)
	return nil
}

// serve runs dash_run for h.
func (in *instance) serve(ctx context.Context, h Host, inputLen int) (Result, error) {
	in.calls++
	in.spent = true // until the call has ended well
	in.call = call{host: h, phase: abi.PhaseRun, budget: newBudget("fuel", in.limits.Fuel)}
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
	in.spent = in.end() != running || err != nil
	in.call, in.caller = call{}, nil
	if err != nil {
		res.Status = abi.Failed
	}
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

// retire closes the instance for good.
func (in *instance) retire() {
	in.spent = true
	in.pool.unregister(in)
	if in.mod != nil {
		// Closing an anonymous module without files cannot fail; there is nothing to tell the caller.
		if err := in.mod.Close(context.Background()); err != nil {
			in.pool.code.rt.log.Error("close instance", "module", in.pool.name, "error", err)
		}
	}
	in.call = call{}
	in.memory.release()
}

// instantiate makes an anonymous instance without start functions. A start section runs in it.
func (c *code) instantiate(in *instance) (api.Module, error) {
	return c.rt.wz.InstantiateModule(in, c.compiled, wazero.NewModuleConfig().WithName("").WithStartFunctions())
}

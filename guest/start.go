package guest

import (
	"context"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"

	"github.com/dashhost/dashhost/abi"
)

// start makes an instance, unless the module has failed to start too often. On error nothing of it is left.
func (p *Pool) start(ctx context.Context) (*instance, error) {
	if err := p.backoff.wait(p.rt.now()); err != nil {
		return nil, err
	}
	in, err := p.make(ctx)
	p.backoff.note(err, p.rt.now())
	return in, err
}

// make makes an instance: by its start phase, or under policy reset from the image that the first one left.
// Who comes while the first one starts waits for it.
func (p *Pool) make(ctx context.Context) (*instance, error) {
	if p.cfg.Policy != PolicyReset {
		return p.begin(ctx, (*instance).startPhase)
	}
	if img := p.image.Load(); img != nil {
		return p.clone(ctx, img)
	}
	select {
	case p.first <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-p.first }()
	if img := p.image.Load(); img != nil {
		return p.clone(ctx, img)
	}
	in, err := p.begin(ctx, (*instance).startPhase)
	if err != nil {
		return nil, err
	}
	img, err := in.capture(p.rt.pages)
	if err != nil {
		p.rt.log.Warn("put back by copying", "module", p.name, "error", err)
	}
	p.rt.quota.image(img.bytes())
	p.image.Store(img)
	if err := in.adopt(img); err != nil {
		in.condemn(RetiredReset)
		in.retire()
		return nil, &StartError{Stage: "image", Err: err}
	}
	return in, nil
}

// clone makes an instance that takes over the image.
func (p *Pool) clone(ctx context.Context, img *image) (*instance, error) {
	in, err := p.begin(ctx, (*instance).instantiate)
	if err != nil {
		return nil, err
	}
	if err := in.adopt(img); err != nil {
		in.condemn(RetiredReset)
		in.retire()
		return nil, &StartError{Stage: "image", Err: err}
	}
	p.mu.Lock()
	p.cloned++
	p.mu.Unlock()
	return in, nil
}

// begin makes an instance and runs phase on it.
func (p *Pool) begin(ctx context.Context, phase func(*instance) error) (*instance, error) {
	in := &instance{pool: p, limits: &p.limits}
	in.memory.limit, in.memory.declared = wholePages(p.limits.Memory), p.declared
	in.done = make(chan struct{})
	in.base = experimental.WithMemoryAllocator(context.Background(), &in.memory)
	in.call = call{phase: abi.PhaseStart, budget: newBudget("start_fuel", p.limits.StartFuel)}
	err := p.rt.guard("start host", func() error { in.host = p.cfg.Start(); return nil })
	if err != nil {
		return nil, &StartError{Stage: "host", Err: err}
	}
	if !p.register(in) {
		return nil, ErrClosed
	}
	in.watch.begin(ctx, "start_deadline", p.limits.StartDeadline)
	err = phase(in)
	if s := in.end(); s != running && err == nil {
		err = &StartError{Stage: abi.ExportStart, Err: in.err(s)}
	}
	p.startFuel.Add(in.used())
	in.call, in.caller = call{}, nil
	if err != nil {
		in.condemn(RetiredStart)
		in.retire()
		return nil, err
	}
	return in, nil
}

// instantiate makes the module, in which a start section runs.
func (in *instance) instantiate() error {
	mod, err := in.pool.code.instantiate(in)
	if err != nil {
		return &StartError{Stage: "instantiate", Text: in.failure, Err: in.outcome(err)}
	}
	in.mod = mod
	in.bind(mod)
	in.run = mod.ExportedFunction(abi.ExportRun)
	if in.pool.cfg.Policy == PolicyReset {
		in.findGlobals()
	}
	return nil
}

// startPhase makes the module and runs what it has to run before its first call.
func (in *instance) startPhase() error {
	if err := in.instantiate(); err != nil {
		return err
	}
	if f := in.mod.ExportedFunction(abi.ExportInitialize); f != nil {
		in.stack()
		if err := f.CallWithStack(in, in.result[:]); err != nil {
			return &StartError{Stage: abi.ExportInitialize, Text: in.failure, Err: in.outcome(err)}
		}
	}
	if f := in.mod.ExportedFunction(abi.ExportStart); f != nil {
		in.stack()
		in.result[0] = uint64(in.pool.cfg.ConfigLen)
		if err := f.CallWithStack(in, in.result[:]); err != nil {
			return &StartError{Stage: abi.ExportStart, Text: in.failure, Err: in.outcome(err)}
		}
		if status := int32(in.result[0]); status != 0 {
			return &StartError{Stage: abi.ExportStart, Status: status, Text: in.failure}
		}
	}
	return nil
}

// instantiate makes an anonymous instance without start functions. A start section runs in it.
func (c *code) instantiate(in *instance) (api.Module, error) {
	return c.rt.wz.InstantiateModule(in, c.compiled, wazero.NewModuleConfig().WithName("").WithStartFunctions())
}

// Warm starts instances until there are n, or as many as the pool or the quota of the Runtime have room
// for, so that the first calls find one. It fails as a call does that needs a new instance, and does nothing
// for those that have failed: the next call or Warm tries again.
func (p *Pool) Warm(ctx context.Context, n int) error {
	for {
		p.mu.Lock()
		if p.closed {
			p.mu.Unlock()
			return ErrClosed
		}
		if p.live >= min(n, p.cfg.Max) || !p.rt.quota.try(p.full()) {
			p.mu.Unlock()
			return nil
		}
		p.live++
		p.mu.Unlock()
		in, err := p.start(ctx)
		if err != nil {
			p.leave()
			return err
		}
		p.pass(in)
	}
}

package host

import (
	"context"
	"errors"
	"time"

	"github.com/dashhost/dashhost/guest"
	"github.com/dashhost/dashhost/host/capability"
	"github.com/dashhost/dashhost/host/workflow"
	"github.com/dashhost/dashhost/internal/engine"
)

// CallOptions of CallModule. Nil is fine.
type CallOptions struct {
	Input    []byte          // what input_read gives, as it is; default none
	Config   []byte          // JSON that config_read gives; default none
	Grants   workflow.Grants // default none
	Deadline time.Duration   // default that of package guest
	// Signatures are the lines of the module's signature file, which count where
	// Options.Signers are given.
	Signatures []string
}

// CallResult is how a call on its own ended.
type CallResult struct {
	Output   []byte   // as the module wrote it, not checked; also of a failure that keeps its output
	Routes   []string // targets that it chose
	Err      *Error   // why it failed, nil if it did not
	Duration time.Duration
	Fuel     uint64 // units of work that were charged: the same for the same module, input and answers
}

// CallModule calls a module once, outside any graph: it may not route, and nothing is kept. name stands for the module in
// messages. The error is a *guest.LoadError for a module that is refused, or ctx's; a module that fails, traps or meets a limit
// has a result.
func (h *Host) CallModule(ctx context.Context, name string, wasm []byte, o *CallOptions) (_ *CallResult, err error) {
	if o == nil {
		o = &CallOptions{}
	}
	if err := h.usable(nil); err != nil {
		return nil, err
	}
	m, err := h.guest.Load(ctx, wasm, &guest.ModuleOptions{Name: name, Signatures: o.Signatures})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, m.Close(ctx)) }()
	n := &workflow.Node{
		Name: "call", Module: &workflow.Module{Name: name}, RawIn: "input", RawOut: "output",
		Config: o.Config, Grants: o.Grants, Limits: workflow.Limits{Deadline: o.Deadline},
	}
	pool, err := m.NewPool(guest.PoolConfig{
		Policy: guest.PolicyFresh, ConfigLen: len(n.Config), Limits: guestLimits(&n.Limits), Max: 1,
		Start: func() guest.Host { return capability.Start(n, m.Digest(), h.log) },
	})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, pool.Close(ctx)) }()
	node := &wasmNode{vertex: vertex{host: h, graph: &workflow.Graph{Name: name, File: "the call"}, node: n}, pool: pool}
	began := time.Now()
	out, err := node.Run(ctx, &engine.Task{Node: n, Attempt: 1, Time: h.opts.Clock.Now().UnixMicro(), Input: o.Input})
	return callResult(out, err, time.Since(began))
}

// callResult tells what the module did from what kept it from being called.
func callResult(out engine.Outcome, err error, took time.Duration) (*CallResult, error) {
	r := &CallResult{Output: out.Output, Duration: took, Fuel: out.Fuel}
	for _, s := range out.Sends {
		r.Routes = append(r.Routes, s.Node)
	}
	if err == nil || errors.As(err, &r.Err) {
		return r, nil
	}
	return nil, err
}

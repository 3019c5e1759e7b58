package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/dashhost/dashhost/abi"
	"github.com/dashhost/dashhost/guest"
)

const (
	reset = guest.PolicyReset
	reuse = guest.PolicyReuse
	fresh = guest.PolicyFresh
)

// config is what the guests of the example are told: where their findings go.
var config = []byte(`{"to":"c"}`)

// host answers what the guests here ask, and panics at anything else.
type host struct {
	guest.Host
	input  []byte
	output []byte
}

func (*host) Begin(context.Context)              {}
func (*host) Enter(abi.FuncID, abi.Phase) error  { return nil }
func (h *host) Input() []byte                    { return h.input }
func (*host) Config() []byte                     { return config }
func (*host) Meta() []byte                       { return []byte("{}") }
func (h *host) OutputWrite(b []byte) error       { h.output = append(h.output[:0], b...); return nil }
func (*host) Fail(text []byte, _ int64) error    { return fmt.Errorf("the guest failed: %s", text) }
func (*host) Log(abi.Level, []byte)              {}
func (*host) LogEnabled(abi.Level) bool          { return false }
func (*host) Now() int64                         { return 1_700_000_000_000_000 }
func (*host) SeedRandom(b []byte)                { clear(b) }
func (*host) Args() []string                     { return nil }
func (*host) Environ() []string                  { return nil }
func (*host) Stdio(int, []byte)                  {}
func (*host) Sleep(context.Context, int64) error { return nil }

// ours is one module in one pool of one instance.
type ours struct {
	rt   *guest.Runtime
	pool *guest.Pool
	h    *host
	ctx  context.Context //nolint:containedctx // of the whole run
}

func newOurs(ctx context.Context, wasm []byte, policy guest.Policy, input []byte) (*ours, error) {
	return newPool(ctx, wasm, guest.PoolConfig{Policy: policy, Max: 1, ReuseMax: math.MaxInt32}, input)
}

func newPool(ctx context.Context, wasm []byte, c guest.PoolConfig, input []byte) (*ours, error) {
	rt, err := guest.Open(ctx, nil)
	if err != nil {
		return nil, err
	}
	m, err := rt.Load(ctx, wasm, nil)
	if err != nil {
		return nil, errors.Join(err, rt.Close(ctx))
	}
	c.ConfigLen = len(config)
	c.Start = func() guest.Host { return &host{} }
	pool, err := m.NewPool(c)
	if err != nil {
		return nil, errors.Join(err, rt.Close(ctx))
	}
	return &ours{rt: rt, pool: pool, h: &host{input: input}, ctx: ctx}, nil
}

func (o *ours) call() error {
	res, err := o.pool.Call(o.ctx, o.h, len(o.h.input))
	if err == nil && res.Status != abi.Done {
		err = fmt.Errorf("status %d", res.Status)
	}
	return err
}

func (o *ours) close() error { return o.rt.Close(o.ctx) }

func ourDeadline(ctx context.Context, wasm []byte, d time.Duration) (time.Duration, error) {
	o, err := newPool(ctx, wasm, guest.PoolConfig{Limits: guest.Limits{Deadline: d, Fuel: math.MaxInt64}}, nil)
	if err != nil {
		return 0, err
	}
	var worst time.Duration
	for range 5 {
		begun := time.Now()
		err = o.call()
		worst = max(worst, time.Since(begun))
		var limit *guest.LimitError
		if !errors.As(err, &limit) {
			return 0, fmt.Errorf("expected the deadline, got %v", err)
		}
	}
	return worst, o.close()
}

func spinOurs(ctx context.Context, wasm []byte, d time.Duration) error {
	o, err := newPool(ctx, wasm, guest.PoolConfig{Limits: guest.Limits{Deadline: d, Fuel: math.MaxInt64}}, nil)
	if err != nil {
		return err
	}
	var limit *guest.LimitError
	if err := o.call(); !errors.As(err, &limit) {
		return fmt.Errorf("expected the deadline, got %v", err)
	}
	return o.close()
}

// trapping is a pool whose guest never ends well.
type trapping struct{ *ours }

func newTrapping(ctx context.Context, wasm []byte) (*trapping, error) {
	o, err := newPool(ctx, wasm, guest.PoolConfig{Max: 1}, nil)
	return &trapping{o}, err
}

func (t *trapping) call() error {
	err := t.ours.call()
	var trap *guest.TrapError
	if !errors.As(err, &trap) {
		return fmt.Errorf("expected a trap, got %v", err)
	}
	return nil
}

package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"time"

	extism "github.com/extism/go-sdk"
	"github.com/tetratelabs/wazero"
)

//go:embed plugin.wasm
var pluginWasm []byte

func compileExtism(ctx context.Context, timeout time.Duration) (*extism.CompiledPlugin, error) {
	m := extism.Manifest{Wasm: []extism.Wasm{extism.WasmData{Data: pluginWasm}}, Timeout: uint64(timeout.Milliseconds())}
	c := extism.PluginConfig{RuntimeConfig: wazero.NewRuntimeConfig().WithCloseOnContextDone(timeout > 0)}
	return extism.NewCompiledPlugin(ctx, m, c, nil)
}

// theirs is one plug-in.
type theirs struct {
	compiled *extism.CompiledPlugin
	plugin   *extism.Plugin
	entry    string
	input    []byte
	ctx      context.Context //nolint:containedctx // of the whole run
}

func newExtism(ctx context.Context, entry string, input []byte) (*theirs, error) {
	c, err := compileExtism(ctx, 0)
	if err != nil {
		return nil, err
	}
	p, err := c.Instance(ctx, extism.PluginInstanceConfig{})
	return &theirs{compiled: c, plugin: p, entry: entry, input: input, ctx: ctx}, err
}

func (t *theirs) call() error {
	code, out, err := t.plugin.CallWithContext(t.ctx, t.entry, t.input)
	if err == nil && (code != 0 || len(out) != len(t.input)) {
		err = fmt.Errorf("exit code %d, %d bytes of %d", code, len(out), len(t.input))
	}
	return err
}

func (t *theirs) close() error { return errors.Join(t.plugin.Close(t.ctx), t.compiled.Close(t.ctx)) }

// theirsFresh makes a new plug-in for each call.
type theirsFresh struct {
	compiled *extism.CompiledPlugin
	entry    string
	ctx      context.Context //nolint:containedctx // of the whole run
}

func newExtismFresh(ctx context.Context, entry string) (*theirsFresh, error) {
	c, err := compileExtism(ctx, 0)
	return &theirsFresh{compiled: c, entry: entry, ctx: ctx}, err
}

func (t *theirsFresh) call() error {
	p, err := t.compiled.Instance(t.ctx, extism.PluginInstanceConfig{})
	if err != nil {
		return err
	}
	if _, _, err := p.CallWithContext(t.ctx, t.entry, nil); err != nil {
		return err
	}
	return p.Close(t.ctx)
}

func (t *theirsFresh) close() error { return t.compiled.Close(t.ctx) }

// extismDeadline is how long a plug-in ran that should have ended. One that goes on past patience is left behind.
func extismDeadline(ctx context.Context, entry string, d time.Duration) (time.Duration, error) {
	c, err := compileExtism(ctx, d)
	if err != nil {
		return 0, err
	}
	p, err := c.Instance(ctx, extism.PluginInstanceConfig{})
	if err != nil {
		return 0, err
	}
	begun := time.Now()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _, _ = p.CallWithContext(ctx, entry, nil) // only how long it takes counts
	}()
	select {
	case <-ended:
		return time.Since(begun), nil
	case <-time.After(patience):
		return patience, nil
	}
}

func spinExtism(ctx context.Context, entry string, d time.Duration) error {
	c, err := compileExtism(ctx, d)
	if err != nil {
		return err
	}
	p, err := c.Instance(ctx, extism.PluginInstanceConfig{})
	if err != nil {
		return err
	}
	_, _, _ = p.CallWithContext(ctx, entry, nil) // it ends by its timeout, or by itself
	return errors.Join(p.Close(ctx), c.Close(ctx))
}

package main

import (
	"context"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
)

// bare is a module on the runtime alone: nothing is checked, and nothing stops a guest.
type bare struct {
	rt     wazero.Runtime
	code   wazero.CompiledModule
	run    api.Function
	stack  [1]uint64
	input  []byte
	output []byte
	ctx    context.Context //nolint:containedctx // of the whole run
}

func compileBare(ctx context.Context, wasm, input []byte) (*bare, error) {
	b := &bare{rt: wazero.NewRuntime(ctx), input: input, ctx: ctx}
	if _, err := wasi_snapshot_preview1.Instantiate(ctx, b.rt); err != nil {
		return nil, err
	}
	if err := b.host(ctx); err != nil {
		return nil, err
	}
	var err error
	b.code, err = b.rt.CompileModule(ctx, wasm)
	return b, err
}

// host has the functions of dash_v1 that the guests here import.
func (b *bare) host(ctx context.Context) error {
	i32, i64 := api.ValueTypeI32, api.ValueTypeI64
	m := b.rt.NewHostModuleBuilder("dash_v1")
	add := func(name string, f api.GoModuleFunc, results int, params ...api.ValueType) {
		m = m.NewFunctionBuilder().WithGoModuleFunction(f, params, []api.ValueType{i32}[:results]).Export(name)
	}
	value := func(text func() []byte) api.GoModuleFunc {
		return func(_ context.Context, mod api.Module, s []uint64) {
			b := text()
			if len(b) <= int(uint32(s[1])) {
				mod.Memory().Write(uint32(s[0]), b)
			}
			s[0] = uint64(len(b))
		}
	}
	zero := func(_ context.Context, _ api.Module, s []uint64) { s[0] = 0 }
	add("input_read", value(func() []byte { return b.input }), 1, i32, i32)
	add("config_read", value(func() []byte { return config }), 1, i32, i32)
	add("meta_read", value(func() []byte { return []byte("{}") }), 1, i32, i32)
	add("last_error", value(func() []byte { return nil }), 1, i32, i32)
	add("output_write", func(_ context.Context, mod api.Module, s []uint64) {
		view, _ := mod.Memory().Read(uint32(s[0]), uint32(s[1]))
		b.output = append(b.output[:0], view...)
		s[0] = 0
	}, 1, i32, i32)
	add("fail", zero, 1, i32, i32, i64)
	add("log", func(context.Context, api.Module, []uint64) {}, 0, i32, i32, i32)
	_, err := m.Instantiate(ctx)
	return err
}

func (b *bare) start() (api.Module, error) {
	mod, err := b.rt.InstantiateModule(b.ctx, b.code, wazero.NewModuleConfig().WithName("").WithStartFunctions("_initialize"))
	if err != nil {
		return nil, err
	}
	if f := mod.ExportedFunction("dash_start"); f != nil {
		if _, err := f.Call(b.ctx, uint64(len(config))); err != nil {
			return nil, err
		}
	}
	b.run = mod.ExportedFunction("dash_run")
	return mod, nil
}

func newBare(ctx context.Context, wasm, input []byte) (*bare, error) {
	b, err := compileBare(ctx, wasm, input)
	if err != nil {
		return nil, err
	}
	_, err = b.start()
	return b, err
}

func (b *bare) call() error {
	b.stack[0] = uint64(len(b.input))
	return b.run.CallWithStack(b.ctx, b.stack[:])
}

func (b *bare) close() error { return b.rt.Close(b.ctx) }

// bareFresh makes a new instance for each call.
type bareFresh struct{ *bare }

func newBareFresh(ctx context.Context, wasm, input []byte) (*bareFresh, error) {
	b, err := compileBare(ctx, wasm, input)
	return &bareFresh{b}, err
}

func (b *bareFresh) call() error {
	mod, err := b.start()
	if err != nil {
		return err
	}
	if err := b.bare.call(); err != nil {
		return err
	}
	return mod.Close(b.ctx)
}

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/dashhost/dashhost/checkpoint"
	"github.com/dashhost/dashhost/host"
	"github.com/dashhost/dashhost/host/openurl"
	"github.com/dashhost/dashhost/internal/bench/bare"
)

// noopModule is a wasm module that does nothing:
//
//	(module
//	  (memory (export "memory") 1)
//	  (func (export "dash_run") (param i32) (result i32) i32.const 0))
const noopModule = "\x00asm\x01\x00\x00\x00\x01\x06\x01\x60\x01\x7f\x01\x7f\x03\x02\x01\x00\x05\x03\x01\x00\x01\x07\x15\x02\x06memory\x02\x00\x08dash_run\x00\x00\x0a\x06\x01\x04\x00\x41\x00\x0b"

// engineSteps is how many supersteps a run takes.
const engineSteps = 100

// manifest writes a graph whose one node runs again and again, engineSteps times.
func (b *bench) manifest(name, node string) (string, error) {
	dir := filepath.Join(b.dir, name)
	text := fmt.Sprintf(`version: 1
modules: {noop: {path: noop.wasm}}
channels: {n: {}}
run: {max_steps: %d}
nodes: {a: %s}
edges:
  - {from: START, to: a}
  - {from: a, to: a}
`, engineSteps, node)
	path := filepath.Join(dir, "workflow.yaml")
	err := os.Mkdir(dir, 0o700)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "noop.wasm"), []byte(noopModule), 0o600)
	}
	if err == nil {
		err = os.WriteFile(path, []byte(text), 0o600)
	}
	return path, err
}

// with loads the graph of a node on a store and gives f a function that runs it for engineSteps supersteps.
func (b *bench) with(name, node, store string, f func(run func() error) error) (err error) {
	path, err := b.manifest(name, node)
	if err != nil {
		return err
	}
	h, err := host.New(&host.Options{Store: store, OpenStore: func(ctx context.Context, url string) (*checkpoint.Store, error) {
		return openurl.Store(ctx, url, nil)
	}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.Close(context.WithoutCancel(b.ctx))) }()
	nothing := func(*host.Task) error { return nil }
	g, err := h.Load(b.ctx, path, &host.LoadOptions{Nodes: host.Nodes{"nothing": nothing}})
	if err != nil {
		return err
	}
	return f(func() error {
		r, err := h.Start(b.ctx, g, []byte("{}"), nil)
		if err != nil {
			return err
		}
		res, err := r.Wait(b.ctx)
		if err == nil && res.Steps < engineSteps {
			err = fmt.Errorf("the run took %d steps: %w", res.Steps, res.Err)
		}
		return err
	})
}

// superstep measures a durable superstep beside one fdatasync.
func (b *bench) superstep() (err error) {
	log, err := bare.Create(filepath.Join(b.dir, "superstep.bare"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	body := randomBytes()
	store := "file:" + filepath.Join(b.dir, "superstep-store")
	syncs := func() error {
		for range engineSteps {
			if err := log.Append(body); err != nil {
				return err
			}
		}
		return nil
	}
	return b.with("superstep", "{native: nothing}", store, func(run func() error) error {
		return b.add(&benchRow{Name: "durable superstep, 1 thread, Go node", Unit: unitTime, Yardstick: "fdatasync", Goal: goal(1.25)},
			b.inTurns(engineSteps, run, syncs))
	})
}

// inMemory measures supersteps without a store: what the engine costs, and a wasm node.
func (b *bench) inMemory() error {
	slice := b.slice
	b.slice = min(slice, 50*time.Millisecond) // the store in memory keeps all
	defer func() { b.slice = slice }()
	for _, n := range []struct{ name, node, text string }{
		{"memory-go", "{native: nothing}", "superstep in memory, Go node"},
		{"memory-wasm", "{module: noop}", "superstep in memory, wasm node"},
	} {
		err := b.with(n.name, n.node, "mem:", func(run func() error) error {
			return b.add(&benchRow{Name: n.text, Unit: unitTime}, b.inTurns(engineSteps, run, nil))
		})
		if err != nil {
			return err
		}
	}
	return nil
}

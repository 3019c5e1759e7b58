package guest

import (
	"context"
	"fmt"
	"runtime/debug"

	"github.com/tetratelabs/wazero"

	"github.com/dashhost/dashhost/guest/meter"
)

// code is one compiled module, shared by all Modules and Pools with the same key and closed when the last
// of them lets go.
type code struct {
	rt  *Runtime
	key codeKey

	refs int // under rt.mu

	ready    chan struct{} // closed when those below are set
	compiled wazero.CompiledModule
	meter    *meter.Rewritten // what metering has found out of the module
	prepared notes            // what else is known of it
	err      error
}

// compile gives the code for key and holds a reference for the caller. However many ask at once, one
// compilation runs. It goes on when ctx ends, because it cannot be stopped and others may wait for it.
// prepare is called at most once, before compile returns.
func (r *Runtime) compile(ctx context.Context, key codeKey, prepare func() (*prepared, error)) (*code, error) {
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		return nil, ErrClosed
	}
	c := r.codes[key]
	if c == nil {
		c = &code{rt: r, key: key, refs: 2, ready: make(chan struct{})} // the caller's and the compilation's
		r.codes[key] = c
		r.work.Add(1)
		r.mu.Unlock()
		c.build(prepare)
	} else {
		c.refs++
		r.mu.Unlock()
	}
	select {
	case <-c.ready:
	case <-ctx.Done():
		c.release()
		return nil, ctx.Err()
	}
	if c.err != nil {
		c.release()
		return nil, c.err
	}
	return c, nil
}

// build prepares at once, as the bytes belong to the caller, and compiles in a goroutine.
func (c *code) build(prepare func() (*prepared, error)) {
	var p *prepared
	if c.err = c.rt.guard("encode", func() (err error) { p, err = prepare(); return err }); c.err != nil {
		c.finish()
		return
	}
	c.meter, c.prepared = p.Metered, p.notes
	go func() {
		defer c.finish()
		c.rt.compiles.Add(1)
		c.err = c.rt.guard("compile", func() error { return c.rt.cache.around(c.key, p, func() error { return c.make(p.wasm) }) })
	}()
}

func (c *code) make(wasm []byte) (err error) {
	c.compiled, err = compileModule(context.Background(), c.rt.wz, wasm)
	return err
}

// finish publishes the outcome. A failed compilation is forgotten, so that the next Load tries again.
func (c *code) finish() {
	c.rt.mu.Lock()
	if c.err != nil {
		delete(c.rt.codes, c.key)
	}
	c.rt.mu.Unlock()
	close(c.ready)
	c.release()
	c.rt.work.Done()
}

// retain adds a reference, or gives ErrClosed if the last one has just been dropped.
func (c *code) retain() (*code, error) {
	c.rt.mu.Lock()
	defer c.rt.mu.Unlock()
	if c.refs == 0 {
		return nil, ErrClosed
	}
	c.refs++
	return c, nil
}

// release drops a reference, and the code with the last one.
func (c *code) release() {
	c.rt.mu.Lock()
	c.refs--
	last := c.refs == 0
	if last && c.rt.codes[c.key] == c {
		delete(c.rt.codes, c.key)
	}
	c.rt.mu.Unlock()
	if last && c.compiled != nil {
		if err := c.compiled.Close(context.Background()); err != nil {
			c.rt.log.Error("close compiled module", "error", err)
		}
	}
}

// guard runs f and turns a panic into an error, with the detail in the log: the code is not ours, the
// process is.
func (r *Runtime) guard(what string, f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = r.panicked(what, v)
		}
	}()
	return f()
}

// panicked logs a panic and makes the error for it. It is called by the deferred function that recovered.
func (r *Runtime) panicked(what string, v any) *InternalError {
	e := &InternalError{Func: what, Value: v, Stack: string(debug.Stack())}
	r.log.Error("panic", "in", what, "value", fmt.Sprint(v), "stack", e.Stack)
	return e
}

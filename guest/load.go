package guest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
	"sync/atomic"

	"github.com/dashhost/dashhost/abi"
	"github.com/dashhost/dashhost/guest/meter"
	"github.com/dashhost/dashhost/guest/wasmbin"
)

// ModuleOptions of Load and Inspect. The zero value and nil are usable.
type ModuleOptions struct {
	Name     string         // for errors and logs; default ""
	SHA256   string         // expected digest of the bytes in hex; "" is not checked
	MaxBytes int64          // size limit; 0 = DefaultLimits().ModuleBytes
	Bounds   wasmbin.Bounds // zero fields = the defaults of package wasmbin
	// Trusted takes modules with exceptions, which the runtime does not contain safely. Default false.
	// A trusted module that uses them is refused with ErrNotInVersion.
	Trusted bool
}

// Module is a loaded module. It is safe for concurrent use.
type Module struct {
	rt     *Runtime
	name   string
	info   *Info
	digest [sha256.Size]byte
	// growing is what the runtime was given, kept if the module's tables can grow: their limit is written
	// into the module, so that a pool with another limit needs a compilation of its own.
	growing []byte
	bounds  wasmbin.Bounds
	code    *code
	closed  atomic.Bool
}

// Load decodes, checks and compiles a module. All modules with the same bytes share one compilation,
// however many are loaded at once. wasm is not used after Load has returned.
//
// It fails with a *LoadError (whose cause may be a *DigestError, *LimitError, a *wasmbin.Error or
// ErrNotInVersion), with ErrClosed, or with ctx's error when it ends first; the compilation then goes on
// and is there for the next Load.
func (r *Runtime) Load(ctx context.Context, wasm []byte, o *ModuleOptions) (*Module, error) {
	if o == nil {
		o = &ModuleOptions{}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	decoded, info, err := inspect(wasm, o)
	if err != nil {
		return nil, err
	}
	m := &Module{rt: r, name: o.Name, info: info, digest: sha256.Sum256(wasm), bounds: o.Bounds}
	key := codeKey{digest: m.digest}
	if growable(decoded) {
		key.table = abi.DefaultTable
		m.growing = wasmbin.Encode(decoded)
		capTables(decoded, key.table)
	}
	m.code, err = r.compile(ctx, key, func() ([]byte, *meter.Rewritten, error) { return metered(decoded) })
	if err != nil {
		return nil, m.compileError(err)
	}
	return m, nil
}

// metered gives the bytes that the runtime compiles: the module with metering in it.
func metered(m *wasmbin.Module) ([]byte, *meter.Rewritten, error) {
	r, err := meter.Rewrite(m)
	if err != nil {
		return nil, nil, err
	}
	return wasmbin.Encode(m), r, nil
}

// Inspect does everything that Load does, except compiling. It fails with a *LoadError.
func Inspect(wasm []byte, o *ModuleOptions) (*Info, error) {
	if o == nil {
		o = &ModuleOptions{}
	}
	_, info, err := inspect(wasm, o)
	return info, err
}

func inspect(wasm []byte, o *ModuleOptions) (*wasmbin.Module, *Info, error) {
	m, info, e := examine(wasm, o)
	if e != nil {
		e.Module = o.Name
		return nil, nil, e
	}
	return m, info, nil
}

func examine(wasm []byte, o *ModuleOptions) (*wasmbin.Module, *Info, *LoadError) {
	highest := o.MaxBytes
	if highest == 0 {
		highest = DefaultLimits().ModuleBytes
	}
	if int64(len(wasm)) > highest {
		return nil, nil, because(breach("module", highest, int64(len(wasm))))
	}
	sum := sha256.Sum256(wasm)
	digest := hex.EncodeToString(sum[:])
	if o.SHA256 != "" && !strings.EqualFold(o.SHA256, digest) {
		e := because(&DigestError{Want: strings.ToLower(o.SHA256), Got: digest})
		e.Hint = "if the module was rebuilt on purpose, pin the new digest"
		return nil, nil, e
	}
	m, err := wasmbin.Decode(wasm, &wasmbin.Options{Bounds: o.Bounds, Exceptions: o.Trusted})
	if err != nil {
		return nil, nil, refusal(err)
	}
	if m.Features&wasmbin.Exceptions != 0 {
		e := because(ErrNotInVersion)
		e.Text = "the module uses exceptions, which are not in this version"
		return nil, nil, e
	}
	if e := check(m); e != nil {
		return nil, nil, e
	}
	info := describe(m)
	info.SHA256, info.Size = digest, len(wasm)
	return m, info, nil
}

func because(err error) *LoadError { return &LoadError{Offset: -1, Text: err.Error(), Err: err} }

// Digest gives the sha256 of the original bytes in hex.
func (m *Module) Digest() string { return m.info.SHA256 }

// Info gives what Inspect gives. It must not be changed.
func (m *Module) Info() *Info { return m.info }

// Close lets go of the compiled code. Pools made from the module go on; NewPool gives ErrClosed. Closing
// twice is harmless.
func (m *Module) Close(context.Context) error {
	if m.closed.CompareAndSwap(false, true) {
		m.code.release()
	}
	return nil
}

// fits compares what the module declares with what its instances may have.
func (m *Module) fits(l *Limits) error {
	var err error
	if size := int64(m.info.Memory.MinPages) * PageSize; uint64(size) > wholePages(l.Memory) {
		err = breach("memory", l.Memory, size)
	} else if m.info.TableElements > int64(l.Table) {
		err = breach("table", int64(l.Table), m.info.TableElements)
	} else {
		return nil
	}
	e := because(err)
	e.Module = m.name
	return e
}

// compiledFor gives the code for a table limit, with a reference for the caller.
func (m *Module) compiledFor(table uint32) (*code, error) {
	if m.closed.Load() {
		return nil, ErrClosed
	}
	if m.growing == nil || table == m.code.key.table {
		return m.code.retain()
	}
	key := codeKey{digest: m.digest, table: table}
	c, err := m.rt.compile(context.Background(), key, func() ([]byte, *meter.Rewritten, error) {
		decoded, err := wasmbin.Decode(m.growing, &wasmbin.Options{Bounds: m.bounds})
		if err != nil {
			return nil, nil, err
		}
		capTables(decoded, table)
		return metered(decoded)
	})
	if err != nil {
		return nil, m.compileError(err)
	}
	return c, nil
}

// compileError says that the compiler refused a module which the decoder had passed: its validator looks
// at the types of operands, which the decoder leaves to it.
func (m *Module) compileError(err error) error {
	if errors.Is(err, ErrClosed) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	e := because(err)
	e.Module, e.Section, e.Text = m.name, "code", "compile: "+err.Error()
	return e
}

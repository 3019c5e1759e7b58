package guest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
	"sync/atomic"
	"time"

	"github.com/dashhost/dashhost/abi"
	"github.com/dashhost/dashhost/guest/meter"
	"github.com/dashhost/dashhost/guest/signature"
	"github.com/dashhost/dashhost/guest/wasmbin"
)

// ModuleOptions of Load and Inspect. The zero value and nil are usable.
type ModuleOptions struct {
	Name     string         // for errors and logs; default ""
	SHA256   string         // expected digest of the bytes in hex; "" is not checked
	MaxBytes int64          // size limit; 0 = DefaultLimits().ModuleBytes
	Bounds   wasmbin.Bounds // zero fields = the defaults of package wasmbin
	// CompileTime and CompileMemory, in bytes, limit the compilation where Options.Compile does it. 0 = DefaultCompileTime
	// and DefaultCompileMemory.
	CompileTime   time.Duration
	CompileMemory int64
	// Signers are public keys, one of which must have signed the module; none = nobody must. Those of Options.Signers
	// hold beside them. Signatures are the lines of the module's signature file, see package signature.
	Signers    []signature.PublicKey
	Signatures []string
	// Trusted takes modules with exceptions, when the runtime handles them rightly: it loses locals, and does not keep
	// exceptions alive that a guest holds. Default false.
	// A trusted module that uses them is refused with ErrNotInVersion.
	Trusted bool
}

// Module is a loaded module. It is safe for concurrent use.
type Module struct {
	rt     *Runtime
	code   *code
	closed atomic.Bool

	name    string
	info    *Info
	options ModuleOptions
	// growing are the module's bytes, kept if its tables can grow: their limit is written into what is compiled,
	// so that a pool with another limit needs a compilation of its own.
	growing []byte
}

// Load decodes, checks and compiles a module. All modules with the same bytes share one compilation,
// however many are loaded at once. wasm is not used after Load has returned.
//
// It fails with a *LoadError (whose cause may be a *DigestError, a *signature.Error, *LimitError, a *wasmbin.Error or
// ErrNotInVersion), with ErrClosed, or with ctx's error when it ends first; the compilation then goes on
// and is there for the next Load.
func (r *Runtime) Load(ctx context.Context, wasm []byte, o *ModuleOptions) (*Module, error) {
	if o == nil {
		o = &ModuleOptions{}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	digest, e := r.admit(wasm, o)
	if e != nil {
		return nil, e.of(o.Name)
	}
	key := codeKey{digest: digest, rules: rulesOf(o), table: abi.DefaultTable}
	c, err := r.compile(ctx, key, func() (*prepared, error) { return r.obtain(key, wasm, o) })
	if err != nil {
		return nil, compileError(err, o.Name)
	}
	m := &Module{rt: r, code: c, name: o.Name, options: *o, info: c.prepared.Info}
	if c.prepared.Growable {
		m.growing = bytes.Clone(wasm)
	}
	return m, nil
}

// obtain gives what the runtime compiles for key: out of the cache, or made from the module's bytes.
func (r *Runtime) obtain(key codeKey, wasm []byte, o *ModuleOptions) (*prepared, error) {
	if p := r.cache.find(key); p != nil {
		return p, nil
	}
	return prepare(wasm, o, key.table)
}

// Inspect does everything that Load does, except compiling. It fails with a *LoadError.
func Inspect(wasm []byte, o *ModuleOptions) (*Info, error) {
	if o == nil {
		o = &ModuleOptions{}
	}
	_, e := admit(wasm, o)
	if e != nil {
		return nil, e.of(o.Name)
	}
	m, info, e := examine(wasm, o)
	if e != nil {
		return nil, e.of(o.Name)
	}
	r, err := meter.Rewrite(m)
	if err != nil {
		return nil, because(err).of(o.Name)
	}
	info.Obstacles = r.Obstacles
	return info, nil
}

// Inspect does what the function Inspect does. It spares the work for a module that is loaded, or in the cache.
func (r *Runtime) Inspect(wasm []byte, o *ModuleOptions) (*Info, error) {
	if o == nil {
		o = &ModuleOptions{}
	}
	digest, e := r.admit(wasm, o)
	if e != nil {
		return nil, e.of(o.Name)
	}
	if info := r.cache.info(codeKey{digest: digest, rules: rulesOf(o), table: abi.DefaultTable}); info != nil {
		return info, nil
	}
	return Inspect(wasm, o)
}

// admit does what the function admit does, and checks what all modules of the runtime must have.
func (r *Runtime) admit(wasm []byte, o *ModuleOptions) ([sha256.Size]byte, *LoadError) {
	digest, e := admit(wasm, o)
	if e == nil {
		e = signed(digest, o.Signatures, r.signers)
	}
	return digest, e
}

// admit checks what can be said of the bytes as a whole, and gives their digest.
func admit(wasm []byte, o *ModuleOptions) ([sha256.Size]byte, *LoadError) {
	highest := o.MaxBytes
	if highest == 0 {
		highest = DefaultLimits().ModuleBytes
	}
	if int64(len(wasm)) > highest {
		return [sha256.Size]byte{}, because(breach("module", highest, int64(len(wasm))))
	}
	sum := sha256.Sum256(wasm)
	if digest := hex.EncodeToString(sum[:]); o.SHA256 != "" && !strings.EqualFold(o.SHA256, digest) {
		e := because(&DigestError{Want: strings.ToLower(o.SHA256), Got: digest})
		e.Hint = "if the module was rebuilt on purpose, pin the new digest"
		return sum, e
	}
	return sum, signed(sum, o.Signatures, o.Signers)
}

// signed refuses a module that nobody signed who must have.
func signed(digest [sha256.Size]byte, lines []string, keys []signature.PublicKey) *LoadError {
	if len(keys) == 0 {
		return nil
	}
	if _, err := signature.Verify(lines, digest, keys); err != nil {
		e := because(err)
		e.Hint = "sign it (dashhost module sign), or name the key of who did if you trust it"
		return e
	}
	return nil
}

// examine decodes and checks a module.
func examine(wasm []byte, o *ModuleOptions) (*wasmbin.Module, *Info, *LoadError) {
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
	sum := sha256.Sum256(wasm)
	info.SHA256, info.Size = hex.EncodeToString(sum[:]), len(wasm)
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
	key := m.code.key
	key.table = table
	c, err := m.rt.compile(context.Background(), key, func() (*prepared, error) { return m.rt.obtain(key, m.growing, &m.options) })
	if err != nil {
		return nil, compileError(err, m.name)
	}
	return c, nil
}

// compileError says why there is no code for the module called name. Beside what the module was refused for, that is
// the compiler: its validator looks at more types of operands than the decoder does.
func compileError(err error, name string) error {
	if errors.Is(err, ErrClosed) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if e := (*LoadError)(nil); errors.As(err, &e) {
		return e.of(name) // one error may be told to several
	}
	e := because(err)
	e.Module, e.Section, e.Text = name, "code", "compile: "+err.Error()
	if limit := (*LimitError)(nil); errors.As(err, &limit) {
		e.Hint = "one large function costs most: build with less inlining, or raise the limit for a module you trust"
	}
	return e
}

// of gives the error for a module with this name.
func (e *LoadError) of(name string) *LoadError {
	own := *e
	own.Module = name
	return &own
}

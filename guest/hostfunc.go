package guest

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/sys"

	"github.com/dashhost/dashhost/abi"
)

// args are the checked arguments of one call of a host function.
type args struct {
	in   [2][]byte // views of the (ptr,len) pairs, in order
	out  []byte    // view of (buf,cap)
	word []uint64  // all parameters, as the guest passed them
}

func (a *args) i32(i int) int32   { return int32(uint32(a.word[i])) }
func (a *args) i64(i int) int64   { return int64(a.word[i]) }
func (a *args) f64(i int) float64 { return api.DecodeF64(a.word[i]) }

// answer implements one function of dash_v1 on checked arguments. Of the three forms an entry has one.
type answer struct {
	plain func(in *instance, a *args) (int64, error)
	value func(in *instance, a *args) ([]byte, error)
}

// hostFunc is one function of dash_v1 as the runtime calls it.
type hostFunc struct {
	*abi.Func
	answer
	pairs  []pair
	stream bool
}

// pair is a pointer and a length among a function's parameters.
type pair struct {
	index int  // of the pointer
	out   bool // the host writes there
}

// pairsOf finds the pairs by the names the table gives the parameters: ...ptr, ...len are read, buf with
// cap or len is written. A pointer without a length (verptr) is for eight bytes, see kvGet.
func pairsOf(f *abi.Func) []pair {
	var pairs []pair
	for i := 0; i+1 < len(f.Args); i++ {
		switch this, next := f.Args[i], f.Args[i+1]; {
		case this == "buf":
			pairs = append(pairs, pair{i, true})
		case strings.HasSuffix(this, "ptr") && next == strings.TrimSuffix(this, "ptr")+"len":
			pairs = append(pairs, pair{i, false})
		}
	}
	return pairs
}

// Call implements api.GoModuleFunction: what every function of dash_v1 has in common.
func (f *hostFunc) Call(ctx context.Context, mod api.Module, stack []uint64) {
	in := ctx.(*instance)
	in.enter(mod, f.Name)
	defer in.leave()
	n, err := f.serve(in, stack)
	in.halt()
	if len(f.Results) == 1 {
		if err != nil {
			n = -int64(in.remember(f.Name, err))
		}
		if f.Results[0] == abi.I32 {
			n = int64(uint32(int32(n)))
		}
		stack[0] = uint64(n)
	}
}

func (f *hostFunc) serve(in *instance, stack []uint64) (int64, error) {
	a := &in.args
	a.word = stack
	if err := f.check(in, a); err != nil {
		return 0, err
	}
	in.charge((len(a.in[0]) + len(a.in[1])) / bytesPerUnit)
	if !in.entered {
		in.entered = true
		in.host.Begin(in)
	}
	if err := in.host.Enter(f.ID, in.phase); err != nil {
		return 0, err
	}
	if f.plain != nil {
		return f.plain(in, a)
	}
	val, err := f.value(in, a)
	if err != nil {
		return 0, err
	}
	if f.ID != abi.FnInputRead && int64(len(val)) > in.limits.HostArg {
		return 0, tooLarge(f.Name, "argument", in.limits.HostArg, int64(len(val)))
	}
	return in.deliver(val), nil
}

// check takes the views of all pairs. Every one of them is compared with the memory before any is looked
// at for its size.
func (f *hostFunc) check(in *instance, a *args) error {
	n := 0
	for _, p := range f.pairs {
		view := in.view(uint32(a.word[p.index]), uint32(a.word[p.index+1]))
		if p.out {
			a.out = view
		} else {
			a.in[n] = view
			n++
		}
	}
	if f.ID == abi.FnKVGet {
		in.view(uint32(a.word[versionArg]), 8)
	}
	if f.stream && len(a.out) == 0 {
		return abi.Errorf(abi.Invalid, "%s: cap is 0, expected room for at least one byte", f.Name)
	}
	if f.ID == abi.FnOutputWrite || f.ID == abi.FnLog {
		return nil // limits of their own
	}
	for i := range n {
		if int64(len(a.in[i])) > in.limits.HostArg {
			return tooLarge(f.Name, "argument", in.limits.HostArg, int64(len(a.in[i])))
		}
	}
	return nil
}

// piece is how much is copied between two looks at the deadline, in bytes.
const piece = 1 << 20

// deliver copies a VALUE if it fits and gives its full length.
func (in *instance) deliver(val []byte) int64 {
	if len(val) <= len(in.args.out) {
		in.charge(len(val) / bytesPerUnit)
		for at := 0; at < len(val); at += piece {
			in.halt()
			copy(in.args.out[at:], val[at:min(len(val), at+piece)])
		}
	}
	return int64(len(val))
}

func tooLarge(fn, limit string, highest, got int64) error {
	return abi.Errorf(abi.TooLarge, "%s: %v", fn, breach(limit, highest, got))
}

// enter begins a host function: nothing happens for a guest that must stop.
func (in *instance) enter(mod api.Module, name string) {
	in.halt()
	in.inside = name
	if in.mem == nil {
		in.bind(mod)
	}
	in.charge(hostUnits)
}

// leave ends a host function. A panic of host code ends the call, not the process: nobody knows what the
// half-done function left in the guest.
func (in *instance) leave() {
	r := recover()
	if r != nil && in.broken == nil {
		in.broken = in.pool.rt.panicked(in.inside, r)
	}
	in.inside = ""
	in.args = args{}
	if r != nil {
		panic(r)
	}
}

// halt ends the call if it must not go on: a guest never sees a host function return after its deadline.
func (in *instance) halt() {
	if s := in.stopped(); s != running {
		in.abort(in.err(s))
	}
}

// abort ends the call with err. It does not return.
func (in *instance) abort(err error) {
	if in.broken == nil {
		in.broken = err
	}
	if trap, ok := err.(*TrapError); ok {
		panic(trap) // the runtime adds the guest's stack to it
	}
	panic(sys.NewExitError(sys.ExitCodeContextCanceled))
}

// view gives the memory at (ptr,length). Outside memory is a trap; with length 0 the pointer is ignored.
func (in *instance) view(ptr, length uint32) []byte {
	if length == 0 {
		return nil
	}
	view, ok := in.mem.Read(ptr, length)
	if !ok || length > abi.MaxSize {
		in.abort(&TrapError{Reason: fmt.Sprintf("%s: bad pointer: %d bytes at %#x in a memory of %d bytes",
			in.inside, length, ptr, in.mem.Size())})
	}
	return view
}

// remember keeps the text of an error for last_error and gives its number.
func (in *instance) remember(fn string, err error) abi.Errno {
	errno := abi.ErrnoOf(err)
	if errno <= 0 {
		errno = abi.Internal
	}
	if errno == abi.Internal {
		in.pool.rt.log.Error("host function failed", "module", in.pool.name, "function", fn, "error", err)
	}
	in.lastErr = err.Error()
	var e *abi.Error
	if errors.As(err, &e) && e.Text != "" {
		in.lastErr = e.Text
	}
	return errno
}

// buildDash instantiates the host module dash_v1 from the table of package abi.
func buildDash(ctx context.Context, wz wazero.Runtime) error {
	b := wz.NewHostModuleBuilder(abi.Module)
	impl := answers()
	for _, fn := range abi.Functions() {
		f := &hostFunc{Func: &fn, answer: impl[fn.ID], pairs: pairsOf(&fn), stream: fn.Kind == abi.Stream}
		b.NewFunctionBuilder().WithGoModuleFunction(f, valueTypes(fn.Params), valueTypes(fn.Results)).Export(fn.Name)
	}
	_, err := b.Instantiate(ctx)
	return err
}

func valueTypes(ts []abi.ValueType) []api.ValueType {
	out := make([]api.ValueType, len(ts))
	for i, t := range ts {
		out[i] = api.ValueType(t)
	}
	return out
}

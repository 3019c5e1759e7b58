package guest

import (
	"context"
	"encoding/binary"
	"runtime"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/dashhost/dashhost/abi"
)

// wasiFunc is one function of wasi_snapshot_preview1 as the runtime calls it. Descriptors hold no state:
// 0 is empty, 1 and 2 go to the log, there are no others, and no files.
type wasiFunc struct {
	name   string
	serve  func(in *instance, word []uint64) uint32 // gives a WASI error number
	answer bool                                     // false for proc_exit, which returns nothing
}

// Call implements api.GoModuleFunction.
func (f *wasiFunc) Call(ctx context.Context, mod api.Module, stack []uint64) {
	in := ctx.(*instance)
	in.enter(mod, f.name)
	defer in.leave()
	errno := f.serve(in, stack)
	in.halt()
	if f.answer {
		stack[0] = uint64(errno)
	}
}

// wasiServed gives the functions that do something. The rest of the first preview returns ENOSYS.
func wasiServed() map[string]func(in *instance, word []uint64) uint32 {
	badf := func(*instance, []uint64) uint32 { return abi.WASIBadf }
	std := func(_ *instance, word []uint64) uint32 {
		if uint32(word[0]) > 2 {
			return abi.WASIBadf
		}
		return abi.WASISuccess
	}
	return map[string]func(in *instance, word []uint64) uint32{
		"args_get": func(in *instance, word []uint64) uint32 { return in.putStrings(word, in.host.Args()) },
		"args_sizes_get": func(in *instance, word []uint64) uint32 {
			return in.putSizes(word, in.host.Args())
		},
		"environ_get": func(in *instance, word []uint64) uint32 { return in.putStrings(word, in.host.Environ()) },
		"environ_sizes_get": func(in *instance, word []uint64) uint32 {
			return in.putSizes(word, in.host.Environ())
		},
		"clock_res_get":        clockRes,
		"clock_time_get":       clockTime,
		"random_get":           randomGet,
		"sched_yield":          func(*instance, []uint64) uint32 { runtime.Gosched(); return abi.WASISuccess },
		"poll_oneoff":          pollOneoff,
		"fd_read":              fdRead,
		"fd_write":             fdWrite,
		"fd_fdstat_get":        fdStat,
		"fd_fdstat_set_flags":  std,
		"fd_fdstat_set_rights": std,
		"fd_prestat_get":       badf,
		"fd_prestat_dir_name":  badf,
		"proc_exit": func(in *instance, word []uint64) uint32 {
			in.abort(&ExitError{Code: uint32(word[0])})
			return 0
		},
	}
}

// buildWASI instantiates the host module wasi_snapshot_preview1 from the table of package abi.
func buildWASI(ctx context.Context, wz wazero.Runtime) error {
	b := wz.NewHostModuleBuilder(abi.WASIModule)
	served := wasiServed()
	for _, fn := range abi.WASI() {
		f := &wasiFunc{name: fn.Name, serve: served[fn.Name], answer: len(fn.Results) > 0}
		if f.serve == nil {
			f.serve = func(*instance, []uint64) uint32 { return abi.WASINosys }
		}
		b.NewFunctionBuilder().WithGoModuleFunction(f, valueTypes(fn.Params), valueTypes(fn.Results)).Export(fn.Name)
	}
	_, err := b.Instantiate(ctx)
	return err
}

// u32 gives a view of a 32-bit result's place.
func (in *instance) u32(ptr uint64) []byte { return in.view(uint32(ptr), 4) }

// table gives a view of n elements of size bytes each. A count that does not fit in memory traps.
func (in *instance) table(ptr, n uint64, size uint32) []byte {
	total := uint64(uint32(n)) * uint64(size)
	return in.view(uint32(ptr), uint32(min(total, 1<<32-1)))
}

func (in *instance) putSizes(word []uint64, list []string) uint32 {
	count, size := in.u32(word[0]), in.u32(word[1])
	total := 0
	for _, s := range list {
		total += len(s) + 1
	}
	binary.LittleEndian.PutUint32(count, uint32(len(list)))
	binary.LittleEndian.PutUint32(size, uint32(total))
	return abi.WASISuccess
}

// putStrings writes the pointers to word[0] and the strings, each ended by a zero byte, to word[1].
func (in *instance) putStrings(word []uint64, list []string) uint32 {
	total := 0
	for _, s := range list {
		total += len(s) + 1
	}
	pointers := in.table(word[0], uint64(len(list)), 4)
	text := in.view(uint32(word[1]), uint32(total))
	in.charge((len(pointers) + len(text)) / bytesPerUnit)
	at := uint32(word[1])
	for i, s := range list {
		binary.LittleEndian.PutUint32(pointers[4*i:], at)
		n := copy(text, s)
		text[n] = 0
		text, at = text[n+1:], at+uint32(n)+1
	}
	return abi.WASISuccess
}

// microsecond is the resolution of every clock, in nanoseconds.
const microsecond = 1000

// clockKnown says whether id is one of WASI's four clocks. All of them show the host's one time.
func clockKnown(id uint64) bool { return uint32(id) <= 3 }

func clockRes(in *instance, word []uint64) uint32 {
	out := in.view(uint32(word[1]), 8)
	if !clockKnown(word[0]) {
		return abi.WASIInval
	}
	binary.LittleEndian.PutUint64(out, microsecond)
	return abi.WASISuccess
}

func clockTime(in *instance, word []uint64) uint32 {
	out := in.view(uint32(word[2]), 8)
	if !clockKnown(word[0]) {
		return abi.WASIInval
	}
	binary.LittleEndian.PutUint64(out, uint64(in.host.Now())*microsecond)
	return abi.WASISuccess
}

// randomPiece is how much randomness is made between two looks at the deadline.
const randomPiece = 64 << 10

func randomGet(in *instance, word []uint64) uint32 {
	out := in.view(uint32(word[0]), uint32(word[1]))
	in.charge(len(out) / bytesPerUnit)
	for len(out) > 0 {
		n := min(len(out), randomPiece)
		in.host.SeedRandom(out[:n:n])
		out = out[n:]
		in.halt()
	}
	return abi.WASISuccess
}

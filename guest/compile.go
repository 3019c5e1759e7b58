package guest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/experimental"
)

// Limits of compiling one module, for Options.Compile.
const (
	// DefaultCompileTime is for the time of all processors that compile.
	DefaultCompileTime = time.Minute
	// DefaultCompileMemory is in bytes.
	DefaultCompileMemory = 1 << 30
)

// CompileJob is one compilation that is done elsewhere, see Options.Compile. Its fields must not be changed.
type CompileJob struct {
	Module string // name, may be ""
	Wasm   []byte // decoded, checked and metered: what is to be given to CompileTo
	Dir    string // where CompileTo leaves the machine code
	Time   time.Duration
	Memory int64 // bytes
}

// TimeExceeded makes the error for a compilation that took longer than Time.
func (j *CompileJob) TimeExceeded(took time.Duration) *LimitError {
	return &LimitError{
		Limit: "compile_time", Max: j.Time.Microseconds(), Got: max(took, j.Time+time.Microsecond).Microseconds(), Field: "bounds.compile_time",
	}
}

// MemoryExceeded makes the error for a compilation that was refused more than Memory; got is how much it had at most.
func (j *CompileJob) MemoryExceeded(got int64) *LimitError {
	return &LimitError{Limit: "compile_memory", Max: j.Memory, Got: max(got, j.Memory+1), Field: "bounds.compile_memory"}
}

// CompileTo compiles wasm and leaves the machine code in dir. It is for the other process of Options.Compile, which must be
// of the same program on the same machine. A compilation cannot be stopped and takes what it takes: the process that calls
// it is the one to end.
func CompileTo(ctx context.Context, wasm []byte, dir string) (err error) {
	cache, err := wazero.NewCompilationCacheWithDir(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cache.Close(ctx)) }()
	wz := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfig().WithCoreFeatures(features).WithCompilationCache(cache))
	defer func() { err = errors.Join(err, wz.Close(ctx)) }()
	c, err := compileModule(ctx, wz, wasm)
	if err != nil {
		return err
	}
	return c.Close(ctx)
}

func compileModule(ctx context.Context, wz wazero.Runtime, wasm []byte) (wazero.CompiledModule, error) {
	return wz.CompileModule(experimental.WithCompilationWorkers(ctx, runtime.GOMAXPROCS(0)), wasm)
}

// elsewhere has p compiled by the other process, if there is one and nothing is in the cache.
func (c *codeCache) elsewhere(ctx context.Context, p *prepared) error {
	if c.compile == nil || p.native != "" {
		return nil
	}
	job := &CompileJob{Module: p.Name, Wasm: p.wasm, Dir: c.stage, Time: p.time, Memory: p.memory}
	if job.Time == 0 {
		job.Time = DefaultCompileTime
	}
	if job.Memory == 0 {
		job.Memory = DefaultCompileMemory
	}
	if err := c.compile(ctx, job); ctx.Err() != nil {
		return ErrClosed
	} else if err != nil {
		return err
	}
	if made, err := c.made(); err != nil || !made {
		return errors.Join(fmt.Errorf("compiled elsewhere, and nothing is in %s", c.live), err)
	}
	return nil
}

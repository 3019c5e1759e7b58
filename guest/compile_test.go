package guest

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
)

// elsewhere is an Options.Compile that stays in this process and counts.
type elsewhere struct {
	jobs atomic.Int64
	last *CompileJob
}

func (e *elsewhere) compile(ctx context.Context, job *CompileJob) error {
	e.jobs.Add(1)
	e.last = job
	return CompileTo(ctx, job.Wasm, job.Dir)
}

func TestCompileElsewhere(t *testing.T) {
	dir := t.TempDir()
	e := &elsewhere{}
	for start := range 2 {
		r := openRuntime(t, &Options{CacheDir: dir, Compile: e.compile})
		h := &recorder{input: []byte("hello")}
		if _, err := newPool(t, load(t, r, wasmFile(t, "echo"), "echo"), PoolConfig{}).Call(t.Context(), h, 5); err != nil || string(h.output) != "hello" {
			t.Fatalf("start %d: %q, %v", start+1, h.output, err)
		}
	}
	if n := e.jobs.Load(); n != 1 || e.last.Module != "echo" || e.last.Time != DefaultCompileTime || e.last.Memory != DefaultCompileMemory {
		t.Errorf("%d compilations elsewhere, the last is %+v", n, e.last)
	}
	if files := entries(t, dir); len(files) != 1 {
		t.Errorf("kept %q", files)
	}
	r := openRuntime(t, &Options{CacheDir: dir, Compile: e.compile})
	m, err := r.Load(t.Context(), wasmFile(t, "noop"), &ModuleOptions{CompileTime: time.Second, CompileMemory: 5})
	if err != nil || e.last.Time != time.Second || e.last.Memory != 5 {
		t.Errorf("job %+v, %v", e.last, err)
	}
	if err == nil {
		_ = m.Close(t.Context())
	}
}

// TestCompileElsewhereWithoutCache: the code passes through a private directory, of which nothing is left.
func TestCompileElsewhereWithoutCache(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, dir := range map[string]string{"none": "", "unusable": file} {
		e := &elsewhere{}
		r, err := Open(t.Context(), &Options{CacheDir: dir, Compile: e.compile})
		if err != nil {
			t.Fatal(err)
		}
		m, err := r.Load(t.Context(), wasmFile(t, "echo"), nil)
		if err != nil || e.jobs.Load() != 1 || !strings.HasPrefix(e.last.Dir, tmp) {
			t.Fatalf("%s: job %+v, %v", name, e.last, err)
		}
		if info, err := os.Stat(e.last.Dir); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
		if err := errors.Join(m.Close(t.Context()), r.Close(t.Context())); err != nil {
			t.Error(err)
		}
		if left, err := os.ReadDir(tmp); err != nil || len(left) > 0 {
			t.Errorf("%s: %v is left, %v", name, left, err)
		}
	}

	// With no place at all modules are compiled here, and that is told.
	t.Setenv("TMPDIR", filepath.Join(tmp, "nowhere"))
	var log bytes.Buffer
	e := &elsewhere{}
	r := openRuntime(t, &Options{Compile: e.compile, Logger: hclog.New(&hclog.LoggerOptions{Output: &log})})
	load(t, r, wasmFile(t, "echo"), "echo")
	load(t, r, wasmFile(t, "noop"), "noop")
	if e.jobs.Load() != 0 || strings.Count(log.String(), "without limits of time and memory") != 1 {
		t.Errorf("%d compilations elsewhere, log: %s", e.jobs.Load(), log.String())
	}
}

func TestCompileElsewhereFails(t *testing.T) {
	fault := errors.New("no more processes")
	for name, c := range map[string]struct {
		compile func(context.Context, *CompileJob) error
		is      func(*LoadError) bool
	}{
		"time": {func(_ context.Context, j *CompileJob) error { return j.TimeExceeded(3 * time.Minute) }, func(e *LoadError) bool {
			var l *LimitError
			return errors.As(e, &l) && *l == LimitError{"compile_time", 60_000_000, 180_000_000, "bounds.compile_time"} && e.Hint != ""
		}},
		"memory": {func(_ context.Context, j *CompileJob) error { return j.MemoryExceeded(0) }, func(e *LoadError) bool {
			var l *LimitError
			return errors.As(e, &l) && *l == LimitError{"compile_memory", 1 << 30, 1<<30 + 1, "bounds.compile_memory"} && e.Hint != ""
		}},
		"fault":   {func(context.Context, *CompileJob) error { return fault }, func(e *LoadError) bool { return errors.Is(e, fault) }},
		"nothing": {func(context.Context, *CompileJob) error { return nil }, func(e *LoadError) bool { return strings.Contains(e.Text, "nothing is in") }},
		"panic":   {func(context.Context, *CompileJob) error { panic("bug") }, func(e *LoadError) bool { var i *InternalError; return errors.As(e, &i) }},
	} {
		dir := t.TempDir()
		r := openRuntime(t, &Options{CacheDir: dir, Compile: c.compile})
		_, err := r.Load(t.Context(), wasmFile(t, "echo"), &ModuleOptions{Name: "echo"})
		var load *LoadError
		if !errors.As(err, &load) || load.Module != "echo" || !c.is(load) {
			t.Errorf("%s: %v", name, err)
		}
		if files := entries(t, dir); len(files) != 0 {
			t.Errorf("%s: kept %q", name, files)
		}
	}
}

// TestCloseEndsWhatIsCompiledElsewhere: a Load that waits gets ErrClosed.
func TestCloseEndsWhatIsCompiledElsewhere(t *testing.T) {
	began := make(chan struct{})
	r, err := Open(t.Context(), &Options{CacheDir: t.TempDir(), Compile: func(ctx context.Context, _ *CompileJob) error {
		close(began)
		<-ctx.Done()
		return ctx.Err()
	}})
	if err != nil {
		t.Fatal(err)
	}
	loaded := make(chan error, 1)
	go func() {
		_, err := r.Load(context.Background(), wasmFile(t, "echo"), nil)
		loaded <- err
	}()
	<-began
	if err := r.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-loaded; !errors.Is(err, ErrClosed) {
		t.Errorf("got %v", err)
	}
}

// TestCompileTimeIsNoCallsTime: what compiling takes does not count in the deadline of calls, nor of the start phase.
func TestCompileTimeIsNoCallsTime(t *testing.T) {
	const long = 200 * time.Millisecond
	r := openRuntime(t, &Options{Compile: func(ctx context.Context, job *CompileJob) error {
		time.Sleep(long)
		return CompileTo(ctx, job.Wasm, job.Dir)
	}})
	p := newPool(t, load(t, r, wasmFile(t, "startphase"), "startphase"), PoolConfig{
		Limits: Limits{Deadline: long / 2, StartDeadline: long / 2}, Start: func() Host { return &recorder{config: []byte("abc")} },
	})
	if _, err := p.Call(t.Context(), &recorder{}, 0); err != nil {
		t.Error(err)
	}
}

package guest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/dashhost/dashhost/abi"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// recorder is a Host that notes every call in order and answers from its fields.
type recorder struct {
	ctx                 context.Context // of the call
	input, config, meta []byte
	output              []byte
	outputs             int
	failure             string
	retry               int64
	calls               []string
	quiet               bool // notes nothing, for benchmarks and storms
	now                 int64
	args, environ       []string
	stdio               [3]string
	answer              []byte
	answerErr           error

	enter   func(fn abi.FuncID, phase abi.Phase) error // nil: as the table says
	random  func(b []byte) error
	sleep   func(ctx context.Context, us int64) error
	kvGet   func() ([]byte, int64, error)
	kvList  func(max int) ([]byte, error)
	body    func(buf []byte) (int, error)
	onCalls func(name string)
}

func (r *recorder) note(format string, a ...any) {
	if r.quiet {
		return
	}
	text := fmt.Sprintf(format, a...)
	r.calls = append(r.calls, text)
	if r.onCalls != nil {
		r.onCalls(text)
	}
}

func (r *recorder) Begin(ctx context.Context) { r.ctx = ctx }

func (r *recorder) Enter(fn abi.FuncID, phase abi.Phase) error {
	if r.enter != nil {
		return r.enter(fn, phase)
	}
	if abi.ByID(fn).Phases&phase == 0 {
		return abi.Errorf(abi.Denied, "%s: not in phase %s", fn, phase)
	}
	return nil
}

func (r *recorder) Input() []byte  { r.note("input"); return r.input }
func (r *recorder) Config() []byte { r.note("config"); return r.config }
func (r *recorder) Meta() []byte   { r.note("meta"); return r.meta }

func (r *recorder) OutputWrite(b []byte) error {
	r.note("output %q", b)
	r.output = append(r.output[:0], b...)
	r.outputs++
	return nil
}

func (r *recorder) Fail(b []byte, retryUS int64) error {
	r.note("fail %q %d", b, retryUS)
	r.failure, r.retry = string(b), retryUS
	return nil
}
func (r *recorder) RouteTo(node []byte) error { r.note("route_to %q", node); return nil }
func (r *recorder) RouteSend(node, input []byte) error {
	r.note("route_send %q %q", node, input)
	return nil
}

func (r *recorder) Interrupt(q []byte) (int, error) {
	r.note("interrupt %q", q)
	return len(r.answer), r.answerErr
}
func (r *recorder) Answer() ([]byte, error) { r.note("answer"); return r.answer, nil }

func (r *recorder) Log(level abi.Level, msg []byte) { r.note("log %d %q", level, msg) }
func (r *recorder) LogEnabled(level abi.Level) bool {
	r.note("log_enabled %d", level)
	return level >= abi.LevelInfo
}
func (r *recorder) EventEmit(typ, payload []byte) error {
	r.note("event %q %q", typ, payload)
	return nil
}
func (r *recorder) StreamWrite(label, data []byte) error {
	r.note("stream %q %q", label, data)
	return nil
}
func (r *recorder) Metric(kind int32, name []byte, v float64) error {
	r.note("metric %d %q %g", kind, name, v)
	return nil
}

func (r *recorder) CheckpointSave(b []byte) (int64, error) {
	r.note("save %q", b)
	return 1 << 40, nil
}
func (r *recorder) CheckpointLoad() ([]byte, error) { r.note("load"); return []byte("progress"), nil }

func (r *recorder) KVGet(key []byte) ([]byte, int64, error) {
	r.note("kv_get %q", key)
	if r.kvGet != nil {
		return r.kvGet()
	}
	return []byte("value"), 1 << 33, nil
}
func (r *recorder) KVPut(key, val []byte, expect int64) (int64, error) {
	r.note("kv_put %q %q %d", key, val, expect)
	return 1<<33 + 1, nil
}
func (r *recorder) KVDelete(key []byte, expect int64) error {
	r.note("kv_delete %q %d", key, expect)
	return nil
}
func (r *recorder) KVList(prefix, after []byte, max int) ([]byte, error) {
	r.note("kv_list %q %q %d", prefix, after, max)
	if r.kvList != nil {
		return r.kvList(max)
	}
	return []byte("{}\n"), nil
}

func (r *recorder) HTTPFetch(head, body []byte) (int32, error) {
	r.note("fetch %q %q", head, body)
	return 5, nil
}
func (r *recorder) HTTPHead(h int32) ([]byte, error) {
	r.note("head %d", h)
	return []byte("head"), nil
}
func (r *recorder) HTTPBody(h int32, buf []byte) (int, error) {
	r.note("body %d %d", h, len(buf))
	if r.body != nil {
		return r.body(buf)
	}
	return copy(buf, "body"), nil
}
func (r *recorder) HTTPClose(h int32) error { r.note("close %d", h); return nil }

func (r *recorder) Now() int64 { r.now++; return r.now }
func (r *recorder) Sleep(ctx context.Context, us int64) error {
	r.note("sleep %d", us)
	if r.sleep != nil {
		return r.sleep(ctx, us)
	}
	r.now += us
	return nil
}
func (r *recorder) Random(b []byte) error {
	r.note("random %d", len(b))
	if r.random != nil {
		return r.random(b)
	}
	for i := range b {
		b[i] = 0xaa
	}
	return nil
}
func (r *recorder) SeedRandom(b []byte) {
	r.note("seed %d", len(b))
	for i := range b {
		b[i] = 0x55
	}
}
func (r *recorder) Args() []string    { return r.args }
func (r *recorder) Environ() []string { return r.environ }
func (r *recorder) Stdio(fd int, b []byte) {
	r.note("stdio %d", fd)
	r.stdio[fd] += string(b)
}

// wasmFile reads a built guest.
func wasmFile(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name+".wasm"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// openRuntime opens a runtime that is closed with the test, by when every call must have ended.
func openRuntime(t testing.TB, o *Options) *Runtime {
	t.Helper()
	r, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := r.Close(ctx); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return r
}

func load(t testing.TB, r *Runtime, wasm []byte, name string) *Module {
	t.Helper()
	m, err := r.Load(context.Background(), wasm, &ModuleOptions{Name: name})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close(context.Background()) })
	return m
}

func newPool(t testing.TB, m *Module, c PoolConfig) *Pool {
	t.Helper()
	if c.Start == nil {
		c.Start = func() Host { return &recorder{} }
	}
	p, err := m.NewPool(c)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// poolOf is a pool of a built guest in a runtime of its own.
func poolOf(t testing.TB, o *Options, name string, c PoolConfig) *Pool {
	t.Helper()
	return newPool(t, load(t, openRuntime(t, o), wasmFile(t, name), name), c)
}

// engines runs a test on the compiler and on the interpreter.
func engines(t *testing.T, f func(t *testing.T, o *Options)) {
	for _, name := range []string{"compiler", "interpreter"} {
		t.Run(name, func(t *testing.T) { f(t, &Options{Interpreter: name == "interpreter"}) })
	}
}

func (r *recorder) has(call string) bool { return slices.Contains(r.calls, call) }

package meter_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/tetratelabs/wazero"

	"github.com/dashhost/dashhost/guest/meter"
	"github.com/dashhost/dashhost/guest/wasmbin"
)

func guests(t testing.TB) []string {
	t.Helper()
	var files []string
	for _, dir := range []string{"../testdata", "../../cmd/dashhost/testdata/guests", "../../examples/merge-gate/wasm"} {
		f, err := filepath.Glob(filepath.Join(dir, "*.wasm"))
		if err != nil || len(f) == 0 {
			t.Fatalf("no guests in %s: %v", dir, err)
		}
		files = append(files, f...)
	}
	return files
}

// TestGuestsRewrite: every guest of the tree decodes, rewrites, decodes again,
// and the same module gives the same bytes.
func TestGuestsRewrite(t *testing.T) {
	for _, file := range guests(t) {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		out, err := rewrite(b)
		var fe *wasmbin.FeatureError
		var e *wasmbin.Error
		if errors.As(err, &fe) || errors.As(err, &e) {
			continue // a guest that is there to be refused
		}
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		again, err := rewrite(b)
		if err != nil || !bytes.Equal(out, again) {
			t.Errorf("%s: two rewrites differ (%v)", file, err)
		}
		if _, err := wasmbin.Decode(out, &wasmbin.Options{Exceptions: true, Bounds: generous}); err != nil {
			t.Errorf("%s: the result is refused: %v", file, err)
		}
		if _, err := rewrite(out); !errors.Is(err, meter.ErrReserved) {
			t.Errorf("%s: a module that imports the reserved function: %v", file, err)
		}
	}
}

// Modules that run for ever, or as good as: each is stopped by refuel.
var endless = map[string][]byte{
	"loop":     fn(0x03, 0x40, 0x0c, 0x00, 0x0b),                                                                      // loop br 0 end
	"recurse":  fn(0x10, 0x00),                                                                                        // call 0
	"late":     fn(0x10, 0x00, 0x03, 0x40, 0x0b),                                                                      // call 0, then a loop
	"doubling": doubling(),                                                                                            // f_n calls f_{n+1} twice, 60 deep
	"br_table": fn(0x03, 0x40, 0x41, 0x00, 0x0e, 0x02, 0x00, 0x00, 0x00, 0x0b),                                        // loop br_table
	"nested":   fn(0x03, 0x40, 0x03, 0x40, 0x41, 0x00, 0x0d, 0x00, 0x0c, 0x01, 0x0b, 0x0b),                            // loop loop br_if br end end
	"if":       fn(0x03, 0x40, 0x41, 0x01, 0x04, 0x40, 0x0c, 0x01, 0x0b, 0x0b),                                        // loop if br 1 end end
	"param":    withTypes([]byte{0x60, 0, 0, 0x60, 1, 0x7f, 1, 0x7f}, 0x41, 0x07, 0x03, 0x01, 0x0c, 0x00, 0x0b, 0x1a), // loop with a parameter
}

// fn is a module with one exported function () -> () of the given body.
func fn(body ...byte) []byte { return withTypes([]byte{0x60, 0, 0}, body...) }

func withTypes(types []byte, body ...byte) []byte {
	n := byte(bytes.Count(types, []byte{0x60}))
	body = append(append([]byte{0}, body...), 0x0b)
	m := []byte("\x00asm\x01\x00\x00\x00")
	m = append(m, 1, byte(len(types)+1), n)
	m = append(m, types...)
	m = append(m, 3, 2, 1, 0)
	m = append(m, 7, 5, 1, 1, 'f', 0, 0)
	m = append(m, 10, byte(len(body)+2), 1, byte(len(body)))
	return append(m, body...)
}

func doubling() []byte {
	const depth = 60
	m := []byte("\x00asm\x01\x00\x00\x00\x01\x04\x01\x60\x00\x00")
	m = append(m, 3, depth+1, depth)
	m = append(m, make([]byte, depth)...)
	m = append(m, 7, 5, 1, 1, 'f', 0, 0)
	var code []byte
	for i := range depth - 1 {
		code = append(code, 6, 0, 0x10, byte(i+1), 0x10, byte(i+1), 0x0b)
	}
	code = append(code, 2, 0, 0x0b)
	m = append(m, 10)
	m = wasmbin.AppendUint32(m, uint32(len(code)+1))
	m = append(m, depth)
	return append(m, code...)
}

var errStop = errors.New("stop")

func TestEndlessGuestsStop(t *testing.T) {
	for name, b := range endless {
		t.Run(name, func(t *testing.T) {
			ctx := context.Background()
			rt := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfig().WithCoreFeatures(features))
			defer rt.Close(ctx) //nolint:errcheck // a test's runtime
			calls := 0
			refuel := func(left int32) int32 {
				if left >= 0 {
					t.Errorf("refuel was called with %d left", left)
				}
				if calls++; calls == 20 {
					panic(errStop)
				}
				return 10_000
			}
			if err := addMeterFuncs(ctx, rt, refuel, func(int32) int32 { return 1 << 30 }); err != nil {
				t.Fatal(err)
			}
			out, err := rewrite(b)
			if err != nil {
				t.Fatal(err)
			}
			mod, err := rt.Instantiate(ctx, out)
			if err != nil {
				t.Fatal(err)
			}
			done := make(chan error, 1)
			go func() {
				_, err := mod.ExportedFunction("f").Call(ctx)
				done <- err
			}()
			select {
			case err = <-done:
			case <-time.After(20 * time.Second):
				t.Fatal("it runs on")
			}
			if !errors.Is(err, errStop) {
				t.Errorf("%v", err)
			}
		})
	}
}

package wasmbin_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/dashhost/dashhost/guest/wasmbin"
)

// corpus returns the modules of wazero's own tests and examples: output of several compilers, and what fuzzing
// found.
func corpus(t testing.TB) map[string][]byte {
	files := map[string][]byte{}
	root := wazeroDir(t)
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && d.Name() == "spectest" {
			return fs.SkipDir
		}
		if strings.HasSuffix(path, ".wasm") {
			name, _ := filepath.Rel(root, path)
			if files[name], err = os.ReadFile(path); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil || len(files) == 0 {
		t.Fatalf("no corpus: %v", err)
	}
	return files
}

// TestCorpus: what wazero takes as it is, we take within the default bounds, and it stays the same.
func TestCorpus(t *testing.T) {
	e := newEngine(t, features)
	taken, left := 0, 0
	for name, b := range corpus(t) {
		want, err := e.compile(b)
		if err != nil {
			left++
			t.Logf("left out, wazero refuses it: %s: %.100v", name, err)
			continue
		}
		m, err := wasmbin.Decode(b, nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		out := wasmbin.Encode(m)
		got, err := e.compile(out)
		if err != nil {
			t.Errorf("%s: wazero refuses the encoded module: %v", name, err)
			continue
		}
		sameShape(t, name, want, got)
		if !bytes.Equal(wasmbin.Encode(mustDecode(t, out)), out) {
			t.Errorf("%s: encoding is not a fixed point", name)
		}
		taken++
	}
	t.Logf("%d modules are the same after encoding, %d left out", taken, left)
	if taken < 50 {
		t.Errorf("only %d modules", taken)
	}
}

// TestTruncated cuts real modules at every byte. What is left is a module only if it ends with a section, as the
// list of sections of the whole says.
func TestTruncated(t *testing.T) {
	files := corpus(t)
	for _, name := range []string{"", "testdata/mem_grow.wasm", "examples/allocation/rust/testdata/greet.wasm"} {
		b := kitchen
		if name != "" {
			if b = files[name]; b == nil {
				t.Fatalf("%s is gone", name)
			}
		}
		if len(b) > 40_000 {
			b = b[:40_000]
		}
		ends := []int{8}
		if m, err := wasmbin.Decode(b, nil); err == nil {
			for _, s := range m.Sections {
				ends = append(ends, s.Offset+s.Size)
			}
		}
		step := 1 + len(b)/4000
		for n := 0; n < len(b); n += step {
			m, err := wasmbin.Decode(b[:n:n], nil)
			if err == nil && !slices.Contains(ends, n) {
				t.Errorf("%q cut to %d of %d bytes is taken: %v", name, n, len(b), m.Sections)
			}
			if e := (*wasmbin.Error)(nil); err != nil && (!errors.As(err, &e) || e.Offset > n) {
				t.Errorf("%q cut to %d bytes: %v", name, n, err)
			}
		}
	}
}

// TestMutated flips every bit of a module. What is still taken is encoded, and wazero takes that.
func TestMutated(t *testing.T) {
	e := newEngine(t, features)
	taken, compiled := 0, 0
	for i := range kitchen {
		for bit := range 8 {
			b := bytes.Clone(kitchen)
			b[i] ^= 1 << bit
			if ok, valid := checkAny(t, e, b); ok {
				taken++
				if valid {
					compiled++
				}
			}
		}
	}
	t.Logf("%d of %d mutants are taken, %d of these are valid", taken, 8*len(kitchen), compiled)
	if taken == 0 || taken == 8*len(kitchen) || compiled == 0 {
		t.Error("the test does not tell anything")
	}
}

// checkAny holds for any bytes: no panic, a typed error or a module, memory in proportion; a module encodes to a
// fixed point, which wazero takes.
func checkAny(t *testing.T, e *engine, b []byte) (taken, valid bool) {
	t.Helper()
	o := &wasmbin.Options{Exceptions: true}
	var m *wasmbin.Module
	var err error
	before := bytes.Clone(b)
	if took := allocated(func() { m, err = wasmbin.Decode(b, o) }); took > memoryFor(len(b)) {
		t.Fatalf("%d bytes were taken for %d bytes of input: %x", took, len(b), b)
	}
	if !bytes.Equal(before, b) {
		t.Fatalf("input was changed: %x", before)
	}
	if err != nil {
		var we *wasmbin.Error
		if !errors.As(err, &we) || we.Offset < 0 || we.Offset > len(b) || strings.Contains(err.Error(), "%!") {
			t.Fatalf("%x: error %v", b, err)
		}
		return false, false
	}
	out := wasmbin.Encode(m)
	again, err := wasmbin.Decode(out, o)
	if err != nil {
		t.Fatalf("%x: encoded module is refused: %v\n%x", b, err, out)
	}
	if !bytes.Equal(wasmbin.Encode(again), out) {
		t.Fatalf("%x: encoding is not a fixed point", b)
	}
	if m.Features&wasmbin.Exceptions != 0 {
		return true, false
	}
	_, err = e.compile(out)
	if err != nil && !strings.Contains(err.Error(), "empty module name") { // a rule of its own
		t.Fatalf("%x: wazero refuses the encoded module: %v", b, err)
	}
	return true, err == nil
}

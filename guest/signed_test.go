package guest

import (
	"crypto/sha256"
	"errors"
	"testing"

	"github.com/dashhost/dashhost/guest/signature"
)

// TestSignedModules: the runtime's keys and the module's must both have signed, whatever is loaded or in the cache already.
func TestSignedModules(t *testing.T) {
	wasm := wasmFile(t, "echo")
	a, b := signature.NewSecretKey(), signature.NewSecretKey()
	digest := sha256.Sum256(wasm)
	byA, byB := a.Sign(digest), b.Sign(digest)
	other := a.Sign(sha256.Sum256(wasmFile(t, "noop")))
	dir := t.TempDir()
	free := openRuntime(t, &Options{CacheDir: dir})
	load(t, free, wasm, "echo")
	strict := openRuntime(t, &Options{CacheDir: dir, Signers: []signature.PublicKey{a.Public()}})
	for name, c := range map[string]struct {
		rt    *Runtime
		keys  []signature.PublicKey
		lines []string
		good  bool
	}{
		"nobody must":               {free, nil, nil, true},
		"module's key":              {free, []signature.PublicKey{a.Public()}, []string{byA}, true},
		"module's key, unsigned":    {free, []signature.PublicKey{a.Public()}, nil, false},
		"module's key, stranger":    {free, []signature.PublicKey{a.Public()}, []string{byB}, false},
		"runtime's key":             {strict, nil, []string{byA}, true},
		"runtime's key, unsigned":   {strict, nil, nil, false},
		"runtime's key, other":      {strict, nil, []string{other}, false},
		"both keys":                 {strict, []signature.PublicKey{b.Public()}, []string{byA, byB}, true},
		"both keys, only module's":  {strict, []signature.PublicKey{b.Public()}, []string{byB}, false},
		"both keys, only runtime's": {strict, []signature.PublicKey{b.Public()}, []string{byA}, false},
	} {
		o := &ModuleOptions{Name: "echo", Signers: c.keys, Signatures: c.lines}
		m, err := c.rt.Load(t.Context(), wasm, o)
		if err == nil {
			_ = m.Close(t.Context())
		}
		_, ierr := c.rt.Inspect(wasm, o)
		for _, err := range []error{err, ierr} {
			var load *LoadError
			var sig *signature.Error
			if c.good != (err == nil) || !c.good && (!errors.As(err, &load) || load.Module != "echo" || load.Hint == "" || !errors.As(err, &sig)) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

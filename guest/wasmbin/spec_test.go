package wasmbin_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"

	"github.com/dashhost/dashhost/guest/wasmbin"
)

// suite is one of the specification's test suites that wazero carries.
type suite struct {
	dir      string
	features api.CoreFeatures
	options  wasmbin.Options
	// refused: the suite is about a feature that is not taken, so its valid modules may be refused by that name.
	refused wasmbin.Feature
	// old: rules that a later version lifted are asserted; what wazero takes as it is does not count.
	old bool
}

var suites = []suite{
	{dir: "v1", features: features, old: true},
	{dir: "v2", features: features},
	{dir: "extended-const", features: features},
	{dir: "exception-handling", features: features | experimental.CoreFeaturesExceptionHandling,
		options: wasmbin.Options{Exceptions: true},
		refused: wasmbin.GC | wasmbin.TailCalls | wasmbin.FunctionReferences},
	{dir: "tail-call", features: features, refused: wasmbin.TailCalls},
	{dir: "threads", features: features, refused: wasmbin.Threads},
	{dir: "typed-function-references", features: features, refused: wasmbin.FunctionReferences | wasmbin.TailCalls},
}

// TestSpecSuite: every valid module decodes, and what is encoded from it means the same to wazero; no malformed or
// invalid one gets through Decode, which so needs no help of the engine's validator.
func TestSpecSuite(t *testing.T) {
	root := filepath.Join(wazeroDir(t), "internal", "integration_test", "spectest")
	for _, s := range suites {
		t.Run(s.dir, func(t *testing.T) {
			files, err := filepath.Glob(filepath.Join(root, s.dir, "testdata", "*.json"))
			if err != nil || len(files) == 0 {
				t.Fatalf("no cases in %s: %v", s.dir, err)
			}
			r := &specRun{suite: s, engine: newEngine(t, s.features), counts: map[string]int{}}
			for _, f := range files {
				r.file(t, f)
			}
			r.report(t)
		})
	}
}

type specRun struct {
	suite  suite
	engine *engine
	counts map[string]int
}

func (r *specRun) file(t *testing.T, file string) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var script struct {
		Commands []struct {
			Type, Filename, Text string
			Line                 int
		}
	}
	if err := json.Unmarshal(text, &script); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	for _, c := range script.Commands {
		if c.Filename == "" {
			continue
		}
		b, err := os.ReadFile(filepath.Join(filepath.Dir(file), c.Filename))
		if err != nil {
			t.Fatal(err)
		}
		name := fmt.Sprintf("%s/%s (line %d)", r.suite.dir, c.Filename, c.Line)
		switch c.Type {
		case "module", "assert_unlinkable", "assert_uninstantiable":
			r.valid(t, name, b)
		case "assert_malformed", "assert_invalid":
			r.invalid(t, name, c.Type, c.Text, b)
		default:
			t.Errorf("%s: a command %q with a file: not known to this test", name, c.Type)
		}
	}
}

func (r *specRun) valid(t *testing.T, name string, b []byte) {
	m, err := wasmbin.Decode(b, &r.suite.options)
	var fe *wasmbin.FeatureError
	if errors.As(err, &fe) && fe.Feature&r.suite.refused != 0 {
		r.counts["valid: left out, needs "+fe.Feature.String()]++
		return
	}
	if err != nil {
		t.Errorf("%s: a valid module is refused: %v", name, err)
		return
	}
	out := wasmbin.Encode(m)
	again, err := wasmbin.Decode(out, &r.suite.options)
	if err != nil {
		t.Errorf("%s: encoded module is refused: %v", name, err)
		return
	}
	if !bytes.Equal(wasmbin.Encode(again), out) {
		t.Errorf("%s: encoding is not a fixed point", name)
	}
	if err := sameBodies(m); err != nil {
		t.Errorf("%s: %v", name, err)
	}
	want, err := r.engine.compile(b)
	if err != nil {
		r.counts["valid: decoded, wazero refuses the original"]++
		t.Errorf("%s: wazero refuses the original: %v", name, err)
		return
	}
	got, err := r.engine.compile(out)
	if err != nil {
		t.Errorf("%s: wazero takes the original and refuses the encoded module: %v", name, err)
		return
	}
	sameShape(t, name, want, got)
	r.counts["valid: decoded, encoded, compiled, same exports"]++
}

// sameBodies appends every instruction again: what is read and what is written must agree.
func sameBodies(m *wasmbin.Module) error {
	for i := range m.Functions {
		var body []byte
		it := wasmbin.NewInstrReader(m.Functions[i].Body)
		var in wasmbin.Instr
		for it.Next(&in) {
			at := len(body)
			if body = in.Append(body); len(body)-at != in.Len || at != in.Offset {
				return fmt.Errorf("function %d: %s at %d has %d bytes, written were %d at %d",
					i, in.Op, in.Offset, in.Len, len(body)-at, at)
			}
		}
		if !bytes.Equal(body, m.Functions[i].Body) {
			return fmt.Errorf("function %d: body differs when it is written again", i)
		}
	}
	return nil
}

func (r *specRun) invalid(t *testing.T, name, kind, text string, b []byte) {
	m, err := wasmbin.Decode(b, &r.suite.options)
	var e *wasmbin.Error
	switch {
	case err != nil && !errors.As(err, &e):
		t.Errorf("%s: error is not a *wasmbin.Error: %v", name, err)
	case strings.HasSuffix(strings.Fields(name)[0], ".wat"):
		if err == nil {
			t.Errorf("%s: text is taken for a module", name)
		}
		r.counts[kind+": text, refused"]++
	case err != nil:
		r.counts[kind+": refused by Decode"]++
	case r.suite.old:
		_, err = r.engine.compile(b)
		if err != nil && !strings.Contains(err.Error(), "empty module name") {
			t.Errorf("%s: %s module got through (%s), wazero says: %v", name, kind, text, err)
		}
		if _, again := r.engine.compile(wasmbin.Encode(m)); (err == nil) != (again == nil) {
			t.Errorf("%s: wazero says %v, and after Encode %v", name, err, again)
		}
		r.counts[kind+": left out, valid in 2.0: "+class(text)]++
	default:
		t.Errorf("%s: %s module got through (%s)", name, kind, text)
	}
}

func class(text string) string {
	if i := strings.IndexAny(text, "0123456789"); i > 0 {
		text = text[:i]
	}
	return strings.TrimSpace(text)
}

func (r *specRun) report(t *testing.T) {
	keys := make([]string, 0, len(r.counts))
	total := 0
	for k, n := range r.counts {
		keys = append(keys, k)
		total += n
	}
	if total == 0 {
		t.Error("the suite has no cases")
	}
	sort.Strings(keys)
	for _, k := range keys {
		t.Logf("%5d  %s", r.counts[k], k)
	}
}

package abi_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/dashhost/dashhost/abi"
)

// sdks are the files in which SDKs declare the functions of the table. The expression finds a declaration: name,
// parameters, result; types gives the type of each of theirs.
var sdks = []struct {
	file    string
	declare *regexp.Regexp
	types   map[string]abi.ValueType
	all     bool // the file declares the whole table
}{
	{"../sdk/go/guest_wasip1.go", regexp.MustCompile(`//go:wasmimport dash_v1 (\w+)\nfunc \w+\((.*)\) ?(.*)`),
		map[string]abi.ValueType{"unsafe.Pointer": abi.I32, "uint32": abi.I32, "int32": abi.I32, "int64": abi.I64, "float64": abi.F64}, false},
	{"../sdk/rust/src/sys.rs", regexp.MustCompile(`(?m)^        fn (\w+)\((.*)\)(?: -> (\w+))?;$`),
		map[string]abi.ValueType{"*mut u8": abi.I32, "*const u8": abi.I32, "usize": abi.I32, "i32": abi.I32, "i64": abi.I64, "f64": abi.F64}, false},
	{"../sdk/c/dash_v1.h", regexp.MustCompile(`(?m)^(\w+) dash_v1_(\w+)\((.*)\) DASH_V1\((\w+)\);$`),
		map[string]abi.ValueType{"void *": abi.I32, "const void *": abi.I32, "uint32_t": abi.I32, "int32_t": abi.I32, "int64_t": abi.I64, "double": abi.F64}, true},
	{"../sdk/assemblyscript/assembly/v1.ts", regexp.MustCompile(`@external\("dash_v1", "(\w+)"\)\nexport declare function \w+\((.*)\): (\w+);`),
		map[string]abi.ValueType{"usize": abi.I32, "u32": abi.I32, "i32": abi.I32, "i64": abi.I64, "f64": abi.F64}, false},
}

// A guest whose import has other types than the table is refused when it is loaded, and only then.
func TestSDKsDeclareTheTable(t *testing.T) {
	for _, sdk := range sdks {
		text, err := os.ReadFile(sdk.file)
		if err != nil {
			t.Fatal(err)
		}
		found := map[string]bool{}
		for _, m := range sdk.declare.FindAllStringSubmatch(string(text), -1) {
			name, params, result := m[1], m[2], m[3]
			if len(m) == 5 { // C has the result first, and the name a second time
				name, params, result = m[4], m[3], m[1]
				if m[2] != m[4] {
					t.Errorf("%s: dash_v1_%s imports %s", sdk.file, m[2], m[4])
				}
			}
			f, ok := abi.Lookup(name)
			if !ok {
				t.Errorf("%s: %s is not in the table", sdk.file, name)
				continue
			}
			found[name] = true
			if got, want := typesOf(t, sdk.types, params), string(codes(f.Params)); got != want {
				t.Errorf("%s: %s has parameters %x, the table %x", sdk.file, name, got, want)
			}
			if result == "void" {
				result = ""
			}
			if got, want := typesOf(t, sdk.types, result), string(codes(f.Results)); got != want {
				t.Errorf("%s: %s has results %x, the table %x", sdk.file, name, got, want)
			}
		}
		for _, f := range abi.Functions() {
			if !found[f.Name] && (sdk.all || f.Grant == abi.GrantNone || f.Grant == abi.GrantInterrupts) {
				t.Errorf("%s: %s is not declared", sdk.file, f.Name)
			}
		}
	}
}

// typesOf gives the codes of a list of parameters, or of one result.
func typesOf(t *testing.T, types map[string]abi.ValueType, list string) string {
	var out []byte
	for param := range strings.SplitSeq(list, ",") {
		param = strings.TrimSpace(param)
		if param == "" || param == "void" {
			continue
		}
		best := ""
		for name := range types {
			if strings.Contains(" "+strings.ReplaceAll(param, ":", " ")+" ", " "+name) && len(name) > len(best) {
				best = name
			}
		}
		if best == "" {
			t.Errorf("%q: no known type in it", param)
		}
		out = append(out, byte(types[best]))
	}
	return string(out)
}

func codes(types []abi.ValueType) []byte {
	out := make([]byte, len(types))
	for i, v := range types {
		out[i] = byte(v)
	}
	return out
}

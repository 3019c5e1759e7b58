package guest

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/dashhost/dashhost/abi"
	"github.com/dashhost/dashhost/guest/meter"
	"github.com/dashhost/dashhost/guest/wasmbin"
)

// check compares imports and exports with the ABI. It reports the first fault.
func check(m *wasmbin.Module) *LoadError {
	for i := range m.Imports {
		if e := checkImport(m, &m.Imports[i]); e != nil {
			return e
		}
	}
	return checkExports(m)
}

func refuse(section, hint, format string, a ...any) *LoadError {
	return &LoadError{Section: section, Offset: -1, Text: fmt.Sprintf(format, a...), Hint: hint}
}

func checkImport(m *wasmbin.Module, imp *wasmbin.Import) *LoadError {
	full := fmt.Sprintf("%s %s", strconv.Quote(imp.Module), strconv.Quote(imp.Name))
	if imp.Kind != wasmbin.KindFunc {
		return refuse("import", "define it in the module; for a memory, link without --import-memory",
			"%s is a %s, but only functions can be imported", full, imp.Kind)
	}
	var params, results []abi.ValueType
	var known []string
	found := false
	switch imp.Module {
	case abi.Module:
		f, ok := abi.Lookup(imp.Name)
		if found = ok; ok {
			params, results = f.Params, f.Results
		}
		for _, f := range abi.Functions() {
			known = append(known, f.Name)
		}
	case abi.WASIModule:
		f, ok := abi.LookupWASI(imp.Name)
		if found = ok; ok {
			params, results = f.Params, f.Results
		}
		for _, f := range abi.WASI() {
			known = append(known, f.Name)
		}
	default:
		return unknownModule(imp, full)
	}
	if !found {
		return refuse("import", suggest(imp.Name, known), "%s: %s has no such function", full, imp.Module)
	}
	if got, want := m.Types[imp.Type].String(), typeText(params, results); got != want {
		return refuse("import", "regenerate the bindings, or declare the import with the expected type",
			"%s has type %s, expected %s", full, got, want)
	}
	return nil
}

// unknownModule refuses an import by its module: a wrong version, a spelling mistake, or another world.
func unknownModule(imp *wasmbin.Import, full string) *LoadError {
	prefix, _, _ := strings.Cut(abi.Module, "_v")
	if version, ok := strings.CutPrefix(imp.Module, prefix+"_v"); ok && version != "" && strings.Trim(version, "0123456789") == "" {
		return refuse("import", fmt.Sprintf("build against version %d of the ABI, or use a host of version %s", abi.Version, version),
			"%s: the module is built for %s, this host offers %s", full, imp.Module, abi.Module)
	}
	hint := suggest(imp.Module, []string{abi.Module, abi.WASIModule})
	switch {
	case strings.HasPrefix(imp.Module, "wasi:") || imp.Module == "wasi_unstable" || imp.Module == "wasi_snapshot_preview2":
		hint = "build for wasm32-wasip1, which imports " + abi.WASIModule
	case imp.Module == "env":
		hint = "a symbol was left undefined by the linker: link without --allow-undefined to see where it is used"
	case imp.Module == "wbg" || strings.HasPrefix(imp.Module, "__wbindgen"):
		hint = "build without wasm-bindgen, for wasm32-unknown-unknown or wasm32-wasip1"
	case imp.Module == "gojs" || imp.Module == "go":
		hint = "build with GOOS=wasip1 instead of GOOS=js"
	}
	return refuse("import", hint, "%s: module %s is not offered, only %s and %s are", full,
		strconv.Quote(imp.Module), abi.Module, abi.WASIModule)
}

func checkExports(m *wasmbin.Module) *LoadError {
	for i := range m.Exports {
		if name := m.Exports[i].Name; strings.HasPrefix(name, meter.ExportPrefix) {
			return refuse("export", "rename it", "%q: names that begin with %q are the host's", name, meter.ExportPrefix)
		}
	}
	mem := m.Export(abi.ExportMemory)
	if mem == nil {
		return refuse("export", "export the memory under this name (wasm-ld does unless told otherwise)",
			"%q is missing", abi.ExportMemory)
	}
	if mem.Kind != wasmbin.KindMemory {
		return refuse("export", "", "%q is a %s, expected a memory", abi.ExportMemory, mem.Kind)
	}
	if m.Export(abi.ExportCommand) != nil && m.Export(abi.ExportInitialize) == nil {
		return refuse("export", reactorAdvice, "%q without %q: this is a command, expected a reactor that exports %q",
			abi.ExportCommand, abi.ExportInitialize, abi.ExportRun)
	}
	for _, want := range abi.Exports() {
		got := m.Export(want.Name)
		if got == nil {
			if want.Required {
				return missingExport(m, &want)
			}
			continue
		}
		if got.Kind != wasmbin.KindFunc {
			return refuse("export", "", "%q is a %s, expected a function", want.Name, got.Kind)
		}
		if t := m.FunctionType(got.Index); t.String() != typeText(want.Params, want.Results) {
			return refuse("export", "", "%q has type %s, expected %s", want.Name, t, typeText(want.Params, want.Results))
		}
	}
	return nil
}

const reactorAdvice = "build as a reactor: Go -buildmode=c-shared; clang and zig cc -mexec-model=reactor; " +
	"Rust crate-type cdylib; Zig -fno-entry; AssemblyScript --exportStart _initialize"

func missingExport(m *wasmbin.Module, want *abi.Export) *LoadError {
	var names []string
	for i := range m.Exports {
		if m.Exports[i].Kind == wasmbin.KindFunc {
			names = append(names, m.Exports[i].Name)
		}
	}
	hint := "export it: Go //go:wasmexport, Rust #[no_mangle] pub extern \"C\", C __attribute__((export_name)), Zig export"
	if near := nearest(want.Name, names); near != "" {
		hint = fmt.Sprintf("the module exports %q", near)
	}
	return refuse("export", hint, "%q is missing, expected a function of type %s", want.Name, typeText(want.Params, want.Results))
}

// typeText writes a signature as wasmbin.FuncType does.
func typeText(params, results []abi.ValueType) string {
	t := wasmbin.FuncType{}
	for _, p := range params {
		t.Params = append(t.Params, wasmbin.ValueType(p))
	}
	for _, r := range results {
		t.Results = append(t.Results, wasmbin.ValueType(r))
	}
	return t.String()
}

// refusal turns what the decoder found into a LoadError.
func refusal(err error) *LoadError {
	var e *wasmbin.Error
	if !errors.As(err, &e) {
		return &LoadError{Offset: -1, Text: err.Error(), Err: err}
	}
	return &LoadError{Section: e.Section, Offset: int64(e.Offset), Text: e.Text, Hint: e.Hint, Err: err}
}

// growable tells whether table.grow can do anything, and so whether the limit must be written into the
// module.
func growable(m *wasmbin.Module) bool {
	return slices.ContainsFunc(m.Tables, func(t wasmbin.TableType) bool { return !t.HasMax || t.Max > t.Min })
}

// capTables lowers the maxima so that all tables together stay within limit, which no minimum exceeds.
// Several that can grow share what is left evenly.
func capTables(m *wasmbin.Module, limit uint32) {
	left, n := uint64(limit), uint64(0)
	for i := range m.Tables {
		t := &m.Tables[i]
		left -= min(left, uint64(t.Min))
		if !t.HasMax || t.Max > t.Min {
			n++
		}
	}
	for i := range m.Tables {
		t := &m.Tables[i]
		if room := uint64(t.Min) + left/max(n, 1); !t.HasMax || uint64(t.Max) > room {
			t.Max, t.HasMax = uint32(min(room, uint64(limit))), true
		}
	}
}

package meter

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/dashhost/dashhost/guest/wasmbin"
)

// Global is a mutable global of the guest that Rewrite exported, so that the host can read it and set it.
type Global struct {
	Export string // its name, with ExportPrefix
	Type   wasmbin.ValueType
}

// state exports the mutable globals that the host can put back, and lists what it cannot.
func (w *rewriter) state(r *Rewritten) {
	m := w.m
	first := uint32(m.Imported(wasmbin.KindGlobal))
	for i := range m.Globals {
		g, index := &m.Globals[i], first+uint32(i)
		switch {
		case !g.Mutable:
		case g.Type == wasmbin.V128 || g.Type.IsRef():
			r.Obstacles = append(r.Obstacles, fmt.Sprintf("%s global %d is mutable", g.Type, index))
		default:
			name := ExportPrefix + "global/" + strconv.Itoa(int(index))
			r.Globals = append(r.Globals, Global{Export: name, Type: g.Type})
			m.Exports = append(slices.Clip(m.Exports), wasmbin.Export{Name: name, Kind: wasmbin.KindGlobal, Index: index})
		}
	}
	for i := range m.Imports {
		if imp := &m.Imports[i]; imp.Kind != wasmbin.KindFunc && imp.Kind != wasmbin.KindTag {
			r.Obstacles = append(r.Obstacles, fmt.Sprintf("imported %s %q %q", imp.Kind, imp.Module, imp.Name))
		}
	}
}

// changesTables are the instructions whose effect an embedder can neither see nor undo.
var changesTables = [...]wasmbin.Op{
	wasmbin.OpTableSet, wasmbin.OpTableGrow, wasmbin.OpTableFill, wasmbin.OpTableCopy, wasmbin.OpTableInit,
	wasmbin.OpElemDrop, wasmbin.OpDataDrop,
}

// obstacle notes an instruction of function i, the first of each kind only.
func (w *rewriter) obstacle(r *Rewritten, op wasmbin.Op, i uint32) {
	if !slices.Contains(changesTables[:], op) {
		return
	}
	what := op.String() + " in function "
	if slices.ContainsFunc(r.Obstacles, func(s string) bool { return strings.HasPrefix(s, what) }) {
		return
	}
	text := what + strconv.Itoa(int(i))
	if name := w.m.Names.Function(i); name != "" {
		text += " (" + name + ")"
	}
	r.Obstacles = append(r.Obstacles, text)
}

package guest

import (
	"github.com/dashhost/dashhost/abi"
	"github.com/dashhost/dashhost/guest/wasmbin"
)

// Info is what can be said of a module without running it. It is not changed after it was made.
type Info struct {
	SHA256        string // of the module's bytes, in hex
	Size          int    // bytes
	Kind          string // "node"
	Imports       []Import
	Exports       []string // names, in the module's order
	Memory        MemoryInfo
	HasInitialize bool        // exports _initialize
	HasStart      bool        // exports dash_start
	StartSection  bool        // has a start section
	Grants        []abi.Grant // that its imports can use, in the order of package abi
	Features      []string    // of WebAssembly beyond 1.0
	Functions     int         // defined ones
	CodeBytes     int64
	DataBytes     int64
	TableElements int64 // minimum sizes of all tables
	// Obstacles say why an instance cannot be put back to what it was, so that PolicyReset gives every call a
	// fresh one. Empty: it can.
	Obstacles []string
}

// Import is one imported function.
type Import struct {
	Module, Name string
}

// MemoryInfo is the declared size of the memory in pages of 64 KiB. MaxPages is 65,536 if none is declared.
type MemoryInfo struct {
	MinPages, MaxPages uint32
}

// maxPages is the whole address space.
const maxPages = 1 << 16

func describe(m *wasmbin.Module) *Info {
	totals := m.Totals()
	info := &Info{
		Kind:          "node",
		HasInitialize: m.Export(abi.ExportInitialize) != nil,
		HasStart:      m.Export(abi.ExportStart) != nil,
		StartSection:  m.HasStart,
		Features:      m.Features.Names(),
		Functions:     len(m.Functions),
		CodeBytes:     totals.BodyBytes,
		DataBytes:     totals.DataBytes,
		Memory:        MemoryInfo{MaxPages: maxPages},
	}
	if mem, _ := m.Memory(); mem != nil {
		info.Memory.MinPages = mem.Min
		if mem.HasMax {
			info.Memory.MaxPages = mem.Max
		}
	}
	for i := range m.Tables {
		info.TableElements += int64(m.Tables[i].Min)
	}
	uses := make(map[abi.Grant]bool)
	for i := range m.Imports {
		imp := &m.Imports[i]
		info.Imports = append(info.Imports, Import{imp.Module, imp.Name})
		if f, ok := abi.Lookup(imp.Name); ok && imp.Module == abi.Module {
			uses[f.Grant] = true
		}
	}
	for i := range m.Exports {
		info.Exports = append(info.Exports, m.Exports[i].Name)
	}
	for _, f := range abi.Functions() {
		if f.Grant != abi.GrantNone && uses[f.Grant] {
			info.Grants = append(info.Grants, f.Grant)
			uses[f.Grant] = false
		}
	}
	return info
}

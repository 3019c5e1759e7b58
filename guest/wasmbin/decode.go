package wasmbin

import (
	"bytes"
	"slices"
	"unicode/utf8"
)

// Options are the options of Decode.
type Options struct {
	// Bounds: zero fields have defaults.
	Bounds Bounds
	// Exceptions takes modules with try_table, throw, throw_ref, exnref and tags. Default false: they are refused.
	Exceptions bool
}

const (
	magic         = "\x00asm"
	coreVersion   = "\x01\x00\x00\x00"
	componentMark = "\x0d\x00\x01\x00"
)

// decoder is one Decode.
type decoder struct {
	reader
	m      *Module
	bounds Bounds

	funcTypes []uint32 // function type of every function, imported ones first
	tables    []TableType
	globals   []GlobalType
	tags      []uint32 // function types
	memories  int
	imported  struct{ funcs, globals int }
	declared  []uint64 // bit set of the functions that ref.func may name

	typeValues uint64 // parameters and results so far
	tableMin   uint64 // elements of all tables so far
	items      uint64 // items of element segments so far
	locals     uint64 // locals of all functions so far
	customs    uint64 // custom sections so far
	defined    int    // entries of the function section
	dataCount  int    // -1: not announced
	nameStart  int    // content of the name section, 0 if none was met
	nameEnd    int

	stack  []ValueType // of the constant expression that is read
	runs   arena[LocalRun]
	values arena[ValueType]
}

// arena hands out slices of larger ones, so that many small ones are few allocations.
type arena[T any] struct{ free []T }

func (a *arena[T]) take(n int) []T {
	if n > cap(a.free)-len(a.free) {
		a.free = make([]T, 0, max(n, min(1024, 2*cap(a.free)+16)))
	}
	k := len(a.free)
	a.free = a.free[:k+n]
	return a.free[k : k+n : k+n]
}

// Decode reads and checks a module. It refuses, with an *Error, whatever is not a valid module of WebAssembly 2.0 with
// extended constant expressions, or is over a bound.
//
// The Module has views of b, which must not be changed while it is in use. Memory used is proportional to len(b),
// with a small factor, whatever b claims. nil options are the defaults. Several goroutines may decode at once.
func Decode(b []byte, o *Options) (*Module, error) {
	if o == nil {
		o = &Options{}
	}
	d := &decoder{m: &Module{}, bounds: o.Bounds.WithDefaults(), dataCount: -1}
	d.reader = reader{b: b, section: secHeader, fn: -1, refused: ^accepted}
	if !o.Exceptions {
		d.refused |= Exceptions
	}
	d.header()
	if d.err == nil {
		d.module()
	}
	if d.err == nil {
		d.finish()
	}
	if d.err != nil {
		return nil, d.err
	}
	d.m.Features = d.used
	return d.m, nil
}

func (d *decoder) header() {
	b := d.b
	switch {
	case len(b) == 0:
		d.fail(0, ErrMalformed, "the build may have failed: nothing was written", "the file is empty")
	case len(b) < 8 && bytes.HasPrefix([]byte(magic+coreVersion), b):
		d.fail(len(b), ErrMalformed, "the file may be cut off: compare its size with the original", "unexpected end in the header")
	case !bytes.HasPrefix(b, []byte(magic)):
		what, hint := guess(b)
		d.fail(0, ErrMalformed, hint, "not a WebAssembly binary: %s", what)
	case bytes.HasPrefix(b[4:], []byte(componentMark)), len(b) >= 8 && b[6] == 1:
		d.use(4, Components, "the module")
	case len(b) < 8 || string(b[4:8]) != coreVersion:
		d.malformed(4, "version %x, 01000000 is wanted", b[4:min(8, len(b))])
	}
	if d.err == nil {
		d.pos = 8
	}
}

// guess says what a file that is no binary looks like, and what to do about it.
func guess(b []byte) (what, hint string) {
	for _, f := range []struct{ prefix, what, hint string }{
		{"\x1f\x8b", "it is compressed with gzip", "unpack it first"},
		{"\x28\xb5\x2f\xfd", "it is compressed with zstd", "unpack it first"},
		{"PK\x03\x04", "it is a zip archive", "unpack it first"},
		{"\x7fELF", "it is a native program or library", "build for a WebAssembly target, for example GOOS=wasip1 GOARCH=wasm or --target wasm32-wasip1"},
		{"!<arch>", "it is an archive of object files", "link it first"},
		{"BC\xc0\xde", "it is LLVM bitcode", "link it first, without -emit-llvm"},
		{"#!", "it is a script", "give the module that it starts"},
	} {
		if bytes.HasPrefix(b, []byte(f.prefix)) {
			return f.what, f.hint
		}
	}
	head := bytes.TrimLeft(bytes.TrimPrefix(b[:min(len(b), 512)], []byte("\xef\xbb\xbf")), " \t\r\n")
	if bytes.HasPrefix(head, []byte("(")) || bytes.HasPrefix(head, []byte(";;")) {
		return "it is in the text format", "convert it with wat2wasm, or wasm-tools parse"
	}
	if utf8.Valid(head) && !bytes.ContainsRune(head, 0) {
		return "it is text", "give the .wasm file that the build wrote"
	}
	return "it does not begin with 00 61 73 6d", "give the .wasm file that the build wrote"
}

// module reads the sections.
func (d *decoder) module() {
	whole := d.b
	rank := 0
	for d.pos < len(whole) && d.err == nil {
		at := d.pos
		d.section = secHeader
		id := d.byte()
		if int(id) >= len(sections) {
			d.malformed(at, "%#02x is not a section", id)
			return
		}
		d.section = sections[id].name
		size := d.u32()
		if d.err == nil && int64(size) > int64(d.left()) {
			d.short(at, "section")
		}
		if d.err != nil {
			return
		}
		if id != idCustom {
			if sections[id].rank <= rank {
				d.malformed(at, "out of order, or a second one")
				return
			}
			rank = sections[id].rank
		}
		start, end := d.pos, d.pos+int(size)
		d.m.Sections = append(d.m.Sections, Section{Name: d.section, Custom: id == idCustom, Offset: start, Size: int(size)})
		d.b = whole[:end]
		d.content(id)
		if d.err == nil && d.pos != end {
			d.malformed(d.pos, "%d bytes are left at its end", end-d.pos)
		}
		d.b = whole
	}
}

// content reads the content of a section.
func (d *decoder) content(id byte) {
	switch id {
	case idCustom:
		d.customSection()
	case idType:
		d.typeSection()
	case idImport:
		d.importSection()
	case idFunction:
		d.functionSection()
	case idTable:
		d.tableSection()
	case idMemory:
		d.memorySection()
	case idGlobal:
		d.globalSection()
	case idExport:
		d.exportSection()
	case idStart:
		d.startSection()
	case idElement:
		d.elementSection()
	case idCode:
		d.codeSection()
	case idData:
		d.dataSection()
	case idDataCount:
		d.m.HasDataCount = true
		at := d.pos
		n := d.u32()
		if d.within(at, "data", uint64(n), d.bounds.Data) {
			d.dataCount = int(n)
		}
	case idTag:
		d.tagSection()
	}
}

// finish checks what can only be known at the end.
func (d *decoder) finish() {
	switch {
	case d.defined != len(d.m.Functions):
		d.section = secFunction
		d.malformed(len(d.b), "%d functions are declared, and there are %d bodies", d.defined, len(d.m.Functions))
	case d.dataCount >= 0 && d.dataCount != len(d.m.Data):
		d.section = secDataCount
		d.malformed(len(d.b), "%d data segments are announced, the data section has %d", d.dataCount, len(d.m.Data))
	}
	if d.err == nil && d.nameStart > 0 {
		d.m.Names = decodeNames(d.b[:d.nameEnd], d.nameStart, len(d.funcTypes), &d.bounds)
	}
}

// customSection notes the name and skips the content.
func (d *decoder) customSection() {
	d.customs++
	d.within(d.pos, "custom", d.customs, d.bounds.Custom)
	name := d.name("name", d.bounds.NameLength)
	if d.err != nil {
		return
	}
	d.m.Sections[len(d.m.Sections)-1].Name = string(name)
	if string(name) == "name" && d.nameStart == 0 {
		d.nameStart, d.nameEnd = d.pos, len(d.b)
	}
	d.pos = len(d.b)
}

func (d *decoder) isDeclared(f uint32) bool {
	return int(f/64) < len(d.declared) && d.declared[f/64]>>(f%64)&1 != 0
}

// declare notes that the function occurs outside of bodies.
func (d *decoder) declare(f uint32) {
	if int(f/64) >= len(d.declared) {
		d.declared = append(d.declared, make([]uint64, (len(d.funcTypes)+63)/64-len(d.declared))...)
	}
	d.declared[f/64] |= 1 << (f % 64)
}

// exact returns b or, if numbers in it were longer than need be, a copy in which they are not.
func (d *decoder) exact(b []byte, loose bool) []byte {
	if !loose {
		return b
	}
	it := NewInstrReader(b)
	out := make([]byte, 0, len(b))
	var in Instr
	for it.Next(&in) {
		out = in.Append(out)
	}
	return slices.Clip(out)
}

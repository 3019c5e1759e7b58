package wasmbin

import "unicode/utf8"

// The subsections of the name section that are kept.
const (
	namesModule    = 0
	namesFunctions = 1
)

// decodeNames reads the name section, which is b from start on, of a module with that many functions. The section
// has no say in whether a module is valid: one with a fault is dropped whole and the fault kept beside.
func decodeNames(b []byte, start, functions int, bounds *Bounds) Names {
	d := &nameDecoder{
		reader:    reader{b: b, pos: start, section: secCustom, fn: -1},
		text:      string(b[start:]),
		start:     start,
		functions: functions,
		bounds:    bounds,
	}
	for last := -1; d.left() > 0; {
		at := d.pos
		id, size := d.byte(), d.u32()
		if d.err == nil && int64(size) > int64(d.left()) {
			d.short(at, "subsection")
		}
		if d.err == nil && int(id) <= last {
			d.malformed(at, "subsection %d out of order, or a second one", id)
		}
		if d.err != nil {
			break
		}
		last = int(id)
		d.subsection(id, int(size))
	}
	if d.err != nil {
		return Names{Fault: d.err}
	}
	return d.names
}

type nameDecoder struct {
	reader
	names     Names
	text      string // the section as a string, of which names are parts: one allocation for all
	start     int    // where text begins in the input
	functions int
	bounds    *Bounds
	kept      int // bytes of names
}

func (d *nameDecoder) subsection(id byte, size int) {
	whole, end := d.b, d.pos+size
	d.b = whole[:end]
	switch id {
	case namesModule:
		d.names.Module, _ = d.keep()
	case namesFunctions:
		d.functionNames()
	default:
		d.pos = end
	}
	if d.err == nil && d.pos != end {
		d.malformed(d.pos, "%d bytes are left at the end of subsection %d", end-d.pos, id)
	}
	d.b = whole
}

func (d *nameDecoder) functionNames() {
	n := d.count("names", 2, "functions", uint32(d.functions))
	list := make([]NamedFunction, 0, n)
	last := int64(-1)
	for range n {
		at := d.pos
		i := d.u32()
		if d.err == nil && (int64(i) <= last || int64(i) >= int64(d.functions)) {
			d.malformed(at, "name of function %d after that of %d of %d", i, last, d.functions)
		}
		name, ok := d.keep()
		if d.err != nil {
			return
		}
		last = int64(i)
		if !ok {
			d.names.Dropped++
			continue
		}
		list = append(list, NamedFunction{i, name})
	}
	d.names.Functions = list
}

// keep reads a name and cuts it to the greatest length; false if the bytes of all names are used up.
func (d *nameDecoder) keep() (string, bool) {
	b := d.name("name", 1<<32-1)
	if d.err != nil {
		return "", false
	}
	n := min(len(b), int(d.bounds.NameLength))
	for n < len(b) && n > 0 && !utf8.RuneStart(b[n]) {
		n--
	}
	if d.kept+n > int(d.bounds.NameBytes) {
		return "", false
	}
	d.kept += n
	at := d.pos - len(b) - d.start
	return d.text[at : at+n], true
}

// appendNames appends the name section: nothing if there are no names.
func appendNames(dst []byte, n *Names) []byte {
	if n.Module == "" && len(n.Functions) == 0 {
		return dst
	}
	return appendSized(dst, idCustom, func(dst []byte) []byte {
		dst = appendName(dst, "name")
		if n.Module != "" {
			dst = appendSized(dst, namesModule, func(dst []byte) []byte { return appendName(dst, n.Module) })
		}
		if len(n.Functions) == 0 {
			return dst
		}
		return appendSized(dst, namesFunctions, func(dst []byte) []byte {
			dst = AppendUint32(dst, uint32(len(n.Functions)))
			for i := range n.Functions {
				dst = AppendUint32(dst, n.Functions[i].Index)
				dst = appendName(dst, n.Functions[i].Name)
			}
			return dst
		})
	})
}

package wasmbin

const maxPages = 1 << 16

func (d *decoder) typeSection() {
	n := d.count("types", 2, "types", d.bounds.Types)
	d.m.Types = make([]FuncType, 0, n)
	for range n {
		at := d.pos
		if form := d.byte(); form != 0x60 && d.err == nil {
			d.otherForm(at, form)
		}
		params := d.valueTypes("params", d.bounds.Params)
		results := d.valueTypes("results", d.bounds.Results)
		if d.err != nil {
			return
		}
		if len(results) > 1 {
			d.used |= MultiValue
		}
		d.m.Types = append(d.m.Types, FuncType{params, results})
	}
}

// otherForm refuses a type that is not the type of a function.
func (d *decoder) otherForm(at int, form byte) {
	switch {
	case form >= 0x4c && form <= 0x50, form == 0x5e, form == 0x5f:
		d.use(at, GC, "type form %#02x", form)
	case form == 0x5d:
		d.use(at, StackSwitching, "type form %#02x", form)
	default:
		d.malformed(at, "%#02x does not begin the type of a function", form)
	}
}

func (d *decoder) valueTypes(bound string, max uint32) []ValueType {
	at := d.pos
	n := d.count("value types", 1, bound, max)
	d.typeValues += uint64(n)
	if n == 0 || !d.within(at, "type_values", d.typeValues, d.bounds.TypeValues) {
		return nil
	}
	ts := d.values.take(n)
	for i := range ts {
		ts[i] = d.valueType()
	}
	return ts
}

func (d *decoder) importSection() {
	n := d.count("imports", 4, "imports", d.bounds.Imports)
	d.m.Imports = make([]Import, n)
	for i := range d.m.Imports {
		imp := &d.m.Imports[i]
		imp.Module = string(d.name("module name", d.bounds.NameLength))
		imp.Name = string(d.name("name", d.bounds.NameLength))
		d.importKind(imp)
		if d.err != nil {
			return
		}
	}
	d.imported.funcs = len(d.funcTypes)
	d.imported.globals = len(d.globals)
}

func (d *decoder) importKind(imp *Import) {
	at := d.pos
	imp.Kind = Kind(d.byte())
	switch imp.Kind {
	case KindFunc:
		imp.Type = d.typeIndex()
		d.funcTypes = append(d.funcTypes, imp.Type)
	case KindTable:
		imp.Table = d.tableType()
	case KindMemory:
		imp.Memory = d.memoryType()
	case KindGlobal:
		imp.Global = d.globalType()
		if imp.Global.Mutable {
			d.used |= MutableGlobals
		}
	case KindTag:
		imp.Type = d.tagType()
	default:
		d.malformed(at, "%#02x is not a kind of import", byte(imp.Kind))
	}
}

// typeIndex reads the index of a function type.
func (d *decoder) typeIndex() uint32 {
	at := d.pos
	i := d.u32()
	if d.err == nil && int64(i) >= int64(len(d.m.Types)) {
		d.invalid(at, "type %d does not exist, there are %d", i, len(d.m.Types))
	}
	return i
}

func (d *decoder) functionSection() {
	at := d.pos
	n := d.count("functions", 1, "functions", d.bounds.Functions)
	if !d.within(at, "functions", uint64(n)+uint64(len(d.funcTypes)), d.bounds.Functions) {
		return
	}
	d.defined = n
	types := make([]uint32, 0, len(d.funcTypes)+n)
	d.funcTypes = append(types, d.funcTypes...)
	for range n {
		t := d.typeIndex()
		if d.err != nil {
			return
		}
		d.funcTypes = append(d.funcTypes, t)
	}
}

func (d *decoder) tableSection() {
	n := d.count("tables", 3, "tables", d.bounds.Tables)
	d.m.Tables = make([]TableType, 0, n)
	for range n {
		if d.left() > 0 && d.b[d.pos] == 0x40 {
			d.use(d.pos, FunctionReferences, "a table with an initial value")
		}
		d.m.Tables = append(d.m.Tables, d.tableType())
		if d.err != nil {
			return
		}
	}
}

// tableType reads the type of a table and adds it to the index space.
func (d *decoder) tableType() TableType {
	t := TableType{Elem: d.refType()}
	at := d.pos
	t.Limits = d.limits(1<<32 - 1)
	d.tableMin += uint64(t.Min)
	d.within(at, "table_elements", d.tableMin, d.bounds.TableElements)
	d.tables = append(d.tables, t)
	d.within(at, "tables", uint64(len(d.tables)), d.bounds.Tables)
	if len(d.tables) > 1 {
		d.used |= ReferenceTypes
	}
	return t
}

// refType reads the type of the elements of a table or segment.
func (d *decoder) refType() ValueType {
	at := d.pos
	old := d.used
	t := d.valueType()
	switch {
	case d.err != nil:
	case t == ExnRef:
		d.fail(at, &FeatureError{Exceptions}, "exnref is taken for parameters, results and locals", "tables of exnref are not supported")
	case !t.IsRef():
		d.malformed(at, "%s is not a reference type", t)
	case t == FuncRef:
		d.used = old // the one type of elements that WebAssembly 1.0 has
	}
	return t
}

// limits reads limits whose values may be up to most.
func (d *decoder) limits(most uint64) (l Limits) {
	at := d.pos
	switch flags := d.byte(); {
	case flags > 0x0f:
		d.malformed(at, "flags %#02x of limits", flags)
	case flags >= 0x08:
		d.use(at, CustomPageSizes, "a memory")
	case flags >= 0x04:
		d.use(at, Memory64, "a memory or table")
	case flags >= 0x02:
		d.use(at, Threads, "a shared memory or table")
	default:
		l.HasMax = flags == 0x01
	}
	l.Min = d.u32()
	if l.HasMax {
		l.Max = d.u32()
	}
	switch {
	case d.err != nil:
	case uint64(max(l.Min, l.Max)) > most:
		d.invalid(at, "a limit is %d, at most %d is possible", max(l.Min, l.Max), most)
	case l.HasMax && l.Max < l.Min:
		d.invalid(at, "the minimum %d is over the maximum %d", l.Min, l.Max)
	}
	return l
}

func (d *decoder) memorySection() {
	n := d.count("memories", 2, "memories", 1<<32-1)
	for range n {
		d.m.Memories = append(d.m.Memories, d.memoryType())
		if d.err != nil {
			return
		}
	}
}

// memoryType reads the type of a memory and adds it to the index space, which has room for one.
func (d *decoder) memoryType() Limits {
	at := d.pos
	if d.memories++; d.memories > 1 {
		d.use(at, MultiMemory, "a second memory")
	}
	return d.limits(maxPages)
}

func (d *decoder) globalType() GlobalType {
	at := d.pos
	t := GlobalType{Type: d.valueType()}
	switch mut := d.byte(); {
	case mut&^0x03 == 0 && mut > 1:
		d.use(d.pos-1, Threads, "a shared global")
	case mut > 1:
		d.malformed(d.pos-1, "%#02x says neither var nor const", mut)
	default:
		t.Mutable = mut == 1
	}
	d.globals = append(d.globals, t)
	d.within(at, "globals", uint64(len(d.globals)), d.bounds.Globals)
	return t
}

func (d *decoder) globalSection() {
	n := d.count("globals", 4, "globals", d.bounds.Globals)
	d.m.Globals = make([]Global, 0, n)
	for range n {
		t := d.globalType()
		g := Global{t, d.constExpr(t.Type)}
		if d.err != nil {
			return
		}
		d.m.Globals = append(d.m.Globals, g)
	}
}

func (d *decoder) tagSection() {
	d.use(d.pos, Exceptions, "the tag section")
	n := d.count("tags", 2, "tags", d.bounds.Tags)
	d.m.Tags = make([]uint32, 0, n)
	for range n {
		t := d.tagType()
		if d.err != nil {
			return
		}
		d.m.Tags = append(d.m.Tags, t)
	}
}

// tagType reads the type of a tag and adds it to the index space.
func (d *decoder) tagType() uint32 {
	at := d.pos
	d.use(at, Exceptions, "a tag")
	if attr := d.byte(); attr != 0 && d.err == nil {
		d.malformed(at, "%#02x is not an attribute of tags", attr)
	}
	t := d.typeIndex()
	if d.err == nil && len(d.m.Types[t].Results) > 0 {
		d.invalid(at, "the type of a tag has results")
	}
	d.tags = append(d.tags, t)
	d.within(at, "tags", uint64(len(d.tags)), d.bounds.Tags)
	return t
}

func (d *decoder) exportSection() {
	n := d.count("exports", 3, "exports", d.bounds.Exports)
	d.m.Exports = make([]Export, 0, n)
	seen := make(map[string]struct{}, n)
	for range n {
		at := d.pos
		e := Export{Name: string(d.name("name", d.bounds.NameLength)), Kind: Kind(d.byte()), Index: d.u32()}
		d.checkExport(at, &e)
		if _, twice := seen[e.Name]; twice && d.err == nil {
			d.invalid(at, "%q is exported twice", e.Name)
		}
		if d.err != nil {
			return
		}
		seen[e.Name] = struct{}{}
		d.m.Exports = append(d.m.Exports, e)
	}
}

func (d *decoder) checkExport(at int, e *Export) {
	var size int
	switch e.Kind {
	case KindFunc:
		size = len(d.funcTypes)
	case KindTable:
		size = len(d.tables)
	case KindMemory:
		size = d.memories
	case KindGlobal:
		size = len(d.globals)
	case KindTag:
		d.use(at, Exceptions, "the export of a tag")
		size = len(d.tags)
	default:
		d.malformed(at, "%#02x is not a kind of export", byte(e.Kind))
	}
	switch {
	case d.err != nil:
	case int64(e.Index) >= int64(size):
		d.invalid(at, "export %q: %s %d does not exist, there are %d", e.Name, e.Kind, e.Index, size)
	case e.Kind == KindFunc:
		d.declare(e.Index)
	case e.Kind == KindGlobal && d.globals[e.Index].Mutable:
		d.used |= MutableGlobals
	}
}

func (d *decoder) startSection() {
	at := d.pos
	i := d.u32()
	switch {
	case d.err != nil:
	case int64(i) >= int64(len(d.funcTypes)):
		d.invalid(at, "function %d does not exist, there are %d", i, len(d.funcTypes))
	default:
		t := &d.m.Types[d.funcTypes[i]]
		if len(t.Params)+len(t.Results) > 0 {
			d.invalid(at, "the start function has the type %s, () -> () is wanted", t)
		}
	}
	d.m.Start, d.m.HasStart = i, true
}

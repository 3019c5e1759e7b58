package wasmbin

// Encode returns the module in the one form that this package writes: every number as short as it can be, sections
// in their order and only where there is something in them, neighbouring locals of one type joined, and the name
// section as the only custom one. A module that Decode returned encodes to bytes that decode to an equal module
// (Sections apart) and encode to the same bytes.
//
// Encode trusts m: who built or changed it answers for indices and bodies.
func Encode(m *Module) []byte {
	dst := make([]byte, 0, encodedSize(m))
	dst = append(dst, magic+coreVersion...)
	dst = section(dst, idType, m.Types, appendFuncType)
	dst = section(dst, idImport, m.Imports, appendImport)
	dst = section(dst, idFunction, m.Functions, func(dst []byte, f *Function) []byte { return AppendUint32(dst, f.Type) })
	dst = section(dst, idTable, m.Tables, appendTableType)
	dst = section(dst, idMemory, m.Memories, appendLimits)
	dst = section(dst, idTag, m.Tags, appendTag)
	dst = section(dst, idGlobal, m.Globals, func(dst []byte, g *Global) []byte {
		return append(appendGlobalType(dst, &g.GlobalType), g.Init...)
	})
	dst = section(dst, idExport, m.Exports, appendExport)
	if m.HasStart {
		dst = appendSized(dst, idStart, func(dst []byte) []byte { return AppendUint32(dst, m.Start) })
	}
	dst = section(dst, idElement, m.Elements, appendElement)
	if m.HasDataCount {
		dst = appendSized(dst, idDataCount, func(dst []byte) []byte { return AppendUint32(dst, uint32(len(m.Data))) })
	}
	dst = section(dst, idCode, m.Functions, appendBody)
	dst = section(dst, idData, m.Data, appendData)
	return appendNames(dst, &m.Names)
}

// encodedSize is about how many bytes Encode will write: the parts that can be large, and some for the others.
func encodedSize(m *Module) int {
	n := 1024 + 16*len(m.Types) + 24*len(m.Imports) + 16*len(m.Exports) + 16*len(m.Globals)
	for i := range m.Functions {
		n += len(m.Functions[i].Body) + 2*len(m.Functions[i].Locals) + 8
	}
	for i := range m.Data {
		n += len(m.Data[i].Bytes) + len(m.Data[i].Offset) + 6
	}
	for i := range m.Elements {
		n += 3*len(m.Elements[i].Functions) + 8*len(m.Elements[i].Exprs)
	}
	for i := range m.Names.Functions {
		n += len(m.Names.Functions[i].Name) + 5
	}
	return n
}

// section appends a section that is a vector, unless it is empty.
func section[T any](dst []byte, id byte, items []T, item func([]byte, *T) []byte) []byte {
	if len(items) == 0 {
		return dst
	}
	return appendSized(dst, id, func(dst []byte) []byte {
		dst = AppendUint32(dst, uint32(len(items)))
		for i := range items {
			dst = item(dst, &items[i])
		}
		return dst
	})
}

// appendSized appends id, the size of what content appends, and that. The size is known only afterwards: room for
// the longest is left, and the content moved down to what it took.
func appendSized(dst []byte, id byte, content func([]byte) []byte) []byte {
	const room = 5
	dst = append(dst, id)
	at := len(dst)
	dst = content(append(dst, make([]byte, room)...))
	size := len(dst) - at - room
	n := len(AppendUint32(dst[:at], uint32(size))) - at
	copy(dst[at+n:], dst[at+room:])
	return dst[:at+n+size]
}

func appendName(dst []byte, s string) []byte {
	return append(AppendUint32(dst, uint32(len(s))), s...)
}

func appendTypes(dst []byte, ts []ValueType) []byte {
	dst = AppendUint32(dst, uint32(len(ts)))
	for _, t := range ts {
		dst = append(dst, byte(t))
	}
	return dst
}

func appendFuncType(dst []byte, t *FuncType) []byte {
	return appendTypes(appendTypes(append(dst, 0x60), t.Params), t.Results)
}

func appendLimits(dst []byte, l *Limits) []byte {
	if !l.HasMax {
		return AppendUint32(append(dst, 0), l.Min)
	}
	return AppendUint32(AppendUint32(append(dst, 1), l.Min), l.Max)
}

func appendTableType(dst []byte, t *TableType) []byte {
	return appendLimits(append(dst, byte(t.Elem)), &t.Limits)
}

func appendGlobalType(dst []byte, t *GlobalType) []byte {
	if t.Mutable {
		return append(dst, byte(t.Type), 1)
	}
	return append(dst, byte(t.Type), 0)
}

func appendTag(dst []byte, typ *uint32) []byte { return AppendUint32(append(dst, 0), *typ) }

func appendImport(dst []byte, imp *Import) []byte {
	dst = append(appendName(appendName(dst, imp.Module), imp.Name), byte(imp.Kind))
	switch imp.Kind {
	case KindTable:
		return appendTableType(dst, &imp.Table)
	case KindMemory:
		return appendLimits(dst, &imp.Memory)
	case KindGlobal:
		return appendGlobalType(dst, &imp.Global)
	case KindTag:
		return appendTag(dst, &imp.Type)
	}
	return AppendUint32(dst, imp.Type)
}

func appendExport(dst []byte, e *Export) []byte {
	return AppendUint32(append(appendName(dst, e.Name), byte(e.Kind)), e.Index)
}

func appendElement(dst []byte, e *Element) []byte {
	var flags byte
	exprs := len(e.Exprs) > 0 || e.Type != FuncRef
	if exprs {
		flags |= elemExprs
	}
	switch {
	case e.Mode == Declarative:
		flags |= elemNotActive | elemExplicit
	case e.Mode == Passive:
		flags |= elemNotActive
	case e.Table != 0 || e.Type != FuncRef:
		flags |= elemExplicit
	}
	dst = append(dst, flags)
	if e.Mode == Active {
		if flags&elemExplicit != 0 {
			dst = AppendUint32(dst, e.Table)
		}
		dst = append(dst, e.Offset...)
	}
	if flags&(elemNotActive|elemExplicit) != 0 {
		if exprs {
			dst = append(dst, byte(e.Type))
		} else {
			dst = append(dst, 0)
		}
	}
	if !exprs {
		dst = AppendUint32(dst, uint32(len(e.Functions)))
		for _, f := range e.Functions {
			dst = AppendUint32(dst, f)
		}
		return dst
	}
	dst = AppendUint32(dst, uint32(len(e.Exprs)))
	for _, x := range e.Exprs {
		dst = append(dst, x...)
	}
	return dst
}

func appendBody(dst []byte, f *Function) []byte {
	var buf [64]byte
	locals := AppendUint32(buf[:0], uint32(len(f.Locals)))
	for _, run := range f.Locals {
		locals = append(AppendUint32(locals, run.Count), byte(run.Type))
	}
	dst = AppendUint32(dst, uint32(len(locals)+len(f.Body)))
	return append(append(dst, locals...), f.Body...)
}

func appendData(dst []byte, s *Data) []byte {
	if s.Mode == Active {
		dst = append(append(dst, 0), s.Offset...)
	} else {
		dst = append(dst, 1)
	}
	return append(AppendUint32(dst, uint32(len(s.Bytes))), s.Bytes...)
}

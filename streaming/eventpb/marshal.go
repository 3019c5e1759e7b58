package eventpb

import (
	"cmp"
	"math"
	"slices"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// marshal encodes m so that equal messages are equal bytes: fields by number, also those of a oneof, map entries by key, defaults
// left out in map entries too. The library's own order differs between versions.
func marshal(m *DashStreamMessage) ([]byte, error) {
	return appendMessage(nil, m.ProtoReflect())
}

func appendMessage(b []byte, m protoreflect.Message) ([]byte, error) {
	type member struct {
		field protoreflect.FieldDescriptor
		value protoreflect.Value
	}
	var members []member
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		members = append(members, member{f, v})
		return true
	})
	slices.SortFunc(members, func(a, b member) int { return cmp.Compare(a.field.Number(), b.field.Number()) })
	var err error
	for _, f := range members {
		switch {
		case f.field.IsMap():
			b, err = appendMap(b, f.field, f.value.Map())
		case f.field.IsList():
			b, err = appendList(b, f.field, f.value.List())
		default:
			b, err = appendField(b, f.field, f.value)
		}
		if err != nil {
			return nil, err
		}
	}
	return append(b, m.GetUnknown()...), nil
}

func appendList(b []byte, f protoreflect.FieldDescriptor, l protoreflect.List) ([]byte, error) {
	var err error
	if !f.IsPacked() {
		for i := range l.Len() {
			if b, err = appendField(b, f, l.Get(i)); err != nil {
				return nil, err
			}
		}
		return b, nil
	}
	var values []byte
	for i := range l.Len() {
		if values, err = appendValue(values, f, l.Get(i)); err != nil {
			return nil, err
		}
	}
	return protowire.AppendBytes(protowire.AppendTag(b, f.Number(), protowire.BytesType), values), nil
}

func appendMap(b []byte, f protoreflect.FieldDescriptor, m protoreflect.Map) ([]byte, error) {
	var keys []string // every map of the schema has text for keys
	m.Range(func(k protoreflect.MapKey, _ protoreflect.Value) bool {
		keys = append(keys, k.String())
		return true
	})
	slices.Sort(keys)
	for _, key := range keys {
		k := protoreflect.ValueOfString(key)
		entry, err := appendUnlessDefault(nil, f.MapKey(), k)
		if err != nil {
			return nil, err
		}
		if entry, err = appendUnlessDefault(entry, f.MapValue(), m.Get(k.MapKey())); err != nil {
			return nil, err
		}
		b = protowire.AppendBytes(protowire.AppendTag(b, f.Number(), protowire.BytesType), entry)
	}
	return b, nil
}

func appendUnlessDefault(b []byte, f protoreflect.FieldDescriptor, v protoreflect.Value) ([]byte, error) {
	value, err := appendValue(nil, f, v)
	if err != nil || len(value) == 1 && value[0] == 0 { // every value of a map is length-delimited
		return b, err
	}
	return append(protowire.AppendTag(b, f.Number(), protowire.BytesType), value...), nil
}

func appendField(b []byte, f protoreflect.FieldDescriptor, v protoreflect.Value) ([]byte, error) {
	wire := map[form]protowire.Type{formFixed32: protowire.Fixed32Type, formFixed64: protowire.Fixed64Type, formVarint: protowire.VarintType}
	t, scalar := wire[formOf(f.Kind())]
	if !scalar {
		t = protowire.BytesType
	}
	return appendValue(protowire.AppendTag(b, f.Number(), t), f, v)
}

func appendValue(b []byte, f protoreflect.FieldDescriptor, v protoreflect.Value) ([]byte, error) {
	switch f.Kind() {
	case protoreflect.BoolKind:
		return protowire.AppendVarint(b, protowire.EncodeBool(v.Bool())), nil
	case protoreflect.EnumKind:
		return protowire.AppendVarint(b, uint64(int64(v.Enum()))), nil
	case protoreflect.Int64Kind, protoreflect.Int32Kind:
		return protowire.AppendVarint(b, uint64(v.Int())), nil
	case protoreflect.Uint64Kind, protoreflect.Uint32Kind:
		return protowire.AppendVarint(b, v.Uint()), nil
	case protoreflect.FloatKind:
		return protowire.AppendFixed32(b, math.Float32bits(float32(v.Float()))), nil
	case protoreflect.DoubleKind:
		return protowire.AppendFixed64(b, math.Float64bits(v.Float())), nil
	case protoreflect.StringKind:
		if !utf8.ValidString(v.String()) {
			return nil, &PayloadError{Message: string(f.Parent().Name()), Field: int(f.Number()), Text: "text is not UTF-8"}
		}
		return protowire.AppendString(b, v.String()), nil
	case protoreflect.BytesKind:
		return protowire.AppendBytes(b, v.Bytes()), nil
	}
	inner, err := appendMessage(nil, v.Message())
	if err != nil {
		return nil, err
	}
	return protowire.AppendBytes(b, inner), nil
}

package eventpb

import (
	"sync"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// form is how a field stands on the wire.
type form uint8

const (
	formUnknown form = iota
	formVarint
	formFixed32
	formFixed64
	formBytes
	formText
	formMessage
)

// shape is what the check knows of a message: its fields by number. A map is a repeated message of its key and its value.
type shape struct {
	name   string
	fields []field
}

type field struct {
	form     form
	repeated bool   // and so, unless it is text, bytes or a message, perhaps packed
	message  *shape // of formMessage
}

// field returns field 0, which is unknown, for numbers that are not in the schema.
func (s *shape) field(number uint64) *field {
	if number < uint64(len(s.fields)) {
		return &s.fields[number]
	}
	return &s.fields[0]
}

// root is the shape of DashStreamMessage, from the generated descriptor.
var root = sync.OnceValue(func() *shape {
	return shapeOf((&DashStreamMessage{}).ProtoReflect().Descriptor(), map[protoreflect.FullName]*shape{})
})

func shapeOf(d protoreflect.MessageDescriptor, done map[protoreflect.FullName]*shape) *shape {
	if s := done[d.FullName()]; s != nil {
		return s
	}
	s := &shape{name: string(d.Name()), fields: make([]field, 1)}
	done[d.FullName()] = s
	for i := range d.Fields().Len() {
		f := d.Fields().Get(i)
		if n := int(f.Number()) + 1; n > len(s.fields) {
			s.fields = append(s.fields, make([]field, n-len(s.fields))...)
		}
		to := &s.fields[f.Number()]
		to.form, to.repeated = formOf(f.Kind()), f.Cardinality() == protoreflect.Repeated
		if to.form == formMessage {
			to.message = shapeOf(f.Message(), done)
		}
	}
	return s
}

func formOf(k protoreflect.Kind) form {
	switch k {
	case protoreflect.BoolKind, protoreflect.EnumKind, protoreflect.Int32Kind, protoreflect.Int64Kind, protoreflect.Uint32Kind,
		protoreflect.Uint64Kind:
		return formVarint
	case protoreflect.FloatKind:
		return formFixed32
	case protoreflect.DoubleKind:
		return formFixed64
	case protoreflect.StringKind:
		return formText
	case protoreflect.BytesKind:
		return formBytes
	case protoreflect.MessageKind:
		return formMessage
	}
	panic("BUG: a field of kind " + k.String() + " was added to the schema, and the check does not know it")
}

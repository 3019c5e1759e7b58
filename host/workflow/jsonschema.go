package workflow

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/dashhost/dashhost/internal/rawjson"
)

// JSONSchema returns the JSON Schema (draft 2020-12) of the manifest, indented,
// for editors. It holds the structure: what names refer to, conditions,
// channel schemas and wasm are only looked at by Load.
func JSONSchema() []byte {
	w := &schemaWriter{}
	w.b = append(w.b, `{"$schema":"https://json-schema.org/draft/2020-12/schema","title":"dashhost workflow manifest, version 1",`...)
	w.body(grammar(), nil)
	w.b = append(w.b, '}')
	var out bytes.Buffer
	if err := json.Indent(&out, w.b, "", "  "); err != nil {
		panic("BUG: JSON Schema: " + err.Error())
	}
	out.WriteByte('\n')
	return out.Bytes()
}

// schemaWriter appends the JSON Schema of shapes.
type schemaWriter struct{ b []byte }

func (w *schemaWriter) raw(format string, a ...any) { w.b = fmt.Appendf(w.b, format, a...) }

func (w *schemaWriter) text(s string) { w.b = rawjson.AppendString(w.b, s) }

// schema appends a shape as an object of its own; f adds what its field says.
func (w *schemaWriter) schema(s *shape, f *field) {
	w.raw("{")
	if s.alt != nil {
		w.raw(`"anyOf":[`)
		w.schema(&shape{form: s.form, words: s.words}, nil)
		w.raw(",")
		w.schema(s.alt, nil)
		w.raw("]")
		w.about(s, f)
	} else {
		w.body(s, f)
	}
	w.raw("}")
}

// about appends what a field says about itself.
func (w *schemaWriter) about(s *shape, f *field) {
	if f == nil {
		return
	}
	w.raw(`,"description":`)
	doc := f.doc
	if f.later {
		doc += " Not in this version."
	}
	w.text(doc)
	if f.def == "" || f.def == "{}" {
		return
	}
	w.raw(`,"default":`)
	switch s.form {
	case formBool, formInt, formFloat:
		w.raw("%s", f.def)
	case formList:
		w.b = (&canonicalizer{}).append(w.b, (&reader{fs: newFaults(""), src: &source{}}).implied(&value{shape: s}, f))
	default:
		w.text(f.def)
	}
}

func (w *schemaWriter) body(s *shape, f *field) {
	switch s.form {
	case formObject:
		w.object(s)
	case formTable:
		w.raw(`"type":"object","propertyNames":{"pattern":`)
		w.text("^(?:" + s.key.pattern + ")$")
		w.raw(`,"maxLength":%d`, s.key.max)
		if len(s.key.reserved) > 0 {
			w.raw(`,"not":{"enum":%s}`, jsonStrings(s.key.reserved))
		}
		w.raw(`},"additionalProperties":`)
		w.schema(s.elem, nil)
	case formList:
		w.array(s)
	case formOneOrMany:
		w.raw(`"anyOf":[`)
		w.schema(s.elem, nil)
		w.raw(`,{`)
		w.array(s)
		w.raw(`}]`)
	default:
		w.scalar(s)
	}
	w.about(s, f)
}

func (w *schemaWriter) array(s *shape) {
	w.raw(`"type":"array","items":`)
	w.schema(s.elem, nil)
	if s.needsElement() {
		w.raw(`,"minItems":1`)
	}
	if s.elem.ref != refNone {
		w.raw(`,"uniqueItems":true`)
	}
}

func (w *schemaWriter) object(s *shape) {
	w.raw(`"type":"object","properties":{`)
	var need []string
	for i := range s.fields {
		f := &s.fields[i]
		if i > 0 {
			w.raw(",")
		}
		w.text(f.name)
		w.raw(":")
		w.schema(f.shape, f)
		if f.need {
			need = append(need, f.name)
		}
	}
	w.raw(`},"additionalProperties":false`)
	if len(need) > 0 {
		w.raw(`,"required":%s`, jsonStrings(need))
	}
	w.choice("oneOf", s.exactlyOne)
	w.choice("anyOf", s.atLeastOne)
}

func (w *schemaWriter) choice(keyword string, fields []string) {
	if len(fields) == 0 {
		return
	}
	w.raw(`,"%s":[`, keyword)
	for i, name := range fields {
		if i > 0 {
			w.raw(",")
		}
		w.raw(`{"required":%s}`, jsonStrings([]string{name}))
	}
	w.raw("]")
}

func (w *schemaWriter) scalar(s *shape) {
	switch s.form {
	case formText:
		w.raw(`"type":"string"`)
		switch {
		case s.text != nil:
			w.raw(`,"maxLength":%d,"pattern":`, s.text.max)
			w.text("^(?:" + s.text.pattern + ")$")
		default:
			w.raw(`,"minLength":1`)
		}
	case formWord:
		w.raw(`"enum":%s`, jsonStrings(s.wordTexts()))
	case formBool:
		w.raw(`"type":"boolean"`)
	case formInt:
		w.raw(`"type":"integer"`)
		w.bounds(s)
	case formFloat:
		w.raw(`"type":"number"`)
		w.bounds(s)
	case formSize, formCount:
		pattern := sizePattern
		if s.form == formCount {
			pattern = countPattern
		}
		w.raw(`"anyOf":[{"type":"integer"`)
		w.bounds(s)
		w.raw(`},{"type":"string","pattern":"^%s$"}]`, pattern)
	case formDuration:
		w.raw(`"type":"string","pattern":`)
		w.text("^" + durationPattern + "$")
	case formRate:
		w.raw(`"type":"string","pattern":`)
		w.text("^" + ratePattern + "$")
	case formJSON:
		if s.schema {
			w.raw(`"type":["object","boolean"]`)
			return
		}
		w.raw(`"type":["object","array","string","number","boolean","null"]`)
	}
}

func (w *schemaWriter) bounds(s *shape) {
	w.raw(`,"minimum":%s`, strconv.FormatFloat(s.min, 'f', -1, 64))
	if s.max != 0 {
		w.raw(`,"maximum":%s`, strconv.FormatFloat(s.max, 'f', -1, 64))
	}
}

func jsonStrings(list []string) []byte {
	out := []byte{'['}
	for i, s := range list {
		if i > 0 {
			out = append(out, ',')
		}
		out = rawjson.AppendString(out, s)
	}
	return append(out, ']')
}

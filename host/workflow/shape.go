package workflow

import "slices"

// form is what a value of the manifest looks like.
type form uint8

const (
	formObject    form = iota // fixed fields
	formTable                 // any names, each with a value of the same shape
	formList                  // a sequence
	formOneOrMany             // one value, or a sequence of them
	formText                  // a string
	formWord                  // one of a few strings
	formBool                  // true | false
	formInt                   // a whole number
	formFloat                 // a number
	formSize                  // bytes: 64MiB
	formCount                 // a large number: 10G
	formDuration              // 5s
	formRate                  // 5/s
	formJSON                  // anything that JSON can say
)

// shape describes one kind of value. The tree of shapes in grammar.go drives
// the parser, the canonical form, the JSON Schema and the check of the
// reference, so none of them can know a field that another does not.
type shape struct {
	form     form
	what     string  // what a value of it is called in messages: "a node"
	fields   []field // formObject
	elem     *shape  // formTable, formList, formOneOrMany
	key      *name   // formTable
	words    []word  // formWord
	min      float64 // formInt, formFloat, formSize, formCount
	max      float64 // 0 = none
	text     *name   // formText: what it must look like; nil = any text but ""
	ref      refKind // formText: what it must name
	url      bool    // formText: ${env:X} is replaced in it
	schema   bool    // formJSON: a JSON Schema
	notEmpty bool    // formList: with at least one element
	alt      *shape  // formWord: taken when an object stands there

	exactlyOne []string // formObject: of these fields
	atLeastOne []string // formObject: of these fields
}

// refKind says which of the manifest's names a text refers to.
type refKind uint8

const (
	refNone        refKind = iota
	refModule              // one of modules
	refChannel             // one of channels
	refNode                // one of nodes
	refNodeOrEnd           // or END
	refNodeOrStart         // or START
)

// field is one field of an object.
type field struct {
	name  string
	shape *shape
	doc   string // one sentence for the JSON Schema
	def   string // as written in a manifest; "{}" = an object of defaults; "" = none
	need  bool
	later bool // of a later version: setting it is listed by Unsupported
	local bool // of the place a run starts at, not of what it does: outside Canonical
}

// word is one value of a formWord.
type word struct {
	text  string
	later bool // as field.later
}

func words(texts ...string) []word {
	out := make([]word, len(texts))
	for i, t := range texts {
		out[i] = word{text: t}
	}
	return out
}

func (s *shape) field(name string) *field {
	i := slices.IndexFunc(s.fields, func(f field) bool { return f.name == name })
	if i < 0 {
		return nil
	}
	return &s.fields[i]
}

func (s *shape) fieldNames() []string {
	out := make([]string, len(s.fields))
	for i, f := range s.fields {
		out[i] = f.name
	}
	return out
}

func (s *shape) wordTexts() []string {
	out := make([]string, len(s.words))
	for i, w := range s.words {
		out[i] = w.text
	}
	return out
}

// needsElement reports whether an empty list would mean nothing.
func (s *shape) needsElement() bool {
	return s.form == formOneOrMany || s.notEmpty
}

package workflow

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"

	"github.com/dashhost/dashhost/internal/rawjson"
)

// Schema is a compiled JSON Schema of a channel. It is immutable and safe for
// concurrent use. Draft 2020-12 unless "$schema" names another; references
// reach only into the schema itself; regular expressions are Go's.
type Schema struct {
	Source []byte // JSON, keys sorted, no spaces

	root  *jsonschema.Schema // without items if elements is set
	depth int                // shallow or deep
	// elements checks one array element at a time, so that a large list needs
	// no more memory than its largest element.
	elements *jsonschema.Schema
}

const (
	deep    = iota // the value is decoded as a whole
	shallow        // the root looks at types, counts and names only
)

// SchemaError is a value that does not fit its schema.
type SchemaError struct {
	Pointer string // JSON pointer into the value; "" = the value itself
	Text    string // what was expected and found there
	More    int    // further places that do not fit

	path []string // Pointer, taken apart
}

// Error is "at /pointer: expected ..., found ...".
func (e *SchemaError) Error() string {
	var b strings.Builder
	if e.Pointer != "" {
		b.WriteString("at " + e.Pointer + ": ")
	}
	b.WriteString(e.Text)
	if e.More > 0 {
		fmt.Fprintf(&b, " (and %d more)", e.More)
	}
	return b.String()
}

const (
	maxSchemaText   = 256 << 10
	maxNumberDigits = 1000 // of a number that a schema looks at
	maxExponent     = 400
)

// CompileSchema compiles a JSON Schema given as JSON.
func CompileSchema(source []byte) (*Schema, error) {
	if len(source) > maxSchemaText {
		return nil, fmt.Errorf("expected a schema of at most %d bytes, found %d", maxSchemaText, len(source))
	}
	canonical, err := rawjson.Canonical(nil, source)
	if err != nil {
		return nil, err
	}
	doc, err := decodeJSON(canonical)
	if err != nil {
		return nil, err
	}
	s := &Schema{Source: canonical}
	root, _ := doc.(map[string]any)
	if root != nil && isShallow(root) {
		s.depth = shallow
		if items, ok := root["items"]; ok {
			if _, list := items.([]any); list {
				s.depth = deep // the elements differ by position
			} else if s.elements, err = compileSchema(doc, "#/items"); err != nil {
				return nil, err
			}
		}
	}
	if s.elements != nil {
		delete(root, "items")
	}
	if s.root, err = compileSchema(doc, ""); err != nil {
		return nil, err
	}
	return s, nil
}

// shallowKeywords do not look into the elements, members or text of a value.
func shallowKeyword(k string) bool {
	switch k {
	case "type", "items", "minItems", "maxItems", "required", "minProperties", "maxProperties",
		"title", "description", "$comment", "default", "examples", "deprecated", "readOnly", "writeOnly",
		"$schema", "$defs", "definitions":
		return true
	}
	return false
}

func isShallow(root map[string]any) bool {
	for k := range root {
		if !shallowKeyword(k) {
			return false
		}
	}
	return true
}

// schemaURL is where references of a schema start from. Nothing is there.
const schemaURL = "channel:///schema"

func compileSchema(doc any, fragment string) (*jsonschema.Schema, error) {
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.UseLoader(noLoader{})
	if err := c.AddResource(schemaURL, doc); err != nil {
		return nil, err
	}
	s, err := c.Compile(schemaURL + fragment)
	if err != nil {
		return nil, schemaFault(err)
	}
	return s, nil
}

// noLoader refuses every reference that leaves the schema: no file, no network.
type noLoader struct{}

// Load implements jsonschema.URLLoader.
func (noLoader) Load(url string) (any, error) {
	return nil, fmt.Errorf("%s is outside the schema, and nothing is fetched", url)
}

// schemaFault turns the library's errors about a schema into one line.
func schemaFault(err error) error {
	var bad *jsonschema.SchemaValidationError
	if errors.As(err, &bad) {
		var ve *jsonschema.ValidationError
		if errors.As(bad.Err, &ve) {
			return schemaError(ve)
		}
	}
	var load *jsonschema.LoadURLError
	if errors.As(err, &load) {
		return load.Err
	}
	return errors.New(strings.ReplaceAll(strings.ReplaceAll(err.Error(), schemaURL, ""), "\n", "; "))
}

// Check reports whether one valid JSON value fits the schema, as a
// *SchemaError if not. Numbers are compared exactly, whatever their size, up to
// 1000 digits and an exponent of 400.
func (s *Schema) Check(raw []byte) error {
	i := space(raw, 0)
	if s.depth == shallow && i < len(raw) && raw[i] != '{' {
		return s.checkShallow(raw[i:])
	}
	v, err := decodeChecked(raw)
	if err != nil {
		return err
	}
	return validate(s.root, v, "")
}

// checkShallow checks anything but an object without decoding it as a whole.
func (s *Schema) checkShallow(raw []byte) error {
	switch raw[0] {
	case '"':
		return validate(s.root, "", "")
	case '[':
		return s.checkList(raw)
	}
	v, err := decodeChecked(raw)
	if err != nil {
		return err
	}
	return validate(s.root, v, "")
}

func (s *Schema) checkList(raw []byte) error {
	n := 0
	for e := walk(raw); e.more(); n++ {
		elem := e.next()
		if s.elements == nil {
			continue
		}
		v, err := decodeChecked(elem)
		if err == nil {
			err = validate(s.elements, v, "/"+strconv.Itoa(n))
		}
		if err != nil {
			return err
		}
	}
	return validate(s.root, make([]any, n), "")
}

func validate(s *jsonschema.Schema, v any, at string) error {
	err := s.Validate(v)
	if err == nil {
		return nil
	}
	var ve *jsonschema.ValidationError
	if !errors.As(err, &ve) {
		return &SchemaError{Pointer: at, Text: err.Error()}
	}
	se := schemaError(ve)
	se.Pointer = at + se.Pointer
	return se
}

// schemaError picks the most telling of a tree of errors: the first leaf.
func schemaError(ve *jsonschema.ValidationError) *SchemaError {
	leaves := 0
	var first *jsonschema.ValidationError
	var visit func(*jsonschema.ValidationError)
	visit = func(v *jsonschema.ValidationError) {
		if len(v.Causes) == 0 {
			if leaves++; first == nil || before(v.InstanceLocation, first.InstanceLocation) {
				first = v
			}
		}
		for _, c := range v.Causes {
			visit(c)
		}
	}
	visit(ve)
	return &SchemaError{Pointer: pointer(first.InstanceLocation), path: first.InstanceLocation, Text: expectation(first), More: leaves - 1}
}

// before orders places so that the same one is reported every time: the
// library walks maps.
func before(a, b []string) bool { return slices.Compare(a, b) < 0 }

func expectation(leaf *jsonschema.ValidationError) string {
	switch k := leaf.ErrorKind.(type) {
	case *kind.Type:
		return fmt.Sprintf("expected %s, found %s", strings.Join(k.Want, " or "), k.Got)
	case *kind.Required:
		return fmt.Sprintf("expected member %s, found none", strings.Join(k.Missing, ", "))
	case *kind.AdditionalProperties:
		slices.Sort(k.Properties)
		return fmt.Sprintf("expected no member %s", strings.Join(k.Properties, ", "))
	case *kind.Enum:
		return fmt.Sprintf("expected one of %s, found %v", jsonList(k.Want), k.Got)
	case *kind.Const:
		return fmt.Sprintf("expected %v, found %v", k.Want, k.Got)
	case *kind.Pattern:
		return fmt.Sprintf("expected text like %s, found %q", k.Want, clip(k.Got, 40))
	case *kind.MinItems:
		return fmt.Sprintf("expected at least %d elements, found %d", k.Want, k.Got)
	case *kind.MaxItems:
		return fmt.Sprintf("expected at most %d elements, found %d", k.Want, k.Got)
	}
	return leaf.BasicOutput().Error.String()
}

func jsonList(vals []any) string {
	texts := make([]string, len(vals))
	for i, v := range vals {
		texts[i] = fmt.Sprint(v)
	}
	return clip(strings.Join(texts, ", "), 200)
}

func pointer(path []string) string {
	var b strings.Builder
	for _, p := range path {
		b.WriteByte('/')
		b.WriteString(strings.NewReplacer("~", "~0", "/", "~1").Replace(p))
	}
	return b.String()
}

// decodeChecked decodes after refusing numbers whose exact form would need
// more memory or time than their text suggests: 1e999999 has a million digits.
func decodeChecked(raw []byte) (any, error) {
	if err := checkNumbers(raw); err != nil {
		return nil, err
	}
	return decodeJSON(raw)
}

func decodeJSON(raw []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	return v, nil
}

func checkNumbers(raw []byte) error {
	for i := 0; i < len(raw); {
		switch c := raw[i]; {
		case c == '"':
			i = stringEnd(raw, i)
		case c == '-' || c >= '0' && c <= '9':
			at := i
			for i < len(raw) && !delimiter(raw[i]) {
				i++
			}
			if !smallNumber(raw[at:i]) {
				return &SchemaError{Text: fmt.Sprintf("number %s is too long to be checked: at most %d digits and an exponent of %d", clip(string(raw[at:i]), 40), maxNumberDigits, maxExponent)}
			}
		default:
			i++
		}
	}
	return nil
}

func smallNumber(b []byte) bool {
	if len(b) > maxNumberDigits {
		return false
	}
	e := bytes.IndexAny(b, "eE")
	if e < 0 {
		return true
	}
	n, err := strconv.Atoi(strings.TrimPrefix(string(b[e+1:]), "+"))
	return err == nil && n <= maxExponent && n >= -maxExponent
}

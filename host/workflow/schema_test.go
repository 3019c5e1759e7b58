package workflow

import (
	"errors"
	"strings"
	"testing"
)

func TestSchemaCheck(t *testing.T) {
	for _, c := range []struct{ schema, value, want string }{
		{`{"type":"string"}`, `"x"`, ""},
		{`{"type":"string"}`, `7`, "expected string, found number"},
		{`{"type":"array"}`, `[1,"a",{}]`, ""},
		{`{"type":"array"}`, `{}`, "expected array, found object"},
		{`{"type":"array","items":{"type":"object","required":["id"]}}`, ` [ {"id":1} , {"id":2} ] `, ""},
		{`{"type":"array","items":{"type":"object","required":["id"]}}`, `[{"id":1},{}]`, "at /1: expected member id, found none"},
		{`{"type":"array","items":{"properties":{"a/b~c":{"type":"integer"}}}}`, `[{"a/b~c":1.5}]`, "at /0/a~1b~0c: expected integer, found number"},
		{`{"type":"array","items":{"$ref":"#/$defs/e"},"$defs":{"e":{"type":"integer"}}}`, `[1,"x"]`, "at /1: expected integer, found string"},
		{`{"type":"array","minItems":2,"maxItems":3}`, `[1]`, "expected at least 2 elements, found 1"},
		{`{"type":"array","maxItems":1}`, `[1,2]`, "expected at most 1 elements, found 2"},
		{`{"items":{"type":"integer"}}`, `"no list"`, ""},
		{`{"items":false}`, `[1]`, "false schema"},
		{`{"prefixItems":[{"type":"integer"}],"items":{"type":"string"}}`, `[1,"a"]`, ""},
		{`{"prefixItems":[{"type":"integer"}],"items":{"type":"string"}}`, `[1,2]`, "at /1: expected string, found number"},
		{`{"$schema":"http://json-schema.org/draft-07/schema#","items":[{"type":"integer"}]}`, `["a"]`, "at /0: expected integer, found string"},
		{`{"uniqueItems":true}`, `[1,1.0]`, "items at 0 and 1 are equal"},
		{`{"const":9007199254740993}`, `9007199254740993`, ""},
		{`{"const":9007199254740993}`, `9007199254740992`, "expected 9007199254740993, found 9007199254740992"},
		{`{"maximum":9007199254740992}`, `9007199254740993`, "maximum"},
		{`{"enum":["a","b"]}`, `"c"`, "expected one of a, b, found c"},
		{`{"pattern":"^a+$"}`, `"b"`, `expected text like ^a+$, found "b"`},
		{`{"additionalProperties":false,"properties":{"a":{}}}`, `{"b":1,"a":2}`, "expected no member b"},
		{`{"type":["string","null"]}`, `null`, ""},
		{`{"type":["string","null"]}`, `true`, "expected null or string, found boolean"},
		{`{"type":"integer"}`, `1.0`, ""},
		{`{"type":"number"}`, `1e999999`, "too long to be checked"},
		{`{"minLength":3}`, `"ab"`, "minLength"},
		{`true`, `[1]`, ""},
		{`false`, `1`, "false schema"},
		{`{"$ref":"#"}`, `1`, "reference cycle"},
	} {
		s, err := CompileSchema([]byte(c.schema))
		if err != nil {
			t.Errorf("%s: %v", c.schema, err)
			continue
		}
		err = s.Check([]byte(c.value))
		var se *SchemaError
		switch {
		case c.want == "" && err != nil, c.want != "" && (!errors.As(err, &se) || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s on %s: %v, want %q", c.schema, c.value, err, c.want)
		}
	}
}

// TestSchemaPathsAgree compares the ways that look at a part of a value with
// the one that decodes all of it.
func TestSchemaPathsAgree(t *testing.T) {
	values := []string{`[]`, `[1]`, `[1,2,3]`, `[{"a":1},{"a":"x"}]`, `{}`, `{"a":1}`, `"x"`, `""`, `0`, `-1.5`, `true`, `null`, `[[1],[2,"x"]]`, ` [ ] `}
	for _, schema := range []string{
		`"type":"array"`, `"type":["array","object"]`, `"minItems":2`, `"items":{"type":"integer"}`, `"type":"array","items":{"required":["a"]},"maxItems":2`,
		`"required":["a"]`, `"minProperties":1`, `"type":"string"`, `"items":{"items":{"type":"integer"}}`, `"items":true`, `"items":{"not":{}}`, `"type":"null"`,
	} {
		fast, err := CompileSchema([]byte("{" + schema + "}"))
		if err != nil {
			t.Fatal(err)
		}
		whole, err := CompileSchema([]byte(`{"allOf":[{` + schema + `}]}`))
		if err != nil {
			t.Fatal(err)
		}
		if fast.depth != shallow || whole.depth != deep {
			t.Fatalf("%s: depths %d and %d", schema, fast.depth, whole.depth)
		}
		for _, v := range values {
			if a, b := fast.Check([]byte(v)), whole.Check([]byte(v)); (a == nil) != (b == nil) {
				t.Errorf("%s on %s: %v, as a whole %v", schema, v, a, b)
			}
		}
	}
}

func TestCompileSchemaRefuses(t *testing.T) {
	for _, schema := range []string{
		``, `{`, `1`, `{"type":"strng"}`, `{"$ref":"https://example.org/x.json"}`, `{"$ref":"file:///etc/passwd"}`, `{"$ref":"other.json"}`,
		`{"$schema":"https://example.org/meta"}`, `{"pattern":"("}`, strings.Repeat(" ", maxSchemaText) + "{}",
	} {
		if _, err := CompileSchema([]byte(schema)); err == nil {
			t.Errorf("%.60q accepted", schema)
		}
	}
}

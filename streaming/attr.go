package streaming

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Attr is a named value. Names are not empty, do not begin with "dash.", and occur once in an event.
type Attr struct {
	Name  string
	Value Value
}

// Kind is the kind of a Value.
type Kind uint8

// Kinds of values. The zero Value has KindNone.
const (
	KindNone Kind = iota
	KindString
	KindInt
	KindFloat
	KindBool
	KindStrings
	KindOther // decoded from other producers: bytes, arrays, maps; as it was encoded
)

// Value is a value of one of the kinds. It is immutable.
type Value struct {
	kind Kind
	num  uint64
	str  string
	list []string
}

// String returns an attribute of text.
func String(name, v string) Attr { return Attr{name, Value{kind: KindString, str: v}} }

// Int returns an attribute that is a whole number.
func Int(name string, v int64) Attr { return Attr{name, Value{kind: KindInt, num: uint64(v)}} }

// Float returns an attribute that is a number.
func Float(name string, v float64) Attr {
	return Attr{name, Value{kind: KindFloat, num: math.Float64bits(v)}}
}

// Bool returns an attribute that is true or false.
func Bool(name string, v bool) Attr { return Attr{name, boolValue(v)} }

// Strings returns an attribute that is a list of text. The list must not be changed while the attribute is used.
func Strings(name string, v []string) Attr { return Attr{name, Value{kind: KindStrings, list: v}} }

func boolValue(v bool) Value {
	if v {
		return Value{kind: KindBool, num: 1}
	}
	return Value{kind: KindBool}
}

// The values of fields: none for their zero.

func textValue(s string) Value {
	if s == "" {
		return Value{}
	}
	return Value{kind: KindString, str: s}
}

func intValue(n int64) Value {
	if n == 0 {
		return Value{}
	}
	return Value{kind: KindInt, num: uint64(n)}
}

// Kind returns the kind of v.
func (v Value) Kind() Kind { return v.kind }

// Str returns the text of a KindString, else "".
func (v Value) Str() string { return v.str }

// Int returns the number of a KindInt, else 0.
func (v Value) Int() int64 {
	if v.kind != KindInt {
		return 0
	}
	return int64(v.num)
}

// Float returns the number of a KindFloat, else 0.
func (v Value) Float() float64 {
	if v.kind != KindFloat {
		return 0
	}
	return math.Float64frombits(v.num)
}

// Bool returns whether v is a KindBool that is true.
func (v Value) Bool() bool { return v.kind == KindBool && v.num == 1 }

// List returns the texts of a KindStrings, else nil.
func (v Value) List() []string { return v.list }

// String returns v as text: a list as JSON.
func (v Value) String() string {
	switch v.kind {
	case KindInt:
		return strconv.FormatInt(v.Int(), 10)
	case KindFloat:
		return strconv.FormatFloat(v.Float(), 'g', -1, 64)
	case KindBool:
		return strconv.FormatBool(v.Bool())
	case KindStrings:
		b, err := json.Marshal(v.list)
		if err != nil {
			panic("BUG: a list of strings has no JSON: " + err.Error())
		}
		return string(b)
	case KindOther:
		return strconv.Quote(v.str)
	}
	return v.str
}

// valueOf is the inverse of String where the kind is known.
func valueOf(text string, as Kind) Value {
	switch as {
	case KindInt:
		n, err := strconv.ParseInt(text, 10, 64)
		if err == nil {
			return intValue(n)
		}
	case KindBool:
		return boolValue(text == "true")
	case KindStrings:
		var list []string
		if json.Unmarshal([]byte(text), &list) == nil {
			return Value{kind: KindStrings, list: list}
		}
	}
	return textValue(text)
}

func (a *Attr) check() error {
	switch {
	case a.Name == "":
		return &EventError{"Attrs", "an attribute without a name"}
	case strings.HasPrefix(a.Name, reserved):
		return &EventError{"Attrs", a.Name + ": names that begin with " + reserved + " are made from fields"}
	case !utf8.ValidString(a.Name):
		return &EventError{"Attrs", "a name that is not UTF-8"}
	case a.Value.kind == KindString && !utf8.ValidString(a.Value.str):
		return &EventError{"Attrs", a.Name + ": not UTF-8"}
	}
	for _, s := range a.Value.list {
		if !utf8.ValidString(s) {
			return &EventError{"Attrs", a.Name + ": not UTF-8"}
		}
	}
	return nil
}

package checkpoint

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/dashhost/dashhost/checkpoint/driver"
)

// textFormat and textVersion begin an export; Export draws the format.
const (
	textFormat  = "dashhost-threads"
	textVersion = 1
)

// maxLine is the longest line of an export that is read: the largest record with all of it in base64.
const maxLine = MaxRecord/3*4 + 64<<20

// maxDepth is how deep JSON that stands in a line as it is may be nested; readers of JSON have limits.
const maxDepth = 1000

// textLine is any line of an export, as it is read.
type textLine struct {
	Format  string `json:"format"`
	Version int    `json:"version"`

	Thread *string         `json:"thread"`
	Blob   *string         `json:"blob"`
	JSON   json.RawMessage `json:"json"`
	Base64 []byte          `json:"base64"`

	Kind       string      `json:"kind"`
	Namespace  string      `json:"namespace"`
	ID         string      `json:"id"`
	Parent     string      `json:"parent"`
	Task       string      `json:"task"`
	Owner      string      `json:"owner"`
	Time       int64       `json:"time"`
	Due        int64       `json:"due"`
	Epoch      uint64      `json:"epoch"`
	FirstEvent uint64      `json:"first_event"`
	Events     uint32      `json:"events"`
	AcceptLoss bool        `json:"accept_loss"`
	Attrs      []textAttr  `json:"attrs"`
	Ops        []textOp    `json:"ops"`
	Meta       *textValue  `json:"meta"`
	Parts      []textValue `json:"parts"`

	End     *string `json:"end"`
	Threads int     `json:"threads"`
	Blobs   int     `json:"blobs"`
	Records int64   `json:"records"`
	SHA256  string  `json:"sha256"`
}

type textAttr struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type textOp struct {
	Op         string          `json:"op"`
	Name       *string         `json:"name"`
	NameBase64 []byte          `json:"name_base64"`
	JSON       json.RawMessage `json:"json"`
	Elements   json.RawMessage `json:"elements"`
	Base64     []byte          `json:"base64"`
}

type textValue struct {
	JSON   json.RawMessage `json:"json"`
	Base64 []byte          `json:"base64"`
}

// The words of ops in a line.
var opWords = [...]string{OpPut: "put", OpAppend: "append", OpDel: "del"}

// kindOf is the kind that prints as word, 0 if there is none.
func kindOf(word string) Kind {
	for k := Kind(1); k.Valid(); k++ {
		if k.String() == word {
			return k
		}
	}
	return 0
}

// appendRecordLine appends r as a line, with its newline. Members whose value is zero are left out.
func appendRecordLine(b []byte, r *Record) []byte {
	b = append(b, `{"kind":`...)
	b = appendText(b, r.Kind.String())
	for _, m := range []struct{ name, value string }{
		{"namespace", r.Namespace}, {"id", r.ID}, {"parent", r.Parent}, {"task", r.Task}, {"owner", r.Owner},
	} {
		if m.value != "" {
			b = appendText(append(append(append(b, `,"`...), m.name...), `":`...), m.value)
		}
	}
	b = strconv.AppendInt(append(b, `,"time":`...), r.Time, 10)
	if r.Due != 0 {
		b = strconv.AppendInt(append(b, `,"due":`...), r.Due, 10)
	}
	b = strconv.AppendUint(append(b, `,"epoch":`...), r.Epoch, 10)
	b = strconv.AppendUint(append(b, `,"first_event":`...), r.FirstEvent, 10)
	if r.Events != 0 {
		b = strconv.AppendUint(append(b, `,"events":`...), uint64(r.Events), 10)
	}
	if r.AcceptLoss {
		b = append(b, `,"accept_loss":true`...)
	}
	if len(r.Attrs) > 0 {
		b = append(b, `,"attrs":[`...)
		for i, a := range r.Attrs {
			b = appendText(append(appendComma(b, i), `{"name":`...), a.Name)
			b = append(appendText(append(b, `,"value":`...), a.Value), '}')
		}
		b = append(b, ']')
	}
	if len(r.Ops) > 0 {
		b = append(b, `,"ops":[`...)
		for i := range r.Ops {
			b = appendOp(appendComma(b, i), &r.Ops[i])
		}
		b = append(b, ']')
	}
	if len(r.Meta) > 0 {
		b = appendValue(append(b, `,"meta":`...), r.Meta)
	}
	if len(r.Parts) > 0 {
		b = append(b, `,"parts":[`...)
		for i, p := range r.Parts {
			b = appendValue(appendComma(b, i), p)
		}
		b = append(b, ']')
	}
	return append(b, "}\n"...)
}

func appendComma(b []byte, i int) []byte {
	if i > 0 {
		return append(b, ',')
	}
	return b
}

func appendOp(b []byte, op *Op) []byte {
	b = appendText(append(b, `{"op":`...), opWords[op.Kind])
	if utf8.ValidString(op.Name) {
		b = appendText(append(b, `,"name":`...), op.Name)
	} else {
		b = appendBase64(append(b, `,"name_base64":`...), []byte(op.Name))
	}
	switch {
	case len(op.Value) == 0:
	case op.Kind == OpAppend && isElements(op.Value):
		b = append(append(append(b, `,"elements":[`...), op.Value...), ']')
	case op.Kind == OpPut && isText(op.Value):
		b = append(append(b, `,"json":`...), op.Value...)
	default:
		b = appendBase64(append(b, `,"base64":`...), op.Value)
	}
	return append(b, '}')
}

func appendValue(b, v []byte) []byte {
	switch {
	case len(v) == 0:
		return append(b, `{}`...)
	case isText(v):
		b = append(append(b, `{"json":`...), v...)
	default:
		b = appendBase64(append(b, `{"base64":`...), v)
	}
	return append(b, '}')
}

func appendBase64(b, v []byte) []byte {
	return append(base64.StdEncoding.AppendEncode(append(b, '"'), v), '"')
}

// appendText appends s as a JSON string.
func appendText(b []byte, s string) []byte {
	plain := func(r rune) bool {
		return r >= ' ' && r < 0x7f && r != '"' && r != '\\' && r != '<' && r != '>' && r != '&'
	}
	if strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return append(append(append(b, '"'), s...), '"')
	}
	q, err := json.Marshal(s)
	if err != nil {
		panic("BUG: " + err.Error())
	}
	return append(b, q...)
}

// isText says whether v may stand in a line as it is, and is found there again byte for byte.
func isText(v []byte) bool {
	return !bytes.ContainsAny(v, "\r\n") && len(bytes.TrimSpace(v)) == len(v) && shallow(v) && utf8.Valid(v) && json.Valid(v)
}

// isElements says whether v between brackets may stand in a line.
func isElements(v []byte) bool {
	return isText(append(append(append(make([]byte, 0, len(v)+2), '['), v...), ']'))
}

// shallow says whether v, if it is JSON, is nested at most maxDepth deep.
func shallow(v []byte) bool {
	depth, text := 0, false
	for i := 0; i < len(v); i++ {
		switch c := v[i]; {
		case text:
			if c == '\\' {
				i++
			} else if c == '"' {
				text = false
			}
		case c == '"':
			text = true
		case c == '[' || c == '{':
			if depth++; depth > maxDepth {
				return false
			}
		case c == ']' || c == '}':
			depth--
		}
	}
	return true
}

// record is the record that a line holds.
func (l *textLine) record() (*Record, error) {
	r := &Record{
		Kind: kindOf(l.Kind), Namespace: l.Namespace, ID: l.ID, Parent: l.Parent, Task: l.Task, Owner: l.Owner, Time: l.Time, Due: l.Due,
		Epoch: l.Epoch, FirstEvent: l.FirstEvent, Events: l.Events, AcceptLoss: l.AcceptLoss,
	}
	if r.Kind == 0 {
		return nil, &InvalidError{Field: "kind", Reason: fmt.Sprintf("unknown kind %.40q", l.Kind)}
	}
	for _, a := range l.Attrs {
		r.Attrs = append(r.Attrs, driver.Attr(a))
	}
	for i := range l.Ops {
		op, err := l.Ops[i].op()
		if err != nil {
			return nil, fmt.Errorf("op %d: %w", i, err)
		}
		r.Ops = append(r.Ops, op)
	}
	if l.Meta != nil {
		r.Meta = l.Meta.bytes()
	}
	for i := range l.Parts {
		r.Parts = append(r.Parts, l.Parts[i].bytes())
	}
	return r, nil
}

func (o *textOp) op() (Op, error) {
	op := Op{Name: string(o.NameBase64), Value: o.Base64}
	for k, word := range opWords {
		if word == o.Op && word != "" {
			op.Kind = OpKind(k)
		}
	}
	if op.Kind == 0 {
		return op, &InvalidError{Field: "op", Reason: fmt.Sprintf("unknown op %.40q", o.Op)}
	}
	if o.Name != nil {
		op.Name = *o.Name
	}
	switch {
	case o.JSON != nil:
		op.Value = o.JSON
	case len(o.Elements) >= 2:
		op.Value = o.Elements[1 : len(o.Elements)-1]
	}
	return op, nil
}

func (v *textValue) bytes() []byte {
	if v.JSON != nil {
		return v.JSON
	}
	return v.Base64
}

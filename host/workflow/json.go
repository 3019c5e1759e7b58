package workflow

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/dashhost/dashhost/internal/rawjson"
)

// maxJSONKey bounds a key inside a config or schema: YAML, and so the
// canonical manifest, has no longer ones.
const maxJSONKey = 512

// json reads a value of any form as JSON.
func (r *reader) json(v *value) {
	raw, ok := r.appendJSON(nil, v.node, v.path)
	if !ok {
		v.bad = true
		return
	}
	canonical, err := rawjson.Canonical(nil, raw)
	if err != nil {
		panic("BUG: " + v.path + ": " + err.Error())
	}
	v.raw = canonical
}

// appendJSON appends the JSON of n. ok is false if something in it was
// reported.
func (r *reader) appendJSON(dst []byte, n *yaml.Node, path string) (out []byte, ok bool) {
	switch n.Kind {
	case yaml.AliasNode: // reported by source.refuse
		return dst, false
	case yaml.MappingNode:
		return r.appendObject(dst, n, path)
	case yaml.SequenceNode:
		ok = true
		dst = append(dst, '[')
		for i, c := range n.Content {
			if i > 0 {
				dst = append(dst, ',')
			}
			var good bool
			dst, good = r.appendJSON(dst, c, fmt.Sprintf("%s[%d]", path, i))
			ok = ok && good
		}
		return append(dst, ']'), ok
	}
	return r.appendScalar(dst, n, path)
}

func (r *reader) appendObject(dst []byte, n *yaml.Node, path string) (out []byte, ok bool) {
	before := r.fs.errors
	dst = append(dst, '{')
	ok = true
	for i, k := range r.keys(&value{path: path, node: n}) {
		if i > 0 {
			dst = append(dst, ',')
		}
		if len(k.name) > maxJSONKey {
			r.fs.errorf(k.at, "", "%s: expected a name of at most %d bytes, found %d", path, maxJSONKey, len(k.name))
		}
		dst = rawjson.AppendString(dst, k.name)
		dst = append(dst, ':')
		var good bool
		dst, good = r.appendJSON(dst, k.val, join(path, clip(k.name, 64)))
		ok = ok && good
	}
	return append(dst, '}'), ok && r.fs.errors == before
}

func (r *reader) appendScalar(dst []byte, n *yaml.Node, path string) (out []byte, ok bool) {
	plain := n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) == 0
	switch {
	case !plain:
		return rawjson.AppendString(dst, n.Value), true
	case n.Value == "null" || n.Value == "" || n.Value == "~":
		return append(dst, "null"...), true
	case n.Value == "true" || n.Value == "false":
		return append(dst, n.Value...), true
	case numberForm().MatchString(n.Value):
		return append(dst, n.Value...), true
	case isText(n):
		r.warnOldBool(n, path)
		return rawjson.AppendString(dst, n.Value), true
	}
	r.fs.errorf(r.src.at(n), fmt.Sprintf("write %q if it is text, else true, false, null or a decimal number", clip(n.Value, 60)),
		"%s: expected a value that JSON has, found %s", path, clip(n.Value, 60))
	return dst, false
}

// warnOldBool warns of words that other YAML readers take for true and false.
func (r *reader) warnOldBool(n *yaml.Node, path string) {
	switch strings.ToLower(n.Value) {
	case "yes", "no", "on", "off", "y", "n":
		r.fs.warnf(r.src.at(n), fmt.Sprintf("write %q, or true or false", n.Value), "%s: %s without quotes is text here", path, n.Value)
	}
}

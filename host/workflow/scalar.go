package workflow

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"go.yaml.in/yaml/v4"

	"github.com/dashhost/dashhost/internal/rawjson"
)

// The forms of numbers that YAML and JSON read alike. YAML has more: 0x10,
// 1_000, 010, .5, +1, .inf.
var (
	wholeForm  = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^-?(0|[1-9][0-9]*)$`) })
	numberForm = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$`) })
)

func (r *reader) scalar(v *value) {
	if v.node.Kind != yaml.ScalarNode {
		r.wrong(v, v.shape.expects(), "")
		return
	}
	switch v.shape.form {
	case formText:
		r.textual(v)
	case formWord:
		r.word(v)
	case formBool:
		r.boolean(v)
	case formInt:
		r.whole(v)
	case formFloat:
		r.real(v)
	case formSize:
		r.quantity(v, sizeUnits(), true)
	case formCount:
		r.quantity(v, countUnits(), true)
	case formDuration:
		r.duration(v)
	case formRate:
		r.rate(v)
	default:
		panic(fmt.Sprintf("BUG: form %d of %s", v.shape.form, v.path))
	}
}

// expects says in a message what a shape wants.
func (s *shape) expects() string {
	switch s.form {
	case formText:
		return s.what
	case formWord:
		return oneOf(s.wordTexts())
	case formBool:
		return "true or false"
	case formInt:
		if s.min == s.max {
			return strconv.FormatFloat(s.min, 'f', -1, 64)
		}
		return "a whole number" + s.rangeText()
	case formFloat:
		return "a number" + s.rangeText()
	case formSize:
		return "a size such as 64MiB"
	case formCount:
		return "a number such as 10G"
	case formDuration:
		return "a duration such as 5s"
	case formRate:
		return "a rate such as 5/s"
	}
	return s.what
}

func (s *shape) rangeText() string {
	if s.max == 0 {
		return ""
	}
	return fmt.Sprintf(" from %s to %s", strconv.FormatFloat(s.min, 'f', -1, 64), strconv.FormatFloat(s.max, 'f', -1, 64))
}

func oneOf(texts []string) string {
	if len(texts) == 1 {
		return texts[0]
	}
	return strings.Join(texts[:len(texts)-1], ", ") + " or " + texts[len(texts)-1]
}

// isText reports whether YAML reads the scalar as a string.
func isText(n *yaml.Node) bool {
	t := n.ShortTag()
	return t == "!!str" || t == "!!timestamp" || t == "!!merge"
}

func (r *reader) textual(v *value) {
	n := v.node
	if !isText(n) {
		hint := ""
		if n.Value != "" {
			hint = fmt.Sprintf("write %q if it is text", clip(n.Value, 60))
		}
		r.wrong(v, v.shape.what, hint)
		return
	}
	v.text = n.Value
	v.raw = rawjson.AppendString(nil, n.Value)
	switch s := v.shape; {
	case s.text != nil:
		if expected, hint := s.text.check(n.Value); expected != "" && s.url {
			v.bad = true
			r.fs.errorf(v.pos, hint, "%s: expected %s, found something else", v.path, expected) // it may hold a password
		} else if expected != "" {
			r.wrong(v, expected, hint)
		}
	case n.Value == "":
		r.wrong(v, s.what, "")
	}
}

func (r *reader) word(v *value) {
	n := v.node
	for _, w := range v.shape.words {
		if w.text == n.Value && isText(n) {
			v.text = w.text
			v.raw = rawjson.AppendString(nil, w.text)
			return
		}
	}
	hint := ""
	if near := nearest(n.Value, v.shape.wordTexts()); near != "" {
		hint = fmt.Sprintf("did you mean %q?", near)
	}
	r.wrong(v, v.shape.expects(), hint)
}

func (r *reader) boolean(v *value) {
	n := v.node
	plain := n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) == 0
	switch {
	case plain && n.Value == "true":
		v.number, v.raw = 1, []byte("true")
	case plain && n.Value == "false":
		v.raw = []byte("false")
	default:
		hint := ""
		switch strings.ToLower(n.Value) {
		case "yes", "y", "on", "true":
			hint = "write true"
		case "no", "n", "off", "false":
			hint = "write false"
		}
		r.wrong(v, v.shape.expects(), hint)
	}
}

func (r *reader) whole(v *value) {
	n := v.node
	if !isNumber(n) || !wholeForm().MatchString(n.Value) {
		hint := ""
		if wholeForm().MatchString(n.Value) {
			hint = "remove the quotes"
		}
		r.wrong(v, v.shape.expects(), hint)
		return
	}
	i, err := strconv.ParseInt(n.Value, 10, 64)
	if err != nil || float64(i) < v.shape.min || float64(i) > v.shape.max {
		r.wrong(v, v.shape.expects(), "")
		return
	}
	v.number = uint64(i)
	v.raw = strconv.AppendInt(nil, i, 10)
}

func (r *reader) real(v *value) {
	n := v.node
	if !isNumber(n) || !numberForm().MatchString(n.Value) {
		r.wrong(v, v.shape.expects(), "")
		return
	}
	f, err := strconv.ParseFloat(n.Value, 64)
	if err != nil || f < v.shape.min || f > v.shape.max {
		r.wrong(v, v.shape.expects(), "")
		return
	}
	v.float = f
	v.raw = strconv.AppendFloat(nil, f, 'g', -1, 64)
}

// quantity reads a size or a count. The canonical form is the plain number.
func (r *reader) quantity(v *value, units []unit, bare bool) {
	n := v.node
	size := v.shape.form == formSize
	u, ok := quantity(n.Value, units, bare)
	quoted := n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0
	onlyDigits := ok && n.Value[len(n.Value)-1] <= '9'
	switch {
	case !ok && size:
		r.wrong(v, v.shape.expects(), sizeHint(n.Value))
		return
	case !ok:
		r.wrong(v, v.shape.expects(), "a whole number, or one of k, M, G, T after it (thousands)")
		return
	case onlyDigits && (quoted || !wholeForm().MatchString(n.Value)):
		r.wrong(v, v.shape.expects(), "write the number without quotes and leading zeros")
		return
	case float64(u) < v.shape.min:
		r.wrong(v, v.shape.expects()+", at least "+strconv.FormatFloat(v.shape.min, 'f', -1, 64), "leave the field out for the default")
		return
	}
	v.number = u
	v.raw = strconv.AppendUint(nil, u, 10)
}

func (r *reader) duration(v *value) {
	d, ok := parseDuration(v.node.Value)
	if !ok {
		r.wrong(v, v.shape.expects(), durationHint(v.node.Value))
		return
	}
	if d <= 0 {
		r.wrong(v, v.shape.expects()+", more than 0", "leave the field out for the default")
		return
	}
	v.number = uint64(d)
	v.raw = rawjson.AppendString(nil, strings.ReplaceAll(d.String(), "µ", "u"))
}

func (r *reader) rate(v *value) {
	n := v.node
	if !isText(n) || !rateForm().MatchString(n.Value) {
		r.wrong(v, v.shape.expects(), "a whole number, then /s, /m or /h")
		return
	}
	v.text = n.Value
	v.raw = rawjson.AppendString(nil, n.Value)
}

package engine

import (
	"bytes"
	"slices"
	"strings"

	"github.com/dashhost/dashhost/host/workflow"
	"github.com/dashhost/dashhost/internal/rawjson"
)

// Write is a value that a node, or the input of a run, gives to a channel.
type Write struct {
	Channel *workflow.Channel
	Value   []byte // JSON
	Replace bool   // written as "name!": replaces instead of reducing
}

// takeOutput takes the output of a node apart and checks every piece that can
// be checked without knowing the other tasks.
func takeOutput(g *workflow.Graph, n *workflow.Node, out []byte) ([]Write, *Error) {
	if out == nil {
		return nil, nil
	}
	if n.RawOut != "" {
		w := Write{Channel: g.Channel(n.RawOut), Value: rawjson.AppendString(nil, string(out))}
		return []Write{w}, checkWrite(w, n.Name)
	}
	return takeObject(g, out, func(name string) bool { return slices.Contains(n.Writes, name) }, n.Name)
}

// takeObject splits an object of channel writes.
func takeObject(g *workflow.Graph, obj []byte, declared func(string) bool, writer string) ([]Write, *Error) {
	var writes []Write
	var bad *Error
	err := rawjson.Object(obj, func(key string, val []byte) error {
		name, replace := strings.CutSuffix(key, "!")
		ch := g.Channel(name)
		if ch == nil || !declared(name) {
			bad = fail(CodeOutput, "%q is not among the channels that %s may write", name, writer)
			return bad
		}
		w := Write{Channel: ch, Value: val, Replace: replace}
		if bad = checkWrite(w, writer); bad != nil {
			return bad
		}
		writes = append(writes, w)
		return nil
	})
	if bad != nil {
		return nil, bad
	}
	if err != nil {
		return nil, fail(CodeOutput, "output: %v", err)
	}
	return writes, nil
}

// checkWrite checks the type that the reducer wants, and the schema.
func checkWrite(w Write, writer string) *Error {
	ch := w.Channel
	if ch.Kind == workflow.Barrier && !slices.Contains(ch.Writers, writer) {
		return fail(CodeReduce, "channel %s: %s is not one of the writers that this barrier waits for", ch.Name, writer)
	}
	want := ""
	switch ch.Reduce {
	case workflow.ReduceAppend, workflow.ReduceUnion:
		if !startsWith(w.Value, '[') {
			want = "an array"
		}
	case workflow.ReduceMerge:
		if !startsWith(w.Value, '{') {
			want = "an object"
		}
	case workflow.ReduceAdd, workflow.ReduceMax, workflow.ReduceMin:
		if _, err := parseNumber(w.Value); err != nil {
			want = "a number within the range of int64 or float64"
		}
	}
	if want != "" {
		return fail(CodeReduce, "channel %s: reducer %s wants %s, %s wrote %s", ch.Name, ch.Reduce, want, writer, excerpt(w.Value))
	}
	if ch.Schema != nil {
		if err := ch.Schema.Check(w.Value); err != nil {
			return fail(CodeSchema, "channel %s: what %s wrote does not match the schema: %v", ch.Name, writer, err)
		}
	}
	return nil
}

func startsWith(b []byte, c byte) bool {
	b = bytes.TrimLeft(b, " \t\r\n")
	return len(b) > 0 && b[0] == c
}

// excerpt shortens a value for a message.
func excerpt(b []byte) string {
	const most = 60
	if len(b) <= most {
		return string(b)
	}
	return strings.ToValidUTF8(string(b[:most]), "") + "..."
}

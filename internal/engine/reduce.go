package engine

import (
	"bytes"
	"cmp"
	"errors"
	"math"
	"strconv"
	"strings"

	"github.com/dashhost/dashhost/checkpoint"
	"github.com/dashhost/dashhost/host/workflow"
	"github.com/dashhost/dashhost/internal/rawjson"
)

// taskWrites are the writes of one task; a list of them is in task order.
type taskWrites struct {
	writer string // node, or START
	writes []Write
}

// reduction is what a superstep does to the channels.
type reduction struct{ ops []checkpoint.Op }

// reduce merges the writes of a superstep, given in task order, over the state
// before it. It does not change the state.
func reduce(g *workflow.Graph, s *state, tasks []taskWrites) (*reduction, *Error) {
	var byChannel map[*workflow.Channel][]written
	if len(tasks) > 0 {
		byChannel = make(map[*workflow.Channel][]written)
	}
	for _, t := range tasks {
		for _, w := range t.writes {
			byChannel[w.Channel] = append(byChannel[w.Channel], written{w, t.writer})
		}
	}
	r := &reduction{}
	for _, ch := range g.Channels {
		var err *Error
		if ws := byChannel[ch]; len(ws) > 0 {
			err = r.channel(s, ch, ws)
		} else if ch.Kind != workflow.Plain && s.values[ch.Name] != nil {
			r.ops = append(r.ops, checkpoint.Op{Kind: checkpoint.OpDel, Name: ch.Name}) // lived its one step
		}
		if err != nil {
			return nil, err
		}
	}
	return r, nil
}

// written is one write of a step with who made it.
type written struct {
	Write
	writer string
}

func (r *reduction) put(name string, value []byte) {
	r.ops = append(r.ops, checkpoint.Op{Kind: checkpoint.OpPut, Name: name, Value: value})
}

func (r *reduction) channel(s *state, ch *workflow.Channel, ws []written) *Error {
	if ch.Kind == workflow.Barrier {
		return r.barrier(s, ch, ws)
	}
	old := s.values[ch.Name]
	if ch.Kind == workflow.Ephemeral {
		old = nil // of the step before
	}
	var replaced *written
	rest := ws[:0:0]
	for i, w := range ws {
		if !w.Replace {
			rest = append(rest, w)
			continue
		}
		if replaced != nil {
			return fail(CodeConflict, "channel %s: both %s and %s replace it in one step", ch.Name, replaced.writer, w.writer)
		}
		replaced = &ws[i]
	}
	if replaced != nil {
		old = &value{raw: replaced.Value}
		r.put(ch.Name, replaced.Value)
	}
	if len(rest) == 0 {
		return nil
	}
	switch ch.Reduce {
	case workflow.ReduceValue:
		if replaced != nil || len(rest) > 1 {
			first := rest[0].writer
			if replaced != nil {
				first = replaced.writer
			}
			return fail(CodeConflict, "channel %s: both %s and %s wrote it in one step; give it a reducer, or let one of them write",
				ch.Name, first, rest[len(rest)-1].writer)
		}
		r.put(ch.Name, rest[0].Value)
	case workflow.ReduceFirst:
		if old == nil {
			r.put(ch.Name, rest[0].Value)
		}
	case workflow.ReduceAppend:
		r.append(old, ch, rest)
	case workflow.ReduceUnion:
		return r.union(old, ch, rest)
	case workflow.ReduceMerge:
		return r.merge(old, ch, rest)
	default:
		return r.number(old, ch, rest)
	}
	return nil
}

func (r *reduction) append(old *value, ch *workflow.Channel, ws []written) {
	var joined []byte
	for i, w := range ws {
		in := inner(w.Value)
		if len(in) == 0 {
			continue
		}
		if joined == nil && i == len(ws)-1 {
			joined = in
			break
		}
		if len(joined) > 0 {
			joined = append(joined, ',')
		}
		joined = append(joined, in...)
	}
	r.splice(old, ch, joined)
}

// splice appends elements ("e1,e2"); an empty write makes an empty list of a
// channel that was never written.
func (r *reduction) splice(old *value, ch *workflow.Channel, elems []byte) {
	switch {
	case len(elems) > 0:
		if ch.Kind == workflow.Ephemeral && old == nil {
			r.put(ch.Name, append(append([]byte{'['}, elems...), ']'))
			return
		}
		r.ops = append(r.ops, checkpoint.Op{Kind: checkpoint.OpAppend, Name: ch.Name, Value: elems})
	case old == nil:
		r.put(ch.Name, []byte("[]"))
	}
}

func (r *reduction) union(old *value, ch *workflow.Channel, ws []written) *Error {
	have := map[string]struct{}{}
	if old != nil {
		var err error
		if have, err = old.canonicalKeys(); err != nil {
			return fail(CodeReduce, "channel %s: %v", ch.Name, err)
		}
	}
	var joined []byte
	added := make(map[string]struct{})
	for _, w := range ws {
		err := rawjson.Array(w.Value, func(e []byte) error {
			c, err := rawjson.Canonical(nil, e)
			if err != nil {
				return err
			}
			key := string(c)
			if _, dup := have[key]; dup {
				return nil
			}
			if _, dup := added[key]; dup {
				return nil
			}
			added[key] = struct{}{}
			if len(joined) > 0 {
				joined = append(joined, ',')
			}
			joined = append(joined, e...)
			return nil
		})
		if err != nil {
			return fail(CodeReduce, "channel %s: what %s wrote: %v", ch.Name, w.writer, err)
		}
	}
	r.splice(old, ch, joined)
	return nil
}

// canonicalKeys returns the set of elements of a list in canonical form. It is
// kept until the value changes.
func (v *value) canonicalKeys() (map[string]struct{}, error) {
	if v.keys != nil {
		return v.keys, nil
	}
	keys := make(map[string]struct{})
	err := rawjson.Array(v.json(), func(e []byte) error {
		c, err := rawjson.Canonical(nil, e)
		keys[string(c)] = struct{}{}
		return err
	})
	if err != nil {
		return nil, err
	}
	v.keys = keys
	return keys, nil
}

func (r *reduction) merge(old *value, ch *workflow.Channel, ws []written) *Error {
	type member struct {
		key string
		val []byte
	}
	var members []member
	at := make(map[string]int)
	add := func(key string, val []byte) error {
		if i, ok := at[key]; ok {
			members[i].val = val
			return nil
		}
		at[key] = len(members)
		members = append(members, member{key, val})
		return nil
	}
	if old != nil {
		if err := rawjson.Object(old.json(), add); err != nil {
			return fail(CodeReduce, "channel %s: %v", ch.Name, err)
		}
	}
	for _, w := range ws {
		if err := rawjson.Object(w.Value, add); err != nil {
			return fail(CodeReduce, "channel %s: what %s wrote: %v", ch.Name, w.writer, err)
		}
	}
	out := []byte{'{'}
	for i, m := range members {
		if i > 0 {
			out = append(out, ',')
		}
		out = rawjson.AppendString(out, m.key)
		out = append(out, ':')
		out = append(out, m.val...)
	}
	r.put(ch.Name, append(out, '}'))
	return nil
}

func (r *reduction) number(old *value, ch *workflow.Channel, ws []written) *Error {
	var acc number
	have := false
	if old != nil {
		n, err := parseNumber(old.json())
		if err != nil {
			return fail(CodeReduce, "channel %s: %v", ch.Name, err)
		}
		acc, have = n, true
	}
	for _, w := range ws {
		n, err := parseNumber(w.Value)
		if err != nil {
			return fail(CodeReduce, "channel %s: what %s wrote: %v", ch.Name, w.writer, err)
		}
		if !have {
			acc, have = n, true
			continue
		}
		switch ch.Reduce {
		case workflow.ReduceAdd:
			if acc, err = acc.add(n); err != nil {
				return fail(CodeReduce, "channel %s: %v when %s adds %s", ch.Name, err, w.writer, w.Value)
			}
		case workflow.ReduceMax:
			if n.compare(acc) > 0 {
				acc = n
			}
		case workflow.ReduceMin:
			if n.compare(acc) < 0 {
				acc = n
			}
		default:
			panic("BUG: unknown reducer " + string(ch.Reduce))
		}
	}
	r.put(ch.Name, acc.text)
	return nil
}

// barrier collects one value of each named writer in a hidden entry and, when
// all are there, sets the channel to the object {writer: value} for one step.
func (r *reduction) barrier(s *state, ch *workflow.Channel, ws []written) *Error {
	entry := hidden + "barrier/" + ch.Name
	got := make(map[string][]byte)
	if raw := s.get(entry); raw != nil {
		if err := rawjson.Object(raw, func(k string, v []byte) error { got[k] = v; return nil }); err != nil {
			return fail(CodeReduce, "channel %s: %v", ch.Name, err)
		}
	}
	for _, w := range ws {
		got[w.writer] = w.Value // a writer that comes twice: its newest value
	}
	obj := []byte{'{'}
	for _, name := range ch.Writers {
		if v, ok := got[name]; ok {
			if len(obj) > 1 {
				obj = append(obj, ',')
			}
			obj = append(rawjson.AppendString(obj, name), ':')
			obj = append(obj, v...)
		}
	}
	obj = append(obj, '}')
	if len(got) == len(ch.Writers) {
		if s.values[entry] != nil {
			r.ops = append(r.ops, checkpoint.Op{Kind: checkpoint.OpDel, Name: entry})
		}
		r.put(ch.Name, obj)
		return nil
	}
	r.put(entry, obj)
	if s.values[ch.Name] != nil {
		r.ops = append(r.ops, checkpoint.Op{Kind: checkpoint.OpDel, Name: ch.Name})
	}
	return nil
}

// number is a JSON number: exact as int64 where its text is an integer that
// fits, else a float64.
type number struct {
	i     int64
	f     float64
	exact bool
	text  []byte
}

var errOverflow = errors.New("the sum is out of range")

func parseNumber(b []byte) (number, error) {
	b = bytes.TrimSpace(b)
	if len(b) == 0 || b[0] != '-' && (b[0] < '0' || b[0] > '9') {
		return number{}, errors.New("not a number")
	}
	text := string(b)
	if i, err := strconv.ParseInt(text, 10, 64); err == nil {
		return number{i: i, f: float64(i), exact: true, text: b}, nil
	}
	if !strings.ContainsAny(text, ".eE") {
		return number{}, errors.New("an integer out of the range of int64")
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(f, 0) {
		return number{}, errors.New("a number out of the range of float64")
	}
	return number{f: f, text: b}, nil
}

func (n number) add(m number) (number, error) {
	if n.exact && m.exact {
		sum := n.i + m.i
		if (sum > n.i) != (m.i > 0) {
			return n, errOverflow
		}
		return number{i: sum, f: float64(sum), exact: true, text: strconv.AppendInt(nil, sum, 10)}, nil
	}
	sum := n.f + m.f
	if math.IsInf(sum, 0) {
		return n, errOverflow
	}
	return number{f: sum, text: strconv.AppendFloat(nil, sum, 'g', -1, 64)}, nil
}

// compare orders numbers exactly, also an int64 against a float64 that could
// not hold it.
func (n number) compare(m number) int {
	switch {
	case n.exact && m.exact:
		return cmp.Compare(n.i, m.i)
	case n.exact:
		return compareIntFloat(n.i, m.f)
	case m.exact:
		return -compareIntFloat(m.i, n.f)
	}
	return cmp.Compare(n.f, m.f)
}

// compareIntFloat compares without rounding i: outside the range of int64 the
// float decides, inside its integer part is exact as int64.
func compareIntFloat(i int64, f float64) int {
	switch {
	case f >= 1<<63:
		return -1
	case f < -(1 << 63):
		return 1
	}
	whole := math.Trunc(f)
	if c := cmp.Compare(i, int64(whole)); c != 0 {
		return c
	}
	return cmp.Compare(0, f-whole)
}

package workflow

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"

	"github.com/dashhost/dashhost/internal/rawjson"
)

// errNoNative is what conversions of lazy values to Go values return: nothing
// a condition can say needs one.
var errNoNative = errors.New("a JSON value of a channel has no Go form")

// decoder turns JSON into CEL values for one evaluation, one level at a time,
// and charges it for the bytes it looks at.
type decoder struct{ *meter }

// value returns the CEL value of one JSON value. Arrays and objects stay raw.
func (d *decoder) value(raw []byte) ref.Val {
	i := space(raw, 0)
	if i >= len(raw) {
		return types.NewErr("channel holds no JSON")
	}
	switch raw[i] {
	case 'n':
		return types.NullValue
	case 't':
		return types.True
	case 'f':
		return types.False
	case '[':
		return &list{d: d, raw: raw, size: -1}
	case '{':
		return &object{d: d, raw: raw, size: -1}
	}
	raw = raw[i:valueEnd(raw, i)]
	if !d.spend(len(raw) + valueWork) {
		return tooCostly()
	}
	if raw[0] == '"' {
		s, err := rawjson.Unquote(raw)
		if err != nil {
			return types.WrapErr(err)
		}
		return types.String(s)
	}
	return number(string(raw))
}

// number keeps integers exact as long as 64 bits can hold them.
func number(s string) ref.Val {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return types.Int(n)
	}
	if n, err := strconv.ParseUint(s, 10, 64); err == nil {
		return types.Uint(n)
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return types.NewErr("number %s is out of range", clip(s, 40))
	}
	return types.Double(f)
}

func tooCostly() ref.Val { return types.WrapErr(ErrConditionCost) }

// list is a JSON array. It is made for one evaluation and used by one
// goroutine.
type list struct {
	d       *decoder
	raw     []byte
	size    int   // -1 = not counted yet
	offsets []int // of elements; made by the first access by index
}

// Type implements ref.Val.
func (*list) Type() ref.Type { return types.ListType }

// Value implements ref.Val.
func (l *list) Value() any { return l.raw }

// ConvertToNative implements ref.Val.
func (l *list) ConvertToNative(reflect.Type) (any, error) { return nil, errNoNative }

// ConvertToType implements ref.Val.
func (l *list) ConvertToType(t ref.Type) ref.Val { return convert(l, types.ListType, t) }

// Size implements traits.Sizer.
func (l *list) Size() ref.Val {
	if l.size < 0 {
		if !l.d.spend(len(l.raw)) {
			return tooCostly()
		}
		n := 0
		for e := walk(l.raw); e.more(); n++ {
			e.next()
		}
		l.size = n
	}
	return types.Int(l.size)
}

// Get implements traits.Indexer.
func (l *list) Get(index ref.Val) ref.Val {
	i, err := types.IndexOrError(index)
	if err != nil {
		return types.WrapErr(err)
	}
	size, ok := l.Size().(types.Int)
	if !ok {
		return tooCostly()
	}
	if i < 0 || i >= int(size) {
		return types.NewErr("index %d is outside a list of %d", i, size)
	}
	if l.offsets == nil {
		if !l.d.spend(4 * len(l.raw)) {
			return tooCostly()
		}
		l.offsets = make([]int, 0, size)
		for e := walk(l.raw); e.more(); {
			l.offsets = append(l.offsets, e.i)
			e.next()
		}
	}
	at := l.offsets[i]
	end := len(l.raw)
	if i+1 < len(l.offsets) {
		end = l.offsets[i+1]
	}
	if !l.d.spend(end - at) {
		return tooCostly()
	}
	return l.d.value(l.raw[at:valueEnd(l.raw, at)])
}

// Contains implements traits.Container.
func (l *list) Contains(elem ref.Val) ref.Val {
	for it := l.Iterator(); it.HasNext() == types.True; {
		if types.Equal(elem, it.Next()) == types.True {
			return types.True
		}
	}
	return types.False
}

// Equal implements ref.Val.
func (l *list) Equal(other ref.Val) ref.Val {
	o, ok := other.(traits.Lister)
	if !ok || l.Size() != o.Size() {
		return types.False
	}
	for a, b := l.Iterator(), o.Iterator(); a.HasNext() == types.True && b.HasNext() == types.True; {
		if types.Equal(a.Next(), b.Next()) != types.True {
			return types.False
		}
	}
	return types.True
}

// Add implements traits.Adder.
func (l *list) Add(other ref.Val) ref.Val {
	if _, ok := other.(traits.Lister); !ok {
		return types.MaybeNoSuchOverloadErr(other)
	}
	var elems []ref.Val
	for it := l.Iterator(); it.HasNext() == types.True; {
		elems = append(elems, it.Next())
	}
	return types.NewRefValList(types.DefaultTypeAdapter, elems).(traits.Adder).Add(other)
}

// Iterator implements traits.Iterable.
func (l *list) Iterator() traits.Iterator {
	return &iterator{d: l.d, e: walk(l.raw)}
}

// object is a JSON object. It is made for one evaluation and used by one
// goroutine.
type object struct {
	d     *decoder
	raw   []byte
	size  int               // -1 = not counted yet
	index map[string][]byte // of a large object, made by the first lookup
}

// smallObject is up to how many bytes an object is searched from its start on
// every lookup rather than indexed.
const smallObject = 1 << 10

// Type implements ref.Val.
func (*object) Type() ref.Type { return types.MapType }

// Value implements ref.Val.
func (o *object) Value() any { return o.raw }

// ConvertToNative implements ref.Val.
func (o *object) ConvertToNative(reflect.Type) (any, error) { return nil, errNoNative }

// ConvertToType implements ref.Val.
func (o *object) ConvertToType(t ref.Type) ref.Val { return convert(o, types.MapType, t) }

// Size implements traits.Sizer.
func (o *object) Size() ref.Val {
	if o.size < 0 {
		if !o.d.spend(len(o.raw)) {
			return tooCostly()
		}
		n := 0
		for e := walk(o.raw); e.more(); n++ {
			e.next()
			e.next()
		}
		o.size = n
	}
	return types.Int(o.size)
}

// Find implements traits.Mapper. A key that is no string is not there.
func (o *object) Find(key ref.Val) (ref.Val, bool) {
	if types.IsUnknownOrError(key) {
		return key, false
	}
	name, ok := key.(types.String)
	if !ok {
		return nil, false
	}
	val, err := o.member(string(name))
	switch {
	case err != nil:
		return types.WrapErr(err), false
	case val == nil:
		return nil, false
	}
	return o.d.value(val), true
}

func (o *object) member(name string) ([]byte, error) {
	if o.index != nil {
		return o.index[name], nil
	}
	if !o.d.spend(len(o.raw)) {
		return nil, ErrConditionCost
	}
	if len(o.raw) > smallObject {
		o.index = make(map[string][]byte)
	}
	for e := walk(o.raw); e.more(); {
		key, err := rawjson.Unquote(e.next())
		if err != nil {
			return nil, err
		}
		val := e.next()
		if o.index != nil {
			o.index[key] = val
		} else if key == name {
			return val, nil
		}
	}
	return o.index[name], nil
}

// Get implements traits.Indexer.
func (o *object) Get(key ref.Val) ref.Val {
	val, ok := o.Find(key)
	switch {
	case ok, val != nil:
		return val
	default:
		return types.NewErr("no such key: %v", key.Value())
	}
}

// Contains implements traits.Container.
func (o *object) Contains(key ref.Val) ref.Val {
	val, ok := o.Find(key)
	if !ok && val != nil {
		return val
	}
	return types.Bool(ok)
}

// Equal implements ref.Val.
func (o *object) Equal(other ref.Val) ref.Val {
	m, ok := other.(traits.Mapper)
	if !ok || o.Size() != m.Size() {
		return types.False
	}
	for it := o.Iterator(); it.HasNext() == types.True; {
		key := it.Next()
		val, ok := m.Find(key)
		if !ok || types.Equal(o.Get(key), val) != types.True {
			return types.False
		}
	}
	return types.True
}

// Iterator implements traits.Iterable. It gives the keys.
func (o *object) Iterator() traits.Iterator {
	return &iterator{d: o.d, e: walk(o.raw), keys: true}
}

// iterator walks a list's elements or an object's keys.
type iterator struct {
	*types.Null // an iterator is no value of its own: CEL only asks it for the next one

	d    *decoder
	e    elements
	keys bool
}

// HasNext implements traits.Iterator.
func (it *iterator) HasNext() ref.Val {
	return types.Bool(it.d.left >= 0 && it.e.more())
}

// Next implements traits.Iterator.
func (it *iterator) Next() ref.Val {
	if !it.e.more() {
		return nil
	}
	val := it.e.next()
	if it.keys {
		it.d.spend(len(it.e.next()))
	}
	if !it.d.spend(len(val) + valueWork) {
		return tooCostly()
	}
	return it.d.value(val)
}

func convert(v ref.Val, own *types.Type, to ref.Type) ref.Val {
	switch to.TypeName() {
	case own.TypeName():
		return v
	case types.TypeType.TypeName():
		return own
	}
	return types.NewErr("type conversion error from '%s' to '%s'", own.TypeName(), to.TypeName())
}

// clip shortens text for a message.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return fmt.Sprintf("%s... (%d bytes)", s[:n], len(s))
}

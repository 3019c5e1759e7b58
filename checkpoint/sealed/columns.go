package sealed

import (
	"encoding/binary"
	"errors"
	"slices"
	"strings"

	"github.com/dashhost/dashhost/checkpoint/driver"
	"github.com/dashhost/dashhost/internal/seal"
)

// Domains of tokens. Part of the format. A value's is followed by the attribute's name.
const (
	domainThread    = "thread"
	domainNamespace = "namespace"
	domainAttr      = "attribute"
	domainValue     = "value "
)

// mark begins the names of reserved threads.
const mark = "\x01"

func threadToken(n *seal.Names, name string) string {
	if rest, ok := strings.CutPrefix(name, mark); ok {
		return mark + n.Token(domainThread, rest)
	}
	return n.Token(domainThread, name)
}

func threadName(n *seal.Names, token string) (string, error) {
	rest, reserved := strings.CutPrefix(token, mark)
	name, err := n.Name(domainThread, rest)
	if reserved {
		name = mark + name
	}
	return name, err
}

func attrTokens(n *seal.Names, attrs []driver.Attr) []driver.Attr {
	if len(attrs) == 0 {
		return nil
	}
	out := make([]driver.Attr, len(attrs))
	for i, a := range attrs {
		out[i] = driver.Attr{Name: n.Token(domainAttr, a.Name), Value: n.Token(domainValue+a.Name, a.Value)}
	}
	return out
}

func attrNames(n *seal.Names, tokens []driver.Attr) (out []driver.Attr, err error) {
	if len(tokens) == 0 {
		return nil, nil
	}
	out = make([]driver.Attr, len(tokens))
	for i, t := range tokens {
		if out[i].Name, err = n.Name(domainAttr, t.Name); err != nil {
			return nil, err
		}
		if out[i].Value, err = n.Name(domainValue+out[i].Name, t.Value); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func headTokens(n *seal.Names, heads []driver.Head) []driver.Head {
	out := make([]driver.Head, len(heads))
	for i, h := range heads {
		out[i] = driver.Head{Namespace: n.Token(domainNamespace, h.Namespace), ID: h.ID}
	}
	return out
}

// associated is what a body is bound to: the thread, and what the Store sets of a record, each with its length. Part of the format.
func associated(thread string, r *driver.Record) []byte {
	b := make([]byte, 0, 256)
	text := func(s string) { b = append(binary.AppendUvarint(b, uint64(len(s))), s...) }
	number := func(v uint64) { b = binary.AppendUvarint(b, v) }
	text("dashhost record 1")
	text(thread)
	number(uint64(r.Kind))
	text(r.Namespace)
	text(r.ID)
	text(r.Parent)
	text(r.Task)
	text(r.Owner)
	number(uint64(len(r.Attrs)))
	for _, a := range r.Attrs {
		text(a.Name)
		text(a.Value)
	}
	number(uint64(r.Time))
	number(uint64(r.Due))
	number(uint64(r.Events))
	number(uint64(r.Flags))
	number(uint64(r.Codec))
	number(uint64(r.Size))
	return b
}

// sealRecord is r as it is stored; it shares nothing with r that a driver would change.
func sealRecord(v *seal.Vault, thread string, r *driver.Record) *driver.Record {
	s := *r
	s.Namespace = v.Names().Token(domainNamespace, r.Namespace)
	s.Attrs = attrTokens(v.Names(), r.Attrs)
	s.Body = v.Seal(make([]byte, 0, len(r.Body)+seal.Overhead), r.Body, associated(thread, r))
	s.Codec |= driver.CodecSealed
	return &s
}

var errPlainRecord = errors.New("the record is not encrypted, though the store is")

// openRecord is a stored record as it was given.
func openRecord(v *seal.Vault, thread string, s *driver.Record) (*driver.Record, error) {
	if s.Codec&driver.CodecSealed == 0 {
		return nil, errPlainRecord
	}
	r := *s
	r.Codec &^= driver.CodecSealed
	var err error
	if r.Namespace, err = v.Names().Name(domainNamespace, s.Namespace); err != nil {
		return nil, err
	}
	if r.Attrs, err = attrNames(v.Names(), s.Attrs); err != nil {
		return nil, err
	}
	if r.Body, err = v.Open(nil, s.Body, associated(thread, &r)); err != nil {
		return nil, err
	}
	if len(r.Body) == 0 {
		r.Body = nil
	}
	return &r, nil
}

// openThread puts names in place of the tokens in t, which belongs to the caller. A token that does not check is damage, and left out; that
// of the thread itself stays, so that something can be said of it.
func openThread(n *seal.Names, t *driver.Thread) {
	name, err := threadName(n, t.Name)
	if err == nil {
		t.Name = name
	}
	t.Damage = openDamage(n, t.Damage)
	bad := func(err error) {
		if err != nil && t.Damage == nil {
			t.Damage = &driver.Damage{Thread: t.Name, Seq: t.LastSeq, Reason: err.Error()}
		}
	}
	bad(err)
	heads := t.Heads
	t.Heads = nil
	for _, h := range heads {
		h.Namespace, err = n.Name(domainNamespace, h.Namespace)
		if bad(err); err == nil {
			t.Heads = append(t.Heads, h)
		}
	}
	slices.SortFunc(t.Heads, func(a, b driver.Head) int { return strings.Compare(a.Namespace, b.Namespace) })
	t.Attrs, err = attrNames(n, t.Attrs)
	bad(err)
	slices.SortFunc(t.Attrs, func(a, b driver.Attr) int { return strings.Compare(a.Name, b.Name) })
}

// openDamage is d with the thread's name; one that cannot be told keeps its token, which is better than nothing.
func openDamage(n *seal.Names, d *driver.Damage) *driver.Damage {
	if d == nil {
		return nil
	}
	c := *d
	if name, err := threadName(n, d.Thread); err == nil {
		c.Thread = name
	}
	return &c
}

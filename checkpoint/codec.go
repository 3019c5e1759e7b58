package checkpoint

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/dashhost/dashhost/checkpoint/driver"
)

// Fields of a record's body, in protobuf's wire format. Part of the format.
//
//	Body  1: Op, repeated   2: meta bytes   3: part bytes, repeated
//	Op    1: kind varint    2: name bytes   3: value bytes
//
// Op has its fields in this order, value left out if empty; Body has its fields in this order too. Anything else is not a body.
const (
	bodyOp   = 1
	bodyMeta = 2
	bodyPart = 3
	opKind   = 1
	opName   = 2
	opValue  = 3
)

var errBody = errors.New("record body is malformed")

// bodySize is the length of appendBody's result.
func bodySize(r *Record) int64 {
	var n int64
	for i := range r.Ops {
		n += int64(1 + protowire.SizeBytes(opSize(&r.Ops[i])))
	}
	if len(r.Meta) > 0 {
		n += int64(1 + protowire.SizeBytes(len(r.Meta)))
	}
	for _, p := range r.Parts {
		n += int64(1 + protowire.SizeBytes(len(p)))
	}
	return n
}

func opSize(op *Op) int {
	n := 2 + 1 + protowire.SizeBytes(len(op.Name))
	if len(op.Value) > 0 {
		n += 1 + protowire.SizeBytes(len(op.Value))
	}
	return n
}

func appendBody(b []byte, r *Record) []byte {
	for i := range r.Ops {
		op := &r.Ops[i]
		b = protowire.AppendTag(b, bodyOp, protowire.BytesType)
		b = protowire.AppendVarint(b, uint64(opSize(op)))
		b = protowire.AppendTag(b, opKind, protowire.VarintType)
		b = protowire.AppendVarint(b, uint64(op.Kind))
		b = protowire.AppendTag(b, opName, protowire.BytesType)
		b = protowire.AppendString(b, op.Name)
		if len(op.Value) > 0 {
			b = protowire.AppendTag(b, opValue, protowire.BytesType)
			b = protowire.AppendBytes(b, op.Value)
		}
	}
	if len(r.Meta) > 0 {
		b = protowire.AppendTag(b, bodyMeta, protowire.BytesType)
		b = protowire.AppendBytes(b, r.Meta)
	}
	for _, p := range r.Parts {
		b = protowire.AppendTag(b, bodyPart, protowire.BytesType)
		b = protowire.AppendBytes(b, p)
	}
	return b
}

// parseBody fills in Ops, Meta and Parts with views of b.
func parseBody(r *Record, b []byte) error {
	last := protowire.Number(0)
	for len(b) > 0 {
		num, val, n := consumeField(b)
		if n < 0 || num < last || num == bodyMeta && last == bodyMeta {
			return errBody
		}
		b, last = b[n:], num
		switch num {
		case bodyOp:
			op, err := parseOp(val)
			if err != nil {
				return err
			}
			if len(r.Ops) == MaxOps {
				return errBody
			}
			r.Ops = append(r.Ops, op)
		case bodyMeta:
			r.Meta = val
		case bodyPart:
			if len(r.Parts) == MaxParts {
				return errBody
			}
			r.Parts = append(r.Parts, val)
		default:
			return fmt.Errorf("%w: unknown field %d", errBody, num)
		}
	}
	return nil
}

// consumeField reads a length-delimited field. n < 0: it is not one.
func consumeField(b []byte) (num protowire.Number, val []byte, n int) {
	num, typ, t := protowire.ConsumeTag(b)
	if t < 0 || typ != protowire.BytesType {
		return 0, nil, -1
	}
	val, v := protowire.ConsumeBytes(b[t:])
	if v < 0 {
		return 0, nil, -1
	}
	return num, val[:len(val):len(val)], t + v
}

func parseOp(b []byte) (Op, error) {
	var op Op
	num, typ, n := protowire.ConsumeTag(b)
	if n < 0 || num != opKind || typ != protowire.VarintType {
		return op, errBody
	}
	kind, v := protowire.ConsumeVarint(b[n:])
	if v < 0 || kind < uint64(OpPut) || kind > uint64(OpDel) {
		return op, errBody
	}
	op.Kind = OpKind(kind)
	b = b[n+v:]
	num, name, n := consumeField(b)
	if n < 0 || num != opName || len(name) == 0 || len(name) > MaxName {
		return op, errBody
	}
	op.Name = string(name)
	if b = b[n:]; len(b) == 0 {
		return op, nil
	}
	num, val, n := consumeField(b)
	if n != len(b) || num != opValue || len(val) == 0 {
		return op, errBody
	}
	op.Value = val
	return op, nil
}

// toDriver makes the columns of r; the body is sealed by the caller.
func toDriver(r *Record) *driver.Record {
	d := &driver.Record{
		Kind: r.Kind, Namespace: r.Namespace, ID: r.ID, Parent: r.Parent, Task: r.Task, Owner: r.Owner,
		Attrs: r.Attrs, Time: r.Time, Due: r.Due, Events: r.Events,
	}
	if r.AcceptLoss {
		d.Flags |= driver.FlagAcceptLoss
	}
	return d
}

// fromDriver opens the sealed body of d.
func (s *Store) fromDriver(thread string, d *driver.Record) (*Record, error) {
	r := &Record{
		Kind: d.Kind, Namespace: d.Namespace, ID: d.ID, Parent: d.Parent, Task: d.Task, Owner: d.Owner,
		Attrs: d.Attrs, Time: d.Time, Due: d.Due, Events: d.Events,
		Thread: thread, Epoch: d.Epoch, Seq: d.Seq, FirstEvent: d.FirstEvent,
		AcceptLoss: d.Flags&driver.FlagAcceptLoss != 0,
	}
	body, err := s.seal.open(d)
	if err == nil {
		err = parseBody(r, body)
	}
	if err != nil {
		return nil, &DamageError{Thread: thread, Reason: fmt.Sprintf("record %d: %v", d.Seq, err), Record: d.Seq}
	}
	return r, nil
}

package checkpoint

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// checkThread refuses names that no user's thread may have. Control characters are out: reserved threads begin with one.
func checkThread(name string) error {
	if name == "" {
		return &InvalidError{Field: "thread", Reason: "a name must not be empty"}
	}
	return checkName("thread", name, MaxThread)
}

func checkName(field, name string, limit int) error {
	if len(name) > limit {
		return &LimitError{Field: field, Max: int64(limit), Got: int64(len(name))}
	}
	if !utf8.ValidString(name) {
		return &InvalidError{Field: field, Reason: "a name must be UTF-8"}
	}
	if i := strings.IndexFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }); i >= 0 {
		return &InvalidError{Field: field, Reason: fmt.Sprintf("control character at byte %d", i)}
	}
	return nil
}

// checkAppend checks what a claim's holder may append, and the size of it before anything is allocated.
func checkAppend(recs []*Record) error {
	if len(recs) > MaxRecords {
		return &LimitError{Field: "records of one append", Max: MaxRecords, Got: int64(len(recs))}
	}
	var size int64
	for i, r := range recs {
		if r == nil {
			return &InvalidError{Field: fmt.Sprintf("record %d", i), Reason: "is nil"}
		}
		if err := checkRecord(r); err != nil {
			return fmt.Errorf("record %d (%s): %w", i, r.Kind, err)
		}
		if size += bodySize(r); size > MaxRecord {
			return &LimitError{Field: "bytes of one append", Max: MaxRecord, Got: size}
		}
	}
	return nil
}

func checkRecord(r *Record) error {
	switch r.Kind {
	case KindStep, KindTaskDone, KindTaskFailed, KindInterrupt, KindAnswer, KindProgress, KindCall, KindKV, KindRelease:
	default:
		return &InvalidError{Field: "kind", Reason: r.Kind.String() + " is not appended by a claim's holder"}
	}
	for _, n := range []struct {
		field, name string
		limit       int
	}{{"namespace", r.Namespace, MaxNamespace}, {"id", r.ID, MaxID}, {"parent", r.Parent, MaxID}, {"task", r.Task, MaxID}} {
		if err := checkName(n.field, n.name, n.limit); err != nil {
			return err
		}
	}
	if r.Due < 0 {
		return &InvalidError{Field: "due", Reason: "is before 1970"}
	}
	if len(r.Ops) > 0 && r.Kind != KindStep && r.Kind != KindKV {
		return &InvalidError{Field: "ops", Reason: "only a step changes the state"}
	}
	if err := checkAttrs(r.Attrs); err != nil {
		return err
	}
	if len(r.Ops) > MaxOps {
		return &LimitError{Field: "ops", Max: MaxOps, Got: int64(len(r.Ops))}
	}
	if len(r.Parts) > MaxParts {
		return &LimitError{Field: "parts", Max: MaxParts, Got: int64(len(r.Parts))}
	}
	for i := range r.Ops {
		if err := checkOp(&r.Ops[i]); err != nil {
			return fmt.Errorf("op %d: %w", i, err)
		}
	}
	return nil
}

func checkAttrs(attrs []Attr) error {
	if len(attrs) > MaxAttrs {
		return &LimitError{Field: "attrs", Max: MaxAttrs, Got: int64(len(attrs))}
	}
	for i, a := range attrs {
		if a.Name == "" {
			return &InvalidError{Field: fmt.Sprintf("attr %d", i), Reason: "a name must not be empty"}
		}
		if err := checkName(fmt.Sprintf("attr %d: name", i), a.Name, MaxAttrName); err != nil {
			return err
		}
		if len(a.Value) > MaxAttrValue {
			return &LimitError{Field: fmt.Sprintf("attr %q: value", a.Name), Max: MaxAttrValue, Got: int64(len(a.Value))}
		}
		if !utf8.ValidString(a.Value) {
			return &InvalidError{Field: fmt.Sprintf("attr %q: value", a.Name), Reason: "must be UTF-8"}
		}
	}
	return nil
}

func checkOp(op *Op) error {
	if op.Name == "" {
		return &InvalidError{Field: "name", Reason: "must not be empty"}
	}
	if len(op.Name) > MaxName {
		return &LimitError{Field: "name", Max: MaxName, Got: int64(len(op.Name))}
	}
	switch op.Kind {
	case OpPut, OpAppend:
		return nil
	case OpDel:
		if len(op.Value) > 0 {
			return &InvalidError{Field: fmt.Sprintf("del of %q", op.Name), Reason: "carries a value"}
		}
		return nil
	}
	return &InvalidError{Field: fmt.Sprintf("op on %q", op.Name), Reason: fmt.Sprintf("unknown kind %d", op.Kind)}
}

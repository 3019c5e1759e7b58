package langgraph

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/dashhost/dashhost/checkpoint"
)

// threadPrefix begins the names of the store's threads that are LangGraph's. Part of the format.
const threadPrefix = "langgraph/"

// format is the version of what Meta and Parts hold. Part of the format.
const format = 1

// Fields of Meta and Parts. Part of the format; package comment.
const (
	fieldFormat = 1

	fieldParent       = 2
	fieldType         = 3
	fieldData         = 4
	fieldMetadataType = 5
	fieldMetadataData = 6
	fieldFields       = 7
	fieldVersion      = 8

	fieldChannel     = 1
	fieldVersionText = 2

	fieldTask = 2
	fieldPath = 3

	fieldIndex        = 1
	fieldWriteChannel = 2
	fieldWriteType    = 3
	fieldWriteData    = 4
)

var errRecord = errors.New("not a record of LangGraph's")

// attrs let `dashhost thread list` say whose the thread is.
func attrs() []checkpoint.Attr {
	return []checkpoint.Attr{{Name: "graph", Value: "langgraph"}, {Name: "status", Value: "done"}}
}

// entry is the name of a value: which channel, in which version.
func entry(channel, version string) string { return channel + "@" + version }

// header is what a checkpoint's record holds beside values.
type header struct {
	parent     string
	checkpoint typed
	metadata   typed
	fields     []byte            // a JSON object
	versions   map[string]string // by channel, as JSON text
}

// record makes the record of a checkpoint from a request that was checked.
func (h *header) record(ns, id string, ops []checkpoint.Op) *checkpoint.Record {
	var b []byte
	b = appendInt(b, fieldFormat, format)
	b = appendBytes(b, fieldParent, h.parent)
	b = appendBytes(b, fieldType, h.checkpoint.Type)
	b = appendBytes(b, fieldData, h.checkpoint.Data)
	b = appendBytes(b, fieldMetadataType, h.metadata.Type)
	b = appendBytes(b, fieldMetadataData, h.metadata.Data)
	b = appendBytes(b, fieldFields, h.fields)
	for _, channel := range slices.Sorted(maps.Keys(h.versions)) {
		v := appendBytes(appendBytes(nil, fieldChannel, channel), fieldVersionText, h.versions[channel])
		b = appendBytes(b, fieldVersion, v)
	}
	return &checkpoint.Record{Kind: checkpoint.KindKV, Namespace: ns, ID: id, Attrs: attrs(), Ops: ops, Meta: b}
}

// parseHeader reads the Meta of a checkpoint.
func parseHeader(meta []byte) (*header, error) {
	h := &header{versions: map[string]string{}}
	err := eachField(meta, func(num protowire.Number, val []byte) error {
		switch num {
		case fieldParent:
			h.parent = string(val)
		case fieldType:
			h.checkpoint.Type = string(val)
		case fieldData:
			h.checkpoint.Data = val
		case fieldMetadataType:
			h.metadata.Type = string(val)
		case fieldMetadataData:
			h.metadata.Data = val
		case fieldFields:
			h.fields = val
		case fieldVersion:
			var channel, version string
			if err := eachBytes(val, func(num protowire.Number, val []byte) error {
				switch num {
				case fieldChannel:
					channel = string(val)
				case fieldVersionText:
					version = string(val)
				}
				return nil
			}); err != nil {
				return err
			}
			h.versions[channel] = version
		default:
			return fmt.Errorf("%w: field %d", errRecord, num)
		}
		return nil
	})
	return h, err
}

// has says whether the checkpoint's fields have the filter's values.
func (h *header) has(filter map[string]json.RawMessage) (bool, error) {
	if len(filter) == 0 {
		return true, nil
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(h.fields, &fields); err != nil {
		return false, fmt.Errorf("%w: fields: %w", errRecord, err)
	}
	for name, want := range filter {
		got, ok := fields[name]
		if !ok {
			got = json.RawMessage("null")
		}
		if same, err := sameJSON(got, want); err != nil || !same {
			return false, err
		}
	}
	return true, nil
}

// encodeValue is what an op puts.
func encodeValue(t *typed) []byte {
	return append(protowire.AppendString(make([]byte, 0, 2+len(t.Type)+len(t.Data)), t.Type), t.Data...)
}

func decodeValue(b []byte) (*typed, error) {
	kind, n := protowire.ConsumeString(b)
	if n < 0 {
		return nil, fmt.Errorf("%w: value", errRecord)
	}
	return &typed{Type: kind, Data: b[n:]}, nil
}

// taskWrites is a put_writes.
type taskWrites struct {
	task, path string
	writes     []writeMessage
}

func (w *taskWrites) record(ns, id string) *checkpoint.Record {
	meta := appendInt(nil, fieldFormat, format)
	meta = appendBytes(meta, fieldTask, w.task)
	meta = appendBytes(meta, fieldPath, w.path)
	r := &checkpoint.Record{Kind: checkpoint.KindKV, Namespace: ns, ID: id, Attrs: attrs(), Meta: meta}
	for i := range w.writes {
		m := &w.writes[i]
		b := appendInt(nil, fieldIndex, protowire.EncodeZigZag(m.Index))
		b = appendBytes(b, fieldWriteChannel, m.Channel)
		b = appendBytes(b, fieldWriteType, m.Value.Type)
		r.Parts = append(r.Parts, appendBytes(b, fieldWriteData, m.Value.Data))
	}
	return r
}

func parseWrites(r *checkpoint.Record) (*taskWrites, error) {
	w := &taskWrites{}
	err := eachField(r.Meta, func(num protowire.Number, val []byte) error {
		switch num {
		case fieldTask:
			w.task = string(val)
		case fieldPath:
			w.path = string(val)
		default:
			return fmt.Errorf("%w: field %d", errRecord, num)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, part := range r.Parts {
		m := writeMessage{Value: &typed{}}
		num, typ, n := protowire.ConsumeTag(part)
		if n < 0 || num != fieldIndex || typ != protowire.VarintType {
			return nil, fmt.Errorf("%w: write", errRecord)
		}
		index, k := protowire.ConsumeVarint(part[n:])
		if k < 0 {
			return nil, fmt.Errorf("%w: write", errRecord)
		}
		m.Index, m.Task = protowire.DecodeZigZag(index), w.task
		err := eachBytes(part[n+k:], func(num protowire.Number, val []byte) error {
			switch num {
			case fieldWriteChannel:
				m.Channel = string(val)
			case fieldWriteType:
				m.Value.Type = string(val)
			case fieldWriteData:
				m.Value.Data = val
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		w.writes = append(w.writes, m)
	}
	return w, nil
}

// isWrites and isRemoval tell a checkpoint's record from the others.
func isWrites(r *checkpoint.Record) bool { return r.ID != "" && len(r.Parts) > 0 }

func isRemoval(r *checkpoint.Record) bool { return r.ID == "" }

// removal is a record that hides what stands before it of some checkpoints.
func removal(ns string, ids []string) *checkpoint.Record {
	r := &checkpoint.Record{Kind: checkpoint.KindKV, Namespace: ns, Attrs: attrs(), Meta: appendInt(nil, fieldFormat, format)}
	for _, id := range ids {
		r.Parts = append(r.Parts, []byte(id))
	}
	return r
}

func appendInt(b []byte, num protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, num, protowire.VarintType), v)
}

func appendBytes[T string | []byte](b []byte, num protowire.Number, v T) []byte {
	b = protowire.AppendTag(b, num, protowire.BytesType)
	return append(protowire.AppendVarint(b, uint64(len(v))), v...)
}

// eachField checks the format in front and yields the fields behind it.
func eachField(b []byte, f func(protowire.Number, []byte) error) error {
	num, typ, n := protowire.ConsumeTag(b)
	if n < 0 || num != fieldFormat || typ != protowire.VarintType {
		return errRecord
	}
	v, k := protowire.ConsumeVarint(b[n:])
	if k < 0 || v == 0 {
		return errRecord
	}
	if v > format {
		return fmt.Errorf("record: format %d, this program reads up to %d: use a newer dashhost: %w", v, format, checkpoint.ErrVersion)
	}
	return eachBytes(b[n+k:], f)
}

// eachBytes yields the length-delimited fields of b, which has no others.
func eachBytes(b []byte, f func(protowire.Number, []byte) error) error {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 || typ != protowire.BytesType {
			return errRecord
		}
		val, k := protowire.ConsumeBytes(b[n:])
		if k < 0 {
			return errRecord
		}
		if err := f(num, val[:len(val):len(val)]); err != nil {
			return err
		}
		b = b[n+k:]
	}
	return nil
}

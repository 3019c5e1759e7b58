package langgraph

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/dashhost/dashhost/checkpoint"
)

// Limits of the protocol, in bytes; a larger one is refused as too_large.
const (
	maxThread  = checkpoint.MaxThread - len(threadPrefix)
	maxTask    = 1 << 10
	maxPath    = 4 << 10
	maxType    = 64
	maxVersion = 128
	maxFields  = 1 << 20
	maxWrites  = 1 << 16 // writes of one request, and their least and greatest index
)

// request has the fields of all ops. What is no part of an op is not looked at.
type request struct {
	ID           *int64                     `json:"id"`
	Op           string                     `json:"op"`
	Protocol     int                        `json:"protocol"`
	Client       string                     `json:"client"`
	Thread       *string                    `json:"thread"`
	NS           *string                    `json:"ns"`
	CheckpointID string                     `json:"checkpoint_id"`
	Checkpoint   *checkpointMessage         `json:"checkpoint"`
	Values       []valueMessage             `json:"values"`
	Task         string                     `json:"task"`
	Path         string                     `json:"path"`
	Writes       []writeMessage             `json:"writes"`
	Filter       map[string]json.RawMessage `json:"filter"`
	Before       string                     `json:"before"`
	Limit        *int64                     `json:"limit"`
	Cursor       *cursor                    `json:"cursor"`
	Channels     []string                   `json:"channels"`
	Runs         []string                   `json:"runs"`
	From         *string                    `json:"from"`
	To           *string                    `json:"to"`
	Threads      []string                   `json:"threads"`
	Strategy     string                     `json:"strategy"`
}

// typed is a serialized value.
type typed struct {
	Type string `json:"type"`
	Data []byte `json:"data"`
}

type checkpointMessage struct {
	ID       string                     `json:"id"`
	Parent   string                     `json:"parent"`
	Value    typed                      `json:"value"`
	Metadata typed                      `json:"metadata"`
	Fields   map[string]json.RawMessage `json:"fields"`
	Versions map[string]json.RawMessage `json:"versions"`
}

// valueMessage is a channel's value: of a new version in put, of a checkpoint in a tuple.
type valueMessage struct {
	Channel string          `json:"channel"`
	Version json.RawMessage `json:"version,omitempty"`
	Value   *typed          `json:"value"`
}

// writeMessage is a write of a task. Index is of put_writes, Task of a tuple.
type writeMessage struct {
	Index   int64  `json:"index,omitempty"`
	Task    string `json:"task,omitempty"`
	Channel string `json:"channel"`
	Value   *typed `json:"value"`
}

// cursor is where a list goes on: behind that checkpoint.
type cursor struct {
	Thread string `json:"thread"`
	ID     string `json:"id"`
	NS     string `json:"ns"`
}

type tuple struct {
	Thread     string         `json:"thread"`
	NS         string         `json:"ns"`
	ID         string         `json:"id"`
	Parent     string         `json:"parent,omitempty"`
	Checkpoint typed          `json:"checkpoint"`
	Metadata   typed          `json:"metadata"`
	Values     []valueMessage `json:"values"`
	Writes     []writeMessage `json:"writes"`
}

// size is about how many bytes the tuple's line has.
func (t *tuple) size() int {
	n := 512 + len(t.Checkpoint.Data) + len(t.Metadata.Data)
	for _, v := range t.Values {
		n += 64 + len(v.Channel) + len(v.Value.Data)
	}
	for _, w := range t.Writes {
		n += 96 + len(w.Channel) + len(w.Value.Data)
	}
	return n * 4 / 3
}

type channelHistory struct {
	Channel string         `json:"channel"`
	Writes  []writeMessage `json:"writes"`
	Seed    *typed         `json:"seed,omitempty"`
}

type reply struct {
	ID    *int64 `json:"id"`
	OK    any    `json:"ok,omitempty"`
	Error *fault `json:"error,omitempty"`
}

// parse reads a line. The request of an error has an ID if one could be read.
func parse(line []byte) (*request, error) {
	r := &request{}
	if !utf8.Valid(line) {
		return r, faultf(codeMalformed, "request: not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	err := d.Decode(r)
	if err == nil {
		if _, more := d.Token(); more != io.EOF {
			err = fmt.Errorf("more than one JSON value on the line")
		}
	}
	if err == nil && r.ID == nil {
		err = fmt.Errorf("id is missing")
	}
	if err != nil {
		var only struct {
			ID *int64 `json:"id"`
		}
		if json.Unmarshal(line, &only) == nil {
			r.ID = only.ID
		} else {
			r.ID = nil
		}
		return r, faultf(codeMalformed, "request: %v", err)
	}
	return r, nil
}

// thread is the name of the store's thread for a LangGraph thread.
func thread(field string, id *string) (string, error) {
	if id == nil || *id == "" {
		return "", faultf(codeInvalid, "%s: is missing or empty", field)
	}
	if err := name(field, *id, maxThread); err != nil {
		return "", err
	}
	return threadPrefix + *id, nil
}

// name refuses what is too long, or holds what two different names may have become.
func name(field, s string, limit int) error {
	if len(s) > limit {
		return faultf(codeTooLarge, "%s: %d bytes, the limit is %d", field, len(s), limit)
	}
	if strings.ContainsRune(s, utf8.RuneError) {
		return faultf(codeInvalid, "%s: contains U+FFFD or a broken surrogate", field)
	}
	return nil
}

// required is name for what must not be empty.
func required(field, s string, limit int) error {
	if s == "" {
		return faultf(codeInvalid, "%s: is missing or empty", field)
	}
	return name(field, s, limit)
}

// version is a channel's version as JSON text: a number or a string.
func version(channel string, raw json.RawMessage) (string, error) {
	v := string(raw)
	if len(v) > maxVersion {
		return "", faultf(codeTooLarge, "version of %q: %d bytes, the limit is %d", channel, len(v), maxVersion)
	}
	if v == "" || !strings.ContainsRune(`"-0123456789`, rune(v[0])) || strings.ContainsRune(v, utf8.RuneError) {
		return "", faultf(codeInvalid, "version of %q: want a number or a string", channel)
	}
	return v, nil
}

func (t *typed) check(field string) error {
	if t == nil {
		return faultf(codeInvalid, "%s: value is missing", field)
	}
	return required(field+": type", t.Type, maxType)
}

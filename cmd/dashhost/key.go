package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"

	"github.com/dashhost/dashhost/checkpoint"
	"github.com/dashhost/dashhost/checkpoint/sealed"
	"github.com/dashhost/dashhost/host/openurl"
)

// masters are the keys that --key or DASHHOST_KEY name.
type masters struct {
	keys []sealed.Key
	err  error
}

// open opens a store with the keys of this execution.
func (a *app) open(ctx context.Context, url string, o *openurl.Options) (*checkpoint.Store, error) {
	keys, err := a.keys(ctx)
	if err != nil {
		return nil, err
	}
	o.Logger, o.Keys = a.logger(), keys
	return openurl.Store(ctx, url, o)
}

// keys reads the keys of the store once: a command that tells one may ask a person.
func (a *app) keys(ctx context.Context) ([]sealed.Key, error) {
	if a.masters == nil {
		a.masters = &masters{}
		a.masters.keys, a.masters.err = a.readKeys(ctx)
	}
	return a.masters.keys, a.masters.err
}

func (a *app) readKeys(ctx context.Context) (keys []sealed.Key, err error) {
	for _, source := range a.flags.keys {
		k, err := a.key(ctx, "--key", source)
		if err != nil {
			return nil, err
		}
		keys = append(keys, k)
	}
	if len(keys) > 0 {
		return keys, nil
	}
	for line := range strings.Lines(a.Getenv("DASHHOST_KEY")) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		k, err := sealed.ParseKey(line)
		if err != nil {
			k, err = a.key(ctx, "DASHHOST_KEY", line)
		}
		if err != nil {
			return nil, err
		}
		keys = append(keys, k)
	}
	return keys, nil
}

// keyError says where a key should have come from. It never has the key.
type keyError struct {
	Setting string // --key, --new, DASHHOST_KEY
	Source  string // without what could be a key itself
	Err     error
}

// Error implements error.
func (e *keyError) Error() string {
	if e.Source == "" {
		return e.Setting + ": " + e.Err.Error()
	}
	return e.Setting + " " + e.Source + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *keyError) Unwrap() error { return e.Err }

const keyHint = "a key comes from file:PATH, env:NAME or command:LINE; dashhost store keygen makes one"

// key reads one key from where source says.
func (a *app) key(ctx context.Context, setting, source string) (sealed.Key, error) {
	kind, rest, _ := strings.Cut(source, ":")
	var text string
	var err error
	switch {
	case kind == "file" && rest != "":
		text, err = readKeyFile(rest)
	case kind == "env" && rest != "":
		if text = a.Getenv(rest); text == "" {
			err = errors.New("the variable is not set")
		}
	case kind == "command" && rest != "":
		text, err = a.askForKey(ctx, rest)
	default:
		return sealed.Key{}, &keyError{Setting: setting, Err: errors.New("not a source of a key")}
	}
	if err != nil {
		return sealed.Key{}, &keyError{Setting: setting, Source: source, Err: err}
	}
	k, err := sealed.ParseKey(text)
	if err != nil {
		return k, &keyError{Setting: setting, Source: source, Err: err}
	}
	return k, nil
}

// keyFileSize is more than any file with a key has.
const keyFileSize = 4 << 10

func readKeyFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", errors.New(cause(err))
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, keyFileSize))
	if err != nil {
		return "", errors.New(cause(err))
	}
	return string(b), nil
}

// askForKey runs a command whose output is the key. It may talk to a person on stdin and stderr.
func (a *app) askForKey(ctx context.Context, line string) (string, error) {
	c := exec.CommandContext(ctx, "sh", "-c", line)
	var out bytes.Buffer
	c.Stdin, c.Stdout, c.Stderr = a.Stdin, &out, a.Stderr
	if err := c.Run(); err != nil {
		return "", fmt.Errorf("the command failed: %w", err)
	}
	return out.String(), nil
}

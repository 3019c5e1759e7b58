package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
)

// fileError is a file of the command line that cannot be used.
type fileError struct {
	What string // what it is for: "input", "manifest"
	Path string
	Err  error
}

// Error implements error.
func (e *fileError) Error() string { return e.What + ": " + e.Path + ": " + cause(e.Err) }

// Unwrap returns what the operating system said.
func (e *fileError) Unwrap() error { return e.Err }

// tooLargeError is returned before more than the limit was read.
type tooLargeError struct {
	What, Path string
	Max        int64
	Raise      string // how to raise the limit, "" if it is fixed
}

// Error implements error.
func (e *tooLargeError) Error() string {
	return fmt.Sprintf("%s: %s: larger than %s", e.What, e.Path, bytesText(e.Max))
}

// errIsDirectory is the cause when a folder is named where a file is needed.
var errIsDirectory = errors.New("is a folder, a file is needed")

// checkFile looks whether a file of the command line can be there at all, so that the fault names the argument.
func checkFile(what, path string) error {
	info, err := os.Stat(path)
	switch {
	case path == "":
		return &usageError{Text: what + ": the path is empty"}
	case err != nil:
		return &fileError{What: what, Path: path, Err: err}
	case info.IsDir():
		return &fileError{What: what, Path: path, Err: errIsDirectory}
	}
	return nil
}

// readFile reads all of a file, "-" for stdin, if it is not larger than limit.
func (a *app) readFile(ctx context.Context, what, path string, limit int64) ([]byte, error) {
	if path == "-" {
		if a.StdinTTY {
			a.talk.linef("reading the %s from the terminal, end it with Ctrl-D", what)
		}
		return readAll(ctx, a.Stdin, what, "stdin", limit)
	}
	if err := checkFile(what, path); err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, &fileError{What: what, Path: path, Err: err}
	}
	defer f.Close()
	return readAll(ctx, f, what, path, limit)
}

// readAll reads all of r. A signal ends the waiting even where the read itself cannot be interrupted.
func readAll(ctx context.Context, r io.Reader, what, name string, limit int64) ([]byte, error) {
	type result struct {
		b   []byte
		err error
	}
	c := make(chan result, 1)
	go func() {
		b, err := io.ReadAll(io.LimitReader(r, limit+1))
		c <- result{b, err}
	}()
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case got := <-c:
		switch {
		case got.err != nil:
			return nil, &fileError{What: what, Path: name, Err: got.err}
		case int64(len(got.b)) > limit:
			return nil, &tooLargeError{What: what, Path: name, Max: limit}
		}
		return got.b, nil
	}
}

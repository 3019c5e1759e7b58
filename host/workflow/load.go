package workflow

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// ErrTooLarge is what Options.ReadFile returns for a file of more than max
// bytes.
var ErrTooLarge = errors.New("file is too large")

// Options of Load and Parse. Nil is fine.
type Options struct {
	// ReadFile returns the bytes of the manifest or of a wasm file. It must not
	// read more than max bytes and returns an error that is ErrTooLarge for a
	// larger file. name is a path, or "sha256:HEX" for a module that the manifest
	// knows by digest only. Default: the file system, which knows no digests.
	ReadFile func(name string, max int64) ([]byte, error)
	// Inspect looks at the bytes of a module and returns what is wrong with
	// them; a Fault without a place gets the module's. An error is a fault too.
	// Default: wasm files are not looked at, not even for whether they exist.
	Inspect func(m *Module, wasm []byte) ([]Fault, *ModuleInfo, error)
	// Natives are the names that `native` may use. Default nil: not checked.
	Natives []string
}

// ModuleInfo is what Options.Inspect found in a module.
type ModuleInfo struct {
	SHA256  string   // hex
	Grants  []string // that its imports need: "clock", "http", ...
	Imports []string // functions it imports
	// Obstacles say why an instance cannot be put back to what it was; empty: it can.
	Obstacles []string
}

// Load reads and validates a manifest. The error is an *Invalid with every
// fault of it, that of reading the file, or ctx's. The faults returned beside a Graph are warnings.
func Load(ctx context.Context, file string, o *Options) (*Graph, []Fault, error) {
	o = o.withDefaults()
	src, err := o.ReadFile(file, MaxManifest)
	switch {
	case errors.Is(err, ErrTooLarge):
		fs := newFaults(file)
		tooLarge(fs)
		return nil, nil, fs.invalid()
	case err != nil:
		return nil, nil, fmt.Errorf("manifest %s: %w", file, cause(err))
	}
	return Parse(ctx, file, src, o)
}

// Parse is Load for a text that is at hand. file names it in messages, and
// paths in the manifest are relative to its folder.
func Parse(ctx context.Context, file string, src []byte, o *Options) (*Graph, []Fault, error) {
	o = o.withDefaults()
	fs := newFaults(file)
	s := &source{file: file, text: src}
	doc := s.parse(fs)
	if doc == nil || !checkVersion(fs, s, doc) {
		return nil, nil, fs.invalid()
	}
	root := (&reader{fs: fs, src: s}).read(grammar(), doc, "")
	if root.bad {
		return nil, nil, fs.invalid()
	}
	b := &builder{fs: fs, src: s, options: o, root: root}
	g := b.graph()
	if err := b.inspect(ctx, g); err != nil {
		return nil, nil, err
	}
	if err := fs.invalid(); err != nil {
		return nil, nil, err
	}
	g.canonical = canonical(g, root)
	return g, fs.sorted(), nil
}

func (o *Options) withDefaults() *Options {
	var out Options
	if o != nil {
		out = *o
	}
	if out.ReadFile == nil {
		out.ReadFile = readFile
	}
	return &out
}

// readFile reads a file of at most max bytes from the file system.
func readFile(name string, max int64) ([]byte, error) {
	f, err := os.Open(filepath.FromSlash(name))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, max+1))
	if err != nil {
		return nil, err
	}
	if int64(len(b)) > max {
		return nil, ErrTooLarge
	}
	return b, nil
}

func tooLarge(fs *faults) {
	fs.errorf(Pos{}, "keep data in files that the run gets as input", "expected a manifest of at most %d bytes, found more", MaxManifest)
}

// cause is the text of an error without the operation and path, which the
// place of the fault says already.
func cause(err error) error {
	var pe *os.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

package vfs

import (
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"
	"syscall"
)

// Sector is the unit that a disk writes whole or not at all.
const Sector = 512

// Op is one operation that changes a Mem, as its log keeps it.
type Op struct {
	Kind   string // create, write, truncate, sync, syncdata, rename, remove, mkdir, syncdir
	Name   string
	To     string // of rename
	Offset int64  // of write
	Size   int64  // of truncate
	Data   []byte // of write
}

// String is one line: "write 000001.log 1024+96".
func (o Op) String() string {
	switch o.Kind {
	case "write":
		return fmt.Sprintf("write %s %d+%d", o.Name, o.Offset, len(o.Data))
	case "truncate":
		return fmt.Sprintf("truncate %s %d", o.Name, o.Size)
	case "rename":
		return fmt.Sprintf("rename %s %s", o.Name, o.To)
	}
	return o.Kind + " " + o.Name
}

// ShortWrite is an error of a fault: that many bytes are written before it.
type ShortWrite struct {
	N   int
	Err error
}

func (e *ShortWrite) Error() string { return fmt.Sprintf("short write of %d bytes: %v", e.N, e.Err) }

// Unwrap returns the cause.
func (e *ShortWrite) Unwrap() error { return e.Err }

// Mem is a file system in memory. It tells what is durable from what is only in the cache:
//
//   - a write or truncate is durable after Sync or SyncData of its file, before that each of its sectors may or may not be;
//   - an entry of a directory is durable after SyncDir, before that the first so many changes of it are;
//   - a Sync that fails leaves the cache as it is and forgets what should have been written, as Linux does.
//
// Directories themselves are durable at once. The zero Mem is empty and ready.
type Mem struct {
	// Fault is asked before each operation; an error is returned in its place. Set it before use.
	Fault func(Op) error
	// Space is how many bytes all files together may have; a write beyond is ENOSPC. 0 is no limit. Change it by SetSpace.
	Space int64

	mu   sync.Mutex
	log  []Op
	dirs map[string]*dir
}

type dir struct {
	now     map[string]*inode
	durable map[string]*inode
	pending []func(map[string]*inode)
}

type inode struct {
	now     []byte
	durable []byte
	pending []Op
}

// Log returns the operations so far.
func (m *Mem) Log() []Op {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.log)
}

// Replay applies a log and returns the file system as a power cut after it leaves it. keep is asked for each sector of each
// write that was not synced, each truncate, and each change of a directory until the first no.
func Replay(log []Op, keep func() bool) *Mem { return (&Mem{}).ReplayOn(log, keep) }

// ReplayOn is Replay on what is in m already, which it changes.
func (m *Mem) ReplayOn(log []Op, keep func() bool) *Mem {
	for _, op := range log {
		if err := m.apply(op); err != nil {
			panic("BUG: replay of " + op.String() + ": " + err.Error())
		}
	}
	after := &Mem{dirs: map[string]*dir{}}
	nodes := map[*inode]*inode{}
	for name, d := range m.dirs {
		for _, change := range d.pending {
			if !keep() {
				break
			}
			change(d.durable)
		}
		c := &dir{now: map[string]*inode{}, durable: map[string]*inode{}}
		for file, n := range d.durable {
			if nodes[n] == nil {
				b := n.survive(keep)
				nodes[n] = &inode{now: b, durable: slices.Clone(b)}
			}
			c.now[file], c.durable[file] = nodes[n], nodes[n]
		}
		after.dirs[name] = c
	}
	return after
}

// survive is what a file holds when some sectors of what was pending were written.
func (n *inode) survive(keep func() bool) []byte {
	b := slices.Clone(n.durable)
	for _, op := range n.pending {
		if op.Kind == "truncate" {
			if keep() {
				b = resize(b, op.Size)
			}
			continue
		}
		for at := op.Offset; at < op.Offset+int64(len(op.Data)); {
			end := min((at/Sector+1)*Sector, op.Offset+int64(len(op.Data)))
			if keep() {
				b = store(b, op.Data[at-op.Offset:end-op.Offset], at)
			}
			at = end
		}
	}
	return b
}

func resize(b []byte, size int64) []byte {
	if size <= int64(len(b)) {
		return b[:size]
	}
	return append(b, make([]byte, size-int64(len(b)))...)
}

func store(b, data []byte, at int64) []byte {
	if end := at + int64(len(data)); end > int64(len(b)) {
		b = resize(b, end)
	}
	copy(b[at:], data)
	return b
}

func (m *Mem) dir(name string) *dir {
	if m.dirs == nil {
		m.dirs = map[string]*dir{}
	}
	d := m.dirs[name]
	if d == nil {
		d = &dir{now: map[string]*inode{}, durable: map[string]*inode{}}
		m.dirs[name] = d
	}
	return d
}

func (d *dir) change(f func(map[string]*inode)) {
	f(d.now)
	d.pending = append(d.pending, f)
}

// do asks Fault, logs and applies an operation.
func (m *Mem) do(op Op) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.Fault != nil {
		if err := m.Fault(op); err != nil {
			if short, ok := err.(*ShortWrite); ok && op.Kind == "write" {
				op.Data = op.Data[:min(short.N, len(op.Data))]
				m.log = append(m.log, op)
				if e := m.apply(op); e != nil {
					return e
				}
			}
			if n := m.find(op.Name); n != nil && strings.HasPrefix(op.Kind, "sync") {
				n.pending = nil
			}
			return &fs.PathError{Op: op.Kind, Path: op.Name, Err: err}
		}
	}
	if m.full(op) {
		return &fs.PathError{Op: op.Kind, Path: op.Name, Err: syscall.ENOSPC}
	}
	if err := m.apply(op); err != nil {
		return err
	}
	m.log = append(m.log, op)
	return nil
}

func (m *Mem) find(name string) *inode {
	parent, base := path.Split(name)
	return m.dir(path.Clean(parent)).now[base]
}

func (m *Mem) apply(op Op) error {
	parent, base := path.Split(op.Name)
	d := m.dir(path.Clean(parent))
	n := d.now[base]
	switch op.Kind {
	case "mkdir":
		m.dir(path.Clean(op.Name))
		return nil
	case "syncdir":
		d = m.dir(path.Clean(op.Name))
		for _, change := range d.pending {
			change(d.durable)
		}
		d.pending = nil
		return nil
	case "create":
		if n != nil {
			return &fs.PathError{Op: op.Kind, Path: op.Name, Err: fs.ErrExist}
		}
		n = &inode{}
		d.change(func(e map[string]*inode) { e[base] = n })
		return nil
	}
	if n == nil {
		return &fs.PathError{Op: op.Kind, Path: op.Name, Err: fs.ErrNotExist}
	}
	switch op.Kind {
	case "rename":
		toDir, to := path.Split(op.To)
		if path.Clean(toDir) != path.Clean(parent) {
			return &fs.PathError{Op: op.Kind, Path: op.Name, Err: fs.ErrInvalid}
		}
		d.change(func(e map[string]*inode) { delete(e, base); e[to] = n })
	case "remove":
		d.change(func(e map[string]*inode) { delete(e, base) })
	default:
		n.apply(op)
	}
	return nil
}

func (n *inode) apply(op Op) {
	switch op.Kind {
	case "write":
		n.now = store(n.now, op.Data, op.Offset)
		n.pending = append(n.pending, op)
	case "truncate":
		n.now = resize(n.now, op.Size)
		n.pending = append(n.pending, op)
	case "sync", "syncdata":
		n.durable, n.pending = append(n.durable[:0:0], n.now...), nil
	}
}

// Create implements FS.
func (m *Mem) Create(name string) (File, error) {
	if err := m.do(Op{Kind: "create", Name: name}); err != nil {
		return nil, err
	}
	return m.Open(name, true)
}

// Open implements FS.
func (m *Mem) Open(name string, _ bool) (File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := m.find(name)
	if n == nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return &memFile{m: m, n: n, name: name}, nil
}

// Free implements FS. Without a limit it is a terabyte.
func (m *Mem) Free(string) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.Space == 0 {
		return 1 << 40, nil
	}
	return max(m.Space-m.used(), 0), nil
}

// SetSpace changes Space while m is in use.
func (m *Mem) SetSpace(n int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.Space = n
}

// used is the size of all files. m.mu is held.
func (m *Mem) used() int64 {
	var n int64
	for _, d := range m.dirs {
		for _, f := range d.now {
			n += int64(len(f.now))
		}
	}
	return n
}

// full says whether op would need more space than there is. m.mu is held.
func (m *Mem) full(op Op) bool {
	n := m.find(op.Name)
	if m.Space == 0 || op.Kind != "write" || n == nil {
		return false
	}
	more := op.Offset + int64(len(op.Data)) - int64(len(n.now))
	return more > 0 && m.used()+more > m.Space
}

// Rename implements FS. Both names must be in one directory.
func (m *Mem) Rename(oldname, newname string) error {
	return m.do(Op{Kind: "rename", Name: oldname, To: newname})
}

// Remove implements FS.
func (m *Mem) Remove(name string) error { return m.do(Op{Kind: "remove", Name: name}) }

// MkdirAll implements FS.
func (m *Mem) MkdirAll(dir string) error { return m.do(Op{Kind: "mkdir", Name: dir}) }

// SyncDir implements FS.
func (m *Mem) SyncDir(dir string) error { return m.do(Op{Kind: "syncdir", Name: dir}) }

// ReadDir implements FS.
func (m *Mem) ReadDir(name string) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	name = path.Clean(name)
	d := m.dirs[name]
	if d == nil {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: fs.ErrNotExist}
	}
	var names []string
	for n := range d.now {
		names = append(names, n)
	}
	for n := range m.dirs {
		if path.Dir(n) == name && n != name {
			names = append(names, path.Base(n))
		}
	}
	slices.Sort(names)
	return names, nil
}

// memFile is an open file. It keeps the name it was opened with, which its operations are logged under.
type memFile struct {
	m    *Mem
	n    *inode
	name string
}

// do runs an operation on the file whatever its name is by now.
func (f *memFile) do(op Op) error {
	f.m.mu.Lock()
	op.Name = f.m.nameOf(f.n, f.name)
	f.m.mu.Unlock()
	return f.m.do(op)
}

func (m *Mem) nameOf(n *inode, name string) string {
	if m.find(name) == n {
		return name
	}
	parent := path.Dir(name)
	for base, other := range m.dir(parent).now {
		if other == n {
			return parent + "/" + base
		}
	}
	return name
}

func (f *memFile) ReadAt(b []byte, off int64) (int, error) {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	if f.m.Fault != nil {
		if err := f.m.Fault(Op{Kind: "read", Name: f.name, Offset: off, Size: int64(len(b))}); err != nil {
			return 0, &fs.PathError{Op: "read", Path: f.name, Err: err}
		}
	}
	if off >= int64(len(f.n.now)) {
		return 0, io.EOF
	}
	n := copy(b, f.n.now[off:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

func (f *memFile) WriteAt(b []byte, off int64) (int, error) {
	err := f.do(Op{Kind: "write", Offset: off, Data: slices.Clone(b)})
	if err != nil {
		return 0, err
	}
	return len(b), nil
}

func (f *memFile) Size() (int64, error) {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	return int64(len(f.n.now)), nil
}

func (f *memFile) Truncate(size int64) error { return f.do(Op{Kind: "truncate", Size: size}) }
func (f *memFile) Sync() error               { return f.do(Op{Kind: "sync"}) }
func (f *memFile) SyncData() error           { return f.do(Op{Kind: "syncdata"}) }
func (f *memFile) Close() error              { return nil }

// Data returns a copy of what a file holds now, and whether it is there.
func (m *Mem) Data(name string) ([]byte, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := m.find(name)
	if n == nil {
		return nil, false
	}
	return slices.Clone(n.now), true
}

// SetData changes a file behind the back of who uses it, durably, or makes it.
func (m *Mem) SetData(name string, b []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	parent, base := path.Split(name)
	d := m.dir(path.Clean(parent))
	n := &inode{now: slices.Clone(b), durable: slices.Clone(b)}
	d.now[base], d.durable[base] = n, n
}

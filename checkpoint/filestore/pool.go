package filestore

import (
	"io/fs"
	"sync"

	"github.com/dashhost/dashhost/internal/vfs"
)

// maxOpen is how many segments a store has open, beside the last one.
const maxOpen = 64

// pooled is a file that may be closed between calls, and is opened again when it is used. What was written to it is synced before.
type pooled struct {
	fs    vfs.FS
	name  string
	write bool

	mu   sync.RWMutex // read side held by each call
	file vfs.File     // nil while it is closed
	gone bool         // it is not to be opened again
}

func (s *store) pooled(f vfs.File, name string) *pooled {
	return &pooled{fs: s.fs, name: name, write: !s.o.ReadOnly, file: f}
}

// open returns the file with the read side of the lock held, which the caller gives back unless there is an error.
func (p *pooled) open() (vfs.File, error) {
	for {
		p.mu.RLock()
		if p.file != nil {
			return p.file, nil
		}
		p.mu.RUnlock()
		p.mu.Lock()
		if p.gone {
			p.mu.Unlock()
			return nil, &fs.PathError{Op: "open", Path: p.name, Err: fs.ErrNotExist}
		}
		if p.file == nil {
			f, err := p.fs.Open(p.name, p.write)
			if err != nil {
				p.mu.Unlock()
				return nil, err
			}
			p.file = f
		}
		p.mu.Unlock()
	}
}

// isOpen says whether there is a descriptor.
func (p *pooled) isOpen() bool {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.file != nil
}

func (p *pooled) ReadAt(b []byte, off int64) (int, error) {
	f, err := p.open()
	if err != nil {
		return 0, err
	}
	defer p.mu.RUnlock()
	return f.ReadAt(b, off)
}

func (p *pooled) WriteAt(b []byte, off int64) (int, error) {
	f, err := p.open()
	if err != nil {
		return 0, err
	}
	defer p.mu.RUnlock()
	return f.WriteAt(b, off)
}

func (p *pooled) Size() (int64, error) {
	f, err := p.open()
	if err != nil {
		return 0, err
	}
	defer p.mu.RUnlock()
	return f.Size()
}

func (p *pooled) Truncate(size int64) error {
	return p.call(func(f vfs.File) error { return f.Truncate(size) })
}

func (p *pooled) Sync() error { return p.call(vfs.File.Sync) }

func (p *pooled) SyncData() error { return p.call(vfs.File.SyncData) }

func (p *pooled) call(f func(vfs.File) error) error {
	file, err := p.open()
	if err != nil {
		return err
	}
	defer p.mu.RUnlock()
	return f(file)
}

// Close closes the file, for now: it waits for calls, and a later one opens it again.
func (p *pooled) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.close()
}

// retire closes the file for good: it is about to be removed.
func (p *pooled) retire() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gone = true
	return p.close()
}

func (p *pooled) close() error {
	if p.file == nil {
		return nil
	}
	f := p.file
	p.file = nil
	return f.Close()
}

// use notes that a segment is wanted, fresh if it was opened for that, and closes the one that was not for longest if too many are open. s.mu is held.
func (s *store) use(g *segment, fresh bool) error {
	s.uses++
	g.used = s.uses
	if len(s.segments) <= maxOpen || !fresh && g.file.isOpen() {
		return nil
	}
	var oldest *segment
	open := 0
	for _, other := range s.segments {
		if other == g || other == s.cur.seg || !other.file.isOpen() {
			continue
		}
		if open++; oldest == nil || other.used < oldest.used {
			oldest = other
		}
	}
	if open < maxOpen {
		return nil
	}
	return oldest.file.Close()
}

package filestore

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"syscall"

	"github.com/oklog/ulid/v2"

	"github.com/dashhost/dashhost/checkpoint/driver"
	"github.com/dashhost/dashhost/internal/frame"
	"github.com/dashhost/dashhost/internal/vfs"
)

const (
	identityFile  = "store"
	identityMagic = "dashstor"
	identitySize  = 64
)

func (s *store) readIdentity() error {
	b, err := vfs.ReadFile(s.fs, s.path(identityFile), 0, 1<<16)
	if err != nil {
		return err
	}
	le := binary.LittleEndian
	if len(b) < identitySize || string(b[:8]) != identityMagic || le.Uint32(b[identitySize-4:]) != frame.Sum(0, b[:identitySize-4]) {
		return &driver.Damage{File: identityFile, Length: int64(len(b)), Reason: "does not match its checksum; move it away, and it is made again from what the log says"}
	}
	v := le.Uint32(b[8:])
	if v < minVersion || v > version {
		return &driver.VersionError{File: identityFile, Got: v, Max: version}
	}
	if len(b) != identitySize {
		return &driver.Damage{File: identityFile, Offset: identitySize, Length: int64(len(b)) - identitySize, Reason: "bytes after the end; move it away, and it is made again from what the log says"}
	}
	copy(s.id[:], b[16:])
	s.incarnation, s.version = le.Uint64(b[32:]), uint8(v)
	return nil
}

// writeIdentity writes who the store is, in one step.
func (s *store) writeIdentity() error {
	b := make([]byte, identitySize)
	le := binary.LittleEndian
	copy(b, identityMagic)
	le.PutUint32(b[8:], uint32(s.version))
	copy(b[16:], s.id[:])
	le.PutUint64(b[32:], s.incarnation)
	le.PutUint32(b[identitySize-4:], frame.Sum(0, b[:identitySize-4]))
	return full(vfs.WriteFile(s.fs, s.dir, identityFile, s.temp(identityFile), b))
}

// upgrade says that the store holds, from now on, what older programs do not know. The lock is held.
func (s *store) upgrade(to uint8) error {
	before := s.version
	if err := s.readIdentity(); err != nil { // another process may have
		return err
	}
	if s.version >= to {
		return nil
	}
	s.version = to
	err := s.writeIdentity()
	if err != nil {
		s.version = before
	}
	return err
}

// identify reads who the store is. A folder without an identity is made a store, or, if the heads of its segments tell who it
// was, is that again.
func (s *store) identify() error {
	err := s.readIdentity()
	if !notExist(err) {
		return err
	}
	found, err := s.survey()
	var foreign *ForeignError
	switch {
	case errors.As(err, &foreign):
		if again := s.readIdentity(); !notExist(again) { // made while we looked
			return again
		}
		if s.o.ReadOnly {
			return fmt.Errorf("%w: no file %s", driver.ErrNotFound, identityFile)
		}
		return err
	case err != nil:
		return err
	case !s.o.ReadOnly:
		return s.create()
	case !found:
		return fmt.Errorf("%w: no file %s", driver.ErrNotFound, identityFile)
	}
	return nil
}

// create makes a store. Its identity is written last: a folder without one is no store yet.
func (s *store) create() error {
	for _, d := range []string{s.dir, s.path("log"), s.path("owners")} {
		if err := s.fs.MkdirAll(d); err != nil {
			return full(err)
		}
	}
	unlock, err := s.lock(context.Background())
	if err != nil {
		return full(err)
	}
	err = s.createLocked()
	return errors.Join(err, unlock())
}

func (s *store) createLocked() error {
	if err := s.readIdentity(); !notExist(err) {
		return err // another process was first
	}
	found, err := s.survey()
	if err != nil {
		return err
	}
	if !found {
		if err := s.beginLog(); err != nil {
			return err
		}
	}
	return s.writeIdentity()
}

// beginLog makes the first segment. What survey let pass in the folder of segments was never used.
func (s *store) beginLog() error {
	names, err := s.fs.ReadDir(s.path("log"))
	if err != nil {
		return err
	}
	for _, n := range names {
		if err := s.fs.Remove(s.path("log/" + n)); err != nil {
			return err
		}
	}
	rand.Read(s.id[:])
	s.incarnation, s.version = 1, minVersion
	g, err := s.createSegment(head{number: 1, seq: 1}, nil)
	if err != nil {
		return err
	}
	return g.file.Close()
}

// ForeignError is a folder that is no store and holds what is not a store's. Nothing in it was changed.
type ForeignError struct {
	Names []string // within the folder, the first few
	More  int      // how many there are beyond
}

func (e *ForeignError) Error() string {
	more := ""
	if e.More > 0 {
		more = fmt.Sprintf(" and %d more", e.More)
	}
	return fmt.Sprintf("is a folder with other things in it, %s%s: a store is made only in a folder that is new or empty", strings.Join(e.Names, ", "), more)
}

// foreignNames is how many names a ForeignError has.
const foreignNames = 5

// surveyor goes through a folder that has no identity.
type surveyor struct {
	s       *store
	foreign []string
	remains []string            // of a store that lost its identity
	ids     map[[16]byte]string // who segments with frames say that they belong to
	version uint8               // greatest that a segment needs
}

// survey looks at a folder without an identity and changes nothing. found: segments with records tell who the store is, and that
// is taken. Neither found nor an error: it is missing, empty, or holds what a process left that died while it made a store.
func (s *store) survey() (found bool, err error) {
	v := &surveyor{s: s, ids: map[[16]byte]string{}}
	names, err := s.fs.ReadDir(s.dir)
	if notExist(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	for _, n := range names {
		if err := v.entry(n); err != nil {
			return false, err
		}
	}
	lost := &driver.Damage{File: identityFile}
	switch {
	case len(v.foreign) > 0:
		n := min(len(v.foreign), foreignNames)
		return false, &ForeignError{Names: v.foreign[:n], More: len(v.foreign) - n}
	case len(v.ids) > 1:
		lost.Reason = "is missing, and the segments of the log are of different stores"
		return false, lost
	case len(v.ids) == 1:
		for id, name := range v.ids {
			s.id, s.incarnation, s.version = id, 1, v.version
			lost.Reason = "was missing; " + name + " tells who the store is"
		}
		s.fault(lost)
		return true, nil
	case len(v.remains) > 0:
		lost.Reason = "is missing, and the log does not tell who the store is; what is left of it: " + strings.Join(v.remains, ", ")
		return false, lost
	}
	return false, nil
}

// Names that a store makes, beside those that are fixed.
var (
	segmentFile = regexp.MustCompile(`^\d{8,10}(\.new)?$`)
	cutBytes    = regexp.MustCompile(`^quarantine/\d{8,10}-\d+\.[0-9a-f]{16}$`)
	tempFile    = regexp.MustCompile(`^(store|index)\.[0-9a-f]{16}\.new$`)
)

// entry looks at one name of the store's folder. lost+found is the file system's, at the top of a disk.
func (v *surveyor) entry(name string) error {
	switch {
	case name == "lost+found", tempFile.MatchString(name):
		return nil
	case name == "log":
		return v.folder(name, v.segment)
	case name == "owners":
		return v.folder(name, func(path string) (bool, error) {
			_, err := ulid.ParseStrict(strings.TrimPrefix(path, "owners/"))
			v.remains = append(v.remains, path)
			return err == nil, nil
		})
	case name == "quarantine":
		return v.folder(name, func(path string) (bool, error) {
			v.remains = append(v.remains, path)
			return cutBytes.MatchString(path), nil
		})
	case name == lockFile+doorSuffix:
		b, err := v.s.peek(v.s.path(name), 1)
		return v.ours(name, err == nil && len(b) == 0, err)
	case name == lockFile:
		b, err := v.s.peek(v.s.path(name), 82)
		return v.ours(name, err == nil && (len(b) == 0 || len(b) == 81 && b[80] == '\n'), err)
	case name == indexFile:
		b, err := v.s.peek(v.s.path(name), len(indexMagic))
		v.remains = append(v.remains, name)
		return v.ours(name, string(b) == indexMagic, err)
	}
	return v.ours(name, false, nil)
}

// ours notes a name that is not. An error that says the name is no file, or no folder, says that too.
func (v *surveyor) ours(name string, is bool, err error) error {
	if err != nil && !errors.Is(err, syscall.EISDIR) && !errors.Is(err, syscall.ENOTDIR) {
		return err
	}
	if !is || err != nil {
		v.foreign = append(v.foreign, name)
	}
	return nil
}

// folder looks at the names in one of the store's folders.
func (v *surveyor) folder(name string, look func(path string) (bool, error)) error {
	names, err := v.s.fs.ReadDir(v.s.path(name))
	if err != nil {
		return v.ours(name, false, err)
	}
	for _, n := range names {
		is, err := look(name + "/" + n)
		if err := v.ours(name+"/"+n, is, err); err != nil {
			return err
		}
	}
	return nil
}

// segment says whether a file of the log's folder is a segment, and notes whose it is if there is something behind its head. One
// that is all zero was never written.
func (v *surveyor) segment(path string) (bool, error) {
	if !segmentFile.MatchString(strings.TrimPrefix(path, "log/")) {
		return false, nil
	}
	b, err := v.s.peek(v.s.path(path), firstFrame+frame.HeaderSize)
	if err != nil || frame.IsZero(b) {
		return err == nil, err
	}
	h, err := parseHead(b[:min(len(b), segmentHead)], path)
	if errors.Is(err, errHead) && len(b) >= firstFrame {
		h, err = parseHead(b[segmentHead:firstFrame], path)
	}
	if errors.Is(err, errHead) { // not of a cut off creation: sectors are written whole
		v.remains = append(v.remains, path)
		at := func(off int, magic string) bool { return bytes.HasPrefix(b[min(len(b), off):], []byte(magic)) }
		return at(0, segmentMagic) || at(segmentHead, segmentMagic) || at(firstFrame, frame.Magic), nil
	}
	if err == nil && len(b) > firstFrame && !frame.IsZero(b[firstFrame:]) && !strings.HasSuffix(path, ".new") {
		v.ids[h.store] = path
		v.version = max(v.version, h.version(), minVersion)
	}
	return err == nil, err
}

// peek returns at most the first n bytes of a file.
func (s *store) peek(path string, n int) (b []byte, err error) {
	f, err := s.fs.Open(path, false)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	b = make([]byte, n)
	got, err := readAt(f, b, 0)
	return b[:got], err
}

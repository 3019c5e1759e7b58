package filestore

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/dashhost/dashhost/checkpoint/driver"
	"github.com/dashhost/dashhost/internal/vfs"
)

// A backup is a tar archive, in this order:
//
//	dashhost-backup   one line of JSON, backupHead: whose it is and how much follows
//	store             the identity
//	log/00000001 ...  segments, the last one up to where the log ended, unless that end is damaged
//	manifest.json     one line of JSON, backupManifest: size and SHA-256 of each file before
//
// The manifest is the end: a backup without it was cut off. Index, locks and quarantine are not part of it.
const (
	backupVersion  = 1
	backupHeadFile = "dashhost-backup"
	backupManifest = "manifest.json"
	maxBackupText  = 64 << 20 // bytes of head or manifest
)

// backupHead is the first file.
type backupHead struct {
	Version     int    `json:"version"`
	Store       string `json:"store"`
	Incarnation uint64 `json:"incarnation"`
	Created     int64  `json:"created_us"`
	Files       int    `json:"files"`
	Bytes       int64  `json:"bytes"`
	Records     uint64 `json:"records"` // sequence number of the last
}

// backupList is the last file.
type backupList struct {
	Files  []backupFile `json:"files"`
	Damage []string     `json:"damage,omitempty"` // that the store had
}

type backupFile struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// pinned is a file of the store that stays readable when its name goes.
type pinned struct {
	name string
	file vfs.File
	size int64
}

// Backup implements driver.Backuper. The files are opened at one moment under the lock, and read after it: a segment is only
// appended to, and the space behind what is read of the last one is not looked at.
func (s *store) Backup(ctx context.Context, w io.Writer, p driver.Progress) (*driver.BackupReport, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.life.RUnlock()
	b := &backup{s: s, ctx: ctx, out: tar.NewWriter(w), told: p}
	defer b.close()
	if err := b.pin(); err != nil {
		return nil, err
	}
	if err := b.write(); err != nil {
		return nil, err
	}
	return b.report(), nil
}

// backup is one Backup on its way.
type backup struct {
	s      *store
	ctx    context.Context //nolint:containedctx // of the one call that it is
	out    *tar.Writer
	told   driver.Progress
	files  []pinned
	head   backupHead
	list   backupList
	damage []*driver.Damage
	done   int64
}

// pin opens the files, and waits until what they hold is durable.
func (b *backup) pin() error {
	s := b.s
	if s.o.ReadOnly { // what can be seen is a whole prefix; if a prune comes in between a file is missing, and we look again
		for try := 0; ; try++ {
			s.mu.Lock()
			err := s.refresh()
			if err == nil {
				err = b.open()
			}
			s.mu.Unlock()
			if !notExist(err) || try == pinTries {
				return err
			}
			b.close()
		}
	}
	var pos uint64
	err := s.exclusive(b.ctx, func() error {
		pos = s.cur.place().pos()
		return b.open()
	})
	if err != nil {
		return err
	}
	return s.wait(b.ctx, pos)
}

// pinTries is how often files that vanish are looked for again.
const pinTries = 10

// open opens the files up to the cursor. s.mu is held.
func (b *backup) open() error {
	s := b.s
	if s.cur.seg == nil {
		return &driver.Damage{File: segmentName(1), Reason: "the log has no segment"}
	}
	b.head = backupHead{
		Version: backupVersion, Store: hex.EncodeToString(s.id[:]), Incarnation: s.incarnation, Created: time.Now().UnixMicro(), Records: s.cur.seq - 1,
	}
	if err := b.add(identityFile, identitySize); err != nil {
		return err
	}
	sizes, err := s.segmentSizes()
	if err != nil {
		return err
	}
	for _, number := range slices.Sorted(maps.Keys(sizes)) {
		if number > s.cur.seg.number {
			break
		}
		size := sizes[number]
		if number == s.cur.seg.number && !s.cur.ended {
			size = s.cur.off
		}
		if err := b.add(segmentName(number), size); err != nil {
			return err
		}
	}
	for _, d := range s.faults {
		own := *d
		b.damage = append(b.damage, &own)
		b.list.Damage = append(b.list.Damage, d.Error())
	}
	return nil
}

func (b *backup) add(name string, size int64) error {
	f, err := b.s.fs.Open(b.s.path(name), false)
	if err != nil {
		return err
	}
	b.files = append(b.files, pinned{name, f, size})
	b.head.Files++
	b.head.Bytes += size
	return nil
}

func (b *backup) close() {
	for _, f := range b.files {
		f.file.Close() // was only read
	}
	b.files, b.damage, b.list = nil, nil, backupList{}
}

func (b *backup) write() error {
	if err := b.text(backupHeadFile, b.head); err != nil {
		return err
	}
	for _, f := range b.files {
		if err := b.copy(f); err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
	}
	if err := b.text(backupManifest, b.list); err != nil {
		return err
	}
	return b.out.Close()
}

// text writes a file of one line of JSON.
func (b *backup) text(name string, v any) error {
	line, err := json.Marshal(v)
	if err != nil {
		return err
	}
	line = append(line, '\n')
	if err := b.begin(name, int64(len(line))); err != nil {
		return err
	}
	_, err = b.out.Write(line)
	return err
}

func (b *backup) begin(name string, size int64) error {
	return b.out.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o600, ModTime: time.UnixMicro(b.head.Created)})
}

// copy writes a file and notes its digest.
func (b *backup) copy(f pinned) error {
	if err := b.begin(f.name, f.size); err != nil {
		return err
	}
	sum := sha256.New()
	buf := make([]byte, min(f.size, 1<<20))
	for off := int64(0); off < f.size; {
		if err := b.ctx.Err(); err != nil {
			return err
		}
		n, err := f.file.ReadAt(buf[:min(int64(len(buf)), f.size-off)], off)
		if n == 0 {
			return errors.Join(io.ErrUnexpectedEOF, err)
		}
		sum.Write(buf[:n])
		if _, err := b.out.Write(buf[:n]); err != nil {
			return err
		}
		off += int64(n)
		if b.done += int64(n); b.told != nil {
			b.told(b.done, b.head.Bytes)
		}
	}
	b.list.Files = append(b.list.Files, backupFile{f.name, f.size, hex.EncodeToString(sum.Sum(nil))})
	return nil
}

func (b *backup) report() *driver.BackupReport {
	return &driver.BackupReport{
		Store: b.head.Store, Incarnation: b.head.Incarnation, Created: b.head.Created, Files: b.head.Files, Bytes: b.head.Bytes,
		Records: b.head.Records, Damage: slices.Clone(b.damage),
	}
}

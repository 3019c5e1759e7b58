package filestore

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/dashhost/dashhost/checkpoint/driver"
	"github.com/dashhost/dashhost/internal/vfs"
)

// partial is what the name of a folder ends with while a backup is restored into it.
const partial = ".partial"

// Restore makes the store in dir from what Backup wrote. dir must not be there, or be an empty folder. The store has the id that it
// had, and a greater incarnation, so that events from here on have ids of their own: it is not the one that went on elsewhere.
//
// Everything is written beside dir, compared with the manifest, made durable and verified; then it gets its name. Damage that the
// store had when it was backed up is in the report, and the store is made all the same. Errors: *driver.BackupError, and
// fs.ErrExist if dir holds anything, or if DIR.partial is there: another restore is at work, or was killed.
func Restore(ctx context.Context, dir string, r io.Reader, p driver.Progress) (*driver.BackupReport, error) {
	dir = filepath.Clean(dir)
	if names, err := os.ReadDir(dir); err == nil && len(names) > 0 {
		return nil, &fs.PathError{Op: "restore", Path: dir, Err: fs.ErrExist}
	} else if err != nil && !notExist(err) {
		return nil, err
	}
	temp := dir + partial
	if err := (vfs.OS{}).MkdirAll(filepath.Dir(dir)); err != nil {
		return nil, full(err)
	}
	if err := os.Mkdir(temp, 0o700); err != nil {
		return nil, full(err)
	}
	report, err := restore(ctx, temp, r, p)
	if err == nil {
		err = settle(temp, dir)
	}
	if err != nil {
		return nil, errors.Join(full(err), os.RemoveAll(temp))
	}
	return report, nil
}

// settle gives a folder its name.
func settle(temp, dir string) error {
	if err := os.Remove(dir); err != nil && !notExist(err) { // an empty one
		return err
	}
	if err := os.Rename(temp, dir); err != nil {
		return err
	}
	return vfs.OS{}.SyncDir(filepath.Dir(dir))
}

func restore(ctx context.Context, dir string, r io.Reader, p driver.Progress) (*driver.BackupReport, error) {
	for _, d := range []string{"log", "owners"} {
		if err := os.Mkdir(dir+"/"+d, 0o700); err != nil {
			return nil, err
		}
	}
	x := &restoring{ctx: ctx, fs: vfs.OS{}, dir: dir, in: tar.NewReader(r), told: p}
	if err := x.read(); err != nil {
		return nil, err
	}
	if err := x.raise(); err != nil {
		return nil, err
	}
	for _, d := range []string{dir + "/log", dir + "/owners", dir} {
		if err := x.fs.SyncDir(d); err != nil {
			return nil, err
		}
	}
	return x.verify()
}

// restoring is one Restore on its way.
type restoring struct {
	ctx  context.Context //nolint:containedctx // of the one call that it is
	fs   vfs.FS
	dir  string
	in   *tar.Reader
	told driver.Progress
	head backupHead
	got  []backupFile
	done int64
}

// next goes to the next file of the archive. io.EOF: there is none.
func (x *restoring) next() (*tar.Header, error) {
	if err := x.ctx.Err(); err != nil {
		return nil, err
	}
	h, err := x.in.Next()
	switch {
	case errors.Is(err, io.EOF):
		return nil, io.EOF
	case errors.Is(err, io.ErrUnexpectedEOF):
		return nil, &driver.BackupError{Reason: "is cut off"}
	case errors.Is(err, tar.ErrHeader):
		return nil, &driver.BackupError{Reason: "is not an archive that a backup writes, or was damaged"}
	case err != nil:
		return nil, err
	case h.Typeflag != tar.TypeReg:
		return nil, &driver.BackupError{File: h.Name, Reason: "is not a plain file"}
	}
	return h, nil
}

// read takes the whole archive.
func (x *restoring) read() error {
	h, err := x.next()
	if errors.Is(err, io.EOF) {
		return &driver.BackupError{Reason: "is empty"}
	}
	if err != nil {
		return err
	}
	if h.Name != backupHeadFile {
		return &driver.BackupError{File: h.Name, Reason: "comes first; a backup begins with " + backupHeadFile}
	}
	if err := x.text(h, &x.head); err != nil {
		return err
	}
	if x.head.Version != backupVersion {
		return &driver.VersionError{File: backupHeadFile, Got: uint32(x.head.Version), Max: backupVersion}
	}
	for {
		h, err := x.next()
		switch {
		case errors.Is(err, io.EOF):
			return &driver.BackupError{File: backupManifest, Reason: "is missing: the backup was cut off"}
		case err != nil:
			return err
		case h.Name == backupManifest:
			return x.compare(h)
		}
		if err := x.file(h); err != nil {
			return err
		}
	}
}

// text reads a file of JSON.
func (x *restoring) text(h *tar.Header, v any) error {
	if h.Size > maxBackupText {
		return &driver.TooLarge{What: h.Name, Max: maxBackupText, Got: h.Size}
	}
	b, err := io.ReadAll(x.in)
	if err != nil {
		return x.cut(h, err)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return &driver.BackupError{File: h.Name, Reason: err.Error()}
	}
	return nil
}

func (x *restoring) cut(h *tar.Header, err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return &driver.BackupError{File: h.Name, Reason: "is cut off"}
	}
	return err
}

// file writes a file of the store. Names are those that Backup gives, so none leads out of the folder.
func (x *restoring) file(h *tar.Header) error {
	number, isSegment := strings.CutPrefix(h.Name, "log/")
	isSegment = isSegment && segmentFile.MatchString(number) && !strings.HasSuffix(number, ".new")
	if !isSegment && h.Name != identityFile {
		return &driver.BackupError{File: h.Name, Reason: "is not a file of a store"}
	}
	if slices.ContainsFunc(x.got, func(f backupFile) bool { return f.Name == h.Name }) {
		return &driver.BackupError{File: h.Name, Reason: "is there twice"}
	}
	f, err := x.fs.Create(x.dir + "/" + h.Name)
	if err != nil {
		return err
	}
	sum := sha256.New()
	err = x.copy(h, io.MultiWriter(sum, &atEnd{file: f}))
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	x.got = append(x.got, backupFile{h.Name, h.Size, hex.EncodeToString(sum.Sum(nil))})
	return nil
}

// atEnd writes to a file from its start on.
type atEnd struct {
	file vfs.File
	off  int64
}

// Write implements io.Writer.
func (w *atEnd) Write(b []byte) (int, error) {
	n, err := w.file.WriteAt(b, w.off)
	w.off += int64(n)
	return n, err
}

func (x *restoring) copy(h *tar.Header, w io.Writer) error {
	for {
		if err := x.ctx.Err(); err != nil {
			return err
		}
		n, err := io.CopyN(w, x.in, 1<<20)
		if x.done += n; x.told != nil {
			x.told(x.done, x.head.Bytes)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return x.cut(h, err)
		}
	}
}

// compare reads the manifest: what came must be what was written.
func (x *restoring) compare(h *tar.Header) error {
	var list backupList
	if err := x.text(h, &list); err != nil {
		return err
	}
	for i, want := range list.Files {
		switch {
		case i >= len(x.got) || x.got[i].Name != want.Name:
			return &driver.BackupError{File: want.Name, Reason: "is missing"}
		case x.got[i].Size != want.Size:
			return &driver.BackupError{File: want.Name, Reason: fmt.Sprintf("has %d bytes, the manifest says %d", x.got[i].Size, want.Size)}
		case x.got[i].SHA256 != want.SHA256:
			return &driver.BackupError{File: want.Name, Reason: "does not have the digest that the manifest says: it was changed or damaged"}
		}
	}
	if len(x.got) > len(list.Files) {
		return &driver.BackupError{File: x.got[len(list.Files)].Name, Reason: "is not in the manifest"}
	}
	switch _, err := x.next(); {
	case err == nil:
		return &driver.BackupError{File: backupManifest, Reason: "something follows it"}
	case !errors.Is(err, io.EOF):
		return err
	}
	return nil
}

// raise writes the identity with the next incarnation. One backup may be restored again and again, and what each of them goes on
// with must not have ids of another: so it is the time, in seconds, if that is greater.
func (x *restoring) raise() error {
	s := &store{fs: x.fs, dir: x.dir}
	if err := s.readIdentity(); notExist(err) {
		return &driver.BackupError{File: identityFile, Reason: "is missing"}
	} else if err != nil {
		return err
	}
	s.incarnation = max(s.incarnation+1, uint64(max(time.Now().Unix(), 0)))
	return s.writeIdentity()
}

// verify reads what was written as a store.
func (x *restoring) verify() (*driver.BackupReport, error) {
	s, err := open(x.fs, &flocks{}, x.dir, Options{ReadOnly: true})
	if err != nil {
		return nil, err
	}
	report := &driver.BackupReport{
		Store: hex.EncodeToString(s.id[:]), Incarnation: s.incarnation, Created: x.head.Created, Files: len(x.got), Bytes: x.done, Records: s.cur.seq - 1,
	}
	if report.Store != x.head.Store || report.Records != x.head.Records {
		err = &driver.BackupError{Reason: fmt.Sprintf("holds %d records of store %s, and says %d of %s", report.Records, report.Store, x.head.Records, x.head.Store)}
	}
	if err == nil {
		err = s.Verify(x.ctx, func(d *driver.Damage) {
			if !d.Accepted {
				report.Damage = append(report.Damage, d)
			}
		}, nil)
	}
	return report, errors.Join(err, s.Close())
}

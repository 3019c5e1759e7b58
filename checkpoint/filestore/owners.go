package filestore

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/dashhost/dashhost/checkpoint/driver"
	"github.com/dashhost/dashhost/internal/vfs"
)

// ownerFile is what an owner's file holds behind its first byte, as one line of JSON.
type ownerFile struct {
	Version int    `json:"version"`
	PID     int    `json:"pid"`
	Host    string `json:"host"`
	Boot    string `json:"boot,omitempty"`
	Text    string `json:"text,omitempty"`
	Cursor  uint64 `json:"cursor,omitempty"`
}

const maxOwnerFile = 64 << 10

// Register implements driver.Owners. The owner lives as long as its file is locked: until release, or the end of the process.
func (s *store) Register(ctx context.Context, text string) (driver.Owner, func() error, error) {
	if err := s.enter(ctx); err != nil {
		return driver.Owner{}, nil, err
	}
	defer s.life.RUnlock()
	if s.o.ReadOnly {
		return driver.Owner{}, nil, driver.ErrReadOnly
	}
	if len(text) > maxOwnerFile/8 {
		return driver.Owner{}, nil, &driver.TooLarge{What: "owner text", Max: maxOwnerFile / 8, Got: int64(len(text))}
	}
	id, err := ulid.New(ulid.Timestamp(time.Now()), rand.Reader)
	if err != nil {
		return driver.Owner{}, nil, err
	}
	host, err := os.Hostname()
	if err != nil {
		host = "?"
	}
	o := driver.Owner{ID: id.String(), PID: os.Getpid(), Host: host, Boot: bootID(), Text: text}
	var release func() error
	err = s.exclusive(ctx, func() (err error) { // nobody takes the file for one of a dead process before it is locked
		release, err = s.hold(o)
		return err
	})
	if err != nil {
		return driver.Owner{}, nil, fmt.Errorf("owner %s: %w", o.ID, full(err))
	}
	return o, release, nil
}

func ownerPath(id string) string { return "owners/" + id }

func (s *store) hold(o driver.Owner) (func() error, error) {
	b, err := json.Marshal(ownerFile{Version: 1, PID: o.PID, Host: o.Host, Boot: o.Boot, Text: o.Text, Cursor: o.Cursor})
	if err != nil {
		return nil, err
	}
	path := s.path(ownerPath(o.ID))
	f, err := s.fs.Create(path)
	if notExist(err) { // it holds nothing that must last: somebody may have removed it
		if err = s.fs.MkdirAll(s.path("owners")); err == nil {
			f, err = s.fs.Create(path)
		}
	}
	if err != nil {
		return nil, err
	}
	_, err = f.WriteAt(slices.Concat([]byte{'\n'}, b, []byte{'\n'}), 0)
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, errors.Join(err, s.fs.Remove(path))
	}
	unlock, err := s.locks.hold(path)
	if err != nil {
		return nil, errors.Join(err, s.fs.Remove(path))
	}
	return func() error { return errors.Join(s.fs.Remove(path), unlock()) }, nil
}

// Owner implements driver.Owners.
func (s *store) Owner(ctx context.Context, id string) (driver.Owner, bool, error) {
	o := driver.Owner{ID: id}
	if err := s.enter(ctx); err != nil {
		return o, false, err
	}
	defer s.life.RUnlock()
	if _, err := ulid.ParseStrict(id); err != nil {
		return o, false, nil // not made here, and no name for a file
	}
	path := s.path(ownerPath(id))
	alive, err := s.locks.held(path)
	if notExist(err) {
		return o, false, nil
	}
	if err != nil {
		return o, false, fmt.Errorf("owner %s: %w", id, err)
	}
	if in, err := s.readOwner(path); err == nil { // what it says is for people: the lock decides
		o.PID, o.Host, o.Boot, o.Text, o.Cursor = in.PID, in.Host, in.Boot, in.Text, in.Cursor
	}
	return o, alive, nil
}

func (s *store) readOwner(path string) (ownerFile, error) {
	var in ownerFile
	b, err := vfs.ReadFile(s.fs, path, 1, maxOwnerFile)
	if err == nil {
		err = json.Unmarshal(b, &in)
	}
	return in, err
}

// owners returns the ids of all owners that have a file, alive or not.
func (s *store) owners() ([]string, error) {
	names, err := s.fs.ReadDir(s.path("owners"))
	if notExist(err) {
		return nil, nil
	}
	return slices.DeleteFunc(names, func(n string) bool {
		_, err := ulid.ParseStrict(n)
		return err != nil
	}), err
}

// lowestCursor is the Seq up to which everybody has delivered, 0 if nobody has anything to deliver. Who died has not.
func (s *store) lowestCursor() (uint64, error) {
	ids, err := s.owners()
	if err != nil {
		return 0, err
	}
	var lowest uint64
	for _, id := range ids {
		in, err := s.readOwner(s.path(ownerPath(id)))
		if err == nil && in.Cursor > 0 && (lowest == 0 || in.Cursor < lowest) {
			lowest = in.Cursor
		}
	}
	return lowest, nil
}

// bootID tells one start of the machine from another, "" where the system has no such thing.
func bootID() string {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

package guest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/tetratelabs/wazero"
)

// codeCache keeps machine code between processes. The runtime's own directory cache believes what it
// finds, and running damaged machine code is fatal; so the runtime only ever sees a staging directory of
// this process, into which one entry is copied, once its checksum has been verified, for the time of one
// compilation.
//
//	DIR/                                   mode 0700
//	    wazero-VERSION-ARCH-OS/KEY         entry: magic | sha256 | length of name u8 | name | machine code
//	    stage-RANDOM/wazero-.../NAME       what the runtime reads and writes
//
// KEY is sha256 of the module and its table limit; the sha256 in the entry covers KEY and all that follows
// it. Entries are written to a new file and renamed; whoever comes last wins, and all have written the
// same.
type codeCache struct {
	wz  wazero.CompilationCache
	log hclog.Logger

	mu    sync.Mutex // one compilation at a time uses the staging directory
	stage string     // "" when nothing is kept
	live  string     // the runtime's directory in it
	kept  string     // directory of the entries
}

const (
	entryMagic  = "dashhost code 1\n"
	stagePrefix = "stage-"
	stageAge    = 24 * time.Hour // an older staging directory was left by a process that is gone
)

// openCache opens the cache in dir, or one in memory if there is no dir or it cannot be used.
func openCache(dir string, log hclog.Logger) *codeCache {
	if dir != "" {
		c, err := openDir(dir, log)
		if err == nil {
			return c
		}
		log.Warn("compiled code is not kept", "dir", dir, "error", err)
	}
	return &codeCache{wz: wazero.NewCompilationCache(), log: log}
}

func openDir(dir string, log hclog.Logger) (_ *codeCache, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	info, err := os.Stat(dir)
	if err != nil {
		return nil, err
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o022 != 0 {
		return nil, fmt.Errorf("%s is writable by others (mode %04o), expected 0700", dir, info.Mode().Perm())
	}
	sweep(dir, log)
	stage, err := os.MkdirTemp(dir, stagePrefix)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(stage))
		}
	}()
	wz, err := wazero.NewCompilationCacheWithDir(stage)
	if err != nil {
		return nil, err
	}
	made, err := os.ReadDir(stage)
	if err != nil {
		return nil, err
	}
	if len(made) != 1 {
		return nil, fmt.Errorf("%s: the runtime made %d directories, expected one", stage, len(made))
	}
	c := &codeCache{wz: wz, log: log, stage: stage}
	c.live = filepath.Join(stage, made[0].Name())
	c.kept = filepath.Join(dir, made[0].Name())
	return c, os.MkdirAll(c.kept, 0o700)
}

// sweep removes staging directories that a killed process left behind.
func sweep(dir string, log hclog.Logger) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		log.Warn("compiled code: list", "dir", dir, "error", err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !strings.HasPrefix(e.Name(), stagePrefix) || time.Since(info.ModTime()) < stageAge {
			continue
		}
		if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
			log.Warn("compiled code: remove what another process left", "dir", e.Name(), "error", err)
		}
	}
}

// around runs one compilation with the entry for key in place, and keeps what it made. Faults of the disk
// are logged: they cost time, nothing else.
func (c *codeCache) around(key codeKey, compile func() error) error {
	if c.stage == "" {
		return compile()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	had, err := c.provide(key)
	if err != nil {
		c.log.Warn("compiled code: entry is not used", "key", key, "error", err)
	}
	err = compile()
	if err != nil && !c.writable() {
		// The runtime gives up when it cannot write its cache, after it has kept the code in memory.
		err = compile()
	}
	if cerr := c.collect(key, had); cerr != nil {
		c.log.Warn("compiled code: entry is not kept", "key", key, "error", cerr)
	}
	return err
}

// provide puts the entry for key where the runtime looks, and gives the name it has there.
func (c *codeCache) provide(key codeKey) (name string, err error) {
	if err := os.MkdirAll(c.live, 0o700); err != nil {
		return "", err
	}
	file := filepath.Join(c.kept, key.String())
	b, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	} else if err != nil {
		return "", err
	}
	name, native, err := openEntry(key, b)
	if err != nil {
		return "", errors.Join(fmt.Errorf("%s: %w", file, err), os.Remove(file))
	}
	return name, os.WriteFile(filepath.Join(c.live, name), native, 0o600)
}

// collect keeps the file that the runtime made beside the one called had, and empties its directory.
func (c *codeCache) collect(key codeKey, had string) error {
	files, err := os.ReadDir(c.live)
	if err != nil {
		return err
	}
	var faults []error
	for _, f := range files {
		path := filepath.Join(c.live, f.Name())
		if f.Name() != had {
			faults = append(faults, c.keep(key, path))
		}
		faults = append(faults, os.Remove(path))
	}
	return errors.Join(faults...)
}

func (c *codeCache) keep(key codeKey, path string) error {
	native, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	tmp, err := os.CreateTemp(c.kept, "new-")
	if err != nil {
		return err
	}
	_, err = tmp.Write(sealEntry(key, filepath.Base(path), native))
	err = errors.Join(err, tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), filepath.Join(c.kept, key.String()))
	}
	if err != nil {
		return errors.Join(err, os.Remove(tmp.Name()))
	}
	return nil
}

// writable tells whether the runtime could have written to its directory.
func (c *codeCache) writable() bool {
	f, err := os.CreateTemp(c.live, "probe-")
	if err != nil {
		return false
	}
	_, err = f.Write(make([]byte, 4096))
	return errors.Join(err, f.Close(), os.Remove(f.Name())) == nil
}

func (c *codeCache) close(ctx context.Context) error {
	err := c.wz.Close(ctx)
	if c.stage != "" {
		err = errors.Join(err, os.RemoveAll(c.stage))
	}
	return err
}

func sealEntry(key codeKey, name string, native []byte) []byte {
	body := append([]byte{byte(len(name))}, name...)
	body = append(body, native...)
	sum := entrySum(key, body)
	return append(append([]byte(entryMagic), sum[:]...), body...)
}

func openEntry(key codeKey, b []byte) (name string, native []byte, err error) {
	body, ok := bytes.CutPrefix(b, []byte(entryMagic))
	if !ok || len(body) < sha256.Size+1 {
		return "", nil, errors.New("not an entry of this version")
	}
	sum, body := body[:sha256.Size], body[sha256.Size:]
	if want := entrySum(key, body); !bytes.Equal(sum, want[:]) {
		return "", nil, errors.New("checksum differs: damaged or tampered with")
	}
	n := int(body[0])
	if len(body) < 1+n || n == 0 || filepath.Base(string(body[1:1+n])) != string(body[1:1+n]) {
		return "", nil, errors.New("bad name in the entry")
	}
	return string(body[1 : 1+n]), body[1+n:], nil
}

func entrySum(key codeKey, body []byte) [sha256.Size]byte {
	h := sha256.New()
	h.Write([]byte(key.String()))
	h.Write(body)
	return [sha256.Size]byte(h.Sum(nil))
}

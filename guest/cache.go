package guest

import (
	"context"
	"errors"
	"fmt"
	"io"
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
// this process, in which one entry is linked, once its sums have been verified, for the time of one
// compilation.
//
//	DIR/                                   mode 0700, of this user or of root
//	    wazero-VERSION-ARCH-OS/KEY         an entry, see entry.go
//	    stage-RANDOM/wazero-.../NAME       what the runtime reads and writes
//
// Entries are renamed into place when they are whole; whoever comes last wins, and all have written the same. Their
// time of modification is when they were last used: the oldest go when all together are larger than the cap. An entry that
// disappears at any moment costs a compilation.
//
// A directory that can be read but not written (an image of a container) is used, and nothing is kept. Nobody is told of a
// cache that cannot be used before something had to be compiled for it, and then once.
type codeCache struct {
	wz  wazero.CompilationCache
	log hclog.Logger

	// compile does compilations elsewhere, nil for in this process.
	compile func(ctx context.Context, job *CompileJob) error
	life    context.Context // of the runtime: ends what is compiled elsewhere
	end     context.CancelFunc

	kept   string // directory of the entries, "" for none
	max    int64  // bytes of all entries
	reason error  // why new entries are not kept, nil if they are
	tell   sync.Once

	mu    sync.Mutex // one compilation at a time uses the staging directory
	stage string     // "" without entries
	live  string     // the runtime's directory in it
}

const (
	stagePrefix = "stage-"
	stageAge    = 24 * time.Hour // an older staging directory was left by a process that is gone
	// defaultCacheBytes is the cap of all entries together.
	defaultCacheBytes = 1 << 30
)

// openCache opens the cache that o names, or one in memory if there is none or it cannot be used.
func openCache(o *Options, log hclog.Logger) *codeCache {
	c := &codeCache{log: log, max: o.CacheBytes}
	c.life, c.end = context.WithCancel(context.Background())
	if c.max == 0 {
		c.max = defaultCacheBytes
	}
	if !o.Interpreter {
		c.compile = o.Compile
	}
	if o.CacheDir != "" {
		err := c.open(o.CacheDir)
		if err == nil {
			return c
		}
		c.reason = fmt.Errorf("%s: %w", o.CacheDir, err)
	}
	if c.compile != nil {
		err := c.openPrivate()
		if err == nil {
			return c
		}
		c.reason = errors.Join(c.reason, fmt.Errorf("compiled without limits of time and memory, for there is no place to hand code over: %w", err))
		c.compile = nil
	}
	c.wz = wazero.NewCompilationCache()
	return c
}

// openPrivate prepares a staging directory alone, for code that comes from elsewhere.
func (c *codeCache) openPrivate() error {
	stage, err := os.MkdirTemp("", "dashhost-"+stagePrefix)
	if err != nil {
		return err
	}
	if err := c.begin(stage); err != nil {
		return errors.Join(err, os.RemoveAll(stage))
	}
	return nil
}

// open prepares directory and staging directory.
func (c *codeCache) open(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := trusted(dir); err != nil {
		return err
	}
	stage, err := os.MkdirTemp(dir, stagePrefix)
	if err != nil {
		c.reason = err
		if stage, err = os.MkdirTemp("", "dashhost-"+stagePrefix); err != nil {
			return err
		}
	} else {
		c.sweep(dir)
	}
	if err = c.begin(stage); err == nil {
		err = c.shelve(dir)
	}
	if err != nil {
		c.stage, c.kept = "", ""
		return errors.Join(err, os.RemoveAll(stage))
	}
	return nil
}

// begin makes the runtime's cache in stage.
func (c *codeCache) begin(stage string) error {
	wz, err := wazero.NewCompilationCacheWithDir(stage)
	if err != nil {
		return err
	}
	made, err := os.ReadDir(stage)
	if err != nil {
		return err
	}
	if len(made) != 1 {
		return fmt.Errorf("%s: the runtime made %d directories, expected one", stage, len(made))
	}
	c.wz, c.stage, c.live = wz, stage, filepath.Join(stage, made[0].Name())
	return nil
}

// shelve finds the place of entries in dir: it has the name that the runtime gives to its own directory.
func (c *codeCache) shelve(dir string) error {
	c.kept = filepath.Join(dir, filepath.Base(c.live))
	if c.reason == nil {
		c.reason = os.MkdirAll(c.kept, 0o700)
	}
	if err := trusted(c.kept); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// trusted refuses a directory in which others could put machine code.
func trusted(dir string) error {
	info, err := os.Stat(dir)
	switch {
	case err != nil:
		return err
	case !info.IsDir():
		return fmt.Errorf("%s is not a directory", dir)
	case runtime.GOOS != "windows" && info.Mode().Perm()&0o022 != 0:
		return fmt.Errorf("%s is writable by others (mode %04o), expected 0700", dir, info.Mode().Perm())
	case !ours(info):
		return fmt.Errorf("%s belongs to another user", dir)
	}
	return nil
}

// sweep removes staging directories that a killed process left behind.
func (c *codeCache) sweep(dir string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		c.log.Warn("compiled code: list", "dir", dir, "error", err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !strings.HasPrefix(e.Name(), stagePrefix) || time.Since(info.ModTime()) < stageAge {
			continue
		}
		if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
			c.log.Warn("compiled code: remove what another process left", "dir", e.Name(), "error", err)
		}
	}
}

// find gives the entry for key once it is verified, nil if there is none. A damaged one is removed.
func (c *codeCache) find(key codeKey) *prepared {
	if c.kept == "" {
		return nil
	}
	path := filepath.Join(c.kept, key.String())
	p, err := readEntry(path)
	switch {
	case err == nil:
		now := time.Now()
		if err := os.Chtimes(path, now, now); err != nil && c.reason == nil {
			c.log.Debug("compiled code: note the use of an entry", "error", err)
		}
		return p
	case !errors.Is(err, fs.ErrNotExist):
		c.discard(path, err)
	}
	return nil
}

// discard removes an entry that must not be used.
func (c *codeCache) discard(path string, why error) {
	if err := os.Remove(path); err != nil {
		why = errors.Join(why, err)
	}
	c.log.Warn("compiled code: entry is not used", "error", why)
}

// info gives what the entry for key says of its module, nil if there is none.
func (c *codeCache) info(key codeKey) *Info {
	if c.kept == "" {
		return nil
	}
	n, err := entryNotes(filepath.Join(c.kept, key.String()))
	if err != nil {
		return nil // whoever needs the code is told why
	}
	return n.Info
}

// around runs one compilation with p's entry in place, and keeps what it made. Faults of the disk are logged: they
// cost time, nothing else.
func (c *codeCache) around(key codeKey, p *prepared, compile func() error) error {
	if p.native == "" && c.reason != nil {
		c.tell.Do(func() { c.log.Warn("compiled code is not kept", "error", c.reason) })
	}
	if c.stage == "" {
		return compile()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.provide(p); err != nil {
		c.log.Warn("compiled code: entry is not used", "error", err)
	}
	err := c.elsewhere(c.life, p)
	if err == nil {
		err = compile()
		if err != nil && !c.writable() {
			// The runtime gives up when it cannot write its cache, after it has kept the code in memory.
			err = compile()
		}
	}
	if cerr := c.collect(key, p); cerr != nil {
		c.log.Warn("compiled code: entry is not kept", "key", key, "error", cerr)
	}
	return err
}

// provide links p's entry to where the runtime looks.
func (c *codeCache) provide(p *prepared) error {
	if err := os.MkdirAll(c.live, 0o700); err != nil || p.native == "" {
		return err
	}
	target, err := filepath.Abs(p.native)
	if err != nil {
		return err
	}
	link := filepath.Join(c.live, p.File)
	if err := os.Symlink(target, link); err != nil {
		return copyFile(target, link) // there are no links everywhere
	}
	return nil
}

func copyFile(from, to string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// collect keeps the file that the runtime made, if it did not find p's, and empties its directory.
func (c *codeCache) collect(key codeKey, p *prepared) error {
	files, err := os.ReadDir(c.live)
	if err != nil {
		return err
	}
	var faults []error
	for _, f := range files {
		path := filepath.Join(c.live, f.Name())
		if c.kept != "" && c.reason == nil && (p.native == "" || f.Name() != p.File) {
			faults = append(faults, c.keep(key, path, p))
		}
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			faults = append(faults, err)
		}
	}
	return errors.Join(faults...)
}

// made tells whether the runtime has written anything.
func (c *codeCache) made() (bool, error) {
	files, err := os.ReadDir(c.live)
	return len(files) > 0, err
}

// keep makes an entry of what the runtime has written.
func (c *codeCache) keep(key codeKey, path string, p *prepared) error {
	p.File, p.Created = filepath.Base(path), time.Now().UTC().Truncate(time.Second)
	if err := sealEntry(path, key.String(), p); err != nil {
		return err
	}
	if err := os.MkdirAll(c.kept, 0o700); err != nil {
		return err
	}
	kept := filepath.Join(c.kept, key.String())
	if err := os.Rename(path, kept); err != nil {
		return err
	}
	return evict(filepath.Dir(c.kept), c.max, kept)
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

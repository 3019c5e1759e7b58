package guest

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// CacheEntry is the compiled code of one module in a cache directory.
type CacheEntry struct {
	Path   string
	Module string // name that the module was loaded under, "" if it had none or the entry cannot be read
	SHA256 string // of the module, "" if the entry cannot be read
	// Runtime is the version and platform of the runtime that made it, Meter the version of the metering in it;
	// only entries of both that this program has are used.
	Runtime string
	Meter   int
	Bytes   int64
	Created time.Time // zero if the entry cannot be read
	Used    time.Time // last
	// Err says why the entry cannot be read: it is of another version, or damaged. It is never used, and goes when room
	// is needed. nil does not say that its machine code is sound, which is verified when it is used.
	Err error
}

// CacheEntries lists what is kept in a cache directory (see Options.CacheDir), the one used last first. An error is one
// of reading the directory; one that is not there is empty.
func CacheEntries(dir string) ([]CacheEntry, error) {
	entries, err := cacheFiles(dir)
	for i := range entries {
		e := &entries[i]
		n, err := entryNotes(e.Path)
		if err != nil {
			e.Err = err
			continue
		}
		e.Module, e.SHA256, e.Created, e.Meter = n.Name, n.Info.SHA256, n.Created, n.Meter
	}
	slices.SortStableFunc(entries, func(a, b CacheEntry) int { return b.Used.Compare(a.Used) })
	return entries, err
}

// RemoveCacheEntries removes the entries for which match is true, nil for all, and returns them. Processes that use the
// cache go on and compile again what they miss. Entries that are already gone are no error.
func RemoveCacheEntries(dir string, match func(*CacheEntry) bool) ([]CacheEntry, error) {
	entries, err := CacheEntries(dir)
	faults := []error{err}
	var removed []CacheEntry
	for i := range entries {
		if match != nil && !match(&entries[i]) {
			continue
		}
		if err := os.Remove(entries[i].Path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			faults = append(faults, err)
			continue
		}
		removed = append(removed, entries[i])
	}
	return removed, errors.Join(faults...)
}

// cacheFiles lists the entries of all runtimes, with what the file system says of them.
func cacheFiles(dir string) ([]CacheEntry, error) {
	runtimes, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	faults := []error{err}
	var entries []CacheEntry
	for _, r := range runtimes {
		if !r.IsDir() || !strings.HasPrefix(r.Name(), "wazero-") {
			continue
		}
		files, err := os.ReadDir(filepath.Join(dir, r.Name()))
		faults = append(faults, err)
		for _, f := range files {
			info, err := f.Info()
			if err != nil || !info.Mode().IsRegular() {
				continue // gone meanwhile, or none of ours
			}
			entries = append(entries, CacheEntry{
				Path: filepath.Join(dir, r.Name(), f.Name()), Runtime: r.Name(), Bytes: info.Size(), Used: info.ModTime(),
			})
		}
	}
	return entries, errors.Join(faults...)
}

// evict removes the entries used longest ago until all together are no larger than highest; spare stays whatever its size.
func evict(dir string, highest int64, spare string) error {
	entries, err := cacheFiles(dir)
	faults := []error{err}
	var total int64
	for i := range entries {
		total += entries[i].Bytes
	}
	slices.SortFunc(entries, func(a, b CacheEntry) int { return a.Used.Compare(b.Used) })
	for i := range entries {
		if total <= highest {
			break
		}
		if entries[i].Path == spare {
			continue
		}
		if err := os.Remove(entries[i].Path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			faults = append(faults, err)
			continue
		}
		total -= entries[i].Bytes
	}
	return errors.Join(faults...)
}

package main

import (
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/dashhost/dashhost/guest"
)

func (a *app) cacheCommand() *cobra.Command {
	c := a.group("cache", "Look at the compiled modules that are kept, or remove them")
	c.AddCommand(a.cacheListCommand(), a.cacheClearCommand())
	return c
}

// cacheRow is an entry as cache list --json and cache clear --json print it, one a line.
type cacheRow struct {
	Module  string `json:"module"`
	SHA256  string `json:"sha256"`
	Bytes   int64  `json:"bytes"`
	Runtime string `json:"runtime"`
	Meter   int    `json:"meter"`
	Created int64  `json:"created_us"`
	Used    int64  `json:"used_us"`
	Fault   string `json:"fault,omitempty"` // why it cannot be used
	Path    string `json:"path"`
}

func (a *app) cacheListCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List compiled modules, the one used last first",
		Args:    args(""),
		RunE: func(*cobra.Command, []string) error {
			dir, err := a.usedCache()
			if err != nil {
				return err
			}
			entries, err := guest.CacheEntries(dir)
			a.tellCache(entries)
			if len(entries) == 0 {
				a.talk.linef("nothing is kept in %s", dir)
			} else {
				a.talk.linef("%s in %s, %s", entryCount(len(entries)), dir, bytesText(sizeOf(entries)))
			}
			return err
		},
	}
}

func (a *app) cacheClearCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "clear [DIGEST]",
		Short: "Remove compiled modules: all, or those of one digest",
		Long: `Remove compiled modules from the cache: all, or those of the module with this sha256, of which the beginning is enough.
Nothing is lost: what is needed is compiled again. Programs that run go on.`,
		Args: args("[DIGEST]"),
		RunE: func(_ *cobra.Command, args []string) error {
			dir, err := a.usedCache()
			if err != nil {
				return err
			}
			var match func(*guest.CacheEntry) bool
			if len(args) > 0 {
				digest := strings.ToLower(args[0])
				if digest == "" || strings.Trim(digest, "0123456789abcdef") != "" || len(digest) > 64 {
					return &usageError{Text: "digest " + args[0] + ": not the sha256 of a module in hex, or its beginning", Hints: []string{"dashhost cache list"}}
				}
				match = func(e *guest.CacheEntry) bool { return strings.HasPrefix(e.SHA256, digest) }
			}
			removed, err := guest.RemoveCacheEntries(dir, match)
			a.tellCache(removed)
			a.talk.linef("removed %s from %s, %s", entryCount(len(removed)), dir, bytesText(sizeOf(removed)))
			return err
		},
	}
}

// usedCache is the folder that other commands would use. It need not be there.
func (a *app) usedCache() (string, error) {
	dir, err := a.cacheSetting()
	switch {
	case err != nil:
		return "", &usageError{Text: "cache: " + err.Error(), Hints: []string{"name a folder: --cache-dir DIR"}}
	case dir == "":
		return "", &usageError{Text: "cache: it is off", Hints: []string{"name a folder: --cache-dir DIR"}}
	}
	return dir, nil
}

// tellCache prints entries.
func (a *app) tellCache(entries []guest.CacheEntry) {
	rows := [][]string{{"MODULE", "SHA256", "SIZE", "COMPILED", "USED", "BY"}}
	for i := range entries {
		e := &entries[i]
		r := &cacheRow{Module: e.Module, SHA256: e.SHA256, Bytes: e.Bytes, Runtime: e.Runtime, Meter: e.Meter, Used: e.Used.UnixMicro(), Path: e.Path}
		if !e.Created.IsZero() {
			r.Created = e.Created.UnixMicro()
		}
		by := e.Runtime
		if e.Err != nil {
			r.Fault = e.Err.Error()
			by += ", " + r.Fault
		}
		if a.flags.json {
			a.printJSON(r)
		}
		rows = append(rows, []string{
			orDash(visible(e.Module)), orDash(e.SHA256[:min(12, len(e.SHA256))]), bytesText(e.Bytes), timeText(r.Created), ageText(time.Since(e.Used)), visible(by),
		})
	}
	if !a.flags.json && len(entries) > 0 {
		a.table(rows)
	}
}

func entryCount(n int) string {
	if n == 1 {
		return "1 entry"
	}
	return strconv.Itoa(n) + " entries"
}

func sizeOf(entries []guest.CacheEntry) int64 {
	var n int64
	for i := range entries {
		n += entries[i].Bytes
	}
	return n
}

// ageText is how long ago something was: "now", "5m ago", "3d ago".
func ageText(d time.Duration) string {
	for _, unit := range []struct {
		length time.Duration
		name   string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "m"}, {time.Second, "s"}} {
		if n := d / unit.length; n > 0 {
			return strconv.FormatInt(int64(n), 10) + unit.name + " ago"
		}
	}
	return "now"
}

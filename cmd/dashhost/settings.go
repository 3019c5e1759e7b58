package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/hashicorp/go-hclog"

	"github.com/dashhost/dashhost/host/openurl"
)

// Defaults, relative to the folder of the manifest or the working directory.
const (
	defaultManifest = "workflow.yaml"
	defaultStore    = ".dashhost/store"
	noCache         = "off" // as cache folder
)

// setting returns the first that is set of a flag and an environment variable.
func (a *app) setting(flag, env string) string {
	if flag != "" {
		return flag
	}
	return a.Getenv(env)
}

// manifestPath is the manifest of the command line: its argument or --manifest, else ./workflow.yaml.
// Explicit tells the first two from the default.
func (a *app) manifestPath(arg string) (path string, explicit bool, err error) {
	switch f := a.flags.manifest; {
	case arg != "" && f != "" && filepath.Clean(arg) != filepath.Clean(f):
		return "", true, &usageError{Text: "two manifests: " + arg + " and --manifest " + f, Hints: []string{"name one"}}
	case arg != "":
		return arg, true, nil
	case f != "":
		return f, true, nil
	}
	return defaultManifest, false, nil
}

// scheme is what a URL starts with; one letter alone is a drive of Windows.
var scheme = regexp.MustCompile(`^[a-z][a-z0-9+.-]+:`)

// storeURL makes a URL of what a person writes: a folder is one too. dir is what relative paths of it start from.
func storeURL(s, dir string) string {
	path, isFile := strings.CutPrefix(s, "file:")
	if !isFile && scheme.MatchString(s) {
		return s
	}
	path = filepath.FromSlash(strings.TrimPrefix(path, "//"))
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	return "file:" + filepath.Clean(path)
}

// storeDir is the folder of a store's URL, "" when it is not in one.
func storeDir(url string) string {
	if dir, ok := strings.CutPrefix(url, "file:"); ok {
		return dir
	}
	return ""
}

// storeName is the store as a person names it: its folder, or its URL without a password.
func storeName(url string) string {
	if dir := storeDir(url); dir != "" {
		return dir
	}
	return openurl.Redact(url)
}

// lasts says whether another process can look at what is kept in the store at url.
func lasts(url string) bool { return url != "" && url != "mem:" }

// storeBeside is where the store of a manifest is if neither flag nor environment name one: path is "" if there is no
// manifest, url what its store.url says.
func (a *app) storeBeside(path, url string) string {
	dir := "."
	if path != "" {
		dir = filepath.Dir(path)
	}
	if url != "" {
		return storeURL(url, dir)
	}
	return storeURL(defaultStore, dir)
}

// projectStore decides where the store is for a command that needs no manifest: one that is there is asked.
func (a *app) projectStore() (string, error) {
	if s := a.setting(a.flags.store, "DASHHOST_STORE"); s != "" {
		return storeURL(s, "."), nil
	}
	path, explicit, err := a.manifestPath("")
	if err != nil {
		return "", err
	}
	url, err := a.storeFromManifest(path, explicit)
	if err != nil {
		return "", &storeUnknownError{Err: err}
	}
	return url, nil
}

// storeUnknownError says that a manifest does not tell where the store is.
type storeUnknownError struct{ Err error }

// Error implements error.
func (e *storeUnknownError) Error() string { return e.Err.Error() }

// Unwrap returns what is wrong with the manifest.
func (e *storeUnknownError) Unwrap() error { return e.Err }

// storeFromManifest reads where the manifest at path keeps its store.
func (a *app) storeFromManifest(path string, must bool) (string, error) {
	if _, err := os.Stat(path); os.IsNotExist(err) && !must {
		return a.storeBeside("", ""), nil
	}
	if err := checkManifest(path); err != nil {
		return "", err
	}
	url, err := manifestStore(path)
	if err != nil {
		return "", err
	}
	return a.storeBeside(path, url), nil
}

// storeForRun is where a run of the manifest at path is kept. A manifest that cannot be read gives the default: loading it
// comes next and tells all that is wrong with it.
func (a *app) storeForRun(path string) string {
	if s := a.setting(a.flags.store, "DASHHOST_STORE"); s != "" {
		return storeURL(s, ".")
	}
	url, err := manifestStore(path)
	if err != nil {
		url = ""
	}
	return a.storeBeside(path, url)
}

// storeFlag is the flag that makes a command typed in this folder and environment use the store at url: "" if it does so
// without.
func (a *app) storeFlag(url string) string {
	bare := ""
	if s := a.Getenv("DASHHOST_STORE"); s != "" {
		bare = storeURL(s, ".")
	} else if u, err := a.storeFromManifest(defaultManifest, false); err == nil {
		bare = u
	}
	if bare == url || storeDir(url) != "" && sameFile(storeDir(bare), storeDir(url)) {
		return ""
	}
	if dir := storeDir(url); dir != "" {
		return " --store " + quote(dir)
	}
	return " --store " + quote(openurl.Redact(url))
}

func sameFile(a, b string) bool {
	x, errX := filepath.Abs(a)
	y, errY := filepath.Abs(b)
	return a != "" && errX == nil && errY == nil && x == y
}

// cacheDir is where compiled modules go: "" for nowhere, which is also what a user without a home folder gets who named none.
func (a *app) cacheDir() string {
	dir, err := a.cacheSetting()
	if err != nil {
		a.logger().Warn("compiled modules are not kept: name a folder with --cache-dir, or off", "error", err)
	}
	return dir
}

// cacheSetting is the folder that is named, "" for off, or that of the user, who may have none.
func (a *app) cacheSetting() (string, error) {
	if dir := a.setting(a.flags.cacheDir, "DASHHOST_CACHE_DIR"); dir != "" {
		if dir == noCache {
			return "", nil
		}
		return dir, nil
	}
	base, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(base, "dashhost"), nil
}

// logSettings reads level and format of the log.
func (a *app) logSettings() (*hclog.LoggerOptions, error) {
	level := hclog.Warn
	if a.flags.quiet {
		level = hclog.Error
	}
	if s := a.setting(a.flags.logLevel, "DASHHOST_LOG"); s != "" {
		if level = hclog.LevelFromString(s); level == hclog.NoLevel {
			return nil, &usageError{Text: "log level " + s + ": not one of trace, debug, info, warn, error, off",
				Hints: []string{"it comes from --log-level or DASHHOST_LOG"}}
		}
	}
	format := a.setting(a.flags.logFormat, "DASHHOST_LOG_FORMAT")
	if format != "" && format != "text" && format != "json" {
		return nil, &usageError{Text: "log format " + format + ": not one of text, json",
			Hints: []string{"it comes from --log-format or DASHHOST_LOG_FORMAT"}}
	}
	return &hclog.LoggerOptions{Name: "dashhost", Level: level, Output: a.talk, JSONFormat: format == "json", Color: hclog.ColorOff}, nil
}

// logger is the log of this execution, on stderr.
func (a *app) logger() hclog.Logger {
	o, err := a.logSettings()
	if err != nil {
		panic("BUG: log settings were checked: " + err.Error())
	}
	return hclog.New(o)
}

package main

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	mergegate "github.com/dashhost/dashhost/examples/merge-gate"
)

// examples are the projects that the program carries.
func examples() map[string]fs.FS { return map[string]fs.FS{exampleGate: mergegate.Files()} }

const exampleGate = "merge-gate"

// created is what new --json prints.
type created struct {
	Folder  string   `json:"folder"`
	Example string   `json:"example"`
	Files   []string `json:"files"`
	Next    string   `json:"next"` // command line
}

// notEmptyError says that a project would be mixed with what is there.
type notEmptyError struct{ Dir string }

// Error implements error.
func (e *notEmptyError) Error() string { return "folder: " + e.Dir + ": is not empty" }

func (a *app) newCommand() *cobra.Command {
	var example string
	c := &cobra.Command{
		Use:   "new DIR",
		Short: "Make a project from an example",
		Long: `Make a project in DIR, which is made if it is not there and must be empty if it is. The files come from the program itself:

  merge-gate   checks in several languages over a patch, sandboxed, and a report

The modules are there as they are run; their sources are in dashhost's repository, in examples/merge-gate.`,
		Example: `  dashhost new demo --example merge-gate
  dashhost run demo/workflow.yaml`,
		Args: args("DIR"),
		RunE: func(_ *cobra.Command, args []string) error {
			files := examples()[example]
			switch {
			case args[0] == "":
				return &usageError{Text: "folder: the path is empty"}
			case example == "":
				return &usageError{Text: "new: say what of: --example is missing", Hints: []string{"examples are: " + exampleGate}}
			case files == nil:
				return &usageError{Text: "--example " + example + ": not one of " + exampleGate}
			}
			return a.newProject(filepath.Clean(args[0]), example, files)
		},
	}
	c.Flags().StringVar(&example, "example", "", "copy the example called `NAME`: "+exampleGate)
	_ = c.RegisterFlagCompletionFunc("example", cobra.FixedCompletions([]string{exampleGate}, cobra.ShellCompDirectiveNoFileComp))
	return c
}

func (a *app) newProject(dir, example string, files fs.FS) error {
	names, err := unpack(dir, files)
	if err != nil {
		return err
	}
	next := "dashhost run"
	if dir != "." {
		next += " " + quote(filepath.Join(dir, defaultManifest))
	}
	if a.flags.json {
		a.printJSON(&created{Folder: dir, Example: example, Files: names, Next: next})
	}
	a.talk.linef("created   %s: %s, %s", dir, example, count(len(names), "file"))
	a.talk.linef("next      %s", next)
	return nil
}

// unpack writes files to dir and returns their names. Nothing that is there is written over; after an error nothing is left of
// what it has made.
func unpack(dir string, files fs.FS) (names []string, err error) {
	if err := emptyFolder(dir); err != nil {
		return nil, err
	}
	var made []string // in this order
	defer func() {
		if err == nil {
			return
		}
		for i := len(made) - 1; i >= 0; i-- {
			err = errors.Join(err, os.Remove(made[i]))
		}
	}()
	mkdir := func(path string) error {
		err := os.Mkdir(path, 0o777)
		if err == nil {
			made = append(made, path)
		} else if errors.Is(err, fs.ErrExist) {
			err = nil
		}
		return err
	}
	err = fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		path := filepath.Join(dir, filepath.FromSlash(name))
		switch {
		case err != nil:
			return err
		case name == ".":
			return mkdirs(path, mkdir)
		case d.IsDir():
			return mkdir(path)
		}
		f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o666)
		if err != nil {
			return err
		}
		made, names = append(made, path), append(names, name)
		return fill(f, files, name)
	})
	if err != nil {
		return nil, &fileError{What: "new", Path: failedPath(err, dir), Err: err}
	}
	return names, nil
}

// emptyFolder refuses what is not an empty folder, or none yet.
func emptyFolder(dir string) error {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return &fileError{What: "folder", Path: dir, Err: err}
	case len(entries) > 0:
		return &notEmptyError{Dir: dir}
	}
	return nil
}

// mkdirs makes path and the folders above it that are missing.
func mkdirs(path string, mkdir func(string) error) error {
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	if up := filepath.Dir(path); up != path {
		if err := mkdirs(up, mkdir); err != nil {
			return err
		}
	}
	return mkdir(path)
}

// fill writes a file of files to f and closes it.
func fill(f *os.File, files fs.FS, name string) (err error) {
	defer func() { err = errors.Join(err, f.Close()) }()
	src, err := files.Open(name)
	if err != nil {
		return err
	}
	defer src.Close() //nolint:errcheck // only read
	_, err = io.Copy(f, src)
	return err
}

// failedPath is the path that an error of the operating system names, else dir.
func failedPath(err error, dir string) string {
	var pe *fs.PathError
	if errors.As(err, &pe) && strings.HasPrefix(pe.Path, dir) {
		return pe.Path
	}
	return dir
}

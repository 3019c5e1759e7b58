package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/dashhost/dashhost/checkpoint"
	"github.com/dashhost/dashhost/host"
	"github.com/dashhost/dashhost/host/openurl"
)

func (a *app) threadCommand() *cobra.Command {
	c := a.group("thread", "Look at what the store keeps of each thread, change it, end it, delete it")
	c.Long = `A thread is one run, or a sequence of runs on the same state. THREAD is its name or the beginning of it.`
	c.AddCommand(a.threadListCommand(), a.threadShowCommand(), a.threadHistoryCommand(), a.threadStateCommand(),
		a.threadForkCommand(), a.threadUpdateCommand(), a.threadCancelCommand(), a.threadDeleteCommand())
	return c
}

// noStoreError says that nothing was ever kept where a command looked.
type noStoreError struct {
	Dir string // "" if the store is in no folder
	Err error  // what opening said of a folder that is there, or of a server; nil if there is no folder
}

// Error implements error.
func (e *noStoreError) Error() string {
	if e.Dir == "" {
		return "store: " + e.Err.Error()
	}
	if e.Err != nil {
		return "store: " + e.Dir + ": is a folder, but not a store"
	}
	return "store: " + e.Dir + ": does not exist"
}

// threadNotFoundError says that no thread of the store has a name that begins with Prefix.
type threadNotFoundError struct{ Prefix string }

// Error implements error.
func (e *threadNotFoundError) Error() string { return fmt.Sprintf("thread %q: not found", e.Prefix) }

// Is makes it the store's own ErrNotFound.
func (e *threadNotFoundError) Is(target error) bool { return target == checkpoint.ErrNotFound }

// ambiguousError says that several threads begin with Prefix.
type ambiguousError struct {
	Prefix  string
	Matches []string // the first few
	More    bool
}

// Error implements error.
func (e *ambiguousError) Error() string {
	more := ""
	if e.More {
		more = ", ..."
	}
	return fmt.Sprintf("thread %q: several begin so: %s%s", e.Prefix, strings.Join(e.Matches, ", "), more)
}

// openStore opens the project's store to look at it; a command that changes it asks for writing. A store that is not
// there is an error, never a new one.
func (a *app) openStore(ctx context.Context, write bool) (*checkpoint.Store, error) {
	url, err := a.projectStore()
	if err != nil {
		return nil, err
	}
	a.scene.store = url
	if write {
		if err := a.checkStore(ctx, url); err != nil {
			return nil, err
		}
		return a.open(ctx, url, &openurl.Options{})
	}
	return a.openForReading(ctx, url)
}

// openForReading opens a store that must be there.
func (a *app) openForReading(ctx context.Context, url string) (*checkpoint.Store, error) {
	return a.openThere(ctx, url, &openurl.Options{ReadOnly: true})
}

func (a *app) openThere(ctx context.Context, url string, o *openurl.Options) (*checkpoint.Store, error) {
	dir := storeDir(url)
	if _, err := os.Stat(dir); dir != "" && errors.Is(err, os.ErrNotExist) {
		return nil, &noStoreError{Dir: dir}
	}
	s, err := a.open(ctx, url, o)
	if errors.Is(err, checkpoint.ErrNotFound) {
		return nil, &noStoreError{Dir: dir, Err: err}
	}
	return s, err
}

// checkStore refuses a store that was never made, before something opens it that would make one.
func (a *app) checkStore(ctx context.Context, url string) error {
	s, err := a.openForReading(ctx, url)
	if err != nil {
		return err
	}
	return s.Close()
}

// withStore opens the store for f and closes it after.
func (a *app) withStore(ctx context.Context, write bool, f func(*checkpoint.Store) error) (err error) {
	s, err := a.openStore(ctx, write)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return f(s)
}

// withThread is withStore for one thread, found by its name or the beginning of it.
func (a *app) withThread(ctx context.Context, name string, write bool, f func(*checkpoint.Store, *checkpoint.ThreadInfo) error) error {
	return a.withStore(ctx, write, func(s *checkpoint.Store) error {
		info, err := findThread(ctx, s, name)
		if err != nil {
			return err
		}
		a.scene.thread = info.Thread
		if err := f(s, info); err != nil {
			return err
		}
		return newDamage(ctx, s, info.Thread)
	})
}

// newDamage is the damage of a thread that only reading it has found.
func newDamage(ctx context.Context, s *checkpoint.Store, thread string) error {
	info, err := s.Thread(ctx, thread)
	if err == nil && info.Damage != nil {
		return info.Damage
	}
	if err != nil && !errors.Is(err, checkpoint.ErrNotFound) { // deleted is fine
		return err
	}
	return nil
}

// candidates is how many threads an ambiguous prefix names.
const candidates = 5

// findThread looks a thread up by its name or a prefix that only it has.
func findThread(ctx context.Context, s *checkpoint.Store, name string) (*checkpoint.ThreadInfo, error) {
	if name == "" {
		return nil, &usageError{Text: "thread: the name is empty", Hints: []string{"dashhost thread list"}}
	}
	var found []*checkpoint.ThreadInfo
	for info, err := range s.Threads(ctx, &checkpoint.Filter{Prefix: name, Limit: candidates + 1}) {
		if err != nil {
			return nil, err
		}
		if info.Thread == name {
			return info, nil
		}
		found = append(found, info)
	}
	switch len(found) {
	case 0:
		return nil, &threadNotFoundError{Prefix: name}
	case 1:
		return found[0], nil
	}
	e := &ambiguousError{Prefix: name, More: len(found) > candidates}
	for _, info := range found[:min(len(found), candidates)] {
		e.Matches = append(e.Matches, info.Thread)
	}
	return nil, e
}

// completeThread offers the threads of the store that begin with what was typed. It is silent about every fault: a shell
// shows nothing then.
func (a *app) completeThread(c *cobra.Command, given []string, word string) ([]string, cobra.ShellCompDirective) {
	if len(given) > 0 {
		return nil, cobra.ShellCompDirectiveDefault
	}
	var names []string
	_ = a.withStore(c.Context(), false, func(s *checkpoint.Store) error {
		for info, err := range s.Threads(c.Context(), &checkpoint.Filter{Prefix: word, Limit: 100}) {
			if err != nil {
				return err
			}
			names = append(names, info.Thread+"\t"+host.ThreadStatus(info)+" "+info.Attrs["graph"])
		}
		return nil
	})
	return names, cobra.ShellCompDirectiveNoFileComp
}

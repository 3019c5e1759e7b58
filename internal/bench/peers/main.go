// Command peers measures the store beside bbolt, Pebble and a bare group commit: durable appends, size on disk, the latest state of one
// of many threads, opening a large log. It is a module of its own, so that what is compared with is no dependency of dashhost.
//
//	peers [-quick] [DIR]     measure on the disk that DIR is on, default the working directory; 3 minutes and 4 GB, or less with -quick
//
// Peers are used as their documentation says for durable writes: a Batch of bbolt, a Set of Pebble with Sync. They keep what one
// would keep in them: a key for each record, thread and number, so that the latest of a thread is found by seeking.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"text/tabwriter"
	"time"
)

// keeper is a store of records of threads.
type keeper interface {
	// append adds a record to a thread and returns when it is durable. Each thread has one caller.
	append(thread int, body []byte) error
	// load adds records to threads, many at a time, and returns when all are durable.
	load(threads, each int, body []byte) error
	// latest reads the newest record of a thread.
	latest(thread int) error
	close() error
}

// peer opens a keeper in a folder.
type peer struct {
	name string
	open func(dir string) (keeper, error)
}

func peers() []peer {
	return []peer{{"dashhost", openOurs}, {"bbolt", openBbolt}, {"Pebble", openPebble}}
}

// size says how much is measured.
type size struct {
	rounds  int
	slice   time.Duration // of one side of one round of appends
	threads int           // with a latest state
	each    int           // checkpoints of a thread
	log     int64         // bytes of the log that is opened
}

func main() {
	quick := flag.Bool("quick", false, "a hundredth of it, to see that it works")
	flag.Parse()
	dir := "."
	if flag.NArg() > 0 {
		dir = flag.Arg(0)
	}
	s := size{rounds: 5, slice: time.Second, threads: 100_000, each: 10, log: 1 << 30}
	if *quick {
		s = size{rounds: 2, slice: 20 * time.Millisecond, threads: 1000, each: 10, log: 10 << 20}
	}
	if err := run(os.Stdout, dir, s); err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
}

// run measures in a folder of its own in dir and prints tables.
func run(w io.Writer, dir string, s size) (err error) {
	temp, err := os.MkdirTemp(dir, ".peers-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temp)) }()
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, part := range []func(io.Writer, string, size) error{appends, turns, latest, opening} {
		if err := part(t, temp, s); err != nil {
			return err
		}
		if err := t.Flush(); err != nil {
			return err
		}
	}
	return nil
}

// middle is the median, with the least and the greatest.
func middle(v []float64) (median, least, most float64) {
	s := slices.Sorted(slices.Values(v))
	return s[len(s)/2], s[0], s[len(s)-1]
}

// bytesIn is how much the files of a folder take.
func bytesIn(dir string) (total int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			total += info.Size()
		}
		return err
	})
	return total, err
}

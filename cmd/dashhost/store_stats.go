package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/dashhost/dashhost/checkpoint"
	"github.com/dashhost/dashhost/host"
)

// storeStats is what store stats --json prints.
type storeStats struct {
	Store       string `json:"store"`
	ID          string `json:"id,omitempty"`
	Incarnation uint64 `json:"incarnation,omitempty"`
	Version     uint32 `json:"version"`
	Threads     int64  `json:"threads"`
	Deleted     int64  `json:"deleted"`
	Reserved    int64  `json:"reserved"` // graphs, modules and the like
	Damaged     int64  `json:"damaged"`
	Records     int64  `json:"records"`
	Segments    int    `json:"segments"`
	Bytes       int64  `json:"bytes"`
	Index       int64  `json:"index_bytes"`
	Quarantine  int64  `json:"quarantine_bytes"`
	Owners      int    `json:"processes"`
	Free        *int64 `json:"free_bytes,omitempty"` // left out if it is not known
	Low         bool   `json:"low,omitempty"`
}

// threadStats is what store stats THREAD --json prints.
type threadStats struct {
	Thread      string           `json:"thread"`
	Status      string           `json:"status"`
	Records     int64            `json:"records"`
	Checkpoints int64            `json:"checkpoints"`
	Kinds       map[string]int64 `json:"kinds"`
	Stored      int64            `json:"stored_bytes"`
	Size        int64            `json:"bytes"`
	Oldest      int64            `json:"oldest_us,omitempty"` // checkpoint
	Newest      int64            `json:"newest_us,omitempty"` // record
	Pruned      bool             `json:"pruned,omitempty"`    // older checkpoints were dropped
	Unreadable  int64            `json:"unreadable,omitempty"`
	Damage      string           `json:"damage,omitempty"`
}

func (a *app) storeStatsCommand() *cobra.Command {
	var each bool
	c := &cobra.Command{
		Use:   "stats [THREAD]",
		Short: "Say how large the store is, or a thread",
		Long: `Say how large the store is and how much space is left, or how large one thread is, or with --threads each of them. Sizes of
threads are those of their records, stored (compressed) and before. Damaged threads are named; whether a store is sound is for
"dashhost store fsck" to say.`,
		Args:              args("[THREAD]"),
		ValidArgsFunction: a.completeThread,
		RunE: func(c *cobra.Command, given []string) error {
			if each && len(given) > 0 {
				return &usageError{Text: "store stats: both --threads and " + given[0]}
			}
			ctx, done := a.untilSignal(c.Context())
			defer done()
			return cut(a.withStore(ctx, false, func(s *checkpoint.Store) error {
				switch {
				case each:
					return a.statThreads(ctx, s)
				case len(given) > 0:
					return a.statThread(ctx, s, given[0])
				}
				return a.statStore(ctx, s)
			}), "stats", "run it again")
		},
	}
	c.Flags().BoolVar(&each, "threads", false, "a line for each thread")
	return c
}

func (a *app) statStore(ctx context.Context, s *checkpoint.Store) error {
	st, err := s.Stats(ctx)
	if err != nil {
		return err
	}
	v := &storeStats{
		Store: storeName(a.scene.store), Version: st.Version, Threads: st.Threads, Deleted: st.Deleted, Reserved: st.Reserved, Damaged: st.Damaged,
		Records: st.Records, Segments: st.Segments, Bytes: st.Bytes, Index: st.Index, Quarantine: st.Quarantine, Owners: st.Owners, Low: st.Low,
	}
	v.ID, v.Incarnation = s.ID()
	if st.Free >= 0 {
		v.Free = &st.Free
	}
	if a.flags.json {
		a.printJSON(v)
		return nil
	}
	free := "-"
	if v.Free != nil {
		free = bytesText(st.Free)
		if st.Low {
			free += ", that is little: make room"
		}
	}
	a.table([][]string{
		{"store", v.Store},
		{"id", fmt.Sprintf("%s, incarnation %d", v.ID, v.Incarnation)},
		{"format", "version " + strconv.Itoa(int(v.Version))},
		{"threads", fmt.Sprintf("%d, damaged %d, deleted %d", v.Threads, v.Damaged, v.Deleted)},
		{"reserved", fmt.Sprintf("%d graphs, modules and the like", v.Reserved)},
		{"records", strconv.FormatInt(v.Records, 10)},
		{"log", bytesText(v.Bytes) + " in " + count(v.Segments, "file")},
		{"index", bytesText(v.Index)},
		{"quarantine", bytesText(v.Quarantine)},
		{"processes", strconv.Itoa(v.Owners)},
		{"free", free},
	})
	return nil
}

func threadStatsOf(st *checkpoint.ThreadStats) *threadStats {
	v := &threadStats{
		Thread: st.Info.Thread, Status: host.ThreadStatus(st.Info), Checkpoints: st.Records[checkpoint.KindStep], Kinds: map[string]int64{},
		Stored: st.Stored, Size: st.Size, Oldest: st.Oldest, Newest: st.Info.Updated, Pruned: st.Dropped, Unreadable: st.Damaged,
	}
	for k, n := range st.Records {
		v.Records += n
		v.Kinds[k.String()] = n
	}
	if st.Info.Damage != nil {
		v.Damage = st.Info.Damage.Error()
	}
	return v
}

func (a *app) statThread(ctx context.Context, s *checkpoint.Store, name string) error {
	info, err := findThread(ctx, s, name)
	if err != nil {
		return err
	}
	st, err := s.ThreadStats(ctx, info.Thread)
	if err != nil {
		return err
	}
	v := threadStatsOf(st)
	if a.flags.json {
		a.printJSON(v)
		return nil
	}
	checkpoints := strconv.FormatInt(v.Checkpoints, 10)
	if v.Pruned {
		checkpoints += ", older ones were dropped"
	}
	rows := [][]string{{"thread", v.Thread}, {"status", v.Status}, {"checkpoints", checkpoints}, {"records", strconv.FormatInt(v.Records, 10)}}
	for _, k := range slices.Sorted(maps.Keys(v.Kinds)) {
		rows = append(rows, []string{"  " + k, strconv.FormatInt(v.Kinds[k], 10)})
	}
	rows = append(rows, [][]string{
		{"stored", bytesText(v.Stored) + ", " + bytesText(v.Size) + " before compression"},
		{"oldest", timeText(v.Oldest)}, {"newest", timeText(v.Newest)},
	}...)
	if v.Damage != "" {
		rows = append(rows, []string{"damage", visible(v.Damage)})
	}
	if v.Unreadable > 0 {
		rows = append(rows, []string{"unreadable", recordsText(v.Unreadable)})
	}
	a.table(rows)
	return nil
}

func (a *app) statThreads(ctx context.Context, s *checkpoint.Store) error {
	rows := [][]string{{"THREAD", "STATUS", "CHECKPOINTS", "RECORDS", "STORED", "SIZE", "OLDEST", "NEWEST"}}
	for info, err := range s.Threads(ctx, nil) {
		if err != nil {
			return err
		}
		st, err := s.ThreadStats(ctx, info.Thread)
		if errors.Is(err, checkpoint.ErrNotFound) {
			continue // deleted meanwhile
		}
		if err != nil {
			return err
		}
		v := threadStatsOf(st)
		if a.flags.json {
			a.printJSON(v)
		}
		rows = append(rows, []string{v.Thread, v.Status, strconv.FormatInt(v.Checkpoints, 10), strconv.FormatInt(v.Records, 10), bytesText(v.Stored), bytesText(v.Size),
			timeText(v.Oldest), timeText(v.Newest)})
		if a.stdout.err != nil {
			break
		}
	}
	if !a.flags.json {
		a.table(rows)
	}
	return nil
}
